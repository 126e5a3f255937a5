//  AdminServer.swift: figures and answers over HTTP/1.1, on a thread of its own: a few connections, short ones.

import NIOCore
import NIOHTTP1
import NIOPosix
import Primitives
import Synchronization

/// What goes back for one request.
package struct AdminAnswer: Sendable {
  package var status: Int
  package var contentType: String
  package var body: [UInt8]

  package init(status: Int = 200, contentType: String, body: [UInt8]) {
    self.status = status
    self.contentType = contentType
    self.body = body
  }

  package static func text(_ status: Int, _ text: String) -> AdminAnswer {
    AdminAnswer(status: status, contentType: "text/plain; charset=utf-8", body: Array("\(text)\n".utf8))
  }
}

/// Named bounds of the server.
package enum AdminLimits {
  /// Connections at once; one more is closed at once.
  package static let connections = 16
  /// Bytes of a request, head and body: one more, and it is refused with 431.
  package static let requestBytes = 8_192
  /// From the connection to the end of its answer.
  package static let connectionTime = TimeAmount.seconds(10)
  /// For the control thread to answer.
  package static let answerTime = TimeAmount.seconds(3)
}

/// Serves one address. One request for each connection: a scrape every few seconds gains nothing from keeping it open.
package final class AdminServer: Sendable {
  /// Answers a route; called on the server's thread, may finish on any.
  package typealias Responder = @Sendable (AdminRoute, any EventLoop) -> EventLoopFuture<AdminAnswer>

  private let group: MultiThreadedEventLoopGroup
  private let channel: any Channel
  package let counters: Counters

  package final class Counters: Sendable {
    private let connections = Atomic<Int>(0)
    private let servedCount = Atomic<UInt64>(0)
    private let refusedCount = Atomic<UInt64>(0)

    package init() {}
    package var served: UInt64 { servedCount.load(ordering: .relaxed) }
    package var refused: UInt64 { refusedCount.load(ordering: .relaxed) }
    func countServed() { servedCount.add(1, ordering: .relaxed) }
    func countRefused() { refusedCount.add(1, ordering: .relaxed) }
    /// - Returns: `false` when there are too many.
    func open() -> Bool { connections.add(1, ordering: .relaxed).newValue <= AdminLimits.connections }
    func close() { connections.subtract(1, ordering: .relaxed) }
  }

  /// Listens; blocks until the address is bound.
  ///
  /// - Throws: what the system says where it cannot be.
  package init(
    address: Primitives.SocketAddress, counters: Counters = Counters(), responder: @escaping Responder
  ) throws {
    self.counters = counters
    group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    do {
      channel = try ServerBootstrap(group: group)
        .serverChannelOption(.backlog, value: 16)
        .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
        .childChannelOption(.maxMessagesPerRead, value: 4)
        .childChannelInitializer { channel in
          channel.eventLoop.makeCompletedFuture {
            guard counters.open() else {
              counters.close()
              counters.countRefused()
              channel.close(promise: nil)
              return
            }
            channel.closeFuture.whenComplete { _ in counters.close() }
            let pipeline = channel.pipeline.syncOperations
            try pipeline.addHandler(HTTPResponseEncoder())
            try pipeline.addHandler(RequestSizeLimit())
            try pipeline.addHandler(ByteToMessageHandler(HTTPRequestDecoder(leftOverBytesStrategy: .dropBytes)))
            try pipeline.addHandler(AdminConnection(counters: counters, responder: responder))
          }
        }
        .bind(host: address.host, port: Int(address.port)).wait()
    } catch {
      try? group.syncShutdownGracefully()
      throw error
    }
  }

  /// As the other one, with answers that need no other thread.
  package convenience init(address: Primitives.SocketAddress, answer: @escaping @Sendable (AdminRoute) -> AdminAnswer)
    throws
  {
    try self.init(address: address) { route, loop in loop.makeSucceededFuture(answer(route)) }
  }

  /// Where it listens: the port that the kernel chose, where 0 was asked for.
  package var port: Int { channel.localAddress?.port ?? 0 }

  package func stop() {
    try? channel.close().wait()
    try? group.syncShutdownGracefully()
  }
}

