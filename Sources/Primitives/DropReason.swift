//  DropReason.swift: why a packet was not used. One byte; thrown on the packet path, counted once, never logged.

@frozen public enum DropReason: UInt8, Error, CaseIterable, Sendable, BitwiseCopyable {
  case tooShort
  case tooLong
  case badVersion
  /// A length inside the packet reaches beyond its end (CSRC count, extension, padding, RTCP length).
  case badLength
  /// The first byte belongs to no protocol of RFC 7983 §7.
  case unknownProtocol
  /// No leg answers to this source address, and none that is still unlatched authenticates the packet.
  case unknownSource
  /// An unlatched leg exists, but no key of the tried ones fits (bounded number of tries).
  case notLatched
  case unknownPayloadType
  case authenticationFailed
  case replayed
  /// Older than the replay window can tell.
  case tooOld
  case decryptionFailed
  /// A key has protected as many packets as it may (RFC 3711 §9.2).
  case keyExhausted
  /// Plain RTP where the leg has a key, or where configuration forbids it.
  case notEncrypted
  /// The leg is blocked, held, or receives only.
  case notAccepted
  case duplicate
  /// After its play-out time.
  case late
  /// The jitter buffer is full.
  case overflow
  /// A sequence jump that is not yet believed (RFC 3550 A.1).
  case onProbation
  case codecError
  case poolExhausted
  case queueFull
  case sendFailed
  /// The sender exceeds what one leg may send.
  case rateLimited
  case malformedControl
  /// A fault injected by the simulation's network.
  case simulated
}

/// One counter per reason. Owned by one worker; read through its snapshots.
@frozen public struct DropCounters: Sendable {
  @usableFromInline var counts: InlineArray<32, UInt64> = InlineArray(repeating: 0)

  @inlinable public init() {}

  @inlinable @inline(__always) public mutating func count(_ reason: DropReason) {
    counts[Int(reason.rawValue)] &+= 1
  }
  @inlinable public subscript(_ reason: DropReason) -> UInt64 { counts[Int(reason.rawValue)] }
  @inlinable public var total: UInt64 {
    var sum: UInt64 = 0
    for index in 0..<32 { sum &+= counts[index] }
    return sum
  }
}
