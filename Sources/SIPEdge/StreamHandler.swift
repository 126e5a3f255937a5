//  StreamHandler.swift: the bytes of one stream connection, cut into messages (RFC 3261 §18.3, RFC 5626 §3.5.1).
import NIOCore
import Primitives
import SIP

final class StreamHandler: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private let loop: EdgeLoop
  private let connection: StreamConnection
  private var framer = StreamFramer()

  init(loop: EdgeLoop, connection: StreamConnection) {
    self.loop = loop
    self.connection = connection
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    guard !connection.isClosed else { return }
    let now = Clock.now
    connection.lastActivity = now
    framer.append(Array(unwrapInboundIn(data).readableBytesView))
    do throws(StreamFramingError) {
      while let item = try framer.next() {
        connection.messageBegan = nil
        switch item {
        case .message(let bytes): loop.receive(bytes, from: connection.flow)
        case .keepAlive: loop.send([13, 10], to: connection.flow)
        }
        // The core may have closed it.
        guard !connection.isClosed else { return }
      }
    } catch {
      loop.counters.framingErrors &+= 1
      // The core answers what can be answered; then nothing more can be read.
      if let head = error.head { loop.receive(head, from: connection.flow) }
      return loop.abandon(connection)
    }
    if framer.bufferedByteCount == 0 {
      connection.messageBegan = nil
    } else if connection.messageBegan == nil {
      connection.messageBegan = now
    }
  }

  func channelInactive(context: ChannelHandlerContext) {
    loop.abandon(connection)
    context.fireChannelInactive()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) { loop.abandon(connection) }
}
