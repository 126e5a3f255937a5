//  SRTPBatch.swift: many packets at once, of many sessions: the shape that batched ciphers want.
//  Walk: DatagramRouter → SRTPBatch.unprotect → RTPHeader; SendStream → SRTPBatch.protect → DatagramSocket.send

import Primitives

/// One packet of a batch, with its session.
@unsafe public struct SRTPItem {
  /// `capacity` bytes that nothing else uses during the call.
  public var packet: UnsafeMutableRawPointer
  /// Bytes of packet; after the call the new count, when `failure` is `nil`.
  public var count: Int
  public var capacity: Int
  /// May appear in many items; the session lives at least as long as the call.
  public var session: SRTPSessionHandle
  /// RTCP instead of RTP.
  public var isControl: Bool
  /// Why this packet must be dropped; the others are not concerned.
  public var failure: DropReason?

  public init(
    packet: UnsafeMutableRawPointer, count: Int, capacity: Int, session: SRTPSessionHandle, isControl: Bool
  ) {
    unsafe self.packet = packet
    unsafe self.count = count
    unsafe self.capacity = capacity
    unsafe self.session = session
    unsafe self.isControl = isControl
    unsafe failure = nil
  }
}

/// Batch entry points. The result is that of the items one after another, so that a session's packets keep their order.
public enum SRTPBatch {
  public static func protect(
    _ items: UnsafeMutableBufferPointer<SRTPItem>, with engine: inout SRTPCipherEngine
  ) {
    for index in items.indices { unsafe run(&items[index], protects: true) }
  }

  public static func unprotect(
    _ items: UnsafeMutableBufferPointer<SRTPItem>, with engine: inout SRTPCipherEngine
  ) {
    for index in items.indices { unsafe run(&items[index], protects: false) }
  }

  private static func run(_ item: inout SRTPItem, protects: Bool) {
    do throws(DropReason) {
      let (packet, count, capacity) = unsafe (item.packet, item.count, item.capacity)
      guard count >= 0, count <= capacity else { throw .badLength }
      if let contexts = unsafe item.session.contexts {
        switch unsafe (protects, item.isControl) {
        case (true, false): unsafe item.count = try contexts[0].protectRTP(packet, count: count, capacity: capacity)
        case (true, true): unsafe item.count = try contexts[0].protectRTCP(packet, count: count, capacity: capacity)
        case (false, false): unsafe item.count = try contexts[1].unprotectRTP(packet, count: count)
        case (false, true): unsafe item.count = try contexts[1].unprotectRTCP(packet, count: count)
        }
      } else if let references = unsafe item.session.references {
        switch unsafe (protects, item.isControl) {
        case (true, false): unsafe item.count = try references[0].protectRTP(packet, count: count, capacity: capacity)
        case (true, true): unsafe item.count = try references[0].protectRTCP(packet, count: count, capacity: capacity)
        case (false, false): unsafe item.count = try references[1].unprotectRTP(packet, count: count)
        case (false, true): unsafe item.count = try references[1].unprotectRTCP(packet, count: count)
        }
      }
      unsafe item.failure = nil
    } catch {
      unsafe item.failure = error
    }
  }
}
