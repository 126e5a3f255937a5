//  SRTPSession.swift: one leg's SRTP: a key to send with, a key to receive with, and all state they need (RFC 3711).
//  Walk: DatagramRouter → SRTPSession.unprotectRTP → RTPHeader; RTPPacketWriter → SRTPSession.protectRTP → DatagramBatch

import Primitives

/// Why a session could not be made. Control path: the offer or answer with these keys is refused.
public enum SRTPError: Error, Hashable, Sendable {
  /// Key, salt or MKI have a length that the suite does not allow.
  case invalidKey
  /// The cryptographic library refused (out of memory, or built without the cipher).
  case libraryFailure
}

/// A session's place in memory, for `SRTPItem`: good as long as the session lives, wherever its value is moved.
@unsafe public struct SRTPSessionHandle: BitwiseCopyable {
  let contexts: UnsafeMutablePointer<SRTPContext>?
  let references: UnsafeMutablePointer<ReferenceSRTP>?
}

/// Protects and unprotects the packets of one leg in place.
///
/// The span is the packet's whole buffer, `count` how much of it the packet takes. A packet grows by at most
/// `maximumGrowth` bytes. A re-keyed leg gets a new session: rollover counters and windows start anew with the new key.
///
/// Receiving: nothing is believed and no state changes before the tag is right. At most `SRTPLimits.sources` SSRCs are
/// followed per key; a further authentic one takes the place of the one longest silent.
/// Sending: at most `SRTPLimits.sources` SSRCs per key, none ever forgotten, because a forgotten one would restart at the
/// same key stream; the same index is never protected twice.
@safe public struct SRTPSession: ~Copyable {
  public let sendSuite: SRTPSuite
  public let receiveSuite: SRTPSuite
  /// Bytes that protection may add to any packet of this session.
  public let maximumGrowth: Int

  /// The sending and the receiving context; `nil` with the reference backend.
  private let contexts: UnsafeMutablePointer<SRTPContext>?
  private let references: UnsafeMutablePointer<ReferenceSRTP>?

  /// Names this session in a batch.
  public var handle: SRTPSessionHandle { unsafe SRTPSessionHandle(contexts: contexts, references: references) }

  /// - Parameter backend: `.ipsecMB` only where it is available.
  /// - Throws: `SRTPError`; nothing is kept then.
  public init(send: SRTPMasterKey, receive: SRTPMasterKey, backend: SRTPBackend = .evp) throws(SRTPError) {
    switch backend {
    case .ipsecMB:
      guard let library = IPsecMB.shared else { throw .libraryFailure }
      unsafe contexts = try Self.makeContexts(.master(send), .master(receive), library)
      unsafe references = nil
    case .evp:
      unsafe contexts = try Self.makeContexts(.master(send), .master(receive), nil)
      unsafe references = nil
    case .reference:
      let sending = try ReferenceSRTP(send, encrypts: true)
      let receiving = try ReferenceSRTP(receive, encrypts: false)
      let pair = UnsafeMutablePointer<ReferenceSRTP>.allocate(capacity: 2)
      unsafe pair.initialize(to: sending)
      unsafe (pair + 1).initialize(to: receiving)
      unsafe references = pair
      unsafe contexts = nil
    }
    sendSuite = send.suite
    receiveSuite = receive.suite
    maximumGrowth = 4 + send.suite.rtcpTagCount + send.mki.count
  }

  private static func makeContexts(
    _ send: SRTPKeySource, _ receive: SRTPKeySource, _ library: IPsecMB?
  ) throws(SRTPError) -> UnsafeMutablePointer<SRTPContext> {
    let sending = try SRTPContext(send, encrypts: true, library: library)
    let receiving = try SRTPContext(receive, encrypts: false, library: library)
    let pair = UnsafeMutablePointer<SRTPContext>.allocate(capacity: 2)
    unsafe pair.initialize(to: sending)
    unsafe (pair + 1).initialize(to: receiving)
    return unsafe pair
  }

  /// For the vectors of RFC 7714: session keys without derivation, the same in both directions.
  package init(
    suite: SRTPSuite, sessionKey: [UInt8], sessionSalt: [UInt8], backend: SRTPBackend
  ) throws(SRTPError) {
    let source = SRTPKeySource.session(suite: suite, key: sessionKey, salt: sessionSalt)
    let library = backend == .ipsecMB ? IPsecMB.shared : nil
    guard (library != nil) == (backend == .ipsecMB) else { throw .libraryFailure }
    unsafe contexts = try Self.makeContexts(source, source, library)
    unsafe references = nil
    sendSuite = suite
    receiveSuite = suite
    maximumGrowth = 4 + suite.rtcpTagCount
  }

  deinit {
    if let contexts = unsafe contexts {
      unsafe contexts.deinitialize(count: 2)
      unsafe contexts.deallocate()
    }
    if let references = unsafe references {
      unsafe references.deinitialize(count: 2)
      unsafe references.deallocate()
    }
  }

