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

/// The order of what is stored is that of use: a tick of thousands of legs looks at the first few cache lines of each,
/// sending at the next few, a received packet at most of the rest; what only commands and reports read comes last.
struct Leg: ~Copyable {
  /// What a tick touches of a leg that does not talk, and what sending to it does: its first bytes.
  static let tickBytes = 192
  static let sendBytes = 512
  /// What a received packet touches.
  static let receiveBytes = 1536

  // MARK: Each tick

  /// When the last authentic packet came; at first when the leg was opened.
  var lastHeard: Instant
  /// Silence of so long is told; `nil` where nothing is expected or wanted.
  private var silenceTimeout: Interval?
  /// As `configuration` says, which is far away.
  private(set) var receives: Bool
  private(set) var sends: Bool
  private(set) var rtcpMux: Bool
  private(set) var isPlain: Bool
  var wasHeard = false
  var isSilent = false
  var saidGoodbye = false
  var ingressBlocked = false
  var egressBlocked = false
  /// Its frame of the last tick is in the mix.
  var isMixed = false
  /// It keeps its place for one more tick, to fade out.
  var isLeaving = false
  /// A key may be down, or its muting not over.
  var isKeyed = false
  /// The media socket, as `Datagram.socket`, of the worker whose address the peer knows: where the leg was opened. It
  /// stays when the leg moves.
  let mediaSocket: UInt8
  /// Of its meeting's formats.
  var format = 0
  /// Its own encoder while it is a talker that listens, else −1.
  var encoder = -1
  /// Its place among the talkers of the present tick, else −1.
  var talker = -1
  var activity = TalkerActivity()
  /// Of its newest packet; as `audio` has it.
  var newest = NewestAudio()
  /// Of its last decoded tick, −127…0 dBov.
  var measuredLevel = -127
  /// What it will be in this tick, as far as its packets tell.
  var nextLevel = -127
  /// Its packets claim silence, and what is decoded of them is loud: music, or a steady tone.
  var isUnderstated = false
  /// Applied after the level is measured: who is chosen does not depend on it.
  var automaticGain = AutomaticGain()

  // MARK: Sending

  var media: PeerPath
  var send: SendStream
  /// `nil` for plain RTP.
  var session: SRTPSession?
  /// Octets by which protection makes a report longer.
  private(set) var growth = 0
  var rtcp: RTCPSession

  // MARK: Receiving

  private var rateSecond = Int64.min
  private var rateCount = 0
  var dropped: UInt64 = 0
  var stream: ReceiveStream
  var audio: AudioReceiver

  // MARK: Seldom

  let id: LegID
  var meeting: Int
  var placeInMeeting = 0
  var placeInUnlatched = -1
  var control: PeerPath
  var configuration: LegConfiguration { didSet { follow() } }
  var dtmf = DTMFReceiver()
  var limiter = Limiter()
  var loss = LossWatch()
  var news = LegNews()
  /// How often it has moved, and whence the last time; −1: never.
  var moves: UInt32 = 0
  var lastWorker = -1
  /// Its peer has proved another address; its home, where that is elsewhere, has not been told.
  var hasNewPath = false
  var evidence = LegEvidence()

  init(
    configuration: LegConfiguration, home: Int, meeting: Int, session: consuming SRTPSession?, now: Instant,
    tick: Int64,
    random: inout RandomSource
  ) {
    id = configuration.leg
    mediaSocket = UInt8(truncatingIfNeeded: 2 &* home)
    self.configuration = configuration
    self.meeting = meeting
    let isPlain = session == nil
    self.isPlain = isPlain
    growth = session?.maximumGrowth ?? 0
    stream = ReceiveStream(configuration: configuration, isAuthenticated: !isPlain)
    self.session = session
    media = PeerPath(configuration.remoteMedia)
    control = PeerPath(configuration.rtcpMux ? configuration.remoteMedia : configuration.remoteControl)
    lastHeard = now
    audio = AudioReceiver(formats: configuration.receive)
    send = SendStream(configuration: configuration, tick: tick)
    rtcp = RTCPSession(configuration, now: now, random: &random)
    receives = configuration.receives
    sends = configuration.sends
    rtcpMux = configuration.rtcpMux
    silenceTimeout = nil
    follow()
  }

  mutating func rekey(_ session: consuming SRTPSession?) {
    isPlain = session == nil
    growth = session?.maximumGrowth ?? 0
    self.session = session
  }

  private mutating func follow() {
    receives = configuration.receives
    sends = configuration.sends
    rtcpMux = configuration.rtcpMux
    silenceTimeout =
      configuration.receives && configuration.mediaTimeout > .zero ? configuration.mediaTimeout : nil
  }

  var controlSocket: UInt8 { mediaSocket | 1 }
  /// The worker whose sockets the peer knows.
  var home: Int { Int(mediaSocket >> 1) }
  /// Chosen for the tick before, and not only to fade out.
  var wasTalker: Bool { talker >= 0 && !isLeaving }
  /// The mixer may hear it.
  var isHeard: Bool { receives && !ingressBlocked }
  /// It is sent the mix.
  var listens: Bool { sends && !egressBlocked && media.canSend }

  /// Nothing authentic has come for as long as is to be told, and it was not told yet.
  func fellSilent(at now: Instant) -> Bool {
    guard !isSilent, let silenceTimeout else { return false }
    return now - lastHeard >= silenceTimeout
  }

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
    result.remotePacketsLost = rtcp.remote.lost
    result.remoteJitterMicroseconds = UInt32(
      clamping: UInt64(rtcp.remote.jitter) &* 1_000_000 / UInt64(max(1, send.clockRate)))
    result.opinionIn = rtcp.quality.opinionIn
    result.opinionOut = rtcp.quality.opinionOut
    return result
  }
}
