//  EdgeChannels.swift: the one place where channels and their pipelines are built, per transport.
import NIOCore
import NIOPosix
import Primitives
import SIP

/// TLS puts its handler in front of `StreamHandler`; WebSocket has its upgrade and a handler of its own in its place.
enum EdgeChannels {
  private static let maximumDatagram = 65_536

  static func datagram(_ loop: NIOLoopBound<EdgeLoop>) -> DatagramBootstrap {
    let limits = loop.value.limits
    return DatagramBootstrap(group: loop.eventLoop)
      .channelOption(.autoRead, value: false)
      .channelOption(.socketOption(.so_rcvbuf), value: .init(clamping: limits.datagramReceiveBufferBytes))
      .channelOption(.datagramVectorReadMessageCount, value: limits.datagramsPerRead)
      .channelOption(
        .recvAllocator,
        value: FixedSizeRecvByteBufferAllocator(capacity: limits.datagramsPerRead * maximumDatagram)
      )
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(DatagramHandler(loop: loop.value))
        }
      }
  }

  static func server(_ loop: NIOLoopBound<EdgeLoop>, transport: SIPTransport) -> ServerBootstrap {
    ServerBootstrap(group: loop.eventLoop)
      .serverChannelOption(.backlog, value: .init(clamping: loop.value.limits.acceptBacklog))
      // Lets a restarted server bind while old connections are in TIME_WAIT; two listeners stay impossible.
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .serverChannelOption(.autoRead, value: false)
      .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
      .childChannelInitializer { channel in
        guard let connection = loop.value.accepted(channel, transport: transport) else {
          return channel.eventLoop.makeFailedFuture(ChannelError.inputClosed)
        }
        return configure(channel, loop.value, connection)
      }
  }

  static func client(
    _ loop: NIOLoopBound<EdgeLoop>, _ connection: NIOLoopBound<StreamConnection>
  ) -> ClientBootstrap {
    ClientBootstrap(group: loop.eventLoop)
      .connectTimeout(.nanoseconds(loop.value.limits.connectTimeout.nanoseconds))
      .channelOption(.tcpOption(.tcp_nodelay), value: 1)
      .channelInitializer { channel in configure(channel, loop.value, connection.value) }
  }

  /// The pipeline of one stream connection, whoever opened it.
  private static func configure(
    _ channel: any Channel, _ loop: EdgeLoop, _ connection: StreamConnection
  ) -> EventLoopFuture<Void> {
    channel.eventLoop.makeCompletedFuture {
      try channel.pipeline.syncOperations.addHandler(StreamHandler(loop: loop, connection: connection))
    }
  }
}
