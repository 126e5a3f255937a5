//  RTPHeader+Extensions.swift: finding one element among the header extensions (RFC 8285 §4).

import Primitives

extension RTPHeader {
  /// Finds the element with the negotiated `id` in the one-byte (profile 0xBEDE) or two-byte (0x100_) form.
  ///
  /// - Parameters:
  ///   - id: 1–14 in the one-byte form, 1–255 in the two-byte form.
  ///   - bytes: those this header was parsed from.
  /// - Returns: the element's data, maybe empty in the two-byte form; `nil` when absent, when the profile is another, or
  ///   when an element before it lies about its length.
  @inlinable public func extensionElement(_ id: UInt8, in bytes: RawSpan) -> Range<Int>? {
    guard extensionOffset != 0, id != 0 else { return nil }
    let start = Int(extensionOffset)
    let end = start &+ Int(extensionCount)
    if extensionProfile == 0xbede { return Self.oneByteElement(id, in: bytes, start, end) }
    if extensionProfile & 0xfff0 == 0x1000 { return Self.twoByteElement(id, in: bytes, start, end) }
    return nil
  }

  /// RFC 8285 §4.2: a zero byte is padding; id 0 with a length, and id 15, end the search.
  @inlinable static func oneByteElement(_ id: UInt8, in bytes: RawSpan, _ start: Int, _ end: Int) -> Range<Int>? {
    var offset = start
    while offset < end {
      guard let head = bytes.uint8(at: offset) else { return nil }
      offset &+= 1
      if head == 0 { continue }
      let found = head >> 4
      if found == 0 || found == 15 { return nil }
      let next = offset &+ Int(head & 0x0f) &+ 1
      guard next <= end else { return nil }
      if found == id { return offset..<next }
      offset = next
    }
    return nil
  }

  /// RFC 8285 §4.3: id 0 is one byte of padding without a length.
  @inlinable static func twoByteElement(_ id: UInt8, in bytes: RawSpan, _ start: Int, _ end: Int) -> Range<Int>? {
    var offset = start
    while offset < end {
      guard let found = bytes.uint8(at: offset) else { return nil }
      offset &+= 1
      if found == 0 { continue }
      guard offset < end, let length = bytes.uint8(at: offset) else { return nil }
      offset &+= 1
      let next = offset &+ Int(length)
      guard next <= end else { return nil }
      if found == id { return offset..<next }
      offset = next
    }
    return nil
  }

  /// The client-to-mixer audio level, if the packet carries it under this id (RFC 6464 §3).
  @inlinable public func audioLevel(_ id: UInt8, in bytes: RawSpan) -> AudioLevel? {
    guard let element = extensionElement(id, in: bytes), !element.isEmpty,
      let byte = bytes.uint8(at: element.lowerBound)
    else { return nil }
    return AudioLevel(byte: byte)
  }
}
