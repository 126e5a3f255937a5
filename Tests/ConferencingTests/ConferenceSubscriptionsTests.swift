//  ConferenceSubscriptionsTests.swift: versions and documents of many watchers (RFC 4575 §4, §5.2).
import ConferenceDocuments
import Conferencing
import Primitives
import SIP
import Testing

private let room = "sip:room@conf.example.com"
private let server = ConferencingServerID("mh1@factory")

/// A watcher who merges as RFC 4575 §4.4–4.6 says.
private struct Watcher {
  var known: ConferenceInfo?
  var versions: [UInt32] = []

  mutating func receive(_ bytes: [UInt8]) throws {
    let document = try ConferenceInfo(parsing: bytes, limits: .roster)
    versions.append(try #require(document.version))
    if var merged = known {
      #expect(merged.merge(document) == .merged)
      known = merged
    } else {
      #expect(document.state == .full)
      known = document
    }
  }

  /// Users by entity: what the roster must equal.
  var users: [String: ConferenceInfo.User] {
    Dictionary(uniqueKeysWithValues: (known?.users?.users ?? []).map { ($0.entity, $0) })
  }
}

private struct Scene {
  var focus: Focus
  var subscriptions: ConferenceSubscriptions
  var watchers: [SubscriptionHandle: Watcher] = [:]
  var now = Instant.zero
  var next: UInt64 = 1

  init(interval: Interval = .milliseconds(500)) {
    var policy = FocusPolicy()
    policy.joinTimeout = .seconds(100_000)
    focus = Focus(name: conferenceName("room"), entity: room, policy: policy)
    subscriptions = ConferenceSubscriptions(
      conference: room, serverURI: "\(room);gruu;opaque=app:conf:audio-video:id:room", interval: interval,
      maximum: 100)
    feed(.join(ParticipantID(0), Joiner(userEntity: "sip:u0@example.com")))
    feed(.serverReady(server))
    feed(.legAnswered(ParticipantID(0), media: []))
  }

  mutating func feed(_ input: FocusInput) {
    var outputs: [FocusOutput] = []
    focus.handle(input, now: now, into: &outputs)
  }

  mutating func perform(_ outputs: [ConferenceSubscriptions.Output]) throws {
    for output in outputs {
      switch output {
      case .notify(let handle, let bytes), .terminate(let handle, let bytes):
        try watchers[handle, default: Watcher()].receive(bytes)
      }
    }
  }

  mutating func watch(_ handle: SubscriptionHandle) throws {
    var outputs: [ConferenceSubscriptions.Output] = []
    subscriptions.add(handle, roster: focus.roster, now: now, into: &outputs)
    try perform(outputs)
  }

  mutating func update() throws {
    var outputs: [ConferenceSubscriptions.Output] = []
    subscriptions.update(roster: focus.roster, now: now, into: &outputs)
    try perform(outputs)
  }

