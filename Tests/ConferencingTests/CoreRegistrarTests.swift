//  CoreRegistrarTests.swift: media hosts register and report through the core (control protocol P1, P2; RFC 3903).
import ConferenceDocuments
import Conferencing
import Primitives
import SIP
import Testing

@Suite("Conferencing core: registration and load of media hosts")
struct CoreRegistrarTests {
  @Test("registered, then active with the first load document")
  func register() {
    let network = ConferenceNetwork()
    let host = network.addHost(1)

    #expect(host.registrations.map(\.status) == [200])
    #expect(host.registrations.first?.first(.contact)?.contains("expires=60") == true)
    #expect(host.publications.map(\.status) == [200])
    #expect(host.entityTag != nil)
    #expect(host.publications.first?.expires == 15)
    #expect(network.core.servers.map(\.state) == [.active])
    #expect(network.log.map(\.what) == [.serverRegistered(host.id), .serverActive(host.id)])
  }

  @Test("reports keep a host alive for long")
  func keepAlive() {
    let network = ConferenceNetwork()
    let host = network.addHost(1)

    network.run(.seconds(600))

    #expect(network.core.servers.map(\.state) == [.active])
    #expect(host.publications.count > 100 && host.publications.allSatisfy { $0.status == 200 })
  }

  @Test("a host that nobody trusts is 403")
  func untrusted() {
    let network = ConferenceNetwork { $0.trustedMediaHosts = [] }
    let host = network.addHost(1)

    #expect(host.registrations.map(\.status) == [403])
    host.publish()
    network.run(.milliseconds(50))
    #expect(host.publications.map(\.status) == [403])
    #expect(network.core.servers.isEmpty)
  }

  @Test("too short a registration is 423 with Min-Expires")
  func tooBrief() {
    let network = ConferenceNetwork()
    let host = network.addHost(1)

    host.register(expires: 5)
    network.run(.milliseconds(50))

    #expect(host.registrations.last?.status == 423)
    #expect(host.registrations.last?.number(.minExpires) == Limits.registrationMinimumSeconds)
  }

  @Test("a wrong entity tag is 412, and the whole document then 200")
  func wrongTag() {
    let network = ConferenceNetwork()
    let host = network.addHost(1)

    host.publish(tag: "other")
    network.run(.milliseconds(50))

    #expect(host.publications.suffix(2).map(\.status) == [412, 200])
  }

  @Test("a host that unregisters is gone, and its meetings with it")
  func unregister() {
    let network = ConferenceNetwork()
    let host = network.addHost(1)
    let phone = network.addPhone(1)
    phone.dial()
    network.run(.milliseconds(200))

    host.register(expires: 0)
    network.run(.milliseconds(200))

    #expect(host.registrations.last?.status == 200)
    #expect(network.core.servers.isEmpty)
    #expect(phone.byeReason == "SIP;cause=503;text=\"media host lost\"")
  }

  @Test("another instance at the same address of record is a restarted host: its meetings are lost, it serves anew")
  func restarted() {
    let network = ConferenceNetwork()
    let host = network.addHost(1)
    let phone = network.addPhone(1)
    phone.dial()
    network.run(.milliseconds(200))

    host.register(instance: "b")
    network.run(.milliseconds(200))
    #expect(phone.byeReason == "SIP;cause=503;text=\"media host lost\"")
    host.publish()
    network.run(.milliseconds(50))
    phone.dial()
    network.run(.milliseconds(200))

    #expect(phone.isIn)
  }

  @Test("draining: its meeting goes on, new ones go elsewhere")
  func draining() {
    let network = ConferenceNetwork()
    let host = network.addHost(1)
    let (first, second, third) = (network.addPhone(1), network.addPhone(2), network.addPhone(3))
    first.dial()
    network.run(.milliseconds(200))
    let other = network.addHost(2)

    host.status = .deactivated
    host.publish()
    network.run(.milliseconds(50))
    second.dial()
    third.dial("sip:new@conf.example.com")
    network.run(.milliseconds(200))

    #expect(first.isIn && second.isIn && third.isIn)
    #expect(host.legs.count == 2 && other.legs.count == 1)
  }

  @Test("a burst of 100 meetings over 3 hosts spreads within 10 % of even")
  func burst() {
    let network = ConferenceNetwork()
    let hosts = (1...3).map { network.addHost($0, room: 1_000) }
    let phones = (1...100).map { network.addPhone($0) }

    for (index, phone) in phones.enumerated() { phone.dial("sip:m\(index)@conf.example.com") }
    network.run(.milliseconds(500))

    #expect(phones.allSatisfy { $0.isIn })
    for host in hosts { #expect(abs(Double(host.legs.count) - 100.0 / 3) <= 100.0 / 30) }
    network.run(.seconds(15))
    #expect(network.core.servers.allSatisfy { $0.promisedLegs == 0 })
  }

  @Test("a phone's REGISTER, a load document without a registration, other packages: each its answer")
  func misuse() {
    let network = ConferenceNetwork { $0.trustedMediaHosts += [SocketAddress(ipv4: 0x0a00_0201, port: 0)] }
    let phone = network.addPhone(1)
    func send(_ method: SIPMethod, event: String? = nil, contact: String? = nil) -> Int? {
      phone.with { agent, now, outputs in
        var request = OutgoingRequest(
          method, target: "sip:conf.example.com", from: "<sip:user1@conf.example.com>",
          to: "<sip:user1@conf.example.com>", flow: phone.flow)
        if let contact {
          request.hasContact = true
          request.contactParameters = contact
        }
        if let event { request.headers.append(HeaderField("Event", event)) }
        _ = agent.request(request, now: now, into: &outputs)
      }
      network.run(.milliseconds(50))
      return phone.responses.last?.status
    }

    #expect(send(.register, contact: ";expires=60") == 501)
    #expect(send(.publish, event: "mcu-status") == 404)
    #expect(send(.publish, event: "presence") == 489)
    #expect(send(.options) == 200)
    #expect(send(.message) == 405)
    #expect(phone.responses.last?.first(.allow)?.isEmpty == false)
  }

  @Test("XML that declares entities is refused in a command and in a load document")
  func entityBomb() {
    let network = ConferenceNetwork()
    let host = network.addHost(1)
    let phone = network.addPhone(1)
    phone.dial()
    network.run(.milliseconds(200))
    let bomb = """
      <?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>
      <request xmlns="urn:ietf:params:xml:ns:cccp" requestId="1" from="a" to="b"><getConference>&b;</getConference></request>
      """

    phone.info(C3PRequest.contentType, Array(bomb.utf8))
    network.run(.milliseconds(200))
    host.with { agent, now, outputs in
      var request = OutgoingRequest(
        .publish, target: "sip:mcufactory@factory.example.com", from: "<sip:mh1@factory.example.com>",
        to: "<sip:mcufactory@factory.example.com>", flow: host.flow,
        body: MessageBody(contentType: MediaServerLoad.contentType, text: bomb))
      request.headers = [HeaderField("Event", "mcu-status"), HeaderField("Expires", "15")]
      _ = agent.request(request, now: now, into: &outputs)
    }
    network.run(.milliseconds(200))

    #expect(phone.responses.map(\.status) == [400])
    #expect(network.log.contains { $0.what == .refused(.badDocument) })
    #expect(phone.isIn && network.core.servers.map(\.state) == [.active])
  }
}
