//  SocketAddress.swift: an IPv4 or IPv6 address with its port, as a trivial value that hashes quickly.

/// An IP address and a UDP or TCP port. IPv4 is held as its IPv6-mapped form (RFC 4291 §2.5.5.2), so that
/// one comparison serves both families.
@frozen public struct SocketAddress: Hashable, Sendable, BitwiseCopyable {
  /// The upper and lower half of the 128-bit address, as numbers.
  public var high: UInt64
  public var low: UInt64
  public var port: UInt16

  @inlinable public init(high: UInt64, low: UInt64, port: UInt16) {
    self.high = high
    self.low = low
    self.port = port
  }

  /// - Parameter ipv4: in host order: 127.0.0.1 is `0x7f00_0001`.
  @inlinable public init(ipv4: UInt32, port: UInt16) {
    self.init(high: 0, low: 0xffff_0000_0000 | UInt64(ipv4), port: port)
  }

  @inlinable public var isIPv4: Bool { high == 0 && low >> 32 == 0xffff }
  @inlinable public var ipv4: UInt32? { isIPv4 ? UInt32(truncatingIfNeeded: low) : nil }
  @inlinable public var isUnspecified: Bool { high == 0 && (low == 0 || low == 0xffff_0000_0000) }

  @inlinable public func with(port: UInt16) -> SocketAddress {
    SocketAddress(high: high, low: low, port: port)
  }
  @inlinable public func sameHost(as other: SocketAddress) -> Bool { high == other.high && low == other.low }
}

extension SocketAddress {
  /// - Parameter host: a dotted IPv4 address, or an IPv6 address with or without brackets; no zone, no name.
  /// - Returns: `nil` for anything else: names are resolved elsewhere.
  public init?(host: some StringProtocol, port: UInt16) {
    var text = Array(host.utf8)
    if text.first == UInt8(ascii: "["), text.last == UInt8(ascii: "]") { text = Array(text.dropFirst().dropLast()) }
    if text.contains(UInt8(ascii: ":")) {
      guard let (high, low) = Self.parseIPv6(text) else { return nil }
      self.init(high: high, low: low, port: port)
    } else {
      guard let ipv4 = Self.parseIPv4(text[...]) else { return nil }
      self.init(ipv4: ipv4, port: port)
    }
  }

  /// Reads `host:port` or `[host]:port`.
  public init?(_ text: some StringProtocol) {
    guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else { return nil }
    let host = text[..<colon]
    if host.contains(":") && !host.hasPrefix("[") { return nil }
    self.init(host: host, port: port)
  }

  /// The address without port and without brackets, as SDP's `c=` wants it (RFC 5952 form for IPv6).
  public var host: String {
    if let ipv4 {
      return "\(ipv4 >> 24).\(ipv4 >> 16 & 255).\(ipv4 >> 8 & 255).\(ipv4 & 255)"
    }
    let groups = (0..<8).map { UInt16(truncatingIfNeeded: ($0 < 4 ? high : low) >> UInt64(48 - 16 * ($0 % 4))) }
    var best = 0..<0
    var start = 0
    while start < 8 {
      var end = start
      while end < 8, groups[end] == 0 { end += 1 }
      if end - start > max(1, best.count) { best = start..<end }
      start = max(end, start + 1)
    }
    if best.isEmpty { return groups.map { String($0, radix: 16) }.joined(separator: ":") }
    let left = groups[..<best.lowerBound].map { String($0, radix: 16) }.joined(separator: ":")
    let right = groups[best.upperBound...].map { String($0, radix: 16) }.joined(separator: ":")
    return left + "::" + right
  }

  private static func parseIPv4(_ text: ArraySlice<UInt8>) -> UInt32? {
    var address: UInt32 = 0
    var parts = 0
    for part in text.split(separator: UInt8(ascii: "."), maxSplits: 4, omittingEmptySubsequences: false) {
      guard (1...3).contains(part.count), part.allSatisfy({ (48...57).contains($0) }) else { return nil }
      let value = part.reduce(UInt32(0)) { $0 * 10 + UInt32($1 - 48) }
      guard value < 256 else { return nil }
      address = address << 8 | value
      parts += 1
    }
    return parts == 4 ? address : nil
  }

  private static func parseIPv6(_ text: [UInt8]) -> (high: UInt64, low: UInt64)? {
    guard text.count <= 45 else { return nil }
    var groups: [UInt16] = []
    var gap: Int?
    var rest = text[...]
    if rest.starts(with: Array("::".utf8)) {
      gap = 0
      rest = rest.dropFirst(2)
    }
    while !rest.isEmpty {
      let end = rest.firstIndex(of: UInt8(ascii: ":")) ?? rest.endIndex
      let group = rest[..<end]
      if group.contains(UInt8(ascii: ".")) {
        guard end == rest.endIndex, let ipv4 = parseIPv4(group), groups.count <= 6 else { return nil }
        groups += [UInt16(ipv4 >> 16), UInt16(truncatingIfNeeded: ipv4)]
        break
      }
      guard (1...4).contains(group.count), groups.count < 8,
        let value = UInt16(String(decoding: group, as: UTF8.self), radix: 16), group.first != UInt8(ascii: "+")
      else { return nil }
      groups.append(value)
      rest = rest[end...].dropFirst()
      if end < text.endIndex, rest.first == UInt8(ascii: ":") {
        guard gap == nil else { return nil }
        gap = groups.count
        rest = rest.dropFirst()
      } else if end < text.endIndex, rest.isEmpty {
        return nil  // a single colon at the end
      }
    }
    if let gap {
      guard groups.count < 8 else { return nil }
      groups.insert(contentsOf: Array(repeating: 0, count: 8 - groups.count), at: gap)
    }
    guard groups.count == 8 else { return nil }
    let high = groups[..<4].reduce(UInt64(0)) { $0 << 16 | UInt64($1) }
    let low = groups[4...].reduce(UInt64(0)) { $0 << 16 | UInt64($1) }
    return (high, low)
  }
}

extension SocketAddress: CustomStringConvertible {
  /// `127.0.0.1:5060` or `[2001:db8::1]:5060`.
  public var description: String { isIPv4 ? "\(host):\(port)" : "[\(host)]:\(port)" }
}
