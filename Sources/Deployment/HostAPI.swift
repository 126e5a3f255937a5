//  HostAPI.swift: what a media host answers to the operator's command, as JSON: both sides read it from here.

/// The documents of a media host's `/api/`. Numbers have their unit in their name; times are UNIX time.
public enum HostAPI {
  /// Why there is no other answer; with status 400 and up.
  public struct Failure: Codable, Equatable, Sendable {
    public var error: String
    /// Names like the one that was asked for.
    public var nearest: [String]
    public init(error: String, nearest: [String] = []) {
      self.error = error
      self.nearest = nearest
    }
  }

  /// `GET /api/legs`
  public struct Legs: Codable, Equatable, Sendable {
    public var host: String
    public var legs: [Leg]
    public init(host: String, legs: [Leg]) {
      self.host = host
      self.legs = legs
    }
  }

  public struct Leg: Codable, Equatable, Sendable {
    public var leg: UInt32
    public var conference: String
    public var user: String
    public var endpoint: String
    public var callID: String
    public var worker: Int
    public var codec: String?
    public var suite: String?
    /// It is still there; else only its evidence is.
    public var isOpen: Bool
    public init(
      leg: UInt32, conference: String, user: String, endpoint: String, callID: String, worker: Int, codec: String?,
      suite: String?, isOpen: Bool
    ) {
      self.leg = leg
      self.conference = conference
      self.user = user
      self.endpoint = endpoint
      self.callID = callID
      self.worker = worker
      self.codec = codec
      self.suite = suite
      self.isOpen = isOpen
    }
  }

  /// `GET /api/why?leg=…&seconds=…`
  public struct Why: Codable, Equatable, Sendable {
    public var host: String
    public var leg: Leg
    public var secondsSeen: Int
    public var secondsBad: Int
    /// `ours`, `networkIn`, `networkOut`, `farEnd`; absent when no second was bad.
    public var culprit: String?
    public var causes: [Cause]
    /// Bad ones, the worst first, then the last ones in order.
    public var worst: [Second]
    public var last: [Second]
    public init(
      host: String, leg: Leg, secondsSeen: Int, secondsBad: Int, culprit: String?, causes: [Cause], worst: [Second],
      last: [Second]
    ) {
      self.host = host
      self.leg = leg
      self.secondsSeen = secondsSeen
      self.secondsBad = secondsBad
      self.culprit = culprit
      self.causes = causes
      self.worst = worst
      self.last = last
    }
  }

  public struct Cause: Codable, Equatable, Sendable {
    public var cause: String
    public var culprit: String
    /// `inbound`: what others hear of the participant; `outbound`: what the participant hears.
    public var direction: String
    public var text: String
    public var seconds: Int
    public var damageMilliseconds: Int
    public init(
      cause: String, culprit: String, direction: String, text: String, seconds: Int, damageMilliseconds: Int
    ) {
      self.cause = cause
      self.culprit = culprit
      self.direction = direction
      self.text = text
      self.seconds = seconds
      self.damageMilliseconds = damageMilliseconds
    }
  }

  /// One second of evidence.
  public struct Second: Codable, Equatable, Sendable {
    public var time: Double
    public var received: Int
    public var lost: Int
    public var late: Int
    public var refused: Int
    public var reordered: Int
    public var concealedMilliseconds: Int
    public var jitterMilliseconds: Double
    public var levelDBov: Int
    public var inMixMilliseconds: Int
    public var worstTickMilliseconds: Double
    public var sent: Int
    public var unsent: Int
    public var audibleMilliseconds: Int
    public var remoteLossShare: Double
    public var remoteJitterMilliseconds: Double
    public var roundTripMilliseconds: Double
    /// Absent: the peer never reported, or not for minutes.
    public var remoteReportAgeSeconds: Int?
    /// Mean opinion score of what others hear (G.107), 1…4.5; absent while unknown.
    public var opinion: Double?
    public var causes: [Cause]
    public init(time: Double) {
      self.time = time
      (received, lost, late, refused, reordered, concealedMilliseconds) = (0, 0, 0, 0, 0, 0)
      (jitterMilliseconds, levelDBov, inMixMilliseconds, worstTickMilliseconds) = (0, -127, 0, 0)
      (sent, unsent, audibleMilliseconds) = (0, 0, 0)
      (remoteLossShare, remoteJitterMilliseconds, roundTripMilliseconds) = (0, 0, 0)
      causes = []
    }
  }

