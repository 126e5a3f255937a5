//  ParticipantLegTests.swift: legs from INVITE to BYE, with every way a worker or a peer fails (control protocol P7).

import AVConferencing
import ConferenceDocuments
import Media
import MediaTransport
import Primitives
import SDP
import SIP
import Testing

@Suite("Participant legs (control protocol P7)")
struct ParticipantLegTests {
  @Test("INVITE with SDP and addUser: 200 with the answer and the addUser response", arguments: SRTPSuite.allCases)
  func join(suite: SRTPSuite) throws {
    var bench = HostBench()
    let control = try bench.addConference()

    let phone = bench.join(control, "bo", sdp: LegNegotiationTests.offer(suites: [suite]))

    let answer = try #require(phone.answer)
    let type = try #require(answer.first(.contentType))
    let sdp = try #require(try Multipart.body(ofType: "application/sdp", in: answer.body, contentType: type))
    let c3p = try #require(try Multipart.body(ofType: C3PRequest.contentType, in: answer.body, contentType: type))
    let leg = try #require(bench.latestLeg)
    guard case .srtp(let send, _) = leg.security else {
      Issue.record("no SRTP")
      return
    }
    #expect(send.suite == suite)
    #expect(String(decoding: sdp, as: UTF8.self).contains(suite.name))
    let user = try #require(try C3PResponse(parsing: c3p).result.user)
    #expect(user.entity == phone.user)
    #expect(user.endpoints.first?.entity == "bo-1")
    #expect(user.endpoints.first?.media.first?.id == "1")
    #expect(user.endpoints.first?.media.first?.label == "a1")
    #expect(bench.host.counts.legs == 1)
  }

  @Test("plain SDP without C3P joins as well, so that sipp can drive a host")
  func plain() throws {
    var bench = HostBench()
    let control = try bench.addConference()
    let sdp = LegNegotiationTests.offer(suites: [.aes128CMSHA1Tag80])

    let call = bench.invite(control.uri, body: MessageBody(contentType: "application/sdp", bytes: sdp))

    let accepted = bench.takeAnswer(of: call)
    let answer = try #require(accepted)
    #expect(answer.first(.contentType)?.hasPrefix("application/sdp") == true)
    bench.focusDoes { $0.hangUp(call, now: $1, into: &$2) }
    #expect(bench.host.counts.legs == 0)
  }

  @Test("stand-alone: an INVITE to a name makes the meeting, the last BYE ends it")
  func standalone() throws {
    var bench = HostBench { $0.standalone = true }
    let body = MessageBody(
      contentType: "application/sdp", bytes: LegNegotiationTests.offer(suites: [.aes128CMSHA1Tag80]))

    let first = bench.invite("sip:room@127.0.0.1:5070;transport=tcp", body: body)
    let second = bench.invite("sip:room@127.0.0.1:5070;transport=tcp", body: body)
    let other = bench.invite("sip:other@127.0.0.1:5070;transport=tcp", body: body)
    let strange = bench.invite("sip:a%20b@127.0.0.1:5070;transport=tcp", body: body)

    #expect(bench.takeAnswer(of: first) != nil && bench.takeAnswer(of: second) != nil)
    #expect(bench.takeAnswer(of: other) != nil)
    #expect(bench.takeRefusal(of: strange)?.status == 404)
    #expect(bench.host.counts.meetings == 2 && bench.host.counts.legs == 3)
    for call in [first, second, other] { bench.focusDoes { $0.hangUp(call, now: $1, into: &$2) } }
    #expect(bench.host.counts == AVConferencingServer.Counts())
  }

  @Test("stand-alone: a first caller whose offer is refused leaves no meeting behind")
  func standaloneRefused() {
    var bench = HostBench { $0.standalone = true }

    let call = bench.invite(
      "sip:room@127.0.0.1:5070;transport=tcp", body: MessageBody(contentType: "application/sdp", text: "nonsense"))

    #expect(bench.takeRefusal(of: call)?.status == 400)
    #expect(bench.host.counts == AVConferencingServer.Counts())
  }

  @Test("an INVITE without offer gets ours, and the leg opens with the answer in the ACK")
  func offerless() throws {
    var bench = HostBench()
    let control = try bench.addConference()
    _ = bench.takeCommands()

    let phone = bench.join(control, "bo", sdp: nil)
    let answer = try #require(phone.answer)
    let offer = try #require(
      try Multipart.body(
        ofType: "application/sdp", in: answer.body, contentType: answer.first(.contentType) ?? ""))
    #expect(bench.takeCommands().filter(\.isOpenLeg).isEmpty)
    var peer = LegNegotiationTests.negotiation(seed: 9)
    let ours = try peer.answer(offer[...])
    bench.focusDoes {
      $0.acknowledge(phone.call, body: MessageBody(contentType: "application/sdp", bytes: ours), now: $1, into: &$2)
    }

