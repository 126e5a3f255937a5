//  DatagramHandler.swift: datagrams from one UDP socket, each a message (RFC 3261 §18.3).
import NIOCore
import Primitives
import SIP

final class DatagramHandler: ChannelInboundHandler {
  typealias InboundIn = AddressedEnvelope<ByteBuffer>

  private let loop: EdgeLoop
  private var local: Primitives.SocketAddress?

  init(loop: EdgeLoop) { self.loop = loop }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let envelope = unwrapInboundIn(data)
    if local == nil { local = context.channel.localAddress.flatMap { Primitives.SocketAddress($0) } }
    guard let local, let remote = Primitives.SocketAddress(envelope.remoteAddress) else { return }
    loop.counters.datagramsReceived &+= 1
    loop.receive(Array(envelope.data.readableBytesView), from: SIPFlow(transport: .udp, local: local, remote: remote))
  }

  /// An ICMP error of an earlier datagram: the socket goes on.
  func errorCaught(context: ChannelHandlerContext, error: any Error) {}
}
