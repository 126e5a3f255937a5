//  SRTPContext.swift: one master key in one direction: framing, indices and windows around the transforms (RFC 3711 §3).
//  Walk: SRTPSession → SRTPContext → SRTPTransform

import COpenSSL
import Primitives
import RTP

/// The cryptographic context of RFC 3711 §3.2.3, for all SSRCs that use one master key in one direction.
///
/// Every function takes the packet's address with its count and capacity; the caller guarantees that much memory.
@safe struct SRTPContext: ~Copyable {
  let rtp: SRTPTransform
  /// The source of the last packet: nearly always that of the next.
  private var recent = 0
  private var sourceCount = 0
  let sources: UnsafeMutablePointer<SRTPSource>
  private var uses: UInt64 = 0
  private var rtpPackets: UInt64 = 0
  private let mkiCount: Int
  private let mki: UnsafeMutablePointer<UInt8>
  private let rtcp: SRTPTransform
  private var rtcpPackets: UInt64 = 0
  /// Packets of unknown SSRCs that were not authentic, since one was.
  private var failedBeginnings: UInt32 = 0
  /// Packets of the batch now in work whose ciphers have not run yet (`SRTPContext+Batch.swift`).
  var inFlight = 0
  /// Those of them whose SSRC is not known.
  var probes = 0
  /// Whether the rest of this key's packets in the batch wait for those.
  var isDeferring = false

  /// - Parameter library: ipsec-mb, where it is to be used.
  init(_ keys: SRTPKeySource, encrypts: Bool, library: IPsecMB?) throws(SRTPError) {
    let mki = keys.mki
    guard mki.count <= SRTPLimits.mkiCount else { throw .invalidKey }
    let rtp = try SRTPTransform(keys, kind: .rtp, encrypts: encrypts, library: library)
    let rtcp = try SRTPTransform(keys, kind: .rtcp, encrypts: encrypts, library: library)
    self.rtp = rtp
    self.rtcp = rtcp
    mkiCount = mki.count
    unsafe self.mki = UnsafeMutablePointer<UInt8>.allocate(capacity: max(mki.count, 1))
    for index in 0..<mki.count { unsafe self.mki[index] = mki[index] }
    unsafe sources = UnsafeMutablePointer<SRTPSource>.allocate(capacity: SRTPLimits.sources)
    unsafe sources.initialize(repeating: SRTPSource(), count: SRTPLimits.sources)
  }

  deinit {
    unsafe mki.deallocate()
    unsafe sources.deallocate()
  }

  // MARK: Sending

  mutating func protectRTP(
    _ packet: UnsafeMutableRawPointer, count: Int, capacity: Int
  ) throws(DropReason) -> Int {
    let operation = try unsafe frameRTP(packet, count: count, capacity: capacity)
    guard unsafe rtp.seal(operation) else { throw .decryptionFailed }
    return unsafe finishRTP(operation)
  }

  /// Everything before the cipher: sizes and the index, which from here on counts as used.
  mutating func frameRTP(
    _ packet: UnsafeMutableRawPointer, count: Int, capacity: Int
  ) throws(DropReason) -> SRTPOperation {
    let bytes = unsafe UnsafeRawBufferPointer(start: packet, count: count).bytes
    let clear = try RTPHeader.headerCount(in: bytes)
    guard let sequence = bytes.uint16(at: 2), let ssrc = bytes.uint32(at: 8) else { throw .tooShort }
    guard count &+ rtp.tagCount &+ mkiCount <= capacity else { throw .tooLong }
    guard rtpPackets < SRTPLimits.rtpPackets else { throw .keyExhausted }
    let slot = try slotToSend(ssrc)
    let index = try unsafe sources[slot].index(of: sequence)
    try unsafe sources[slot].rtp.check(index)
    // The index counts as used even if the library fails now: never twice the same key stream.
    unsafe sources[slot].rtp.accept(index)
    rtpPackets &+= 1
    // GCM's tag ends the ciphertext and the MKI follows (RFC 7714 §8.2 ff.); the HMAC tag is last (RFC 3711 §3.1).
    return unsafe SRTPOperation(
      packet: packet, clearCount: clear, count: count, tagOffset: rtp.isAEAD ? count : count &+ mkiCount, ssrc: ssrc,
      index: index, word: UInt32(truncatingIfNeeded: index >> 16))
  }

