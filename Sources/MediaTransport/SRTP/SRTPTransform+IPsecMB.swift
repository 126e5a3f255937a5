//  SRTPTransform+IPsecMB.swift: AES-GCM by Intel's ipsec-mb, one call per packet (RFC 7714 §5).

import CIPsecMB
import COpenSSL
import Primitives

extension SRTPTransform {
  /// A tag as two words, so that comparing takes the same time whatever differs.
  private typealias Tag = (UInt64, UInt64)

  func sealDirectly(_ operation: SRTPOperation, _ gcm: UnsafePointer<IPsecMB.GCM>) -> Bool {
    let tag = unsafe (operation.packet + operation.tagOffset).assumingMemoryBound(to: UInt8.self)
    guard kind == .rtcp else {
      unsafe run(gcm.pointee.seal, operation, associated: operation.packet, operation.clearCount, tag: tag)
      return true
    }
    var associated = unsafe controlHeader(operation)
    unsafe withUnsafeBytes(of: &associated) { associated in
      guard let start = associated.baseAddress else { return }
      unsafe run(gcm.pointee.seal, operation, associated: start, operation.clearCount &+ 4, tag: tag)
    }
    return true
  }

  func openDirectly(_ operation: SRTPOperation, _ gcm: UnsafePointer<IPsecMB.GCM>) -> Bool {
    let received = unsafe receivedTag(operation)
    var tag: Tag = (0, 0)
    unsafe withUnsafeMutableBytes(of: &tag) { tag in
      guard let tag = unsafe tag.assumingMemoryBound(to: UInt8.self).baseAddress else { return }
      if kind == .rtp {
        unsafe run(gcm.pointee.open, operation, associated: operation.packet, operation.clearCount, tag: tag)
      } else if unsafe operation.clearCount < operation.count {
        var associated = unsafe controlHeader(operation)
        unsafe withUnsafeBytes(of: &associated) { associated in
          guard let start = associated.baseAddress else { return }
          unsafe run(gcm.pointee.open, operation, associated: start, operation.clearCount &+ 4, tag: tag)
        }
      } else {
        // Nothing is encrypted, all is authenticated (RFC 7714 §9.3), the word right behind the packet: over its tag.
        unsafe operation.packet.storeBytes(
          of: operation.word.bigEndian, toByteOffset: operation.count, as: UInt32.self)
        unsafe run(gcm.pointee.open, operation, associated: operation.packet, operation.count &+ 4, tag: tag)
      }
    }
    return (tag.0 ^ received.0) | (tag.1 ^ received.1) == 0
  }

  func authenticatesDirectly(_ operation: SRTPOperation, _ gcm: UnsafePointer<IPsecMB.GCM>) -> Bool {
    guard kind == .rtcp else {
      return unsafe hasTag(operation, gcm, associated: operation.packet, operation.clearCount)
    }
    guard unsafe operation.clearCount == operation.count else {
      var associated = unsafe controlHeader(operation)
      return unsafe withUnsafeBytes(of: &associated) { associated in
        guard let start = associated.baseAddress else { return false }
        return unsafe hasTag(operation, gcm, associated: start, operation.clearCount &+ 4)
      }
    }
    var copy = InlineArray<1_536, UInt8>(repeating: 0)
    guard unsafe operation.count &+ 4 <= copy.count else { return false }
    return unsafe withUnsafeMutableBytes(of: &copy) { copy in
      guard let start = copy.baseAddress else { return false }
      unsafe start.copyMemory(from: operation.packet, byteCount: operation.count)
      unsafe start.storeBytes(of: operation.word.bigEndian, toByteOffset: operation.count, as: UInt32.self)
      return unsafe hasTag(operation, gcm, associated: UnsafeRawPointer(start), operation.count &+ 4)
    }
  }

  /// What is authenticated of an encrypted RTCP packet before its body: the 8 bytes in the clear, E and index
  /// (RFC 7714 §9.2).
  private func controlHeader(_ operation: SRTPOperation) -> (UInt64, UInt32) {
    unsafe (operation.packet.loadUnaligned(as: UInt64.self), operation.word.bigEndian)
  }

