//  ConferencingCoreTests.swift: whole calls through the core: phones, media hosts, watchers, on virtual time.
import ConferenceDocuments
import Conferencing
import Primitives
import SIP
import Testing

@Suite("Conferencing core: joining and leaving")
struct CoreJoinTests {
  @Test("a phone joins, is in the roster, leaves; the conference ends after its grace period and leaves nothing")
  func joinAndLeave() throws {
    let network = ConferenceNetwork()
    let host = network.addHost(1)
    let phone = network.addPhone(1)

    phone.dial()
    network.run(.milliseconds(100))

    #expect(phone.answers == ["v=0 host1's answer to v=0 offer"])
    let contact = try #require(phone.answer?.contacts.first)
    #expect(contact.uri.user == "room" && contact.parameters.contains("isfocus"))
    #expect(network.roster()?.allUsers.map(\.entity) == ["sip:user1@example.com"])
    #expect(network.roster()?.allUsers.first?.endpoints.first?.status == .pending)
    #expect(host.controls.count == 1 && host.legs.map(\.offers) == [["v=0 offer"]])

    host.notify(.connected, of: host.legs[0])
    network.run(.milliseconds(100))
    #expect(network.roster()?.allUsers.first?.endpoints.first?.status == .connected)
    #expect(network.roster()?.allUsers.first?.endpoints.first?.media.first?.sourceID == 4711)

    phone.hangUp()
    network.run(.milliseconds(100))
    #expect(network.roster()?.userCount == 0)
    #expect(host.legs.isEmpty && host.controls.count == 1)

    network.run(.seconds(31))
    #expect(host.controls.isEmpty)
    #expect(network.core.activeConferences == [])
    network.run(.seconds(40))
    #expect(network.leaks == [])
    let names = network.records.map { "\($0)".prefix { $0 != "(" } }
    #expect(
      names == [
        "conferenceStarted", "conferencePlaced", "participantJoined", "participantLeft", "conferenceEnded",
      ])
  }

  @Test("ten phones share one control dialog, each with its own leg")
  func tenPhones() {
    let network = ConferenceNetwork()
    let host = network.addHost(1)
    let phones = (1...10).map { network.addPhone($0) }

    for phone in phones { phone.dial() }
    network.run(.milliseconds(200))

    #expect(phones.allSatisfy { $0.isIn })
    #expect(host.controls.count == 1 && host.legs.count == 10)
    #expect(network.roster()?.userCount == 10)
    #expect(Set(host.legs.map(\.endpoint)).count == 10)
  }

  @Test("an INVITE without offer gets the host's offer, and the ACK's answer reaches the host")
  func delayedOffer() {
    let network = ConferenceNetwork()
    let host = network.addHost(1)
    let phone = network.addPhone(1)

    phone.dial(offer: nil)
    network.run(.milliseconds(200))

    #expect(phone.answers == ["v=0 host1's offer"])
    #expect(host.answersInACK == ["v=0 delayed answer"])
  }

  @Test("CANCEL while the host is silent: 487, no leg, no conference, nothing left")
  func cancel() {
    let network = ConferenceNetwork()
    let host = network.addHost(1)
    host.leg = .silence
    let phone = network.addPhone(1)

    phone.dial()
    network.run(.milliseconds(500))
    #expect(!phone.isIn)
    phone.hangUp()
    network.run(.seconds(1))

    #expect(phone.isDone)
    #expect(network.roster()?.userCount == 0)
    network.run(.seconds(90))
    #expect(host.legs.isEmpty && host.controls.isEmpty)
    #expect(network.leaks == [])
  }

  @Test("CANCEL while the control dialog is being set up")
  func cancelDuringProvisioning() {
    let network = ConferenceNetwork()
    let host = network.addHost(1)
    host.control = .silence
    let phone = network.addPhone(1)

    phone.dial()
    network.run(.milliseconds(500))
    phone.hangUp()
    network.run(.seconds(80))

    #expect(phone.isDone && network.core.activeConferences == [])
    #expect(network.leaks == [])
  }

  @Test("re-INVITE for hold reaches the host, and its answer the phone")
  func hold() {
    let network = ConferenceNetwork()
    let host = network.addHost(1)
    let phone = network.addPhone(1)
    phone.dial()
    network.run(.milliseconds(200))

    phone.reinvite("v=0 hold")
    network.run(.milliseconds(200))

    #expect(host.legs.first?.offers == ["v=0 offer", "v=0 hold"])
    #expect(phone.answers.last == "v=0 host's answer to v=0 hold")
  }

  @Test("a refused new offer leaves the call as it was")
  func holdRefused() {
    let network = ConferenceNetwork()
    let host = network.addHost(1)
    host.reoffer = .refuse(488)
    let phone = network.addPhone(1)
    phone.dial()
    network.run(.milliseconds(200))

    phone.reinvite("v=0 hold")
    network.run(.milliseconds(200))

    #expect(phone.reofferRefusals == [488])
    #expect(phone.isIn && network.roster()?.userCount == 1)
  }

  @Test("a re-INVITE without offer brings the host's, and its ACK's answer reaches the host")
  func delayedReoffer() {
    let network = ConferenceNetwork()
    let host = network.addHost(1)
    let phone = network.addPhone(1)
    phone.dial()
    network.run(.milliseconds(200))

    phone.reinvite(nil)
    network.run(.milliseconds(200))

    #expect(phone.answers.last == "v=0 host's offer")
    #expect(host.answersInACK == ["v=0 delayed answer"])
  }

  @Test("a new offer of the host reaches the phone")
  func hostReoffers() {
    let network = ConferenceNetwork()
    let host = network.addHost(1)
    let phone = network.addPhone(1)
    phone.dial()
    network.run(.milliseconds(200))

    host.reinviteLeg(0, "v=0 moved")
    network.run(.milliseconds(200))

    #expect(phone.offers == ["v=0 moved"])
    #expect(phone.isIn)
  }

  @Test("BYE by the host takes the participant out with a reason")
  func hostHangsUp() {
    let network = ConferenceNetwork()
    let host = network.addHost(1)
    let phone = network.addPhone(1)
    phone.dial()
    network.run(.milliseconds(200))

    host.hangUpLeg(0)
    network.run(.milliseconds(200))

    #expect(phone.byeReason == "SIP;cause=480;text=\"media leg closed\"")
    #expect(network.roster()?.userCount == 0)
    #expect(network.left(.closedByServer) == 1)
  }

  @Test("a leg without media is removed through the Focus: BYE with a reason, roster without it")
  func mediaTimeout() {
    let network = ConferenceNetwork()
    let host = network.addHost(1)
    let (silent, other) = (network.addPhone(1), network.addPhone(2))
    silent.dial()
    network.run(.milliseconds(200))
    other.dial()
    network.run(.milliseconds(200))

    host.notify(.disconnected, of: host.legs[0], failed: true)
    network.run(.milliseconds(200))

    #expect(silent.byeReason == "SIP;cause=408;text=\"no media received\"")
    #expect(other.isIn && network.roster()?.allUsers.map(\.entity) == ["sip:user2@example.com"])
    #expect(host.legs.count == 1)
    #expect(network.left(.mediaTimeout) == 1)
  }

  @Test("telephone keys are told, by INFO and by the host, without naming them")
  func digits() {
    let network = ConferenceNetwork()
    let host = network.addHost(1)
    let phone = network.addPhone(1)
    phone.dial()
    network.run(.milliseconds(200))

    phone.info("application/dtmf-relay", Array("Signal=5\r\nDuration=160\r\n".utf8))
    host.notify(.connected, of: host.legs[0], digits: 2)
    network.run(.milliseconds(200))
    host.notify(.connected, of: host.legs[0], digits: 3)
    network.run(.milliseconds(200))

    #expect(phone.responses.map(\.status) == [200])
    #expect(network.log.count { $0.what == .digit } == 4)
  }

  @Test("INFO with a body that nothing reads is 415 with Accept; broken C3P is 400")
  func badInfo() {
    let network = ConferenceNetwork()
    _ = network.addHost(1)
    let phone = network.addPhone(1)
    phone.dial()
    network.run(.milliseconds(200))

    phone.info("text/plain", Array("hello".utf8))
    phone.info("application/cccp+xml", Array("<request".utf8))
    network.run(.milliseconds(200))

    #expect(Set(phone.responses.map(\.status)) == [415, 400])
    #expect(phone.responses.first { $0.status == 415 }?.all(.accept).contains("application/dtmf-relay") == true)
  }

  @Test("a participant mutes himself by C3P, and may not mute others or end the meeting")
  func ownMute() throws {
    let network = ConferenceNetwork()
    let host = network.addHost(1)
    let phone = network.addPhone(1)
    phone.dial()
    network.run(.milliseconds(200))
    let room = "sip:room@conf.example.com"
    func command(_ command: C3PCommand) -> [UInt8] {
      C3PRequest(requestID: 9, from: "sip:user1@example.com", to: room, command: command).encoded()
    }
    var media = ConferenceInfo.Media(id: "1", type: "audio")
    media.ingressFilter = .block
    let own = MediaKeys(conference: room, user: host.legs[0].user, endpoint: host.legs[0].endpoint, media: "1")
    let other = MediaKeys(conference: room, user: "sip:x@example.com", endpoint: "x-1", media: "1")

    phone.info(C3PRequest.contentType, command(.modifyEndpointMedia(own, media)))
    network.run(.milliseconds(200))
    phone.info(C3PRequest.contentType, command(.modifyEndpointMedia(other, media)))
    network.run(.milliseconds(200))
    phone.info(C3PRequest.contentType, command(.deleteConference(ConferenceKeys(conference: room))))
    network.run(.milliseconds(200))

    #expect(phone.responses.map(\.status) == [200, 603, 603])
    let response = try C3PResponse(parsing: try #require(phone.responses.first).body)
    #expect(response.code == .success && response.requestID == 9)
    guard case .modifyEndpointMedia(own, let sent) = try #require(host.commands.last) else {
      Issue.record("the host got \(host.commands)")
      return
    }
    #expect(sent.ingressFilter == .block)
  }
}

