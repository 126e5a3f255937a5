//  PortPair.swift: a worker's two sockets: RTP on an even port, RTCP on the next one up (RFC 3550 §11).

import Primitives

/// The first takes RTP and multiplexed RTCP; the second RTCP of peers without rtcp-mux.
@safe public struct PortPair: ~Copyable {
  public var media: DatagramSocket
  public var control: DatagramSocket

  /// - Parameters:
  ///   - address: an even port; 0 lets the kernel choose.
  ///   - worker: 0…127; the sockets' numbers are twice that, and the next.
  /// - Throws: `.addressInUse` names the port that is taken.
  public init(
    bindingTo address: SocketAddress, worker: Int = 0, options: DatagramSocket.Options = .init()
  ) throws(LinuxError) {
    precondition(worker >= 0 && worker < 128)
    precondition(address.port % 2 == 0, "RTP ports are even (RFC 3550 §11)")
    // A port of the kernel's choice is probed first; another process may still win the race for it.
    let port = address.port == 0 ? try Self.freePair(at: address) : address.port
    let media = try DatagramSocket(bindingTo: address.with(port: port), number: UInt8(2 * worker), options: options)
    let control = try DatagramSocket(
      bindingTo: address.with(port: port + 1), number: UInt8(2 * worker + 1), options: options)
    self.init(media: media, control: control)
  }

  private init(media: consuming DatagramSocket, control: consuming DatagramSocket) {
    self.media = media
    self.control = control
  }

  private static func freePair(at address: SocketAddress) throws(LinuxError) -> UInt16 {
    for _ in 0..<tries {
      let candidate = try DatagramSocket(bindingTo: address)
      let port = candidate.localAddress.port
      guard port % 2 == 0 else { continue }
      do throws(LinuxError) {
        _ = try DatagramSocket(bindingTo: address.with(port: port + 1))
        return port
      } catch .addressInUse {
        continue
      }
    }
    throw .exhausted(call: "bind")
  }

  /// Pairs of ports tried before giving up when the kernel chooses.
  public static let tries = 64

  /// Sends a batch over both sockets. What is left in it did not fit in the kernel's buffers.
  public mutating func send(_ batch: inout DatagramBatch, pool: inout PacketPool) -> DatagramSocket.Sent {
    var sent = media.send(&batch, pool: &pool)
    if batch.count > 0 {
      let second = control.send(&batch, pool: &pool)
      sent.count &+= second.count
      sent.failed &+= second.failed
      sent.blocked = sent.blocked || second.blocked
    }
    return sent
  }
}
