//  StateTests.swift: what a Focus is told of a meeting, when, and numbered how (control protocol P6, RFC 4575).

import AVConferencing
import ConferenceDocuments
import Media
import Primitives
import SIP
import Testing

@Suite("Conference state (control protocol P6, RFC 4575)")
struct StateTests {
  func endpoint(_ document: ConferenceInfo, _ user: String) -> ConferenceInfo.Endpoint? {
    document.users?.users.first { $0.entity == user }?.endpoints.first
  }

  @Test("a full document at once, then one partial document per change, each one version on")
  func versions() throws {
    var bench = HostBench()
    let control = try bench.addConference()
    _ = bench.subscribe(control.uri)
    var copy = try #require(try bench.documents().first)
    #expect(copy.state == .full && copy.users?.users.isEmpty == true && copy.description != nil)

    let phone = bench.join(control, "bo")
    bench.run(.milliseconds(100))
    let leg = try #require(bench.latestLeg).leg
    bench.report(.legConnected(leg, source: HostBench.focusAddress, remoteSSRC: 0xdead_beef))
    bench.run(.milliseconds(100))
    bench.report(.digit(leg, digit: UInt8(ascii: "5"), milliseconds: 100))
    bench.run(.milliseconds(100))
    var version = copy.version ?? 0
    for document in try bench.documents() {
      #expect(document.state == .partial)
      #expect(document.version == version + 1)
      version = document.version ?? 0
      #expect(copy.merge(document) == .merged)
    }

    let seen = try #require(endpoint(copy, phone.user))
    #expect(seen.status == .connected)
    #expect(seen.sessionType == "audio-video")
    #expect(seen.media.first?.sourceID == 0xdead_beef)
    #expect(seen.media.first?.label == "a1")
    #expect(seen.media.first?.status == .sendrecv)
    let digits = seen.extensions.first { $0.name.local == "digits" }
    #expect(digits?.text == "5" && digits?.attribute("total") == "1")
  }

  @Test("pending, connected, muted, held, silent, back, gone: each status is told")
  func statuses() throws {
    var bench = HostBench()
    let control = try bench.addConference()
    _ = bench.subscribe(control.uri)
    let phone = bench.join(control, "bo")
    let leg = try #require(bench.latestLeg).leg
    bench.run(.milliseconds(100))
    func latest() throws -> ConferenceInfo.Endpoint? {
      bench.run(.milliseconds(100))
      return try bench.documents().last.flatMap { endpoint($0, phone.user) }
    }
    #expect(try latest()?.status == .pending)

    bench.report(.legConnected(leg, source: HostBench.focusAddress, remoteSSRC: 7))
    #expect(try latest()?.status == .connected)

    var media = ConferenceInfo.Media(id: "1")
    media.ingressFilter = .block
    let keys = MediaKeys(conference: HostBench.entity, user: phone.user, endpoint: "bo-1", media: "1")
    _ = bench.command(control, .modifyEndpointMedia(keys, media))
    let muted = try latest()
    #expect(muted?.status == .mutedViaFocus && muted?.media.first?.status == .recvonly)
    #expect(muted?.media.first?.ingressFilter == .block)
    media.ingressFilter = .unblock
    _ = bench.command(control, .modifyEndpointMedia(keys, media))
    #expect(try latest()?.status == .connected)

    bench.report(.legSilent(leg))
    let silent = try latest()
    #expect(silent?.status == .disconnected && silent?.disconnectionMethod == .failed)
    #expect(bench.hasEnded(phone.call) == nil && bench.host.counts.legs == 1)
    bench.report(.legResumed(leg))
    #expect(try latest()?.status == .connected)

    let held = LegNegotiationTests.offer(suites: [.aeadAES128GCM], direction: "inactive")
    bench.focusDoes {
      $0.reinvite(phone.call, body: MessageBody(contentType: "application/sdp", bytes: held), now: $1, into: &$2)
    }
    #expect(try latest()?.status == .onHold)

    bench.focusDoes { $0.hangUp(phone.call, now: $1, into: &$2) }
    let gone = try latest()
    #expect(gone?.status == .disconnected && gone?.disconnectionMethod == .departed)
    bench.run(.seconds(1))
    #expect(try bench.documents().last?.users?.users.first?.state == .deleted)
  }

