//  SRTPCipherEngine.swift: what one thread needs to run batches of ciphers: AES-CM with HMAC-SHA1 many packets at a time.
//  Walk: SRTPBatch → SRTPCipherEngine → SRTPTransform, ipsec-mb

import CIPsecMB
import COpenSSL
import Primitives

/// The cipher library's state of one worker: one per thread, made once, passed to each batch.
///
/// HMAC-SHA1 of one packet is a chain that no processor can shorten; ipsec-mb hashes as many packets side by side as the
/// vector registers have lanes (16 with AVX-512), and counter mode without a call per packet. When sending, a batch is
/// encrypted, then hashed; when receiving, it is hashed, and only packets with the right tag are decrypted. Nothing stays
/// in the library between two calls.
@safe public struct SRTPCipherEngine: ~Copyable {
  /// Packets of which a batch has ciphers in flight at a time. At most 64: one bit of a word each.
  static var chunk: Int { 64 }

  /// Where a packet's job reads and writes beside the packet.
  private struct Scratch {
    var iv: (UInt64, UInt64) = (0, 0)
    static var digestOffset: Int { 16 }
    /// 20 bytes of HMAC, padded.
    var digest: (UInt64, UInt64, UInt64) = (0, 0, 0)
    /// The tag that came, `tagCount` bytes, padded.
    var tag: (UInt64, UInt64) = (0, 0)
    /// What the word to authenticate was written over.
    var overwritten: UInt32 = 0
  }

  public let backend: SRTPBackend
  /// The batch now in work, `chunk` places.
  let entries: UnsafeMutablePointer<SRTPBatchEntry>
  private let manager: UnsafeMutablePointer<IMB_MGR>?
  private let lanes: Int
  private let hashJobs: UnsafeMutablePointer<IMB_JOB>
  private let cipherJobs: UnsafeMutablePointer<IMB_JOB>
  private let scratch: UnsafeMutablePointer<Scratch>
  /// The places in `entries` whose keys have lanes.
  private let places: UnsafeMutablePointer<Int>

  /// - Parameter backend: as for the sessions of the same worker. Sessions of another backend work too, packet by packet.
  public init(_ backend: SRTPBackend) {
    self.backend = backend
    let chunk = Self.chunk
    unsafe manager = backend == .ipsecMB ? IPsecMB.makeManager() : nil
    lanes = backend == .ipsecMB ? IPsecMB.shared?.lanes ?? 1 : 1
    unsafe entries = UnsafeMutablePointer<SRTPBatchEntry>.allocate(capacity: chunk)
    let nothing = unsafe UnsafeMutableRawPointer(entries)
    unsafe nothing.initializeMemory(as: UInt8.self, repeating: 0, count: chunk * MemoryLayout<SRTPBatchEntry>.stride)
    unsafe places = UnsafeMutablePointer<Int>.allocate(capacity: chunk)
    unsafe places.initialize(repeating: 0, count: chunk)
    unsafe scratch = UnsafeMutablePointer<Scratch>.allocate(capacity: chunk)
    unsafe scratch.initialize(repeating: Scratch(), count: chunk)
    unsafe hashJobs = UnsafeMutablePointer<IMB_JOB>.allocate(capacity: chunk)
    unsafe cipherJobs = UnsafeMutablePointer<IMB_JOB>.allocate(capacity: chunk)
    var job = unsafe IMB_JOB()
    unsafe job.key_len_in_bytes = 16
    unsafe job.iv_len_in_bytes = 16
    unsafe job.cipher_mode = IMB_CIPHER_CNTR
    unsafe job.cipher_direction = IMB_DIR_ENCRYPT
    unsafe job.hash_alg = IMB_AUTH_HMAC_SHA_1
    unsafe job.chain_order = IMB_ORDER_CIPHER_HASH
    unsafe job.auth_tag_output_len_in_bytes = 20
    for index in 0..<chunk {
      let place = unsafe UnsafeMutableRawPointer(scratch + index)
      unsafe job.iv = UnsafePointer(place.assumingMemoryBound(to: UInt8.self))
      unsafe job.auth_tag_output = (place + Scratch.digestOffset).assumingMemoryBound(to: UInt8.self)
      unsafe (hashJobs + index).initialize(to: job)
      unsafe (cipherJobs + index).initialize(to: job)
    }
  }

  deinit {
    if let manager = unsafe manager { unsafe free_mb_mgr(manager) }
    unsafe entries.deallocate()
    unsafe places.deallocate()
    unsafe scratch.deallocate()
    unsafe hashJobs.deallocate()
    unsafe cipherJobs.deallocate()
  }

