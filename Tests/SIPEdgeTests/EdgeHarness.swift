//  EdgeHarness.swift: an edge whose handler tells a test what happened, over real loopback sockets.
import NIOCore
import NIOPosix
import Primitives
import SIP
import SIPEdge

enum EdgeEvent: Sendable, Equatable {
  case received([UInt8], SIPFlow)
  case failed(SIPFlow)
  case advanced
}

/// Records, and answers on request. Confined to the event loop.
final class RecordingHandler: SIPEdgeHandler {
  let edge: SIPEdge
  let events: AsyncStream<EdgeEvent>.Continuation
  var nextDeadline = Instant.never
  /// Sends everything back to where it came from.
  var echoes = false

  init(edge: SIPEdge, events: AsyncStream<EdgeEvent>.Continuation) {
    self.edge = edge
    self.events = events
  }
  func receive(_ bytes: [UInt8], from flow: SIPFlow, now: Instant) {
    events.yield(.received(bytes, flow))
    if echoes { edge.send(bytes, to: flow) }
  }
  func transportFailed(_ flow: SIPFlow, now: Instant) { events.yield(.failed(flow)) }
  func advance(to now: Instant) {
    nextDeadline = .never
    events.yield(.advanced)
  }
}

/// One edge on 127.0.0.1 with ports of the system's choice.
struct EdgeHarness {
  let edge: SIPEdge
  private let stream: AsyncStream<EdgeEvent>

  static let loopback = Primitives.SocketAddress(ipv4: 0x7f00_0001, port: 0)

  init(
    _ transports: [SIPTransport] = [.udp, .tcp], address: Primitives.SocketAddress = loopback, echoes: Bool = false,
    _ change: (inout SIPEdgeLimits) -> Void = { _ in }
  ) async throws {
    var configuration = SIPEdgeConfiguration(listeners: transports.map { .init($0, address) })
    change(&configuration.limits)
    let (stream, continuation) = AsyncStream.makeStream(of: EdgeEvent.self)
    self.stream = stream
    edge = try await SIPEdge.start(configuration, on: MultiThreadedEventLoopGroup.singleton.next()) { edge in
      let handler = RecordingHandler(edge: edge, events: continuation)
      handler.echoes = echoes
      return handler
    }.get()
  }

  func address(_ transport: SIPTransport) -> Primitives.SocketAddress {
    edge.addresses.first { $0.transport == transport }?.address ?? Self.loopback
  }

  func flow(_ transport: SIPTransport, to remote: Primitives.SocketAddress) -> SIPFlow {
    SIPFlow(transport: transport, local: address(transport), remote: remote)
  }

  func send(_ bytes: [UInt8], to flow: SIPFlow) {
    let edge = self.edge
    edge.execute { _, _ in edge.send(bytes, to: flow) }
  }

  func next() async -> EdgeEvent? {
    var iterator = stream.makeAsyncIterator()
    return await iterator.next()
  }

  static func message(_ body: String = "hello", callID: String = "a") -> [UInt8] {
    Array(
      """
      MESSAGE sip:b@127.0.0.1 SIP/2.0\r
      Via: SIP/2.0/TCP 127.0.0.1:5060;branch=z9hG4bK\(callID)\r
      Max-Forwards: 70\r
      From: <sip:a@127.0.0.1>;tag=1\r
      To: <sip:b@127.0.0.1>\r
      Call-ID: \(callID)\r
      CSeq: 1 MESSAGE\r
      Content-Length: \(body.utf8.count)\r
      \r
      \(body)
      """.utf8)
  }
}

/// A plain TCP client, for what an edge would not do: odd pieces, silence.
struct RawClient {
  let channel: any Channel
  private let stream: AsyncStream<[UInt8]>

  private final class Collector: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    let bytes: AsyncStream<[UInt8]>.Continuation
    init(_ bytes: AsyncStream<[UInt8]>.Continuation) { self.bytes = bytes }
    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      bytes.yield(Array(unwrapInboundIn(data).readableBytesView))
    }
    func channelInactive(context: ChannelHandlerContext) { bytes.finish() }
    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
  }

  init(to address: Primitives.SocketAddress, reads: Bool = true) async throws {
    let (stream, continuation) = AsyncStream.makeStream(of: [UInt8].self)
    self.stream = stream
    channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .channelOption(.autoRead, value: reads)
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(Collector(continuation))
        }
      }
      .connect(host: address.host, port: Int(address.port)).get()
  }

  func write(_ bytes: ArraySlice<UInt8>) async throws {
    try await channel.writeAndFlush(ByteBuffer(bytes: bytes))
  }

  /// Until the edge closes.
  func readToEnd() async -> [UInt8] {
    var all: [UInt8] = []
    for await bytes in stream { all += bytes }
    return all
  }
  func next() async -> [UInt8]? {
    var iterator = stream.makeAsyncIterator()
    return await iterator.next()
  }
}
