//  TalkerPlaces.swift: which of a tick's talkers are audible, decoded, forwarded and in the mix: a bit for each place.

struct TalkerPlaces: BitwiseCopyable {
  /// Something can be heard of them now.
  var audible: UInt32 = 0
  /// A group mixes them.
  var wanted: UInt32 = 0
  /// A group forwards them.
  var forwarded: UInt32 = 0
  /// A group goes from their packets to the mix.
  var returning: UInt32 = 0
  /// Decoded in this tick.
  var rendered: UInt32 = 0
  /// In what is sent, mixed or forwarded.
  var heard: UInt32 = 0
  /// In the mix.
  var voices: UInt32 = 0

  @inline(__always) static func bit(_ place: Int) -> UInt32 { 1 << UInt32(truncatingIfNeeded: place & 31) }
}
