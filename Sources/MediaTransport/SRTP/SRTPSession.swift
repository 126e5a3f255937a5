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

  /// - Throws: `SRTPError`; nothing is kept then.
  public init(send: SRTPMasterKey, receive: SRTPMasterKey, backend: SRTPBackend = .evp) throws(SRTPError) {
    sendSuite = send.suite
    receiveSuite = receive.suite
  }

  /// Encrypts an RTP packet and appends its tag.
  ///
  /// - Returns: the new count, at most `count + maximumGrowth`.
  /// - Throws: `.tooShort`, `.badVersion`, `.badLength` for a header that lies; `.tooLong` when the buffer has no room;
  ///   `.replayed`, `.tooOld` for an index sent before (the packet must not be sent); `.keyExhausted`. The packet is then
  ///   as it was.
  public mutating func protectRTP(_ packet: inout MutableRawSpan, count: Int) throws(DropReason) -> Int {
    throw .keyExhausted
  }

  /// Checks an SRTP packet's tag and index, then decrypts it.
  ///
  /// - Returns: the RTP packet's count.
  /// - Throws: `.tooShort`, `.badVersion`, `.badLength`; `.replayed`, `.tooOld`; `.authenticationFailed`;
  ///   `.keyExhausted`. The packet's bytes after its header are then unspecified and must not be used.
  public mutating func unprotectRTP(_ packet: inout MutableRawSpan, count: Int) throws(DropReason) -> Int {
    throw .authenticationFailed
  }

  /// Encrypts a compound RTCP packet, appends index and tag. Errors as `protectRTP`.
  public mutating func protectRTCP(_ packet: inout MutableRawSpan, count: Int) throws(DropReason) -> Int {
    throw .keyExhausted
  }

  /// Checks an SRTCP packet's tag and index, then decrypts it. Errors as `unprotectRTP`.
  public mutating func unprotectRTCP(_ packet: inout MutableRawSpan, count: Int) throws(DropReason) -> Int {
    throw .authenticationFailed
  }

  /// Whether this leg's peer made this SRTP packet: changes neither session nor packet. For latching.
  public func authenticatesRTP(_ packet: RawSpan) -> Bool { false }
  /// The same for an SRTCP packet.
  public func authenticatesRTCP(_ packet: RawSpan) -> Bool { false }

  /// Bytes that protection may add to any packet of this session.
  public var maximumGrowth: Int { SRTPLimits.maximumGrowth }
}
