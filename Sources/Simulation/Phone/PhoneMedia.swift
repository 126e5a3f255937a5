//  PhoneMedia.swift: the media of one virtual phone's call: SRTP, RTP out of clips, RTP in and into an ear.

import Media
import MediaTransport
import Primitives
import RTP
import SDP

/// One call's media. An object because its parts own codec and cipher state that must not be copied.
public final class PhoneMedia {
  public let codec: AudioCodec
  public private(set) var remoteMedia: SocketAddress
  public private(set) var remoteControl: SocketAddress
  public private(set) var rtcpMux: Bool
  /// Whether the peer accepts media now.
  public private(set) var sends: Bool
  public let ssrc: UInt32
  public private(set) var report = PhoneReport()
  /// A packet is on time when it is at most this much later than the leg's fastest one.
  public static let lateness = Interval.milliseconds(40)

  private let voice: PhoneVoice
  private let quietMode: PhoneConfiguration.Quiet
  private var session: SRTPSession?
  private var writer: RTPPacketWriter
  private var payloadTypes: [(UInt8, AudioCodec)]
  private let security: NegotiatedAudio.Security
  private var ear: Ear?
  private var wasTalking = false
  private var sinceComfort = 0
  private var statistics: ReceptionStatistics
  private var highest: Int64?
  /// Bit n: the packet n before `highest` was received.
  private var seen: UInt64 = 0
  private var duplicatesCounted: Int64 = 0
  /// The leg's first timestamp, and the least of arrival minus media time since then, in nanoseconds.
  private var timeline: (start: UInt32, leastTransit: Int64)?
  private let intervals: IntervalRecorder
  private var lastArrival: (at: Instant, timestamp: UInt32, sequence: Int64)?
  private var bytesSent: UInt32 = 0
  private let cname: [UInt8]

  /// - Parameters:
  ///   - ear: whether this phone decodes what it hears; the others only count.
  ///   - intervals: takes the times between its packets; one may serve many phones.
  /// - Returns: `nil` when the keys fit no suite.
  public init?(
    _ negotiated: NegotiatedAudio, voice: PhoneVoice, quiet: PhoneConfiguration.Quiet, ear: Bool,
    backend: SRTPBackend = .evp, intervals: IntervalRecorder = IntervalRecorder(), random: inout RandomSource
  ) {
    guard let codec = AudioCodec(negotiated.send.encoding) else { return nil }
    self.codec = codec
    self.voice = voice
    quietMode = quiet
    self.intervals = intervals
    remoteMedia = negotiated.remoteMedia
    remoteControl = negotiated.remoteControl
    rtcpMux = negotiated.rtcpMux
    sends = negotiated.direction.sends
    security = negotiated.security
    ssrc = random.nextWord()
    writer = RTPPacketWriter(
      payloadType: negotiated.send.payloadType, sequence: UInt16(truncatingIfNeeded: random.nextWord()),
      timestamp: random.nextWord(), ssrc: ssrc)
    writer.audioLevelExtension = negotiated.audioLevelExtension ?? 0
    payloadTypes = Self.payloadTypes(of: negotiated)
    statistics = ReceptionStatistics(clockRate: UInt32(codec.clockRate))
    cname = Array(random.token(16).utf8)
    if ear { self.ear = Ear() }
    switch negotiated.security {
    case .plain: session = nil
    case .sdes(let suite, let send, let receive, let mki):
      guard let suite = SRTPSuite(name: suite.name), let sendKey = SRTPMasterKey(suite: suite, keyAndSalt: send),
        let receiveKey = SRTPMasterKey(suite: suite, keyAndSalt: receive, mki: mki),
        let session = try? SRTPSession(send: sendKey, receive: receiveKey, backend: backend)
      else { return nil }
      self.session = consume session
    }
  }

  /// A later agreement of the same call: streams, counts and the ear go on.
  ///
  /// - Returns: `false` when keys or codec are others: a new `PhoneMedia` is needed.
  public func renegotiate(_ negotiated: NegotiatedAudio) -> Bool {
    guard negotiated.security == security, AudioCodec(negotiated.send.encoding) == codec else { return false }
    remoteMedia = negotiated.remoteMedia
    remoteControl = negotiated.remoteControl
    rtcpMux = negotiated.rtcpMux
    sends = negotiated.direction.sends
    writer.payloadType = negotiated.send.payloadType
    writer.audioLevelExtension = negotiated.audioLevelExtension ?? 0
    payloadTypes = Self.payloadTypes(of: negotiated)
    return true
  }