  /// Writes the MKI into a packet that is encrypted; its tag is, or will be, where the operation says.
  ///
  /// - Returns: the new count.
  @inline(__always) func finishRTP(_ operation: SRTPOperation) -> Int {
    let end = unsafe operation.count &+ rtp.tagCount
    if mkiCount > 0 { unsafe writeMKI(operation.packet + (rtp.isAEAD ? end : operation.count)) }
    return end &+ mkiCount
  }

  mutating func protectRTCP(
    _ packet: UnsafeMutableRawPointer, count: Int, capacity: Int
  ) throws(DropReason) -> Int {
    let bytes = unsafe UnsafeRawBufferPointer(start: packet, count: count).bytes
    guard let first = bytes.uint8(at: 0), let ssrc = bytes.uint32(at: 4) else { throw .tooShort }
    guard first >> 6 == 2 else { throw .badVersion }
    let newCount = count &+ rtcp.tagCount &+ 4 &+ mkiCount
    guard newCount <= capacity else { throw .tooLong }
    guard rtcpPackets < SRTPLimits.rtcpPackets else { throw .keyExhausted }
    let slot = try slotToSend(ssrc)
    let index = unsafe sources[slot].nextControlIndex
    guard index < SRTPLimits.rtcpPackets else { throw .keyExhausted }
    let word = 0x8000_0000 | UInt32(truncatingIfNeeded: index)
    let wordOffset = rtcp.isAEAD ? count &+ rtcp.tagCount : count
    let operation = unsafe SRTPOperation(
      packet: packet, clearCount: 8, count: count, tagOffset: rtcp.isAEAD ? count : count &+ 4 &+ mkiCount, ssrc: ssrc,
      index: index, word: word)
    unsafe packet.storeBytes(of: word.bigEndian, toByteOffset: wordOffset, as: UInt32.self)
    unsafe writeMKI(packet + wordOffset + 4)
    unsafe sources[slot].nextControlIndex = index &+ 1
    rtcpPackets &+= 1
    guard unsafe rtcp.seal(operation) else { throw .decryptionFailed }
    return newCount
  }

  // MARK: Receiving

  mutating func unprotectRTP(_ packet: UnsafeMutableRawPointer, count: Int) throws(DropReason) -> Int {
    var operation = try unsafe receivedRTP(packet, count: count)
    guard rtpPackets < SRTPLimits.rtpPackets else { throw .keyExhausted }
    if unsafe slot(of: operation.ssrc) == nil {
      guard let first = unsafe begin(with: operation) else { throw .authenticationFailed }
      unsafe operation = first
    }
    guard unsafe rtp.open(operation) else { throw .authenticationFailed }
    return unsafe accept(operation)
  }

  /// Remembers an authentic RTP packet.
  ///
  /// - Returns: its count.
  private mutating func accept(_ operation: SRTPOperation) -> Int {
    let slot = unsafe slotOfAuthentic(operation.ssrc)
    unsafe sources[slot].rtp.accept(operation.index)
    rtpPackets &+= 1
    return unsafe operation.count
  }

  /// Decides on an RTP packet whose cipher has run, as if nothing after it had been looked at yet.
  mutating func settle(_ operation: SRTPOperation, slot: Int, isAuthentic: Bool) throws(DropReason) -> Int {
    try unsafe sources[slot].rtp.check(operation.index)
    guard rtpPackets < SRTPLimits.rtpPackets else { throw .keyExhausted }
    guard isAuthentic else { throw .authenticationFailed }
    return unsafe accept(operation)
  }

  mutating func unprotectRTCP(_ packet: UnsafeMutableRawPointer, count: Int) throws(DropReason) -> Int {
    let operation = try unsafe receivedRTCP(packet, count: count)
    guard rtcpPackets < SRTPLimits.rtcpPackets else { throw .keyExhausted }
    guard unsafe rtcp.open(operation) else { throw .authenticationFailed }
    let slot = unsafe slotOfAuthentic(operation.ssrc)
    unsafe sources[slot].rtcp.accept(operation.index)
    rtcpPackets &+= 1
    return unsafe operation.count
  }

