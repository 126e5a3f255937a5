//  UserAgentCallTests.swift: calls from INVITE to the last transaction, on virtual time.
import Primitives
import SIP
import Testing

@Suite("UserAgent calls (RFC 3261 §13–§15)")
struct UserAgentCallTests {
  /// Two agents; the second rings and answers when `answers`.
  static func pair(answers: Bool = true, _ change: (inout UserAgentConfiguration) -> Void = { _ in })
    -> UserAgentNetwork
  {
    let network = UserAgentNetwork()
    network.add(change)
    network.add(change)
    network.react = { network, index, event in
      guard answers, index == 1, case .invited(let call, _, _) = event else { return }
      network.with(1) { agent, now, outputs in
        agent.ring(call, contactUser: "room", isFocus: true, now: now, into: &outputs)
        agent.answer(call, body: UserAgentNetwork.sdp, now: now, into: &outputs)
      }
    }
    return network
  }

  static func call(_ network: UserAgentNetwork, body: String? = "v=0 offer") -> CallHandle {
    network.with(0) { agent, now, outputs in
      agent.invite(network.invitation(1, from: 0, body: body), now: now, into: &outputs)
    }
  }

  static func expectEmpty(_ network: UserAgentNetwork) {
    for agent in network.agents { #expect(agent.counts.isEmpty, "\(agent.counts)") }
  }

  static func names(_ network: UserAgentNetwork, _ index: Int) -> [String] { network.events[index].map(\.name) }

  @Test("INVITE, 180, 200, ACK, BYE; nothing is left")
  func wholeCall() {
    let network = Self.pair()

    let call = Self.call(network)
    network.run(.seconds(1))
    network.with(0) { agent, now, outputs in agent.hangUp(call, now: now, into: &outputs) }
    network.run(.seconds(40))

    #expect(Self.names(network, 0) == ["progressed 180", "answered", "ended local"])
    #expect(Self.names(network, 1) == ["invited", "acknowledged", "ended byReceived"])
    #expect(
      network.log.contains {
        $0.message.status == 200 && $0.message.first(.contact)?.contains("sip:room@10.0.0.2:5060>;isfocus") == true
      })
    Self.expectEmpty(network)
  }
}