  private func receivedTag(_ operation: SRTPOperation) -> Tag {
    let place = unsafe operation.packet + operation.tagOffset
    return unsafe (
      place.loadUnaligned(as: UInt64.self), place.loadUnaligned(fromByteOffset: 8, as: UInt64.self)
    )
  }

  /// One pass over the packet in place; `tag` has room for 16 bytes.
  @inline(__always) private func run(
    _ function: aes_gcm_enc_dec_t, _ operation: SRTPOperation, associated: UnsafeRawPointer, _ associatedCount: Int,
    tag: UnsafeMutablePointer<UInt8>
  ) {
    var iv = unsafe initializationVector(operation)
    let start = unsafe (operation.packet + operation.clearCount).assumingMemoryBound(to: UInt8.self)
    let count = unsafe UInt64(truncatingIfNeeded: operation.count &- operation.clearCount)
    unsafe withUnsafeBytes(of: &iv) { iv in
      let iv = unsafe iv.assumingMemoryBound(to: UInt8.self).baseAddress
      unsafe Self.withContext { context in
        unsafe function(
          gcmKey, context, start, start, count, iv, associated.assumingMemoryBound(to: UInt8.self),
          UInt64(truncatingIfNeeded: associatedCount), tag, 16)
      }
    }
  }

  /// Computes the tag through a scratch block, into which the packet is decrypted piece by piece. The rest of a forged
  /// packet that stays there on the stack tells nobody anything; that of an authentic one is as secret as the packet that
  /// is decrypted next, and lies beside it.
  private func hasTag(
    _ operation: SRTPOperation, _ gcm: UnsafePointer<IPsecMB.GCM>, associated: UnsafeRawPointer, _ associatedCount: Int
  ) -> Bool {
    var iv = unsafe initializationVector(operation)
    var tag: Tag = (0, 0)
    unsafe withUnsafeBytes(of: &iv) { iv in
      unsafe withUnsafeMutableBytes(of: &tag) { tag in
        unsafe withUnsafeTemporaryAllocation(byteCount: 512, alignment: 16) { scratch in
          unsafe Self.withContext { context in
            let output = unsafe scratch.assumingMemoryBound(to: UInt8.self).baseAddress
            unsafe gcm.pointee.begin(
              gcmKey, context, iv.assumingMemoryBound(to: UInt8.self).baseAddress,
              associated.assumingMemoryBound(to: UInt8.self), UInt64(truncatingIfNeeded: associatedCount))
            var offset = unsafe operation.clearCount
            while unsafe offset < operation.count {
              let part = unsafe min(scratch.count, operation.count &- offset)
              let input = unsafe (operation.packet + offset).assumingMemoryBound(to: UInt8.self)
              unsafe gcm.pointee.update(gcmKey, context, output, input, UInt64(truncatingIfNeeded: part))
              offset &+= part
            }
            unsafe gcm.pointee.finish(gcmKey, context, tag.assumingMemoryBound(to: UInt8.self).baseAddress, 16)
          }
        }
      }
    }
    let received = unsafe receivedTag(operation)
    return (tag.0 ^ received.0) | (tag.1 ^ received.1) == 0
  }

  /// The library's working memory of one packet: on the stack, at an address divisible by 64.
  ///
  /// Found by hand in a larger block, because Swift takes memory with such an alignment from the heap.
  @inline(__always) private static func withContext(_ body: (UnsafeMutablePointer<gcm_context_data>) -> Void) {
    unsafe withUnsafeTemporaryAllocation(byteCount: MemoryLayout<gcm_context_data>.size + 63, alignment: 16) { memory in
      guard let start = unsafe memory.baseAddress?.alignedUp(toMultipleOf: 64) else { return }
      unsafe body(start.assumingMemoryBound(to: gcm_context_data.self))
    }
  }
}
