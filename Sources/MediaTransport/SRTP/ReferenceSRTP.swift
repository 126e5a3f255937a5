//  ReferenceSRTP.swift: libsrtp2 as a whole, behind the interface of SRTPContext: slow, and the oracle of the tests.

import CSRTP
import Primitives
import RTP

/// One direction of a session in libsrtp2.
///
/// Known differences from SRTPContext: sources are unbounded; the first SRTCP index sent is 1; SRTCP with E = 0 is refused;
/// and libsrtp2 2.5 looks for SRTCP's MKI where the RTP tag's length would put it, so that it cannot receive SRTCP of
/// AES_CM_128_HMAC_SHA1_32 with an MKI.
@safe struct ReferenceSRTP: ~Copyable {
  private let session: srtp_t
  private let master: SRTPMasterKey

  /// Initialised once per process, at the first session.
  private static let isLibraryReady: Bool = srtp_init() == srtp_err_status_ok

  init(_ master: SRTPMasterKey, encrypts: Bool) throws(SRTPError) {
    guard master.key.count == master.suite.keyCount, master.salt.count == master.suite.saltCount,
      master.mki.count <= SRTPLimits.mkiCount
    else { throw .invalidKey }
    guard Self.isLibraryReady else { throw .libraryFailure }
    let session = unsafe try Self.makeSession(master, encrypts ? ssrc_any_outbound : ssrc_any_inbound, ssrc: 0)
    unsafe self.session = session
    self.master = master
  }

  deinit { unsafe srtp_dealloc(session) }