  @Test("deleteUser shows as booted")
  func booted() throws {
    var bench = HostBench()
    let control = try bench.addConference()
    _ = bench.subscribe(control.uri)
    let phone = bench.join(control, "bo")
    bench.run(.milliseconds(100))
    _ = try bench.documents()

    _ = bench.command(control, .deleteUser(UserKeys(conference: HostBench.entity, user: phone.user)))
    bench.run(.milliseconds(100))

    #expect(try bench.documents().first.flatMap { endpoint($0, phone.user) }?.disconnectionMethod == .booted)
  }

  @Test("changes that come together share a document")
  func coalesced() throws {
    var bench = HostBench()
    let control = try bench.addConference()
    _ = bench.subscribe(control.uri)
    _ = try bench.documents()

    for number in 0..<20 { _ = bench.join(control, "u\(number)") }
    bench.run(.milliseconds(200))

    let documents = try bench.documents()
    #expect(documents.count <= 3)
    #expect(Set(documents.flatMap { $0.users?.users.map(\.entity) ?? [] }).count == 20)
  }

  @Test("active talkers are told at most once a second, the loudest first")
  func talkers() throws {
    var bench = HostBench()
    let control = try bench.addConference()
    _ = bench.subscribe(control.uri)
    _ = bench.join(control, "bo")
    let bo = try #require(bench.latestLeg)
    _ = bench.join(control, "cid")
    let cid = try #require(bench.latestLeg)
    bench.run(.seconds(2))
    _ = try bench.documents()

    for turn in 0..<10 {
      bench.report(.activeTalkers(bo.meeting, turn % 2 == 0 ? [cid.leg, bo.leg] : [bo.leg]))
      bench.run(.milliseconds(100))
    }
    bench.run(.seconds(2))

    let told = try bench.documents().compactMap { $0.views.first?.entityState?.activeSpeaker }
    #expect(told.count == 2)
    #expect(told.first == "cid-1" && told.last == "bo-1")
  }

  @Test("a hundred and more users come in parts, none lost")
  func large() throws {
    var bench = HostBench()
    let control = try bench.addConference()
    for number in 0..<250 { _ = bench.join(control, "u\(number)") }

    _ = bench.subscribe(control.uri)
    bench.run(.seconds(1))

    let documents = try bench.documents()
    #expect(documents.count > 1)
    #expect(documents.map(\.version) == (1...UInt32(documents.count)).map { $0 })
    #expect(documents.first?.state == .full && documents.dropFirst().allSatisfy { $0.state == .partial })
    #expect(documents.allSatisfy { $0.encoded().count < 60_000 })
    #expect(Set(documents.flatMap { $0.users?.users.map(\.entity) ?? [] }).count == 250)
  }

  @Test("the end of a meeting ends its subscriptions with a last document")
  func end() throws {
    var bench = HostBench()
    let control = try bench.addConference()
    let subscription = bench.subscribe(control.uri)
    _ = try bench.documents()

    bench.focusDoes { $0.hangUp(control.call, now: $1, into: &$2) }

    #expect(try bench.documents().last?.state == .deleted)
    var ended = false
    for case .subscriptionEnded(subscription, .terminated) in bench.events { ended = true }
    #expect(ended)
    #expect(bench.host.counts.subscriptions == 0)
  }

  @Test("watchers are limited, each with its own versions; unknown meetings are 404, other events 489")
  func watchers() throws {
    var bench = HostBench()
    let control = try bench.addConference()
    let subscriptions = (0..<4).map { _ in bench.subscribe(control.uri) }
    #expect(try bench.documents().map(\.version) == [1, 1, 1, 1])
    func refusal(_ handle: SubscriptionHandle) -> Int {
      for case .subscriptionEnded(handle, .refused(let status, _)) in bench.events { return status }
      return 0
    }

    let past = bench.subscribe(control.uri)
    let unknown = bench.subscribe("sip:nobody.av@127.0.0.1:5070;transport=tcp")
    let presence = bench.subscribe(control.uri, event: "presence")

    #expect(refusal(past) == 503)
    #expect(refusal(unknown) == 404)
    #expect(refusal(presence) == 489)
    bench.focusDoes { $0.endSubscription(subscriptions[0], now: $1, into: &$2) }
    #expect(bench.host.counts.subscriptions == 3)
    _ = bench.subscribe(control.uri)
    #expect(bench.host.counts.subscriptions == 4)
  }
}
