//  SIPEdgeError.swift: why the edge could not start, in words for the operator.
import Primitives
import SIP

public enum SIPEdgeError: Error, Hashable, Sendable {
  case addressInUse(SIPTransport, SocketAddress)
  /// The address is none of this machine's.
  case addressNotAvailable(SIPTransport, SocketAddress)
  /// Ports below 1024 without the right to them.
  case notPermitted(SIPTransport, SocketAddress)
  case cannotListen(SIPTransport, SocketAddress, errno: Int32)
  /// TLS and WebSocket are not built yet.
  case unsupportedTransport(SIPTransport)

  /// EX_CONFIG of sysexits.h: what the operator wrote cannot be had; starting again will not help.
  public var exitStatus: Int32 { 78 }
}

extension SIPEdgeError: CustomStringConvertible {
  /// One line that names the address and the cure.
  public var description: String {
    switch self {
    case .addressInUse(let transport, let address):
      "cannot listen for SIP on \(transport.name) \(address): the address is in use; "
        + "stop the program that holds it or configure another port"
    case .addressNotAvailable(let transport, let address):
      "cannot listen for SIP on \(transport.name) \(address): this machine has no such address; "
        + "configure one of its own or 0.0.0.0"
    case .notPermitted(let transport, let address):
      "cannot listen for SIP on \(transport.name) \(address): not permitted; "
        + "use a port from 1024 or grant CAP_NET_BIND_SERVICE"
    case .cannotListen(let transport, let address, let errno):
      "cannot listen for SIP on \(transport.name) \(address): error \(errno); check the address and the system's limits"
    case .unsupportedTransport(let transport):
      "cannot listen for SIP on \(transport.name): not supported; use UDP or TCP"
    }
  }
}