  mutating func change(_ random: inout RandomSource) {
    switch Int.random(in: 0..<5, using: &random) {
    case 0, 1:
      let user = Int.random(in: 1..<20, using: &random)
      feed(.join(ParticipantID(next), Joiner(userEntity: "sip:u\(user)@example.com", displayName: "<U & \"\(user)\">")))
      feed(.legAnswered(ParticipantID(next), media: [RosterMedium(id: "1", type: "audio", label: "a-\(next)")]))
      next += 1
    case 2:
      let gone = focus.participants.keys.sorted().filter { $0.number > 0 }.randomElement(using: &random)
      if let gone { feed(.leave(gone, .departed)) }
    case 3: feed(.lock(Bool.random(using: &random)))
    default:
      guard let one = focus.participants.values.sorted(by: { $0.id < $1.id }).randomElement(using: &random) else {
        return
      }
      let statuses: [RosterEndpoint.Status] = [.connected, .onHold, .mutedViaFocus]
      feed(
        .reported(
          server, [EndpointReport(endpointEntity: one.endpointEntity, status: statuses.randomElement(using: &random))]))
    }
  }
}

@Suite("Conference subscriptions (RFC 4575)")
struct ConferenceSubscriptionsTests {
  @Test(
    "1,000 random events, 50 watchers: versions never skip or repeat, and merged partials are the whole roster",
    arguments: UInt64(1)...2)
  func randomEvents(seed: UInt64) throws {
    var random = RandomSource(seed: seed)
    var scene = Scene()
    var live: Set<SubscriptionHandle> = []

    for event in 0..<1_000 {
      scene.change(&random)
      let handle = SubscriptionHandle(number: UInt64.random(in: 0..<50, using: &random))
      switch Int.random(in: 0..<10, using: &random) {
      case 0 where !live.contains(handle):
        scene.watchers[handle] = nil
        live.insert(handle)
        try scene.watch(handle)
      case 1 where live.contains(handle) && live.count > 20:
        live.remove(handle)
        scene.subscriptions.remove(handle)
      case 2 where live.contains(handle):
        var outputs: [ConferenceSubscriptions.Output] = []
        scene.subscriptions.refresh(handle, roster: scene.focus.roster, now: scene.now, into: &outputs)
        try scene.perform(outputs)
      default: break
      }
      scene.now += .milliseconds(Int.random(in: 0..<200, using: &random))
      try scene.update()
      guard event % 50 == 49 else { continue }
      scene.now += .seconds(1)
      try scene.update()
      let whole = scene.focus.roster.document(
        of: room, serverURI: "\(room);gruu;opaque=app:conf:audio-video:id:room", version: 1)
      let wanted = try ConferenceInfo(parsing: whole.encoded(), limits: .roster)
      for handle in live {
        let watcher = try #require(scene.watchers[handle])
        #expect(watcher.versions == Array(1...UInt32(watcher.versions.count)), "seed \(seed)")
        #expect(Set(watcher.users.values) == Set(wanted.users?.users ?? []), "seed \(seed) event \(event)")
        #expect(watcher.known?.conferenceState == wanted.conferenceState)
      }
    }
  }

  @Test("what changes within the interval is told together, at its end")
  func pacing() throws {
    var scene = Scene()
    let handle = SubscriptionHandle(number: 1)
    try scene.watch(handle)
    var random = RandomSource(seed: 1)

    for _ in 0..<20 {
      scene.change(&random)
      scene.now += .milliseconds(10)
      try scene.update()
    }
    #expect(scene.watchers[handle]?.versions == [1])
    #expect(scene.subscriptions.nextDeadline == .zero + .milliseconds(500))
    scene.now = .zero + .milliseconds(500)
    try scene.update()
    #expect(scene.watchers[handle]?.versions == [1, 2])
    #expect(scene.subscriptions.nextDeadline == .never)
  }

  @Test("a watcher who has not read the last document is told later, and misses nothing")
  func slowWatcher() throws {
    var scene = Scene(interval: .milliseconds(100))
    let (slow, quick) = (SubscriptionHandle(number: 1), SubscriptionHandle(number: 2))
    try scene.watch(slow)
    try scene.watch(quick)
    var random = RandomSource(seed: 2)

    for _ in 0..<30 {
      scene.change(&random)
      scene.now += .milliseconds(100)
      var outputs: [ConferenceSubscriptions.Output] = []
      scene.subscriptions.update(roster: scene.focus.roster, now: scene.now, isBusy: { $0 == slow }, into: &outputs)
      try scene.perform(outputs)
    }
    #expect(scene.watchers[slow]?.versions == [1])
    #expect(scene.subscriptions.nextDeadline == scene.now + .milliseconds(100))
    scene.now += .milliseconds(100)
    try scene.update()

    #expect(scene.watchers[slow]?.versions == [1, 2])
    #expect(scene.watchers[slow]?.users == scene.watchers[quick]?.users)
  }

  @Test("the end is told to all as deleted, and nobody watches any more")
  func end() throws {
    var scene = Scene()
    for number in 0..<3 { try scene.watch(SubscriptionHandle(number: UInt64(number))) }
    var outputs: [ConferenceSubscriptions.Output] = []

    scene.subscriptions.end(into: &outputs)

    #expect(outputs.count == 3 && scene.subscriptions.watchers.isEmpty)
    for output in outputs {
      guard case .terminate(_, let bytes) = output else {
        Issue.record("\(output)")
        continue
      }
      let document = try ConferenceInfo(parsing: bytes)
      #expect(document.state == .deleted && document.version == 2)
    }
  }
}

@Suite("Conferencing core: watchers")
struct CoreSubscriptionTests {
  private func active(_ change: (inout ConferencingConfiguration) -> Void = { _ in }) -> (
    ConferenceNetwork, ScriptedHost, ScriptedPhone
  ) {
    let network = ConferenceNetwork(seed: 1, change)
    let host = network.addHost(1)
    let phone = network.addPhone(1)
    phone.dial()
    network.run(.milliseconds(200))
    return (network, host, phone)
  }

