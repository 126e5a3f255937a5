//  EdgeLoop.swift: the state of a SIPEdge, confined to its event loop: listeners, connections, the next deadline.
import NIOCore
import NIOPosix
import Primitives
import SIP

/// All of it runs on `eventLoop`; it is not `Sendable`, and `SIPEdge` reaches it through `NIOLoopBound`.
final class EdgeLoop {
  struct Peer: Hashable {
    var transport: SIPTransport
    var remote: Primitives.SocketAddress
  }
  struct Host: Hashable {
    var high: UInt64
    var low: UInt64

    init(_ address: Primitives.SocketAddress) {
      high = address.high
      low = address.low
    }
  }

  let eventLoop: any EventLoop
  let limits: SIPEdgeLimits
  private let listeners: [SIPEdgeConfiguration.Listener]
  private(set) var addresses: [SIPEdgeConfiguration.Listener] = []
  var counters = SIPEdgeCounters()
  var connectionCount: Int { connections.count }

  private var handler: (any SIPEdgeHandler)?
  private var listening: [any Channel] = []
  private var datagramChannels: [(local: Primitives.SocketAddress, channel: any Channel)] = []
  private var connections: [UInt64: StreamConnection] = [:]
  /// The connection that "any connection to this peer" means.
  private var byPeer: [Peer: UInt64] = [:]
  private var perHost: [Host: Int] = [:]
  private var lastConnection: UInt64 = 0
  /// Channels written to since the last flush.
  private var unflushed: [ObjectIdentifier: any Channel] = [:]
  private var depth = 0
  private var alarm: Scheduled<Void>?
  private var alarmAt = Instant.never
  private var sweeper: RepeatedTask?
  private var isStopped = false

  init(configuration: SIPEdgeConfiguration, eventLoop: any EventLoop) {
    self.eventLoop = eventLoop
    limits = configuration.limits
    listeners = configuration.listeners
  }

  // MARK: Start and stop

  func listen() -> EventLoopFuture<Void> {
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    var future = eventLoop.makeSucceededVoidFuture()
    for listener in listeners {
      future = future.flatMap { bound.value.bind(listener) }
    }
    return future.flatMapError { error in
      bound.value.stop().flatMapThrowing { throw error }
    }
  }

  private func bind(_ listener: SIPEdgeConfiguration.Listener) -> EventLoopFuture<Void> {
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    let address: NIOCore.SocketAddress
    do { address = try listener.address.nio() } catch { return eventLoop.makeFailedFuture(error) }
    let opening: EventLoopFuture<any Channel>
    switch listener.transport {
    case .udp: opening = EdgeChannels.datagram(bound).bind(to: address)
    case .tcp: opening = EdgeChannels.server(bound, transport: .tcp).bind(to: address)
    case .tls, .ws, .wss: return eventLoop.makeFailedFuture(SIPEdgeError.unsupportedTransport(listener.transport))
    }
    return opening.assumeIsolated().flatMapErrorThrowing { error in
      throw SIPEdgeError(error, listener.transport, listener.address)
    }.map { channel in
      let local = channel.localAddress.flatMap { Primitives.SocketAddress($0) } ?? listener.address
      self.listening.append(channel)
      self.addresses.append(.init(listener.transport, local))
      if listener.transport == .udp { self.datagramChannels.append((local, channel)) }
    }.nonisolated()
  }

  /// Reading starts only now, so that nothing arrives before there is someone to hear it.
  func begin(with handler: any SIPEdgeHandler) {
    self.handler = handler
    for channel in listening {
      channel.setOption(.autoRead, value: true).whenFailure { _ in channel.close(promise: nil) }
    }
    let interval = max(min(limits.idleTimeout, limits.messageTimeout).nanoseconds / 4, 1_000_000)
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    sweeper = eventLoop.scheduleRepeatedTask(
      initialDelay: .nanoseconds(interval), delay: .nanoseconds(interval)
    ) { _ in bound.value.sweep() }
    withHandler { _, _ in }
  }

  func stop() -> EventLoopFuture<Void> {
    isStopped = true
    handler = nil
    alarm?.cancel()
    sweeper?.cancel()
    let channels = listening + connections.values.compactMap(\.channel)
    listening = []
    datagramChannels = []
    let closing = channels.map { channel in channel.close().recover { _ in } }
    return EventLoopFuture.andAllComplete(closing, on: eventLoop)
  }

  // MARK: The handler