  private static func payloadTypes(of negotiated: NegotiatedAudio) -> [(UInt8, AudioCodec)] {
    negotiated.receive.compactMap { format in AudioCodec(format.encoding).map { (format.payloadType, $0) } }
  }

  // MARK: Sending

  /// The packet of one 20 ms frame, protected.
  /// - Parameter bytes: room for 2,048.
  /// - Returns: its size; `nil` when nothing is sent in this frame.
  public func packet(frame: Int, talking: Bool, into bytes: inout MutableRawSpan) -> Int? {
    plainPacket(frame: frame, talking: talking, into: &bytes).flatMap { protect(&bytes, $0, isControl: false) }
  }

  /// The same, not yet protected: for those who protect a whole batch with `sessionHandle`.
  public func plainPacket(frame: Int, talking: Bool, into bytes: inout MutableRawSpan) -> Int? {
    defer {
      writer.timestamp &+= UInt32(codec.clockRate / 50)
      wasTalking = talking
    }
    let clip = talking ? voice.voice : voice.quiet
    if !talking, quietMode == .dtx {
      sinceComfort += 1
      guard sinceComfort >= 20 else { return nil }
      sinceComfort = 0
    }
    writer.marker = talking && !wasTalking
    writer.audioLevel = AudioLevel(attenuation: clip.level(frame), voice: talking)
    guard let offset = writer.write(into: &bytes) else { return nil }
    let count = clip.payloadCount(frame)
    guard clip.copyPayload(frame, to: &bytes, at: offset) else { return nil }
    writer.sequence &+= 1
    report.sent &+= 1
    bytesSent &+= UInt32(truncatingIfNeeded: count)
    return offset + count
  }

  /// `nil` for plain RTP. Valid as long as this phone lives.
  @unsafe public var sessionHandle: SRTPSessionHandle? { unsafe session?.handle }

  /// A sender report with its CNAME (RFC 3550 §6.4.1, §6.5), protected.
  public func control(now: Instant, clock: ClockAnchor, into bytes: inout MutableRawSpan) -> Int? {
    var compound = RTCPWriter()
    let sender = RTCPSenderInfo(
      ntp: clock.wallTime(at: now).ntp, rtpTimestamp: writer.timestamp,
      packetCount: UInt32(truncatingIfNeeded: report.sent), octetCount: bytesSent)
    guard compound.senderReport(ssrc: ssrc, sender, into: &bytes) else { return nil }
    if let peer = remoteSSRC {
      _ = compound.reportBlock(statistics.reportBlock(ssrc: peer, now: now), into: &bytes)
    }
    let name = cname
    guard unsafe compound.sourceDescription(ssrc: ssrc, cname: name.span.bytes, into: &bytes) else { return nil }
    return protect(&bytes, compound.count, isControl: true)
  }
  public private(set) var remoteSSRC: UInt32?

  private func protect(_ bytes: inout MutableRawSpan, _ count: Int, isControl: Bool) -> Int? {
    guard session != nil else { return count }
    return isControl
      ? try? session?.protectRTCP(&bytes, count: count) : try? session?.protectRTP(&bytes, count: count)
  }

  // MARK: Receiving

  /// One datagram from the media host, RTP or RTCP.
  ///
  /// - Parameter verifying: whether SRTP is authenticated and decrypted. Without it RTP of the stream that is known already
  ///   is counted by its header alone; nothing of that can be heard.
  public func receive(_ bytes: inout MutableRawSpan, count: Int, now: Instant, verifying: Bool = true) {
    do throws(DropReason) {
      switch PacketKind(of: bytes.bytes.extracting(first: count)) {
      case .rtp: try receiveMedia(&bytes, count: count, now: now, verifying: verifying)
      case .rtcp:
        if session != nil { _ = try session?.unprotectRTCP(&bytes, count: count) }
        report.controlReceived &+= 1
      case .stun, .zrtp, .dtls, .turnChannel, .unknown: throw .unknownProtocol
      }
    } catch .replayed, .duplicate {
      report.duplicates &+= 1
    } catch {
      report.rejected &+= 1
    }
  }