  func authenticatesRTP(_ packet: UnsafeMutableRawPointer, count: Int) -> Bool {
    guard let operation = unsafe try? receivedRTP(packet, count: count) else { return false }
    return unsafe slot(of: operation.ssrc) == nil ? beginning(with: operation) != nil : rtp.authenticates(operation)
  }

  /// `beginning` of a packet to be accepted. When that fails too often, the second try is made only now and then: else
  /// packets with invented SSRCs would cost twice what good ones do.
  private mutating func begin(with operation: SRTPOperation) -> SRTPOperation? {
    let first = unsafe triesTwice ? beginning(with: operation) : rtp.authenticates(operation) ? operation : nil
    failedBeginnings = unsafe first == nil ? failedBeginnings &+ 1 : 0
    return unsafe first
  }

  private var triesTwice: Bool { failedBeginnings < SRTPLimits.failedBeginnings || failedBeginnings % 16 == 0 }

  /// What `unprotectRTP` does about a packet of an unknown SSRC whose tag is known to be wrong with rollover 0; returns
  /// when another may be right.
  mutating func refuseBeginning(_ operation: SRTPOperation) throws(DropReason) {
    guard rtpPackets < SRTPLimits.rtpPackets else { throw .keyExhausted }
    guard unsafe !triesTwice || operation.index >= 0x8000 else { return }
    failedBeginnings &+= 1
    throw .authenticationFailed
  }

  /// The first packet of an SSRC, with rollover 0 or else 1; `nil` when neither authenticates.
  ///
  /// SDES names no rollover counter. A sender that began shortly before the wrap, its first packets lost or sent before
  /// we had its key, would else never be understood (RFC 4568 §6.4).
  private func beginning(with operation: SRTPOperation) -> SRTPOperation? {
    if unsafe rtp.authenticates(operation) { return unsafe operation }
    guard unsafe operation.index < 0x8000 else { return nil }
    var wrapped = unsafe operation
    unsafe wrapped.setIndex(operation.index | 1 << 16)
    return unsafe rtp.authenticates(wrapped) ? wrapped : nil
  }

  func authenticatesRTCP(_ packet: UnsafeMutableRawPointer, count: Int) -> Bool {
    guard let operation = unsafe try? receivedRTCP(packet, count: count) else { return false }
    return unsafe rtcp.authenticates(operation)
  }

  /// Frames a received packet, guesses its index and refuses replays; reads only.
  private func receivedRTP(_ packet: UnsafeMutableRawPointer, count: Int) throws(DropReason) -> SRTPOperation {
    var operation = try unsafe framedRTP(packet, count: count)
    if let slot = unsafe slot(of: operation.ssrc) {
      let index = try unsafe sources[slot].index(of: UInt16(truncatingIfNeeded: operation.index))
      try unsafe sources[slot].rtp.check(index)
      unsafe operation.setIndex(index)
    }
    return unsafe operation
  }

  /// The framing alone, which no state decides: the index is still the sequence number.
  @inline(__always) func framedRTP(
    _ packet: UnsafeMutableRawPointer, count: Int
  ) throws(DropReason) -> SRTPOperation {
    let body = count &- rtp.tagCount &- mkiCount
    guard body >= RTPHeader.fixedCount else { throw .tooShort }
    let bytes = unsafe UnsafeRawBufferPointer(start: packet, count: body).bytes
    let clear = try RTPHeader.headerCount(in: bytes)
    guard let sequence = bytes.uint16(at: 2), let ssrc = bytes.uint32(at: 8) else { throw .tooShort }
    guard unsafe mkiCount == 0 || hasOurMKI(packet + (rtp.isAEAD ? body &+ rtp.tagCount : body)) else {
      throw .authenticationFailed
    }
    return unsafe SRTPOperation(
      packet: packet, clearCount: clear, count: body, tagOffset: rtp.isAEAD ? body : body &+ mkiCount, ssrc: ssrc,
      index: UInt64(sequence), word: 0)
  }