  /// `GET /api/audibility?meeting=…`
  public struct Audibility: Codable, Equatable, Sendable {
    public var host: String
    public var conference: String
    public var windowSeconds: Int
    public var participants: [Participant]
    public init(host: String, conference: String, windowSeconds: Int, participants: [Participant]) {
      self.host = host
      self.conference = conference
      self.windowSeconds = windowSeconds
      self.participants = participants
    }
  }

  /// One leg's way into the mix and from it. A hears B when B's voice is open and A's ear is.
  public struct Participant: Codable, Equatable, Sendable {
    public var leg: UInt32
    public var user: String
    public var endpoint: String
    public var voice: String
    public var voiceText: String
    public var voiceIsOpen: Bool
    public var voiceIsFault: Bool
    public var ear: String
    public var earText: String
    public var earIsOpen: Bool
    public var earIsFault: Bool
    public init(
      leg: UInt32, user: String, endpoint: String, voice: String, voiceText: String, voiceIsOpen: Bool,
      voiceIsFault: Bool, ear: String, earText: String, earIsOpen: Bool, earIsFault: Bool
    ) {
      self.leg = leg
      self.user = user
      self.endpoint = endpoint
      self.voice = voice
      self.voiceText = voiceText
      self.voiceIsOpen = voiceIsOpen
      self.voiceIsFault = voiceIsFault
      self.ear = ear
      self.earText = earText
      self.earIsOpen = earIsOpen
      self.earIsFault = earIsFault
    }
  }

  /// `GET /api/meetings`
  public struct Meetings: Codable, Equatable, Sendable {
    public var host: String
    public var meetings: [Meeting]
    public init(host: String, meetings: [Meeting]) {
      self.host = host
      self.meetings = meetings
    }
  }

  public struct Meeting: Codable, Equatable, Sendable {
    public var meeting: UInt32
    public var conference: String
    /// Those that have parts of it, its home first.
    public var workers: [Int]
    public var legs: Int
    public init(meeting: UInt32, conference: String, workers: [Int], legs: Int) {
      self.meeting = meeting
      self.conference = conference
      self.workers = workers
      self.legs = legs
    }
  }

  /// `GET /api/capacity`
  public struct Capacity: Codable, Equatable, Sendable {
    public var host: String
    public var workers: [WorkerCapacity]
    /// Legs that configuration leaves free.
    public var legsConfiguredFree: Int
    public init(host: String, workers: [WorkerCapacity], legsConfiguredFree: Int) {
      self.host = host
      self.workers = workers
      self.legsConfiguredFree = legsConfiguredFree
    }
  }

  public struct WorkerCapacity: Codable, Equatable, Sendable {
    public var worker: Int
    public var legs: Int
    public var meetings: Int
    public var busyShare: Double
    public var slackP999Milliseconds: Double
    /// `measured` here in the last seconds, or `typical`: too little has been going on to measure.
    public var basis: String
    /// CPU microseconds of each kind of work.
    public var prices: [String: Double]
    public var room: [Room]
    public init(
      worker: Int, legs: Int, meetings: Int, busyShare: Double, slackP999Milliseconds: Double, basis: String,
      prices: [String: Double], room: [Room]
    ) {
      self.worker = worker
      self.legs = legs
      self.meetings = meetings
      self.busyShare = busyShare
      self.slackP999Milliseconds = slackP999Milliseconds
      self.basis = basis
      self.prices = prices
      self.room = room
    }
  }

  /// How many more legs of one kind fit onto one worker, if nothing else comes.
  public struct Room: Codable, Equatable, Sendable {
    public var kind: String
    public var text: String
    public var legs: Int
    /// What ends it: `time` of the worker, or a meeting's `tick` that would take too long.
    public var limitedBy: String
    public init(kind: String, text: String, legs: Int, limitedBy: String) {
      self.kind = kind
      self.text = text
      self.legs = legs
      self.limitedBy = limitedBy
    }
  }
}