  /// Calls the handler, then flushes what it sent and sets the alarm for its deadline.
  func withHandler(_ body: (any SIPEdgeHandler, Instant) -> Void) {
    eventLoop.preconditionInEventLoop()
    guard let handler else { return }
    depth += 1
    body(handler, Clock.now)
    depth -= 1
    guard depth == 0 else { return }
    flush()
    setAlarm(for: handler.nextDeadline)
  }

  func receive(_ bytes: [UInt8], from flow: SIPFlow) {
    withHandler { handler, now in handler.receive(bytes, from: flow, now: now) }
  }

  /// Later, on the loop: the core that sent is still busy when a send fails at once.
  private func reportFailure(of flow: SIPFlow) {
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    eventLoop.execute {
      bound.value.withHandler { handler, now in handler.transportFailed(flow, now: now) }
    }
  }

  /// Only an earlier deadline moves the alarm; one that rings too early finds nothing due and is set again.
  private func setAlarm(for deadline: Instant) {
    guard !isStopped, deadline < alarmAt else { return }
    alarm?.cancel()
    alarmAt = deadline
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    alarm = eventLoop.scheduleTask(
      deadline: .uptimeNanoseconds(UInt64(clamping: deadline.nanoseconds))
    ) { bound.value.ring() }
  }

  private func ring() {
    alarm = nil
    alarmAt = .never
    withHandler { handler, now in
      if handler.nextDeadline <= now { handler.advance(to: now) }
    }
  }

  private func flush() {
    guard !unflushed.isEmpty else { return }
    let channels = unflushed.values
    unflushed.removeAll(keepingCapacity: true)
    for channel in channels { channel.flush() }
  }

  private func markUnflushed(_ channel: any Channel) {
    unflushed[ObjectIdentifier(channel)] = channel
    if depth == 0 { flush() }
  }

  // MARK: Sending

  func send(_ bytes: [UInt8], to flow: SIPFlow) {
    eventLoop.preconditionInEventLoop()
    guard !isStopped else { return }
    switch flow.transport {
    case .udp: sendDatagram(bytes, to: flow)
    case .tcp: sendOnStream(bytes, to: flow)
    case .tls, .ws, .wss: reportFailure(of: flow)
    }
  }

  private func sendDatagram(_ bytes: [UInt8], to flow: SIPFlow) {
    let entry =
      datagramChannels.first { $0.local == flow.local }
      ?? datagramChannels.first { $0.local.isIPv4 == flow.remote.isIPv4 }
    guard let channel = entry?.channel, let remote = try? flow.remote.nio() else { return reportFailure(of: flow) }
    // A full socket queue is the network's loss: SIP over UDP retransmits.
    guard channel.isWritable else {
      counters.datagramsFailed &+= 1
      return
    }
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    let promise = eventLoop.makePromise(of: Void.self)
    promise.futureResult.whenFailure { _ in
      bound.value.counters.datagramsFailed &+= 1
      bound.value.reportFailure(of: flow)
    }
    counters.datagramsSent &+= 1
    channel.write(AddressedEnvelope(remoteAddress: remote, data: ByteBuffer(bytes: bytes)), promise: promise)
    markUnflushed(channel)
  }

  private func sendOnStream(_ bytes: [UInt8], to flow: SIPFlow) {
    if flow.connection != 0 {
      guard let connection = connections[flow.connection] else { return reportFailure(of: flow) }
      write(bytes, on: connection, as: flow)
    } else if let number = byPeer[Peer(transport: flow.transport, remote: flow.remote)],
      let connection = connections[number]
    {
      write(bytes, on: connection, as: flow)
    } else if let connection = connect(to: flow) {
      write(bytes, on: connection, as: flow)
    } else {
      reportFailure(of: flow)
    }
  }

  private func write(_ bytes: [UInt8], on connection: StreamConnection, as flow: SIPFlow) {
    connection.remember(flow)
    connection.lastActivity = Clock.now
    let limit = connection.channel == nil ? limits.connectBacklogBytes : limits.writeBacklogBytes
    guard connection.backlogBytes + bytes.count <= limit else {
      counters.slowPeersClosed &+= 1
      return abandon(connection)
    }
    connection.backlogBytes += bytes.count
    guard let channel = connection.channel else {
      connection.waiting.append(bytes)
      return
    }
    let bound = NIOLoopBound(connection, eventLoop: eventLoop)
    let promise = eventLoop.makePromise(of: Void.self)
    let count = bytes.count
    promise.futureResult.whenComplete { _ in bound.value.backlogBytes -= count }
    channel.write(ByteBuffer(bytes: bytes), promise: promise)
    markUnflushed(channel)
  }

  // MARK: Connections