    #expect(bench.takeCommands().filter(\.isOpenLeg).count == 1)
    #expect(bench.host.counts.legs == 1)
    bench.focusDoes { $0.hangUp(phone.call, now: $1, into: &$2) }
    #expect(bench.host.counts.legs == 0)
  }

  @Test("an INVITE with nothing at all gets an offer too, as sipp may send it")
  func bodyless() throws {
    var bench = HostBench()
    let control = try bench.addConference()

    let call = bench.invite(control.uri, body: nil)
    let accepted = bench.takeAnswer(of: call)
    let offer = try #require(accepted)
    var peer = LegNegotiationTests.negotiation(seed: 9)
    let ours = try peer.answer(offer.body)
    bench.focusDoes {
      $0.acknowledge(call, body: MessageBody(contentType: "application/sdp", bytes: ours), now: $1, into: &$2)
    }

    #expect(bench.takeCommands().filter(\.isOpenLeg).count == 1)
    #expect(bench.host.counts.legs == 1)
  }

  @Test("an ACK without answer, or with a bad one, ends the leg", arguments: ["", "nonsense"])
  func badAnswer(text: String) throws {
    var bench = HostBench()
    let control = try bench.addConference()
    let phone = bench.join(control, "bo", sdp: nil)
    _ = bench.takeCommands()

    bench.focusDoes {
      $0.acknowledge(
        phone.call, body: text.isEmpty ? nil : MessageBody(contentType: "application/sdp", text: text), now: $1,
        into: &$2)
    }

    #expect(bench.hasEnded(phone.call) != nil)
    #expect(bench.takeCommands().filter(\.isOpenLeg).isEmpty)
    #expect(bench.host.counts.legs == 0)
  }

  @Test("re-INVITE changes address and direction; a bad one is 488 and changes nothing")
  func reinvite() throws {
    var bench = HostBench()
    let control = try bench.addConference()
    let phone = bench.join(control, "bo")
    _ = bench.takeCommands()
    let hold = LegNegotiationTests.offer(suites: [.aeadAES128GCM], port: 4_400, direction: "sendonly")
    let unusable = LegNegotiationTests.offer(suites: [], profile: "RTP/AVP")

    bench.focusDoes {
      $0.reinvite(phone.call, body: MessageBody(contentType: "application/sdp", bytes: hold), now: $1, into: &$2)
    }
    #expect(bench.takeAnswer(of: phone.call) != nil)
    guard case .modifyLeg(let held)? = bench.takeCommands().first else {
      Issue.record("no modifyLeg")
      return
    }
    bench.focusDoes {
      $0.reinvite(phone.call, body: MessageBody(contentType: "application/sdp", bytes: unusable), now: $1, into: &$2)
    }

    #expect(!held.sends && held.receives && held.remoteMedia.port == 4_400)
    var refused = 0
    for case .reofferRefused(phone.call, let status, _) in bench.events { refused = status }
    #expect(refused == 488)
    #expect(bench.takeCommands().isEmpty)
    #expect(bench.host.counts.legs == 1)
  }

  @Test("a re-INVITE that changes nothing changes nothing")
  func refresh() throws {
    var bench = HostBench()
    let control = try bench.addConference()
    let phone = bench.join(control, "bo")
    _ = bench.takeCommands()

    bench.focusDoes {
      $0.reinvite(
        phone.call,
        body: MessageBody(
          contentType: "application/sdp", bytes: LegNegotiationTests.offer(suites: [.aeadAES128GCM])), now: $1,
        into: &$2)
    }

    #expect(bench.takeAnswer(of: phone.call) != nil)
    #expect(bench.takeCommands().isEmpty)
  }

  @Test("a re-INVITE without offer gets ours; the answer in its ACK counts")
  func offerlessReinvite() throws {
    var bench = HostBench()
    let control = try bench.addConference()
    var peer = LegNegotiationTests.negotiation(seed: 9)
    let phone = bench.join(control, "bo", sdp: try peer.offer())
    let answer = try #require(phone.answer)
    let first = try #require(
      try Multipart.body(ofType: "application/sdp", in: answer.body, contentType: answer.first(.contentType) ?? ""))
    try peer.accept(first[...])
    _ = bench.takeCommands()

    bench.focusDoes { $0.reinvite(phone.call, body: nil, now: $1, into: &$2) }
    let offered = bench.takeAnswer(of: phone.call)
    let offer = try #require(offered)
    let ours = try peer.answer(offer.body)
    let moved = String(decoding: ours, as: UTF8.self).replacing("m=audio 20000", with: "m=audio 30000")
    bench.focusDoes {
      $0.acknowledge(phone.call, body: MessageBody(contentType: "application/sdp", text: moved), now: $1, into: &$2)
    }

    guard case .modifyLeg(let leg)? = bench.takeCommands().first else {
      Issue.record("no modifyLeg")
      return
    }
    #expect(leg.remoteMedia.port == 30_000)
  }

  @Test("a worker that refuses is 503, one that does not answer too, and nothing is left")
  func workerFails() throws {
    var bench = HostBench()
    let control = try bench.addConference()
    bench.workerObeys = false

    let refused = bench.join(control, "bo")
    let leg = try #require(bench.latestLeg)
    bench.report(.legRefused(leg.leg, reason: .tooManyLegs))
    let odd = bench.join(control, "dee")
    let oddLeg = try #require(bench.latestLeg)
    bench.report(.legRefused(oddLeg.leg, reason: .badConfiguration))
    let late = bench.join(control, "cid")
    bench.run(.milliseconds(1_999))
    let before = bench.takeRefusal(of: late.call)
    bench.run(.milliseconds(2))

    let taken = bench.takeRefusal(of: refused.call)
    let refusal = try #require(taken)
    #expect(refusal.status == 503 && refusal.first(.retryAfter) != nil)
    #expect(before == nil)
    #expect(bench.takeRefusal(of: odd.call)?.status == 488)
    #expect(bench.takeRefusal(of: late.call)?.status == 503)
    // The late one must still be closed on the worker, which may open it after all.
    #expect(bench.takeCommands().filter(\.isCloseLeg).count == 1)
    bench.run(.seconds(6))
    #expect(bench.host.counts.legs == 0)
  }

  @Test("CANCEL while the worker is asked closes the leg there")
  func cancel() throws {
    var bench = HostBench()
    let control = try bench.addConference()
    bench.workerObeys = false
    let phone = bench.join(control, "bo")
    let leg = try #require(bench.latestLeg).leg

    bench.focusDoes { $0.hangUp(phone.call, now: $1, into: &$2) }
    bench.report(.legOpened(leg))
    bench.report(.legClosed(leg, LegStatistics()))

    #expect(bench.takeCommands().filter(\.isCloseLeg).count == 1)
    #expect(bench.host.counts.legs == 0)
    #expect(bench.host.counts.meetings == 1)
  }

  @Test("bad offers: garbage 400, no common ground 488 with Warning; the leg count stays")
  func badOffers() throws {
    var bench = HostBench()
    let control = try bench.addConference()

    let garbage = bench.join(control, "bo", sdp: Array("v=7".utf8))
    let plain = bench.join(control, "cid", sdp: LegNegotiationTests.offer(suites: [], profile: "RTP/AVP"))

    #expect(bench.takeRefusal(of: garbage.call)?.status == 400)
    let taken = bench.takeRefusal(of: plain.call)
    let refusal = try #require(taken)
    #expect(refusal.status == 488)
    #expect(refusal.first(.warning)?.hasPrefix("3") == true)
    #expect(bench.host.counts.legs == 0)
  }

  @Test("addUser for another conference is 404, without endpoint 400")
  func badUsers() throws {
    var bench = HostBench()
    let control = try bench.addConference()
    let sdp = LegNegotiationTests.offer(suites: [.aeadAES128GCM])
    let nobody = C3PCommand.addUser(
      ConferenceKeys(conference: HostBench.entity), ConferenceInfo.User(entity: "sip:x@example.com"))

    let elsewhere = bench.join(control, "bo", entity: "sip:other@example.com")
    let homeless = bench.invite(control.uri, body: HostBench.multipart(sdp: sdp, c3p: bench.request(nobody, id: 77)))

    #expect(bench.takeRefusal(of: elsewhere.call)?.status == 404)
    #expect(bench.takeRefusal(of: homeless)?.status == 400)
  }

  @Test("legs are limited: a full meeting is 486, a full host 503; one that leaves makes room")
  func limits() throws {
    var bench = HostBench { $0.maximumLegs = 3 }
    let control = try bench.addConference { conference in
      conference.description = ConferenceInfo.Description()
      conference.description?.maximumUserCount = 2
    }
    let other = try bench.addConference(entity: "sip:c2@example.com")

    let inside = ["a", "b"].map { bench.join(control, $0) }
    let full = bench.join(control, "c")
    let last = bench.join(other, "d", entity: "sip:c2@example.com")
    let past = bench.join(other, "e", entity: "sip:c2@example.com")

    #expect(inside.allSatisfy { $0.answer?.status == 200 } && last.answer?.status == 200)
    let busy = bench.takeRefusal(of: full.call)
    let refusal = try #require(busy)
    #expect(refusal.status == 486)
    #expect(try C3PResponse(parsing: refusal.body).reason == .maximumMeetingSizeExceeded)
    #expect(bench.takeRefusal(of: past.call)?.status == 503)
    bench.focusDoes { $0.hangUp(inside[0].call, now: $1, into: &$2) }
    #expect(bench.join(other, "e", entity: "sip:c2@example.com").answer?.status == 200)
  }

  @Test("an overloaded host takes no leg until it has recovered")
  func overload() throws {
    var bench = HostBench(workers: 1)
    let control = try bench.addConference()
    var busy = WorkerReport()
    busy.busy = 0.95
    for _ in 0..<3 { bench.report(.report(busy)) }

    let refused = bench.join(control, "bo")
    busy.busy = 0.3
    for _ in 0..<3 {
      bench.run(.seconds(1))
      bench.report(.report(busy))
    }
    let taken = bench.join(control, "cid")

    #expect(bench.takeRefusal(of: refused.call)?.status == 503)
    #expect(taken.answer?.status == 200)
  }

  @Test("the same endpoint again replaces the leg that was lost")
  func replace() throws {
    var bench = HostBench()
    let control = try bench.addConference()

    let first = bench.join(control, "bo")
    let second = bench.join(control, "bo")

    #expect(second.answer?.status == 200)
    #expect(bench.hasEnded(first.call) != nil)
    #expect(bench.hasEnded(second.call) == nil)
    #expect(bench.host.counts.legs == 1)
  }

  @Test("a leg that its worker loses ends with BYE")
  func lostByWorker() throws {
    var bench = HostBench()
    let control = try bench.addConference()
    let phone = bench.join(control, "bo")
    let leg = try #require(bench.latestLeg)

    bench.report(.legClosed(leg.leg, LegStatistics()), worker: 0)

    #expect(bench.hasEnded(phone.call) != nil)
    #expect(bench.host.counts.legs == 0)
  }

  @Test("meetings spread over the workers, and all legs of one stay together")
  func placement() throws {
    var bench = HostBench(workers: 2)
    for number in 0..<4 {
      let entity = "sip:c\(number)@example.com"
      let control = try bench.addConference(entity: entity)
      for name in ["a", "b", "c"] { _ = bench.join(control, "\(name)\(number)", entity: entity) }
    }
    var workers: [MeetingID: Set<Int>] = [:]
    for (worker, command) in bench.commands {
      if case .openLeg(let leg) = command { workers[leg.meeting, default: []].insert(worker) }
    }

    #expect(workers.values.allSatisfy { $0.count == 1 })
    #expect(workers.values.filter { $0 == [0] }.count == 2)
  }

  @Test("a random history of joins, commands, holds and leaves leaves nothing", arguments: [1, 2, 3, 4] as [UInt64])
  func nothingLeft(seed: UInt64) throws {
    var random = RandomSource(seed: seed)
    var bench = HostBench(seed: seed) { $0.maximumLegs = 20 }
    var control = try bench.addConference()
    var phones: [HostBench.Phone] = []
    _ = bench.subscribe(control.uri)
    for step in 0..<300 {
      switch Int.random(in: 0..<8, using: &random) {
      case 0, 1, 2:
        let phone = bench.join(
          control, "u\(step % 25)", sdp: step % 7 == 0 ? nil : LegNegotiationTests.offer(suites: [.aeadAES128GCM]))
        if phone.answer != nil { phones.append(phone) }
      case 3 where !phones.isEmpty:
        let phone = phones.remove(at: Int.random(in: 0..<phones.count, using: &random))
        bench.focusDoes { $0.hangUp(phone.call, now: $1, into: &$2) }
      case 4 where !phones.isEmpty:
        _ = bench.command(control, .deleteUser(UserKeys(conference: HostBench.entity, user: phones[0].user)))
      case 5: bench.workerObeys.toggle()
      case 6:
        for leg in 1...UInt32(step + 1) where leg % 5 == 0 { bench.report(.legSilent(LegID(rawValue: leg))) }
      default: bench.run(.milliseconds(Int.random(in: 0..<5_000, using: &random)))
      }
      bench.events = []
      if step == 150 { control = try bench.addConference() }
      #expect(bench.host.counts.legs <= 20)
    }

    bench.workerObeys = true
    bench.focusDoes { $0.hangUp(control.call, now: $1, into: &$2) }
    bench.run(.seconds(120))

    #expect(bench.host.counts == AVConferencingServer.Counts())
  }
}
