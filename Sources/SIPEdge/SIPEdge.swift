//  SIPEdge.swift: SIP's sockets on one event loop: bytes with their flow in, bytes to a flow out (RFC 3261 §18).
import NIOCore
import Primitives
import SIP

/// The shell library that joins a SIP core to the network. It decides nothing about SIP: it frames streams, opens and
/// reuses connections, and bounds what the network can make it hold.
///
/// Everything happens on one event loop, which the owner provides; the handler is made there and stays there.
public final class SIPEdge: Sendable {
  public let eventLoop: any EventLoop
  /// Where the edge listens, with the ports that the system chose.
  public let addresses: [SIPEdgeConfiguration.Listener]
  private let loop: NIOLoopBound<EdgeLoop>

  private init(loop: EdgeLoop) {
    eventLoop = loop.eventLoop
    addresses = loop.addresses
    self.loop = NIOLoopBound(loop, eventLoop: loop.eventLoop)
  }

  /// Binds all listeners, then makes the handler and begins to read.
  ///
  /// - Parameter makeHandler: called once on `eventLoop`; `SIPEdge.addresses` is known by then.
  /// - Returns: fails with `SIPEdgeError` when one listener cannot be had; the others are closed again.
  public static func start(
    _ configuration: SIPEdgeConfiguration, on eventLoop: any EventLoop,
    makeHandler: @escaping @Sendable (SIPEdge) -> any SIPEdgeHandler
  ) -> EventLoopFuture<SIPEdge> {
    eventLoop.flatSubmit {
      let loop = EdgeLoop(configuration: configuration, eventLoop: eventLoop)
      return loop.listen().assumeIsolated().map {
        let edge = SIPEdge(loop: loop)
        loop.begin(with: makeHandler(edge))
        return edge
      }.nonisolated()
    }
  }

  /// Sends one message. Only on `eventLoop`: handlers call it while they are being called, other threads go through
  /// `execute`. Failures come later as `transportFailed`, never from inside this call.
  public func send(_ bytes: [UInt8], to flow: SIPFlow) { loop.value.send(bytes, to: flow) }

  /// Closes one connection: after a message that says that the peer is not wanted.
  public func close(_ flow: SIPFlow) { loop.value.close(flow) }

  /// Runs `body` on the event loop with the handler and asks for its deadline afterwards. From any thread.
  public func execute(_ body: @escaping @Sendable (any SIPEdgeHandler, Instant) -> Void) {
    let loop = self.loop
    eventLoop.execute {
      loop.value.withHandler { handler, now in body(handler, now) }
    }
  }

  public func counters() -> EventLoopFuture<SIPEdgeCounters> {
    let loop = self.loop
    return eventLoop.submit { loop.value.counters }
  }

  /// Open stream connections, those being opened included.
  public func connectionCount() -> EventLoopFuture<Int> {
    let loop = self.loop
    return eventLoop.submit { loop.value.connectionCount }
  }

  /// Closes every socket and lets the handler go.
  public func stop() -> EventLoopFuture<Void> {
    let loop = self.loop
    return eventLoop.flatSubmit { loop.value.stop() }
  }
}