  // MARK: Sending

  /// Encrypts the first `count` entries and writes their tags; `isAuthentic` tells of each whether that was done.
  mutating func seal(_ count: Int) {
    var found = 0
    var bytes = 0
    for place in 0..<count {
      let context = unsafe entries[place].context
      if unsafe manager != nil, unsafe context.pointee.rtp.hasLanes {
        unsafe places[found] = place
        found &+= 1
        bytes &+= unsafe entries[place].operation.count
      } else {
        unsafe entries[place].isAuthentic = context.pointee.rtp.seal(entries[place].operation)
      }
    }
    guard found > 0 else { return }
    for job in 0..<found { unsafe entries[places[job]].isAuthentic = true }
    guard applyKeyStreams(found) else {
      for job in 0..<found { unsafe entries[places[job]].isAuthentic = false }
      return
    }
    let hashed = sideBySide(found, bytes: bytes)
    for job in 0..<hashed { prepareHash(job) }
    let isDone = runHashes(hashed, areShort: areShort(found, bytes: bytes))
    for job in 0..<found {
      let place = unsafe places[job]
      if job >= hashed {
        unsafe entries[place].context.pointee.rtp.writeTag(entries[place].operation)
      } else if isDone {
        let operation = unsafe entries[place].operation
        unsafe withUnsafeBytes(of: &scratch[job].digest) { digest in
          unsafe UnsafeMutableRawBufferPointer(
            start: operation.packet + operation.tagOffset, count: entries[place].context.pointee.rtp.tagCount
          ).copyMemory(from: .init(rebasing: digest[..<entries[place].context.pointee.rtp.tagCount]))
        }
      } else {
        unsafe entries[place].isAuthentic = false
      }
    }
  }

  // MARK: Receiving

  /// Checks the first `count` entries' tags into `isAuthentic` and decrypts those that are right.
  ///
  /// A packet that is only to be checked is left as it was.
  mutating func open(_ count: Int) {
    var found = 0
    var bytes = 0
    for place in 0..<count {
      let context = unsafe entries[place].context
      guard unsafe entries[place].work != .nothing else { continue }
      guard unsafe entries[place].work == .open || manager != nil else {
        unsafe entries[place].isAuthentic = context.pointee.rtp.authenticates(entries[place].operation)
        continue
      }
      if unsafe manager != nil, unsafe context.pointee.rtp.hasLanes {
        unsafe places[found] = place
        found &+= 1
        bytes &+= unsafe entries[place].operation.count
      } else {
        unsafe entries[place].isAuthentic = context.pointee.rtp.open(entries[place].operation)
      }
    }
    guard found > 0 else { return }
    let hashed = sideBySide(found, bytes: bytes)
    for job in 0..<hashed {
      // The word to authenticate comes where the MKI or the tag is: the tag is kept aside.
      let place = unsafe places[job]
      let operation = unsafe entries[place].operation
      let tagCount = unsafe entries[place].context.pointee.rtp.tagCount
      unsafe withUnsafeMutableBytes(of: &scratch[job].tag) { tag in
        unsafe tag.copyMemory(
          from: UnsafeRawBufferPointer(start: operation.packet + operation.tagOffset, count: tagCount))
      }
      unsafe scratch[job].overwritten = operation.packet.loadUnaligned(
        fromByteOffset: operation.count, as: UInt32.self)
      prepareHash(job)
    }
    let isDone = runHashes(hashed, areShort: areShort(found, bytes: bytes))
    var good = 0
    for job in 0..<found {
      let place = unsafe places[job]
      let isRight =
        unsafe job < hashed
        ? isDone && hasRightDigest(job, tagCount: entries[place].context.pointee.rtp.tagCount)
        : entries[place].context.pointee.rtp.hasRightTag(entries[place].operation)
      unsafe entries[place].isAuthentic = isRight
      if unsafe entries[place].work == .check {
        guard job < hashed else { continue }
        let operation = unsafe entries[place].operation
        unsafe operation.packet.storeBytes(
          of: scratch[job].overwritten, toByteOffset: operation.count, as: UInt32.self)
        continue
      }
      guard isRight else { continue }
      unsafe places[good] = place
      good &+= 1
    }
    guard !applyKeyStreams(good) else { return }
    for job in 0..<good { unsafe entries[places[job]].isAuthentic = false }
  }

  // MARK: Jobs

