//  SocketAddress+NIO.swift: addresses between Primitives and NIO.
import NIOCore
import Primitives

extension Primitives.SocketAddress {
  /// - Returns: `nil` for a Unix socket's.
  init?(_ address: NIOCore.SocketAddress) {
    guard let port = address.port, let port = UInt16(exactly: port) else { return nil }
    switch address {
    case .v4(let v4):
      self.init(ipv4: UInt32(bigEndian: v4.address.sin_addr.s_addr), port: port)
    case .v6(let v6):
      let bytes = unsafe withUnsafeBytes(of: v6.address.sin6_addr) { unsafe Array($0) }
      let high = bytes.prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
      let low = bytes.suffix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
      self.init(high: high, low: low, port: port)
    case .unixDomainSocket:
      return nil
    }
  }

  func nio() throws -> NIOCore.SocketAddress {
    var buffer = ByteBuffer()
    if let ipv4 {
      buffer.writeInteger(ipv4)
    } else {
      buffer.writeInteger(high)
      buffer.writeInteger(low)
    }
    return try NIOCore.SocketAddress(packedIPAddress: buffer, port: Int(port))
  }
}
