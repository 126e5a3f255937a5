//  SimulatedStreams.swift: TCP between the nodes of a simulation, with the habits of SIPEdge.

import Primitives
import SIP

/// Connections are opened by the first message to an address, used both ways, and reported under every flow that their
/// owner knows them by when they break.
struct SimulatedStreams {
  struct End {
    var node: SimulatedNode
    var flow: SIPFlow
    /// Under which the node has sent.
    var knownFlows: [SIPFlow]
    var framer = StreamFramer()
    /// Arrival of the last bytes sent from this end.
    var lastArrival = Instant.zero
    var isClosed = false
  }
  struct Connection {
    var number: Int
    /// 0: who opened it, 1: who accepted it.
    var ends: [End]
    var isOpen = false
    /// What waits for the connection to open.
    var waiting: [[UInt8]] = []
  }

  private(set) var connections: [Int: Connection] = [:]
  private var nextNumber = 1

  var count: Int { connections.count }

  /// The connection that a flow of this node means, and which end of it the node is.
  func find(_ flow: SIPFlow, of node: SimulatedNode) -> (number: Int, end: Int)? {
    if flow.connection != 0 {
      let number = Int(truncatingIfNeeded: flow.connection / 2)
      let end = Int(truncatingIfNeeded: flow.connection % 2)
      guard let found = connections[number], found.ends[end].node == node, !found.ends[end].isClosed else {
        return nil
      }
      return (number, end)
    }
    for number in connections.keys.sorted() {
      guard let connection = connections[number] else { continue }
      for end in 0...1 where connection.ends[end].node == node && !connection.ends[end].isClosed {
        if connection.ends[end].flow.remote == flow.remote { return (number, end) }
      }
    }
    return nil
  }

  mutating func open(from node: SimulatedNode, local: SocketAddress, to peer: SimulatedNode, remote: SocketAddress)
    -> Int
  {
    let number = nextNumber
    nextNumber += 1
    let ephemeral = local.with(port: UInt16(truncatingIfNeeded: 32_768 + number))
    let opener = SIPFlow(transport: .tcp, local: ephemeral, remote: remote, connection: UInt64(2 * number))
    let acceptor = SIPFlow(transport: .tcp, local: remote, remote: ephemeral, connection: UInt64(2 * number + 1))
    connections[number] = Connection(
      number: number,
      ends: [
        End(node: node, flow: opener, knownFlows: [opener]), End(node: peer, flow: acceptor, knownFlows: [acceptor]),
      ])
    return number
  }

  subscript(_ number: Int) -> Connection? {
    get { connections[number] }
    set { connections[number] = newValue }
  }

  mutating func remember(_ flow: SIPFlow, _ number: Int, _ end: Int) {
    guard connections[number]?.ends[end].knownFlows.contains(flow) == false else { return }
    connections[number]?.ends[end].knownFlows.append(flow)
  }

  /// Both ends of every connection of a node, in order.
  func connections(of node: SimulatedNode) -> [Int] {
    connections.keys.sorted().filter { number in
      connections[number]?.ends.contains { $0.node == node } == true
    }
  }

  /// - Returns: the flows to report to the node at that end.
  mutating func close(_ number: Int, end: Int) -> [SIPFlow] {
    guard var connection = connections[number], !connection.ends[end].isClosed else { return [] }
    connection.ends[end].isClosed = true
    connection.waiting = []
    connections[number] = connection.ends.allSatisfy(\.isClosed) ? nil : connection
    // What is sent again goes over a new connection, under flows without a number: those are reported before, not after.
    return connection.ends[end].knownFlows.filter { $0.connection == 0 }
      + connection.ends[end].knownFlows.filter { $0.connection != 0 }
  }
}