  private static func makeSession(
    _ master: SRTPMasterKey, _ type: srtp_ssrc_type_t, ssrc: UInt32
  ) throws(SRTPError) -> srtp_t {
    var policy = unsafe srtp_policy_t()
    unsafe policy.ssrc.type = type
    unsafe policy.ssrc.value = ssrc
    unsafe policy.window_size = UInt(SRTPLimits.replayWindow)
    switch master.suite {
    case .aes128CMSHA1Tag80:
      unsafe srtp_crypto_policy_set_rtp_default(&policy.rtp)
      unsafe srtp_crypto_policy_set_rtcp_default(&policy.rtcp)
    case .aes128CMSHA1Tag32:
      unsafe srtp_crypto_policy_set_aes_cm_128_hmac_sha1_32(&policy.rtp)
      unsafe srtp_crypto_policy_set_rtcp_default(&policy.rtcp)
    case .aeadAES128GCM:
      unsafe srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy.rtp)
      unsafe srtp_crypto_policy_set_aes_gcm_128_16_auth(&policy.rtcp)
    case .aeadAES256GCM:
      unsafe srtp_crypto_policy_set_aes_gcm_256_16_auth(&policy.rtp)
      unsafe srtp_crypto_policy_set_aes_gcm_256_16_auth(&policy.rtcp)
    }
    var key = master.keyAndSalt
    var mki = master.mki + [0]  // never empty, so that its address exists
    var session: srtp_t?
    let status = unsafe key.withUnsafeMutableBufferPointer { key in
      unsafe mki.withUnsafeMutableBufferPointer { mki in
        // libsrtp2 copies key and MKI before srtp_create returns.
        guard !master.mki.isEmpty else {
          unsafe policy.key = key.baseAddress
          return unsafe srtp_create(&session, &policy)
        }
        var entry = unsafe srtp_master_key_t(
          key: key.baseAddress, mki_id: mki.baseAddress, mki_size: UInt32(master.mki.count))
        return unsafe withUnsafeMutablePointer(to: &entry) { entry in
          var list: UnsafeMutablePointer<srtp_master_key_t>? = unsafe entry
          return unsafe withUnsafeMutablePointer(to: &list) { list in
            unsafe policy.keys = list
            unsafe policy.num_master_keys = 1
            return unsafe srtp_create(&session, &policy)
          }
        }
      }
    }
    guard status == srtp_err_status_ok, let session = unsafe session else { throw .libraryFailure }
    return unsafe session
  }

  private var usesMKI: UInt32 { master.mki.isEmpty ? 0 : 1 }

  func protectRTP(_ packet: UnsafeMutableRawPointer, count: Int, capacity: Int) throws(DropReason) -> Int {
    _ = try unsafe RTPHeader.headerCount(in: UnsafeRawBufferPointer(start: packet, count: count).bytes)
    guard count &+ master.suite.rtpTagCount &+ master.mki.count <= capacity else { throw .tooLong }
    var length = Int32(truncatingIfNeeded: count)
    try Self.check(unsafe srtp_protect_mki(session, packet, &length, usesMKI, 0))
    return Int(length)
  }

  func protectRTCP(_ packet: UnsafeMutableRawPointer, count: Int, capacity: Int) throws(DropReason) -> Int {
    guard count >= 8 else { throw .tooShort }
    guard unsafe packet.load(as: UInt8.self) >> 6 == 2 else { throw .badVersion }
    guard count &+ 4 &+ master.suite.rtcpTagCount &+ master.mki.count <= capacity else { throw .tooLong }
    var length = Int32(truncatingIfNeeded: count)
    try Self.check(unsafe srtp_protect_rtcp_mki(session, packet, &length, usesMKI, 0))
    return Int(length)
  }

  func unprotectRTP(_ packet: UnsafeMutableRawPointer, count: Int) throws(DropReason) -> Int {
    try unsafe open(session, packet, count: count, isControl: false)
  }

  func unprotectRTCP(_ packet: UnsafeMutableRawPointer, count: Int) throws(DropReason) -> Int {
    try unsafe open(session, packet, count: count, isControl: true)
  }

  private func open(
    _ session: srtp_t, _ packet: UnsafeMutableRawPointer, count: Int, isControl: Bool
  ) throws(DropReason) -> Int {
    let suite = master.suite
    let body = count &- master.mki.count &- (isControl ? suite.rtcpTagCount &+ 4 : suite.rtpTagCount)
    guard body >= (isControl ? 8 : RTPHeader.fixedCount) else { throw .tooShort }
    let bytes = unsafe UnsafeRawBufferPointer(start: packet, count: body).bytes
    if isControl {
      guard unsafe packet.load(as: UInt8.self) >> 6 == 2 else { throw .badVersion }
    } else {
      _ = try RTPHeader.headerCount(in: bytes)
    }
    var length = Int32(truncatingIfNeeded: count)
    try Self.check(
      unsafe isControl
        ? srtp_unprotect_rtcp_mki(session, packet, &length, usesMKI)
        : srtp_unprotect_mki(session, packet, &length, usesMKI))
    return Int(length)
  }

  /// libsrtp2 cannot try without changing state: a session of its own does, at each rollover that the packet may have.
  func authenticates(_ packet: RawSpan, isControl: Bool) -> Bool {
    guard let ssrc = packet.uint32(at: isControl ? 4 : 8), packet.byteCount <= Self.scratchCount else { return false }
    var newest: UInt32 = 0
    guard !isControl, unsafe srtp_get_stream_roc(session, ssrc, &newest) == srtp_err_status_ok else {
      return authenticates(packet, isControl: isControl, ssrc: ssrc, rollover: 0)
    }
    return authenticates(packet, isControl: false, ssrc: ssrc, rollover: newest)
      || authenticates(packet, isControl: false, ssrc: ssrc, rollover: newest &+ 1)
      || newest > 0 && authenticates(packet, isControl: false, ssrc: ssrc, rollover: newest &- 1)
  }

  private func authenticates(_ packet: RawSpan, isControl: Bool, ssrc: UInt32, rollover: UInt32) -> Bool {
    guard let trial = unsafe try? Self.makeSession(master, ssrc_specific, ssrc: ssrc) else { return false }
    defer { unsafe srtp_dealloc(trial) }
    if rollover > 0, unsafe srtp_set_stream_roc(trial, ssrc, rollover) != srtp_err_status_ok { return false }
    return unsafe withUnsafeTemporaryAllocation(byteCount: Self.scratchCount, alignment: 16) { copy in
      guard let start = copy.baseAddress else { return false }
      unsafe packet.withUnsafeBytes { unsafe copy.copyMemory(from: $0) }
      return unsafe (try? open(trial, start, count: packet.byteCount, isControl: isControl)) != nil
    }
  }

  /// Longest packet tried for latching in reference mode.
  private static let scratchCount = 2_048

  private static func check(_ status: srtp_err_status_t) throws(DropReason) {
    switch status {
    case srtp_err_status_ok: return
    case srtp_err_status_replay_fail: throw .replayed
    case srtp_err_status_replay_old, srtp_err_status_pkt_idx_old: throw .tooOld
    case srtp_err_status_key_expired: throw .keyExhausted
    case srtp_err_status_bad_param, srtp_err_status_parse_err: throw .badLength
    default: throw .authenticationFailed
    }
  }
}
