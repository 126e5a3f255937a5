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

/// A packet of a batch between framing and the end of its cipher.
@unsafe struct SRTPBatchEntry {
  /// What the ciphers have to do with a received packet.
  enum Work {
    case open
    /// Only the tag is wanted; the packet stays as it is.
    case check
    case nothing
  }

  var operation: SRTPOperation
  var context: UnsafeMutablePointer<SRTPContext>
  /// Its place among the items of the call.
  var item: Int32
  var work: Work
  /// The source in its context; only for received packets.
  var slot: Int32
  /// The cipher's outcome: the tag was right; when sending: the library did its work.
  var isAuthentic: Bool
}

/// Batch entry points. The result is that of the items one after another, so that a session's packets keep their order:
/// each session's state, each packet and each failure is the same as by `SRTPSession` packet by packet.
///
/// Three passes over at most `SRTPCipherEngine.chunk` packets: framing, ciphers, what the tags decide. The first touches
/// the state of all sessions before any cipher runs, so that their cache misses overlap.
public enum SRTPBatch {
  public static func protect(
    _ items: UnsafeMutableBufferPointer<SRTPItem>, with engine: inout SRTPCipherEngine
  ) {
    var start = 0
    while start < items.count {
      let end = min(items.count, start &+ SRTPCipherEngine.chunk)
      var framed = 0
      for index in start..<end {
        guard let contexts = unsafe items[index].session.contexts, unsafe !items[index].isControl else {
          unsafe run(&items[index], protects: true)
          continue
        }
        do throws(DropReason) {
          let (packet, count, capacity) = unsafe (items[index].packet, items[index].count, items[index].capacity)
          guard count >= 0, count <= capacity else { throw .badLength }
          unsafe engine.entries[framed] = SRTPBatchEntry(
            operation: try contexts[0].frameRTP(packet, count: count, capacity: capacity), context: contexts,
            item: Int32(truncatingIfNeeded: index), work: .open, slot: 0, isAuthentic: false)
          framed &+= 1
        } catch {
          unsafe items[index].failure = error
        }
      }
      engine.seal(framed)
      for place in 0..<framed {
        let index = unsafe Int(engine.entries[place].item)
        guard unsafe engine.entries[place].isAuthentic else {
          unsafe items[index].failure = .decryptionFailed
          continue
        }
        unsafe items[index].count = engine.entries[place].context.pointee.finishRTP(engine.entries[place].operation)
        unsafe items[index].failure = nil
      }
      start = end
    }
  }

  public static func unprotect(
    _ items: UnsafeMutableBufferPointer<SRTPItem>, with engine: inout SRTPCipherEngine
  ) {
    var start = 0
    while start < items.count {
      let end = min(items.count, start &+ SRTPCipherEngine.chunk)
      unsafe unprotect(items, start..<end, &engine)
      start = end
    }
  }

  private static func unprotect(
    _ items: UnsafeMutableBufferPointer<SRTPItem>, _ range: Range<Int>, _ engine: inout SRTPCipherEngine
  ) {
    var framed = 0
    var deferred: UInt64 = 0
    for index in range {
      guard let contexts = unsafe items[index].session.contexts else {
        unsafe run(&items[index], protects: false)
        continue
      }
      do throws(DropReason) {
        switch try unsafe admit(&items[index], contexts + 1, &engine.entries[framed]) {
        case .ready: unsafe engine.entries[framed].work = .open
        case .probe: unsafe engine.entries[framed].work = .check
        case .refused: unsafe engine.entries[framed].work = .nothing
        case .deferred:
          deferred |= 1 << UInt64(index &- range.lowerBound)
          continue
        case .alone:
          unsafe run(&items[index], protects: false)
          continue
        }
        unsafe engine.entries[framed].isAuthentic = false
        unsafe engine.entries[framed].item = Int32(truncatingIfNeeded: index)
        framed &+= 1
      } catch {
        unsafe items[index].failure = error
      }
    }
    engine.open(framed)
    for place in 0..<framed {
      let index = unsafe Int(engine.entries[place].item)
      do throws(DropReason) {
        if unsafe engine.entries[place].work == .check {
          try unsafe engine.entries[place].context.pointee.review(engine.entries[place])
          unsafe run(&items[index], protects: false)
          continue
        }
        unsafe items[index].count = try engine.entries[place].context.pointee.settle(engine.entries[place])
        unsafe items[index].failure = nil
      } catch {
        unsafe items[index].failure = error
      }
    }
    guard deferred != 0 else { return }
    for index in range where deferred & 1 << UInt64(index &- range.lowerBound) != 0 {
      unsafe items[index].session.contexts?[1].isDeferring = false
      unsafe run(&items[index], protects: false)
    }
  }

  @inline(__always) private static func admit(
    _ item: inout SRTPItem, _ context: UnsafeMutablePointer<SRTPContext>, _ entry: inout SRTPBatchEntry
  ) throws(DropReason) -> SRTPAdmission {
    guard unsafe item.count >= 0, unsafe item.count <= item.capacity else { throw .badLength }
    guard unsafe !item.isControl else { return unsafe context.pointee.apart() }
    unsafe entry.context = unsafe context
    return try unsafe context.pointee.admit(item.packet, count: item.count, into: &entry)
  }

  /// One packet by itself.
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