  /// How many of `count` packets to hash in lanes; the rest is cheaper one by one.
  ///
  /// A pass costs nearly the same for one lane as for all: measured with AVX-512, packets of 80 bytes 620 ns for one and
  /// 1,400 for 16, against 130 each by OpenSSL; packets of 1,200 bytes 3,050 and 3,870 against 740.
  private func sideBySide(_ count: Int, bytes: Int) -> Int {
    let rest = count % lanes
    let worthwhile = areShort(count, bytes: bytes) ? lanes &* 2 / 3 : lanes / 3
    return rest > worthwhile ? count : count &- rest
  }

  @inline(__always) private func areShort(_ count: Int, bytes: Int) -> Bool { bytes < 400 &* count }

  /// Places what is authenticated in one piece: the packet and, after its end, the word (RFC 3711 §4.2).
  @inline(__always) private func prepareHash(_ job: Int) {
    let place = unsafe places[job]
    let operation = unsafe entries[place].operation
    let hash = unsafe UnsafeRawPointer(entries[place].context.pointee.rtp.hash)
    unsafe operation.packet.storeBytes(
      of: operation.word.bigEndian, toByteOffset: operation.count, as: UInt32.self)
    unsafe hashJobs[job].src = UnsafePointer(operation.packet.assumingMemoryBound(to: UInt8.self))
    unsafe hashJobs[job].msg_len_to_hash_in_bytes = UInt64(truncatingIfNeeded: operation.count &+ 4)
    unsafe hashJobs[job].u.HMAC._hashed_auth_key_xor_ipad = hash.assumingMemoryBound(to: UInt8.self)
    unsafe hashJobs[job].u.HMAC._hashed_auth_key_xor_opad =
      (hash + MemoryLayout<SHA_CTX>.stride).assumingMemoryBound(to: UInt8.self)
  }

  /// - Parameter areShort: fill the last pass with copies of the first job, whose digests nobody reads: lanes without work
  ///   cost a search for them, 1,725 ns for 12 packets of 80 bytes where 16 take 1,400.
  private func runHashes(_ count: Int, areShort: Bool) -> Bool {
    guard count > 0, let manager = unsafe manager, let submit = unsafe manager.pointee.submit_hash_burst_nocheck else {
      return count == 0
    }
    let filled = areShort ? min((count &+ lanes &- 1) / lanes &* lanes, Self.chunk) : count
    for job in count..<filled {
      unsafe hashJobs[job].src = hashJobs[0].src
      unsafe hashJobs[job].msg_len_to_hash_in_bytes = hashJobs[0].msg_len_to_hash_in_bytes
      unsafe hashJobs[job].u.HMAC = hashJobs[0].u.HMAC
    }
    let number = UInt32(truncatingIfNeeded: filled)
    return unsafe submit(manager, hashJobs, number, IMB_AUTH_HMAC_SHA_1) == number
  }

  /// In constant time.
  @inline(__always) private func hasRightDigest(_ job: Int, tagCount: Int) -> Bool {
    unsafe withUnsafePointer(to: &scratch[job].digest) { digest in
      unsafe withUnsafePointer(to: &scratch[job].tag) { tag in unsafe CRYPTO_memcmp(digest, tag, tagCount) == 0 }
    }
  }

  /// Counter mode over the packets of the first `count` places.
  private func applyKeyStreams(_ count: Int) -> Bool {
    guard count > 0, let manager = unsafe manager, let submit = unsafe manager.pointee.submit_cipher_burst_nocheck
    else { return count == 0 }
    var filled = 0
    for job in 0..<count {
      let place = unsafe places[job]
      let operation = unsafe entries[place].operation
      guard unsafe operation.count > operation.clearCount else { continue }
      let start = unsafe (operation.packet + operation.clearCount).assumingMemoryBound(to: UInt8.self)
      unsafe scratch[filled].iv = entries[place].context.pointee.rtp.initializationVector(operation)
      unsafe cipherJobs[filled].enc_keys = UnsafeRawPointer(entries[place].context.pointee.rtp.roundKeys)
      unsafe cipherJobs[filled].src = UnsafePointer(start)
      unsafe cipherJobs[filled].dst = start
      unsafe cipherJobs[filled].msg_len_to_cipher_in_bytes = UInt64(
        truncatingIfNeeded: operation.count &- operation.clearCount)
      filled &+= 1
    }
    guard filled > 0 else { return true }
    let number = UInt32(truncatingIfNeeded: filled)
    return unsafe submit(manager, cipherJobs, number, IMB_CIPHER_CNTR, IMB_DIR_ENCRYPT, IMB_KEY_128_BYTES) == number
  }
}