/// Counts a connection's bytes before anything reads them.
private final class RequestSizeLimit: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias InboundOut = ByteBuffer
  private var count = 0

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    count += unwrapInboundIn(data).readableBytes
    if count > AdminLimits.requestBytes {
      context.fireErrorCaught(
        AdminRefusal(status: 431, text: "a request may have \(AdminLimits.requestBytes) bytes"))
    } else {
      context.fireChannelRead(data)
    }
  }
}

/// One connection: one request, one answer, the end.
private final class AdminConnection: ChannelInboundHandler {
  typealias InboundIn = HTTPServerRequestPart
  typealias OutboundOut = HTTPServerResponsePart

  private let counters: AdminServer.Counters
  private let responder: AdminServer.Responder
  private var head: HTTPRequestHead?
  private var hasAnswered = false
  private var timeout: Scheduled<Void>?

  init(counters: AdminServer.Counters, responder: @escaping AdminServer.Responder) {
    self.counters = counters
    self.responder = responder
  }

  func channelActive(context: ChannelHandlerContext) {
    let channel = context.channel
    timeout = context.eventLoop.scheduleTask(in: AdminLimits.connectionTime) { channel.close(promise: nil) }
    context.fireChannelActive()
  }

  func channelInactive(context: ChannelHandlerContext) {
    timeout?.cancel()
    hasAnswered = true
    context.fireChannelInactive()
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head(let head): if self.head == nil { self.head = head }
    case .body: break  // nothing here takes one; its size is bounded
    case .end:
      guard let head, !hasAnswered else { return }
      handle(head, context)
    }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    if let refusal = error as? AdminRefusal {
      refuse(refusal, context)
    } else if error is HTTPParserError {
      refuse(AdminRefusal(status: 400, text: "this is no HTTP request"), context)
    } else {
      context.close(promise: nil)
    }
  }

  private func handle(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
    let route: AdminRoute
    do throws(AdminRefusal) {
      route = try AdminRoute.parse(
        method: head.method.rawValue, target: head.uri, host: head.headers.first(name: "host"),
        origin: head.headers.first(name: "origin"), isLoopback: Self.isLoopback(context.remoteAddress))
    } catch {
      return refuse(error, context)
    }
    let loop = context.eventLoop
    let promise = loop.makePromise(of: AdminAnswer.self)
    let late = loop.scheduleTask(in: AdminLimits.answerTime) {
      promise.succeed(.text(503, "the control thread did not answer in time"))
    }
    responder(route, loop).hop(to: loop).whenComplete { result in
      late.cancel()
      switch result {
      case .success(let answer): promise.succeed(answer)
      case .failure(let error): promise.succeed(.text(500, "\(error)"))
      }
    }
    let bound = NIOLoopBound((self, context), eventLoop: loop)
    promise.futureResult.whenSuccess { answer in
      let (connection, context) = bound.value
      connection.counters.countServed()
      connection.write(answer, withBody: head.method != .HEAD, context)
    }
  }

  private func refuse(_ refusal: AdminRefusal, _ context: ChannelHandlerContext) {
    counters.countRefused()
    write(.text(refusal.status, refusal.text), allowed: refusal.allowed, withBody: head?.method != .HEAD, context)
  }

  private func write(
    _ answer: AdminAnswer, allowed: String? = nil, withBody: Bool, _ context: ChannelHandlerContext
  ) {
    guard !hasAnswered else { return }
    hasAnswered = true
    var headers = HTTPHeaders([
      ("Content-Type", answer.contentType), ("Content-Length", "\(answer.body.count)"), ("Connection", "close"),
      ("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff"),
    ])
    if let allowed { headers.add(name: "Allow", value: allowed) }
    let head = HTTPResponseHead(
      version: .http1_1, status: HTTPResponseStatus(statusCode: answer.status), headers: headers)
    context.write(wrapOutboundOut(.head(head)), promise: nil)
    if withBody {
      context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: answer.body)))), promise: nil)
    }
    let channel = context.channel
    context.writeAndFlush(wrapOutboundOut(.end(nil))).whenComplete { _ in channel.close(promise: nil) }
  }

  private static func isLoopback(_ address: NIOCore.SocketAddress?) -> Bool {
    guard let text = address?.ipAddress, let address = Primitives.SocketAddress(host: text, port: 0) else {
      return false
    }
    if let ipv4 = address.ipv4 { return ipv4 >> 24 == 127 }
    return address.host == "::1"
  }
}
