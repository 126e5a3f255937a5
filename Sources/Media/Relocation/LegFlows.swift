//  LegFlows.swift: the addresses by which the router knows one leg, to be taken along when it moves.
//  Walk: MediaWorker.takeOut → DatagramRouter.flows ⇢ Forwarding; MediaWorker.install → DatagramRouter.adopt

import Primitives

/// Where the datagrams of one leg come from: media and control, as signalled, as proved, and as guessed.
struct LegFlows: BitwiseCopyable {
  private(set) var count = 0
  private var flows: InlineArray<5, Flow> = InlineArray(
    repeating: Flow(address: SocketAddress(high: 0, low: 0, port: 0), socket: 0))

  subscript(_ index: Int) -> Flow { flows[index] }

  mutating func append(_ flow: Flow) {
    guard count < 5, flow.address.port != 0, !flow.address.isUnspecified else { return }
    for index in 0..<count where flows[index] == flow { return }
    flows[count] = flow
    count &+= 1
  }
}

extension DatagramRouter {
  /// Those that are the leg's and no other's.
  func flows(of slot: Int, _ legs: borrowing SlotTable<Leg>) -> LegFlows {
    var all = LegFlows()
    all.append(Flow(address: legs[slot].media.signalled, socket: legs[slot].mediaSocket))
    all.append(Flow(address: legs[slot].control.signalled, socket: legs[slot].controlSocket))
    all.append(controlHint(beside: legs[slot].media.address, legs[slot].controlSocket))
    all.append(Flow(address: legs[slot].control.address, socket: legs[slot].controlSocket))
    all.append(Flow(address: legs[slot].media.address, socket: legs[slot].mediaSocket))
    var own = LegFlows()
    for index in 0..<all.count where flows[all[index]] == slot { own.append(all[index]) }
    return own
  }

  /// A leg that comes from another worker keeps what it has proved there.
  mutating func adopt(_ slot: Int, _ legs: inout SlotTable<Leg>) {
    let (media, control) = (legs[slot].media, legs[slot].control)
    let (mediaSocket, controlSocket) = (legs[slot].mediaSocket, legs[slot].controlSocket)
    if media.isLatched { hint(Flow(address: media.address, socket: mediaSocket), slot) }
    hint(Flow(address: media.signalled, socket: mediaSocket), slot)
    if !legs[slot].configuration.rtcpMux {
      if control.isLatched { hint(Flow(address: control.address, socket: controlSocket), slot) }
      hint(Flow(address: control.signalled, socket: controlSocket), slot)
      if media.isLatched, !control.isLatched { hint(controlHint(beside: media.address, controlSocket), slot) }
    }
    if legs[slot].stream.isActive { sources.set(legs[slot].stream.ssrc, slot) }
    guard !legs[slot].isPlain, !media.isLatched else { return }
    legs[slot].placeInUnlatched = unlatched.count
    unlatched.append(Int32(truncatingIfNeeded: slot))
  }
}