  /// The same for RTCP. Without the E bit the packet is authentic but not encrypted (RFC 3711 §3.4, RFC 7714 §9.3).
  private func receivedRTCP(_ packet: UnsafeMutableRawPointer, count: Int) throws(DropReason) -> SRTPOperation {
    let body = count &- rtcp.tagCount &- 4 &- mkiCount
    guard body >= 8 else { throw .tooShort }
    let bytes = unsafe UnsafeRawBufferPointer(start: packet, count: count).bytes
    let wordOffset = rtcp.isAEAD ? body &+ rtcp.tagCount : body
    guard let first = bytes.uint8(at: 0), let ssrc = bytes.uint32(at: 4), let word = bytes.uint32(at: wordOffset) else {
      throw .tooShort
    }
    guard first >> 6 == 2 else { throw .badVersion }
    guard unsafe hasOurMKI(packet + wordOffset + 4) else { throw .authenticationFailed }
    let index = UInt64(word & 0x7fff_ffff)
    if let slot = slot(of: ssrc) { try unsafe sources[slot].rtcp.check(index) }
    return unsafe SRTPOperation(
      packet: packet, clearCount: word >> 31 == 1 ? 8 : body, count: body,
      tagOffset: rtcp.isAEAD ? body : body &+ 4 &+ mkiCount, ssrc: ssrc, index: index, word: word)
  }

  // MARK: Sources

  @inline(__always) func slot(of ssrc: UInt32) -> Int? {
    if recent < sourceCount, unsafe sources[recent].ssrc == ssrc { return recent }
    for slot in 0..<sourceCount where unsafe sources[slot].ssrc == ssrc { return slot }
    return nil
  }

  /// Whether the new sources that the batch may bring would take nobody's place.
  @inline(__always) var hasPlaceForProbes: Bool { sourceCount &+ probes <= SRTPLimits.sources }

  /// - Throws: `.keyExhausted` for one SSRC more than may use a key: forgetting one would repeat its key stream.
  private mutating func slotToSend(_ ssrc: UInt32) throws(DropReason) -> Int {
    if let slot = slot(of: ssrc) {
      recent = slot
      return slot
    }
    guard sourceCount < SRTPLimits.sources else { throw .keyExhausted }
    return add(ssrc, at: sourceCount)
  }

  /// The source of a packet whose tag was right; replaces the one longest silent when all places are taken.
  private mutating func slotOfAuthentic(_ ssrc: UInt32) -> Int {
    uses &+= 1
    let found: Int
    if let slot = slot(of: ssrc) {
      found = slot
      recent = slot
    } else if sourceCount < SRTPLimits.sources {
      found = add(ssrc, at: sourceCount)
    } else {
      var oldest = 0
      for slot in 1..<sourceCount where unsafe sources[slot].lastUsed < sources[oldest].lastUsed { oldest = slot }
      found = add(ssrc, at: oldest)
    }
    unsafe sources[found].lastUsed = uses
    return found
  }

  private mutating func add(_ ssrc: UInt32, at slot: Int) -> Int {
    unsafe sources[slot] = SRTPSource()
    unsafe sources[slot].ssrc = ssrc
    if slot == sourceCount { sourceCount &+= 1 }
    recent = slot
    return slot
  }

  // MARK: MKI

  private func writeMKI(_ target: UnsafeMutableRawPointer) {
    guard mkiCount > 0 else { return }
    unsafe target.copyMemory(from: mki, byteCount: mkiCount)
  }

  /// The MKI is public: it chooses a key, it proves nothing.
  private func hasOurMKI(_ place: UnsafeMutableRawPointer) -> Bool {
    unsafe mkiCount == 0 || CRYPTO_memcmp(place, mki, mkiCount) == 0
  }

  // MARK: For tests at the limits

  mutating func seed(ssrc: UInt32, rtpIndex: UInt64?, rtcpIndex: UInt64?) {
    let found = slotOfAuthentic(ssrc)
    unsafe sources[found] = SRTPSource()
    unsafe sources[found].ssrc = ssrc
    unsafe sources[found].lastUsed = uses
    if let rtpIndex { unsafe sources[found].rtp.accept(rtpIndex) }
    if let rtcpIndex {
      unsafe sources[found].rtcp.accept(rtcpIndex)
      unsafe sources[found].nextControlIndex = rtcpIndex &+ 1
    }
  }

  mutating func seedUse(rtpPackets: UInt64, rtcpPackets: UInt64) {
    self.rtpPackets = rtpPackets
    self.rtcpPackets = rtcpPackets
  }
}