@Suite("Conferencing core: refusals and lost hosts (control protocol)")
struct CoreFailureTests {
  @Test(
    "the host's refusal reaches the phone as the table has it",
    arguments: [
      (488, 488), (400, 400), (486, 503), (503, 503), (404, 503), (480, 503),
    ])
  func hostRefuses(status: Int, sent: Int) {
    let network = ConferenceNetwork()
    let host = network.addHost(1)
    host.leg = .refuse(status, warning: status == 488 ? "305 mh1 \"Incompatible media format\"" : nil)
    let phone = network.addPhone(1)

    phone.dial()
    network.run(.seconds(5))

    #expect(phone.refusal?.status == sent)
    let message = phone.refusal?.message
    #expect(message?.first(.warning) == (status == 488 ? "305 mh1 \"Incompatible media format\"" : nil))
    if sent == 503 { #expect(message?.first(.retryAfter) != nil) }
    network.run(.seconds(90))
    #expect(network.leaks == [])
  }

  @Test("a meeting that has people and whose host takes no more: 486")
  func meetingFullAtHost() {
    let network = ConferenceNetwork()
    let host = network.addHost(1)
    let (first, second) = (network.addPhone(1), network.addPhone(2))
    first.dial()
    network.run(.milliseconds(200))
    host.leg = .refuse(486)

    second.dial()
    network.run(.milliseconds(200))

    #expect(second.refusal?.status == 486)
    #expect(first.isIn)
  }

  @Test("no host: 480 when none is registered, 503 when all are full or draining, both with Retry-After")
  func noHost() {
    let empty = ConferenceNetwork()
    let full = ConferenceNetwork()
    _ = full.addHost(1, room: 0)
    let draining = ConferenceNetwork()
    let host = draining.addHost(1)
    host.status = .deactivated
    host.publish()
    draining.run(.milliseconds(50))

    for (network, status) in [(empty, 480), (full, 503), (draining, 503)] {
      let phone = network.addPhone(1)
      phone.dial()
      network.run(.seconds(1))
      #expect(phone.refusal?.status == status)
      #expect(phone.refusal?.message?.first(.retryAfter) != nil)
      network.run(.seconds(60))
      #expect(network.core.activeConferences == [])
    }
  }

  @Test("with two hosts, a full or draining one is passed over", arguments: [true, false])
  func secondHost(drains: Bool) {
    let network = ConferenceNetwork()
    let first = network.addHost(1, room: drains ? 1_000 : 0)
    let second = network.addHost(2, room: 10)
    if drains {
      first.status = .deactivated
      first.publish()
      network.run(.milliseconds(50))
    }
    let phones = (1...3).map { network.addPhone($0) }

    for (index, phone) in phones.enumerated() { phone.dial("sip:room\(index)@conf.example.com") }
    network.run(.milliseconds(300))

    #expect(phones.allSatisfy { $0.isIn })
    #expect(first.legs.isEmpty && second.legs.count == 3)
  }

  @Test(
    "a host that refuses, is silent or dies at any step: the next one serves, within seconds",
    arguments: [
      "control refuse", "control silence", "control die", "leg refuse", "leg silence", "leg die",
    ])
  func nextHost(failure: String) {
    let network = ConferenceNetwork()
    let bad = network.addHost(1, room: 1_000)
    let good = network.addHost(2, room: 1)  // more loaded in proportion once anything is promised
    let reaction: ScriptedHost.Reaction =
      failure.hasSuffix("refuse") ? .refuse(503) : failure.hasSuffix("silence") ? .silence : .die
    if failure.hasPrefix("control") { bad.control = reaction } else { bad.leg = reaction }
    var moved = 0

    for number in 1...6 {
      let phone = network.addPhone(number)
      phone.dial("sip:m\(number)@conf.example.com")
      network.run(.seconds(6))
      #expect(phone.isIn || phone.refusal?.status == 503, "\(failure) \(number) \(phone.refusal?.status ?? 0)")
      if phone.isIn { moved += 1 }
      phone.hangUp()
      network.run(.seconds(40))
    }

    #expect(moved >= 1)
    #expect(bad.legs.isEmpty && good.legs.isEmpty)
    network.run(.seconds(90))
    #expect(network.leaks == [])
  }

  @Test("a host that dies with people in it: BYE with a reason, and the next call gets another host")
  func hostDies() {
    let network = ConferenceNetwork()
    let first = network.addHost(1)
    let phones = (1...3).map { network.addPhone($0) }
    for phone in phones { phone.dial() }
    network.run(.milliseconds(200))
    let second = network.addHost(2)

    network.kill(first)
    network.run(.seconds(2))

    #expect(phones.allSatisfy { $0.byeReason == "SIP;cause=503;text=\"media host lost\"" })
    #expect(network.log.contains { $0.what == .serverDown(first.id, .transportLost) })
    phones[0].dial()
    network.run(.seconds(1))
    #expect(phones[0].isIn && second.legs.count == 1)
    phones[0].hangUp()
    network.run(.seconds(100))
    #expect(network.leaks == [])
  }

  @Test("a host that falls silent is down after three missing reports")
  func hostFallsSilent() {
    let network = ConferenceNetwork()
    let host = network.addHost(1)
    let phone = network.addPhone(1)
    phone.dial()
    network.run(.milliseconds(200))

    host.isSilent = true
    network.run(.seconds(16))

    #expect(phone.byeReason == "SIP;cause=503;text=\"media host lost\"")
    #expect(network.log.contains { $0.what == .serverDown(host.id, .reportsMissing) })
    network.run(.seconds(100))
    #expect(network.leaks == [])
  }

  @Test("a broken connection alone is no dead host: it answers OPTIONS and keeps its meetings")
  func connectionLost() {
    let network = ConferenceNetwork()
    let host = network.addHost(1)
    let phone = network.addPhone(1)
    phone.dial()
    network.run(.milliseconds(200))

    network.withCore { core, now, outputs in
      core.transportFailed(
        SIPFlow(transport: .tcp, local: ConferenceNetwork.front, remote: host.address), now: now, into: &outputs)
    }
    network.run(.seconds(2))

    #expect(phone.isIn)
    #expect(network.core.servers.map(\.state) == [.active])
  }

  @Test("a host that ends the control dialog loses the conference")
  func controlEnded() {
    let network = ConferenceNetwork()
    let host = network.addHost(1)
    let phone = network.addPhone(1)
    phone.dial()
    network.run(.milliseconds(200))

    host.hangUpControl()
    network.run(.milliseconds(200))

    #expect(phone.byeReason == "SIP;cause=503;text=\"media host lost\"")
    network.run(.seconds(40))
    #expect(network.leaks == [])
  }

  @Test(
    "a foreign domain, a bad name and a closed system are 404",
    arguments: [
      "sip:room@other.example.com", "sip:a%20b@conf.example.com", "sip:conf.example.com",
    ])
  func notFound(target: String) {
    let network = ConferenceNetwork()
    _ = network.addHost(1)
    let phone = network.addPhone(1)

    phone.dial(target)
    network.run(.milliseconds(200))

    #expect(phone.refusal?.status == 404)
    #expect(network.core.activeConferences == [])
  }

  @Test("without open meetings every name is 404")
  func closed() {
    let network = ConferenceNetwork { $0.openMeetings = false }
    _ = network.addHost(1)
    let phone = network.addPhone(1)

    phone.dial()
    network.run(.milliseconds(200))

    #expect(phone.refusal?.status == 404)
  }

  @Test("the size limit of a meeting and of the system, at the limit and one past it")
  func limits() {
    let network = ConferenceNetwork {
      $0.maximumParticipants = 2
      $0.maximumConferences = 1
    }
    _ = network.addHost(1)
    let phones = (1...4).map { network.addPhone($0) }
    for phone in phones.prefix(3) { phone.dial() }
    phones[3].dial("sip:another@conf.example.com")
    network.run(.milliseconds(300))

    #expect(phones[0].isIn && phones[1].isIn)
    #expect(phones[2].refusal?.status == 486)
    #expect(phones[3].refusal?.status == 503)
  }
}

@Suite("Conferencing core: operator's commands")
struct CoreCommandTests {
  @Test("mute goes to the host, eject says BYE, lock keeps out, end ends")
  func commands() throws {
    let network = ConferenceNetwork()
    let host = network.addHost(1)
    let phones = (1...3).map { network.addPhone($0) }
    phones[0].dial()
    phones[1].dial()
    network.run(.milliseconds(200))
    let room = try #require(ConferenceName(user: "room"))
    let ids = network.core.participants(of: room).map(\.id)

    try network.withCore { core, now, outputs in try core.mute(ids[0], in: room, true, now: now, into: &outputs) }
    network.run(.milliseconds(100))
    guard case .modifyEndpointMedia(_, let media) = try #require(host.commands.last) else {
      Issue.record("the host got \(host.commands)")
      return
    }
    #expect(media.ingressFilter == .block)

    try network.withCore { core, now, outputs in try core.lock(room, true, now: now, into: &outputs) }
    phones[2].dial()
    network.run(.milliseconds(100))
    #expect(phones[2].refusal?.status == 403)
    #expect(phones[2].refusal?.message?.first(.reason) == "SIP;cause=403;text=\"locked\"")
    #expect(phones[2].refusal?.message?.first("ms-diagnostics")?.hasPrefix("3014") == true)

    try network.withCore { core, now, outputs in try core.eject(ids[0], from: room, now: now, into: &outputs) }
    network.run(.milliseconds(100))
    #expect(phones[0].byeReason == "SIP;cause=403;text=\"removed\"")
    #expect(network.roster()?.userCount == 1)

    try network.withCore { core, now, outputs in try core.end(room, now: now, into: &outputs) }
    network.run(.milliseconds(100))
    #expect(phones[1].byeReason == "SIP;cause=410;text=\"conference ended\"")
    #expect(host.legs.isEmpty && host.controls.isEmpty)
    network.run(.seconds(60))
    #expect(network.leaks == [])
    #expect(throws: ConferencingError.conferenceDoesNotExist) {
      try network.withCore { core, now, outputs in try core.end(room, now: now, into: &outputs) }
    }
  }
}