  private func receiveMedia(
    _ bytes: inout MutableRawSpan, count: Int, now: Instant, verifying: Bool
  ) throws(DropReason) {
    var count = count
    let known = remoteSSRC != nil && bytes.bytes.uint32(at: 8) == remoteSSRC
    let isVerified = verifying || ear != nil || !known
    if isVerified, session != nil {
      count = try session?.unprotectRTP(&bytes, count: count) ?? count
      report.verified &+= 1
    }
    let packet = bytes.bytes.extracting(first: count)
    let header = try RTPHeader(parsing: packet)
    guard let codec = payloadTypes.first(where: { $0.0 == header.payloadType })?.1 else { throw .unknownPayloadType }
    if header.ssrc != remoteSSRC { timeline = nil }
    remoteSSRC = header.ssrc
    let extended =
      try? statistics.receive(sequence: header.sequence, timestamp: header.timestamp, arrival: now)
    if let extended {
      guard note(extended) else {
        duplicatesCounted &+= 1
        throw .duplicate
      }
      if let last = lastArrival, last.sequence == extended - 1,
        header.timestamp &- last.timestamp == frameDuration(codec)
      {
        intervals.histogram.record(microseconds: (now - last.at).nanoseconds / 1_000)
      }
      lastArrival = (now, header.timestamp, extended)
    }
    report.received &+= 1
    if isOnTime(header.timestamp, codec, now) { report.onTime &+= 1 }
    guard isVerified else { return }
    let payload = Int(header.payloadOffset)..<(Int(header.payloadOffset) + Int(header.payloadCount))
    ear?.hear(packet.extracting(payload), codec: codec, timestamp: header.timestamp, arrival: now)
  }

  /// - Returns: `false` for one of the last 64 that was received before.
  private func note(_ extended: Int64) -> Bool {
    guard let highest else {
      self.highest = extended
      seen = 1
      return true
    }
    if extended > highest {
      if extended > highest + 1 { report.gaps &+= 1 }
      seen = extended - highest < 64 ? seen << UInt64(extended - highest) | 1 : 1
      self.highest = extended
      return true
    }
    let age = highest - extended
    guard age < 64 else { return true }
    defer { seen |= 1 << UInt64(age) }
    return seen >> UInt64(age) & 1 == 0
  }

  private func isOnTime(_ timestamp: UInt32, _ codec: AudioCodec, _ now: Instant) -> Bool {
    let start = timeline?.start ?? timestamp
    let media = Int64(Int32(bitPattern: timestamp &- start)) * 1_000_000_000 / Int64(codec.clockRate)
    let transit = now.nanoseconds - media
    let least = min(transit, timeline?.leastTransit ?? transit)
    timeline = (start, least)
    return transit - least <= Self.lateness.nanoseconds
  }

  /// Time passes in which nothing is sent: the next packet's timestamp says so.
  public func pause() {
    writer.timestamp &+= UInt32(codec.clockRate / 50)
    wasTalking = false
  }

  private func frameDuration(_ codec: AudioCodec) -> UInt32 { UInt32(codec.clockRate / 50) }

  /// Begins to decode what arrives, as one who was not listening until now.
  public func beginListening() {
    if ear == nil { ear = Ear() }
  }
  /// Only counts from now on.
  public func endListening() {
    undecodableBefore &+= ear?.undecodable ?? 0
    ear = nil
  }
  private var undecodableBefore: UInt64 = 0

  /// What the ear found since the last call.
  public func takeWindow() -> Ear.Window? { ear?.takeWindow() }
  public func takeMark() -> Instant? { ear?.takeMark() }

  /// Judges one window against those who talked in it.
  public func judge(heard: UInt32, expected: UInt32, own: UInt32) {
    report.windowsJudged &+= 1
    if heard == expected { report.windowsExact &+= 1 }
    if expected & ~heard != 0 { report.windowsMissing &+= 1 }
    if heard & ~expected & ~own != 0 { report.windowsForeign &+= 1 }
    if heard & own & ~expected != 0 { report.windowsOwn &+= 1 }
  }

  public func finishedReport() -> PhoneReport {
    var result = report
    result.expected = statistics.expected
    result.lost = statistics.lost &+ duplicatesCounted
    result.undecodable = undecodableBefore &+ (ear?.undecodable ?? 0)
    return result
  }
}

extension AudioCodec {
  public init?(_ encoding: AudioEncoding) {
    switch encoding {
    case .opus: self = .opus
    case .g722: self = .g722
    case .pcmu: self = .pcmu
    case .pcma: self = .pcma
    }
  }
}