  /// Room for one more connection with this host, counted if there is.
  private func admit(_ remote: Primitives.SocketAddress) -> Bool {
    guard connections.count < limits.connections, perHost[Host(remote), default: 0] < limits.connectionsPerHost else {
      counters.connectionsRefused &+= 1
      return false
    }
    return true
  }

  private func register(_ connection: StreamConnection) {
    connections[connection.number] = connection
    perHost[Host(connection.flow.remote), default: 0] += 1
    let peer = Peer(transport: connection.flow.transport, remote: connection.flow.remote)
    if byPeer[peer] == nil { byPeer[peer] = connection.number }
  }

  private func nextNumber() -> UInt64 {
    lastConnection &+= 1
    return lastConnection
  }

  /// A peer connected to us.
  /// - Returns: `nil` when the tables are full: the channel is closed.
  func accepted(_ channel: any Channel, transport: SIPTransport) -> StreamConnection? {
    guard !isStopped, let remote = channel.remoteAddress.flatMap({ Primitives.SocketAddress($0) }),
      let local = channel.localAddress.flatMap({ Primitives.SocketAddress($0) }), admit(remote)
    else { return nil }
    counters.connectionsAccepted &+= 1
    let flow = SIPFlow(transport: transport, local: local, remote: remote, connection: nextNumber())
    let connection = StreamConnection(flow: flow, channel: channel, now: Clock.now)
    register(connection)
    return connection
  }

  private func connect(to flow: SIPFlow) -> StreamConnection? {
    guard let remote = try? flow.remote.nio(), admit(flow.remote) else { return nil }
    var own = flow
    own.connection = nextNumber()
    let connection = StreamConnection(flow: own, channel: nil, now: Clock.now)
    register(connection)
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    let boundConnection = NIOLoopBound(connection, eventLoop: eventLoop)
    EdgeChannels.client(bound, boundConnection).connect(to: remote).whenComplete { result in
      bound.value.connected(boundConnection.value, result)
    }
    return connection
  }

  private func connected(_ connection: StreamConnection, _ result: Result<any Channel, any Error>) {
    switch result {
    case .failure:
      counters.connectFailures &+= 1
      abandon(connection)
    case .success(let channel):
      guard !connection.isClosed, !isStopped else { return channel.close(promise: nil) }
      counters.connectionsOpened &+= 1
      connection.channel = channel
      connection.lastActivity = Clock.now
      let waiting = connection.waiting
      connection.waiting = []
      connection.backlogBytes = 0
      for bytes in waiting { write(bytes, on: connection, as: connection.flow) }
    }
  }

  func close(_ flow: SIPFlow) {
    guard flow.connection != 0, let connection = connections[flow.connection] else { return }
    abandon(connection)
  }

  /// Closes and forgets; every flow under which the core knows this connection is reported.
  func abandon(_ connection: StreamConnection) {
    guard !connection.isClosed else { return }
    connection.isClosed = true
    connection.waiting = []
    connections[connection.number] = nil
    let host = Host(connection.flow.remote)
    if let count = perHost[host], count > 1 { perHost[host] = count - 1 } else { perHost[host] = nil }
    let peer = Peer(transport: connection.flow.transport, remote: connection.flow.remote)
    if byPeer[peer] == connection.number { byPeer[peer] = nil }
    connection.channel?.close(promise: nil)
    // Flows without a number first: what the core sends again when it hears of the connection's own flow goes out under
    // such a flow, over a new connection, and must not be taken for lost.
    for flow in connection.knownFlows.sorted(by: { $0.connection < $1.connection }) { reportFailure(of: flow) }
  }

  private func sweep() {
    let now = Clock.now
    for connection in connections.values {
      let isIdle = now - connection.lastActivity > limits.idleTimeout
      let isStuck = connection.messageBegan.map { now - $0 > limits.messageTimeout } ?? false
      guard isIdle || isStuck else { continue }
      counters.idleClosed &+= 1
      abandon(connection)
    }
  }
}

extension SIPEdgeError {
  init(_ error: any Error, _ transport: SIPTransport, _ address: Primitives.SocketAddress) {
    if let error = error as? SIPEdgeError {
      self = error
      return
    }
    switch (error as? IOError)?.errnoCode ?? 0 {
    case EADDRINUSE: self = .addressInUse(transport, address)
    case EADDRNOTAVAIL: self = .addressNotAvailable(transport, address)
    case EACCES, EPERM: self = .notPermitted(transport, address)
    case let code: self = .cannotListen(transport, address, errno: code)
    }
  }
}