  @Test(
    "full first, partials after, and the end",
    arguments: [
      "sip:room@conf.example.com", "sip:room@CONF.example.com:5099", "sip:room@10.0.0.1",
    ])
  func watch(target: String) throws {
    let (network, host, phone) = active()
    let watcher = network.addPhone(2)

    watcher.watch(target)
    network.run(.seconds(1))
    #expect(watcher.documents.map(\.state) == [.full])
    let user = try #require(watcher.documents.first?.users?.users.first)
    #expect(user.entity == "sip:user1@example.com" && user.displayText == "user1")
    #expect(user.endpoints.first?.sessionType == "audio-video")
    #expect(watcher.documents.first?.entity == "sip:room@conf.example.com")

    host.notify(.connected, of: host.legs[0])
    network.run(.seconds(1))
    phone.hangUp()
    network.run(.seconds(1))
    #expect(watcher.documents.map(\.state) == [.full, .partial, .partial])
    #expect(watcher.documents.last?.users?.users.map(\.state) == [.deleted])
    #expect(watcher.documents.last?.conferenceState?.userCount == 0)

    network.run(.seconds(31))
    #expect(watcher.documents.map(\.version) == [1, 2, 3, 4])
    #expect(watcher.documents.last?.state == .deleted)
    guard case .terminated("noresource", _)? = watcher.subscriptionEnd else {
      Issue.record("\(String(describing: watcher.subscriptionEnd))")
      return
    }
    network.run(.seconds(40))
    #expect(network.leaks == [])
  }

  @Test(
    "what cannot be watched: another package, another type, no such conference",
    arguments: [
      ("presence", ConferenceInfo.contentType, "sip:room@conf.example.com", 489),
      ("conference", "application/pidf+xml", "sip:room@conf.example.com", 406),
      ("conference", ConferenceInfo.contentType, "sip:nobody@conf.example.com", 404),
      ("conference", ConferenceInfo.contentType, "sip:room@other.example.com", 404),
    ])
  func refused(event: String, accept: String, target: String, status: Int) {
    let (network, _, _) = active()
    let watcher = network.addPhone(2)

    watcher.watch(target, event: event, accept: accept)
    network.run(.seconds(1))

    guard case .refused(status, let message)? = watcher.subscriptionEnd else {
      Issue.record("\(String(describing: watcher.subscriptionEnd))")
      return
    }
    if status == 489 { #expect(message?.all(.allowEvents).contains("conference") == true) }
  }

  @Test("watchers, at their limit and one past it")
  func limit() {
    let (network, _, _) = active { $0.maximumSubscriptionsPerConference = 2 }
    let watchers = (2...4).map { network.addPhone($0) }

    for watcher in watchers {
      watcher.watch()
      network.run(.milliseconds(100))
    }

    #expect(watchers.map(\.documents.count) == [1, 1, 0])
    guard case .refused(503, _)? = watchers[2].subscriptionEnd else {
      Issue.record("\(String(describing: watchers[2].subscriptionEnd))")
      return
    }
  }

  @Test("who stops watching leaves nothing behind")
  func unwatch() {
    let (network, _, phone) = active()
    let watcher = network.addPhone(2)
    watcher.watch()
    network.run(.seconds(1))

    watcher.unwatch()
    network.run(.seconds(1))
    #expect(network.core.tableSizes["watchers"] == 0)
    phone.hangUp()
    network.run(.seconds(90))
    #expect(network.leaks == [])
  }

  @Test("a watcher that is gone is forgotten when its NOTIFY is not answered")
  func deadWatcher() {
    let (network, host, phone) = active()
    let watcher = network.addPhone(2)
    watcher.watch()
    network.run(.seconds(1))

    watcher.isSilent = true
    host.notify(.connected, of: host.legs[0])
    network.run(.seconds(40))
    #expect(network.core.tableSizes["watchers"] == 0)
    phone.hangUp()
    network.run(.seconds(90))
    #expect(network.leaks == [])
  }
}