  /// Encrypts an RTP packet and appends its tag.
  ///
  /// - Returns: the new count, at most `count + maximumGrowth`.
  /// - Throws: `.tooShort`, `.badVersion`, `.badLength` for a header that lies; `.tooLong` when the buffer has no room;
  ///   `.replayed`, `.tooOld` for an index sent before (the packet must not be sent); `.keyExhausted`. The packet is then
  ///   as it was.
  public mutating func protectRTP(_ packet: inout MutableRawSpan, count: Int) throws(DropReason) -> Int {
    let capacity = packet.byteCount
    guard count >= 0, count <= capacity else { throw .badLength }
    return try unsafe packet.withUnsafeMutableBytes { bytes throws(DropReason) in
      guard let start = bytes.baseAddress else { throw .tooShort }
      if let contexts = unsafe contexts {
        return try unsafe contexts[0].protectRTP(start, count: count, capacity: capacity)
      }
      guard let references = unsafe references else { throw .keyExhausted }
      return try unsafe references[0].protectRTP(start, count: count, capacity: capacity)
    }
  }

  /// Checks an SRTP packet's tag and index, then decrypts it.
  ///
  /// - Returns: the RTP packet's count.
  /// - Throws: `.tooShort`, `.badVersion`, `.badLength`; `.replayed`, `.tooOld`; `.authenticationFailed`;
  ///   `.keyExhausted`. The packet's bytes after its header are then unspecified and must not be used.
  public mutating func unprotectRTP(_ packet: inout MutableRawSpan, count: Int) throws(DropReason) -> Int {
    guard count >= 0, count <= packet.byteCount else { throw .badLength }
    return try unsafe packet.withUnsafeMutableBytes { bytes throws(DropReason) in
      guard let start = bytes.baseAddress else { throw .tooShort }
      if let contexts = unsafe contexts { return try unsafe contexts[1].unprotectRTP(start, count: count) }
      guard let references = unsafe references else { throw .authenticationFailed }
      return try unsafe references[1].unprotectRTP(start, count: count)
    }
  }

  /// Encrypts a compound RTCP packet, appends index and tag. Errors as `protectRTP`.
  public mutating func protectRTCP(_ packet: inout MutableRawSpan, count: Int) throws(DropReason) -> Int {
    let capacity = packet.byteCount
    guard count >= 0, count <= capacity else { throw .badLength }
    return try unsafe packet.withUnsafeMutableBytes { bytes throws(DropReason) in
      guard let start = bytes.baseAddress else { throw .tooShort }
      if let contexts = unsafe contexts {
        return try unsafe contexts[0].protectRTCP(start, count: count, capacity: capacity)
      }
      guard let references = unsafe references else { throw .keyExhausted }
      return try unsafe references[0].protectRTCP(start, count: count, capacity: capacity)
    }
  }

  /// Checks an SRTCP packet's tag and index, then decrypts it. Errors as `unprotectRTP`.
  public mutating func unprotectRTCP(_ packet: inout MutableRawSpan, count: Int) throws(DropReason) -> Int {
    guard count >= 0, count <= packet.byteCount else { throw .badLength }
    return try unsafe packet.withUnsafeMutableBytes { bytes throws(DropReason) in
      guard let start = bytes.baseAddress else { throw .tooShort }
      if let contexts = unsafe contexts { return try unsafe contexts[1].unprotectRTCP(start, count: count) }
      guard let references = unsafe references else { throw .authenticationFailed }
      return try unsafe references[1].unprotectRTCP(start, count: count)
    }
  }

  /// Whether this leg's peer made this SRTP packet: changes neither session nor packet. For latching.
  public func authenticatesRTP(_ packet: RawSpan) -> Bool {
    unsafe packet.withUnsafeBytes { bytes in
      guard let start = bytes.baseAddress else { return false }
      if let contexts = unsafe contexts {
        // Only read: the operations of a transform that write are seal and open.
        return unsafe contexts[1].authenticatesRTP(UnsafeMutableRawPointer(mutating: start), count: bytes.count)
      }
      guard let references = unsafe references else { return false }
      return unsafe references[1].authenticates(bytes.bytes, isControl: false)
    }
  }
  /// The same for an SRTCP packet.
  public func authenticatesRTCP(_ packet: RawSpan) -> Bool {
    unsafe packet.withUnsafeBytes { bytes in
      guard let start = bytes.baseAddress else { return false }
      if let contexts = unsafe contexts {
        // Only read: the operations of a transform that write are seal and open.
        return unsafe contexts[1].authenticatesRTCP(UnsafeMutableRawPointer(mutating: start), count: bytes.count)
      }
      guard let references = unsafe references else { return false }
      return unsafe references[1].authenticates(bytes.bytes, isControl: true)
    }
  }
}

extension SRTPSession {
  /// Which of the two keys a test prepares.
  package enum Direction: Int { case send, receive }

  /// Makes `ssrc` look as if these indices were its last: tests reach rollovers and limits so. Not for libsrtp2.
  package mutating func seed(_ direction: Direction, ssrc: UInt32, rtpIndex: UInt64? = nil, rtcpIndex: UInt64? = nil) {
    guard let contexts = unsafe contexts else { return }
    unsafe contexts[direction.rawValue].seed(ssrc: ssrc, rtpIndex: rtpIndex, rtcpIndex: rtcpIndex)
  }

  /// Makes the key look as if it had protected so many packets.
  package mutating func seedUse(_ direction: Direction, rtpPackets: UInt64, rtcpPackets: UInt64) {
    guard let contexts = unsafe contexts else { return }
    unsafe contexts[direction.rawValue].seedUse(rtpPackets: rtpPackets, rtcpPackets: rtcpPackets)
  }
}
