//  Leg.swift: all that a worker knows of one participant, as one relocatable value.

import MediaTransport
import Primitives
import RTP

/// Where one of a leg's two flows (media, and control without rtcp-mux) goes to and comes from.
struct PeerPath: BitwiseCopyable {
  /// What signalling said.
  var signalled: SocketAddress
  /// Where we send: as signalled, until the peer proved another address.
  var address: SocketAddress
  /// The peer's packets from `address` were authentic.
  var isLatched = false
  /// Another leg proved that `address` is its own: nothing is sent before this one latches anew.
  var isLost = false

  init(_ signalled: SocketAddress) {
    self.signalled = signalled
    address = signalled
  }

  func isLatched(at source: SocketAddress) -> Bool { isLatched && address == source }
  var canSend: Bool { !isLost && address.port != 0 && !address.isUnspecified }
}

struct Leg: ~Copyable {
  let id: LegID
  var configuration: LegConfiguration
  /// `nil` for plain RTP.
  var session: SRTPSession?

  // Where it stands in the worker's tables.
  let meeting: Int
  var placeInMeeting = 0
  /// Of its meeting's formats.
  var format = 0
  /// Its own encoder while it is a talker that listens, else −1.
  var encoder = -1
  /// Its place among the talkers of the present tick, else −1.
  var talker = -1
  /// Its frame of the last tick is in the mix.
  var isMixed = false
  /// It keeps its place for one more tick, to fade out.
  var isLeaving = false
  var placeInUnlatched = -1

  var media: PeerPath
  var control: PeerPath
  /// When the last authentic packet came; at first when the leg was opened.
  var lastHeard: Instant
  var wasHeard = false
  var isSilent = false
  var saidGoodbye = false

  var stream: ReceiveStream
  var audio: AudioReceiver
  var dtmf = DTMFReceiver()
  var activity = TalkerActivity()
  /// Of its last decoded tick, −127…0 dBov.
  var measuredLevel = -127
  var send: SendStream
  var limiter = Limiter()
  var rtcp: RTCPSession
  var ingressBlocked = false
  var egressBlocked = false

  var dropped: UInt64 = 0
  private var rateSecond = Int64.min
  private var rateCount = 0
  var news = LegNews()
  var evidence = LegEvidence()

  init(
    configuration: LegConfiguration, meeting: Int, session: consuming SRTPSession?, now: Instant, tick: Int64,
    random: inout RandomSource
  ) {
    id = configuration.leg
    self.configuration = configuration
    self.meeting = meeting
    stream = ReceiveStream(configuration: configuration, isAuthenticated: session != nil)
    self.session = session
    media = PeerPath(configuration.remoteMedia)
    control = PeerPath(configuration.rtcpMux ? configuration.remoteMedia : configuration.remoteControl)
    lastHeard = now
    audio = AudioReceiver(formats: configuration.receive)
    send = SendStream(configuration: configuration, tick: tick)
    rtcp = RTCPSession(cname: configuration.cname, now: now, random: &random)
  }

  var isPlain: Bool { session == nil }
  /// Chosen for the tick before, and not only to fade out.
  var wasTalker: Bool { talker >= 0 && !isLeaving }
  /// The mixer may hear it.
  var isHeard: Bool { configuration.receives && !ingressBlocked }
  /// It is sent the mix.
  var listens: Bool { configuration.sends && !egressBlocked && media.canSend }
  var reportsSilence: Bool { configuration.receives && configuration.mediaTimeout > .zero }

  /// - Throws: `.rateLimited` over the maximum of authentic packets in this second.
  mutating func countPacket(limit: Int, now: Instant) throws(DropReason) {
    let second = now.nanoseconds / 1_000_000_000
    if second != rateSecond {
      rateSecond = second
      rateCount = 0
    }
    rateCount &+= 1
    if rateCount > limit { throw .rateLimited }
  }

  func authenticates(_ bytes: RawSpan, isControl: Bool) -> Bool {
    isControl ? session?.authenticatesRTCP(bytes) ?? false : session?.authenticatesRTP(bytes) ?? false
  }

  var statistics: LegStatistics {
    var result = LegStatistics()
    result.packetsReceived = stream.packets
    result.bytesReceived = stream.octets
    result.packetsSent = send.packets
    result.bytesSent = send.octets
    result.packetsLost = stream.packetsLost
    result.jitter = stream.jitter
    result.framesConcealed = audio.statistics.framesConcealed
    result.packetsLate = audio.statistics.packetsLate
    result.packetsDropped = dropped
    result.roundTripMicroseconds = rtcp.roundTripMicroseconds
    result.remoteFractionLost = rtcp.remoteFractionLost
    return result
  }
}
