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
  /// Lives at its address during the call; may appear in many items.
  public var session: UnsafeMutablePointer<SRTPSession>
  /// RTCP instead of RTP.
  public var isControl: Bool
  /// Why this packet must be dropped; the others are not concerned.
  public var failure: DropReason?

  public init(
    packet: UnsafeMutableRawPointer, count: Int, capacity: Int, session: UnsafeMutablePointer<SRTPSession>,
    isControl: Bool
  ) {
    unsafe self.packet = packet
    unsafe self.count = count
    unsafe self.capacity = capacity
    unsafe self.session = session
    unsafe self.isControl = isControl
    unsafe failure = nil
  }
}

/// Batch entry points. Items are taken in order, so that a session's packets keep theirs.
public enum SRTPBatch {
  public static func protect(_ items: UnsafeMutableBufferPointer<SRTPItem>) {
    for index in items.indices { unsafe run(&items[index], protects: true) }
  }

  public static func unprotect(_ items: UnsafeMutableBufferPointer<SRTPItem>) {
    for index in items.indices { unsafe run(&items[index], protects: false) }
  }

  private static func run(_ item: inout SRTPItem, protects: Bool) {
    let bytes = unsafe UnsafeMutableRawBufferPointer(start: item.packet, count: item.capacity)
    var span = unsafe bytes.mutableBytes
    do throws(DropReason) {
      switch unsafe (protects, item.isControl) {
      case (true, false): unsafe item.count = try item.session.pointee.protectRTP(&span, count: item.count)
      case (true, true): unsafe item.count = try item.session.pointee.protectRTCP(&span, count: item.count)
      case (false, false): unsafe item.count = try item.session.pointee.unprotectRTP(&span, count: item.count)
      case (false, true): unsafe item.count = try item.session.pointee.unprotectRTCP(&span, count: item.count)
      }
      unsafe item.failure = nil
    } catch {
      unsafe item.failure = error
    }
  }
}
