//  FocusTests.swift: the Focus as a table of states and inputs.
import Conferencing
import Primitives
import Testing

private let host1 = ConferencingServerID("mh1@factory")
private let host2 = ConferencingServerID("mh2@factory")
private let bo = Joiner(userEntity: "sip:bo@example.com", displayName: "Bo", callID: "c1")
private let ann = Joiner(userEntity: "sip:ann@example.com", callID: "c2")
private let p1 = ParticipantID(1)
private let p2 = ParticipantID(2)

/// A Focus with a clock and the outputs of its last input.
private struct Scene {
  var focus: Focus
  var now = Instant.zero
  var outputs: [FocusOutput] = []

  init(maximum: Int = 10) {
    var policy = FocusPolicy()
    policy.maximumParticipants = maximum
    policy.gracePeriod = .seconds(30)
    policy.joinTimeout = .seconds(20)
    focus = Focus(name: conferenceName("room"), entity: "sip:room@example.com", policy: policy)
  }

  @discardableResult mutating func feed(_ input: FocusInput) -> [FocusOutput] {
    outputs = []
    focus.handle(input, now: now, into: &outputs)
    outputs.removeAll {
      switch $0 {
      case .record, .log: true
      default: false
      }
    }
    return outputs
  }

  mutating func advance(_ interval: Interval) {
    now += interval
    outputs = []
    focus.advance(to: now, into: &outputs)
  }

  /// Bo is in, on the first host.
  static func active(maximum: Int = 10) -> Scene {
    var scene = Scene(maximum: maximum)
    scene.feed(.join(p1, bo))
    scene.feed(.serverReady(host1))
    scene.feed(.legAnswered(p1, media: []))
    return scene
  }
}

@Suite("Focus (RFC 4353 §4)")
struct FocusTests {
  @Test("the first caller makes it look for a server, and waits")
  func activation() {
    var scene = Scene()

    #expect(scene.feed(.join(p1, bo)) == [.provision(excluding: [])])
    #expect(scene.feed(.join(p2, ann)) == [])
    #expect(scene.feed(.serverReady(host1)) == [.openLeg(p1), .openLeg(p2)])
    #expect(scene.feed(.legAnswered(p1, media: [])) == [.admit(p1), .rosterChanged])
    #expect(scene.focus.state == .active(host1))
    #expect(scene.focus.roster.userCount == 1)
  }

  @Test("a later caller goes to the server at once")
  func laterCaller() {
    var scene = Scene.active()

    #expect(scene.feed(.join(p2, ann)) == [.openLeg(p2)])
  }

  @Test("a refused server is replaced by the next, until the attempts are used up")
  func nextServer() {
    var scene = Scene()
    scene.feed(.join(p1, bo))

    #expect(scene.feed(.serverRefused(host1, .serverBusy(status: 503))) == [.provision(excluding: [host1])])
    #expect(scene.feed(.serverRefused(host2, .serverUnreachable)) == [.provision(excluding: [host1, host2])])
    let third = ConferencingServerID("mh3@factory")
    #expect(
      scene.feed(.serverRefused(third, .serverUnreachable)) == [
        .refuse(p1, .serverUnreachable), .releaseServer, .ended,
      ])
    #expect(scene.focus.state == .ended)
  }

  @Test(
    "no server at all refuses all who wait, and is the end",
    arguments: [
      ConferencingError.noServerRegistered, .noServerAvailable,
    ])
  func noServer(error: ConferencingError) {
    var scene = Scene()
    scene.feed(.join(p1, bo))
    scene.feed(.join(p2, ann))

    #expect(
      scene.feed(.serverRefused(nil, error)) == [.refuse(p1, error), .refuse(p2, error), .releaseServer, .ended])
  }

  @Test("who gives up while the server is sought ends it when nobody else waits")
  func withdrawal() {
    var scene = Scene()
    scene.feed(.join(p1, bo))
    scene.feed(.join(p2, ann))

    #expect(scene.feed(.leave(p1, .cancelled)) == [.closeLeg(p1)])
    #expect(scene.feed(.leave(p2, .cancelled)) == [.closeLeg(p2), .releaseServer, .ended])
  }

  @Test(
    "a leg refused for its media refuses this caller only",
    arguments: [
      ConferencingError.mediaNotSupported(warning: "305 mh1 \"no codec\""), .serverBusy(status: 486),
      .serverBusy(status: 503),
    ])
  func legRefused(error: ConferencingError) {
    var scene = Scene.active()
    scene.feed(.join(p2, ann))

    #expect(scene.feed(.legRefused(p2, error)) == [.refuse(p2, error)])
    #expect(scene.focus.state == .active(host1))
    #expect(scene.focus.participants.count == 1)
  }

  @Test("a busy server is left for another while nobody is in")
  func moveBeforeFirst() {
    var scene = Scene()
    scene.feed(.join(p1, bo))
    scene.feed(.serverReady(host1))

    #expect(
      scene.feed(.legRefused(p1, .serverBusy(status: 486))) == [
        .suspendLeg(p1), .releaseServer, .provision(excluding: [host1]),
      ])
    #expect(scene.feed(.serverReady(host2)) == [.openLeg(p1)])
  }

  @Test("a server that forgot the conference is asked again, once")
  func forgetfulServer() {
    var scene = Scene()
    scene.feed(.join(p1, bo))
    scene.feed(.serverReady(host1))

    #expect(
      scene.feed(.legRefused(p1, .serverForgotConference)) == [
        .suspendLeg(p1), .releaseServer, .provision(excluding: []),
      ])
    scene.feed(.serverReady(host1))
    #expect(scene.feed(.legRefused(p1, .serverForgotConference)).last == .provision(excluding: [host1]))
  }

  @Test("a lost server dismisses who is in and moves who was coming")
  func serverLost() {
    var scene = Scene.active()
    scene.feed(.join(p2, ann))

    #expect(
      scene.feed(.serverLost(host1)) == [
        .dismiss(p1, .serverLost), .rosterChanged, .suspendLeg(p2), .releaseServer, .provision(excluding: [host1]),
      ])
    #expect(scene.feed(.serverLost(host1)).last == .provision(excluding: [host1]))
    #expect(scene.feed(.serverReady(host2)) == [.openLeg(p2)])
    #expect(scene.feed(.legAnswered(p2, media: [])) == [.admit(p2), .rosterChanged])
    #expect(scene.feed(.serverLost(host1)) == [])
  }

  @Test("a lost server with everyone in is the end")
  func serverLostForAll() {
    var scene = Scene.active()

    #expect(
      scene.feed(.serverLost(host1)) == [.dismiss(p1, .serverLost), .rosterChanged, .releaseServer, .ended])
  }

  @Test("the last one's leaving starts the grace period, whose end is the end")
  func grace() {
    var scene = Scene.active()

    #expect(scene.feed(.leave(p1, .departed)) == [.closeLeg(p1), .rosterChanged])
    #expect(scene.focus.state == .grace(host1, until: .zero + .seconds(30)))
    #expect(scene.focus.nextDeadline == .zero + .seconds(30))
    scene.advance(.seconds(29))
    #expect(scene.outputs == [])
    scene.advance(.seconds(1))
    #expect(scene.outputs.contains(.ended))
    #expect(scene.focus.nextDeadline == .never)
  }

  @Test("somebody who comes in the grace period finds the same server")
  func comeBack() {
    var scene = Scene.active()
    scene.feed(.leave(p1, .departed))
    scene.advance(.seconds(10))

    #expect(scene.feed(.join(p2, ann)) == [.openLeg(p2)])
    #expect(scene.focus.state == .active(host1))
  }

  @Test("who is refused after coming back does not keep it alive")
  func refusedInGrace() {
    var scene = Scene.active()
    scene.feed(.leave(p1, .departed))
    scene.feed(.join(p2, ann))
    scene.feed(.legRefused(p2, .mediaNotSupported(warning: nil)))

    #expect(scene.focus.state == .grace(host1, until: .zero + .seconds(30)))
  }

  @Test("a lost server in the grace period is the end")
  func lostInGrace() {
    var scene = Scene.active()
    scene.feed(.leave(p1, .departed))

    #expect(scene.feed(.serverLost(host1)) == [.releaseServer, .ended])
  }

  @Test("nobody waits longer than the join time-out, whatever the servers do")
  func joinTimeout() {
    var scene = Scene()
    scene.feed(.join(p1, bo))
    scene.feed(.serverReady(host1))
    scene.advance(.seconds(20))

    #expect(scene.outputs.contains(.refuse(p1, .serverUnreachable)))
    #expect(scene.focus.state == .grace(host1, until: .zero + .seconds(50)))
  }

  @Test("the size limit, at the limit and one past it")
  func sizeLimit() {
    var scene = Scene.active(maximum: 2)

    #expect(scene.feed(.join(p2, ann)) == [.openLeg(p2)])
    #expect(scene.feed(.join(ParticipantID(3), ann)) == [.refuse(ParticipantID(3), .conferenceFull)])
    scene.feed(.leave(p2, .departed))
    #expect(scene.feed(.join(ParticipantID(4), ann)) == [.openLeg(ParticipantID(4))])
  }

  @Test("a limit of nobody leaves no empty conference behind")
  func nobodyAllowed() {
    var scene = Scene(maximum: 0)

    #expect(scene.feed(.join(p1, bo)) == [.refuse(p1, .conferenceFull), .releaseServer, .ended])
  }

  @Test("nobody is admitted while it is locked")
  func lock() {
    var scene = Scene.active()

    #expect(scene.feed(.lock(true)) == [.rosterChanged])
    #expect(scene.feed(.lock(true)) == [])
    #expect(scene.feed(.join(p2, ann)) == [.refuse(p2, .locked)])
    #expect(scene.feed(.lock(false)) == [.rosterChanged])
    #expect(scene.feed(.join(p2, ann)) == [.openLeg(p2)])
  }

  @Test("an ejected participant gets BYE, one on his way in a refusal")
  func eject() {
    var scene = Scene.active()
    scene.feed(.join(p2, ann))

    #expect(scene.feed(.eject(p2)) == [.refuse(p2, .notAuthorized)])
    #expect(scene.feed(.eject(p1)) == [.dismiss(p1, .ejected), .rosterChanged])
    #expect(scene.focus.roster.userCount == 0)
  }

  @Test("the end dismisses everyone, from each state")
  func end() {
    var waiting = Scene()
    waiting.feed(.join(p1, bo))
    var active = Scene.active()
    active.feed(.join(p2, ann))
    var grace = Scene.active()
    grace.feed(.leave(p1, .departed))

    #expect(waiting.feed(.end(.ended)) == [.refuse(p1, .conferenceDoesNotExist), .releaseServer, .ended])
    #expect(
      active.feed(.end(.ended)) == [
        .dismiss(p1, .conferenceEnded), .rosterChanged, .refuse(p2, .conferenceDoesNotExist), .releaseServer, .ended,
      ])
    #expect(grace.feed(.end(.ended)) == [.releaseServer, .ended])
    #expect(grace.feed(.end(.ended)) == [])
    #expect(grace.feed(.join(p2, ann)) == [.refuse(p2, .conferenceDoesNotExist)])
  }

  @Test("what the server reports goes into the roster; a silent endpoint is dismissed")
  func reports() throws {
    var scene = Scene.active()
    let endpoint = try #require(scene.focus.participants[p1]?.endpointEntity)
    #expect(endpoint == "bo-1")
    let audio = RosterMedium(id: "1", type: "audio", label: "a-bo", sourceID: 42, direction: .sendrecv)

    var report = EndpointReport(endpointEntity: endpoint, status: .connected, media: [audio])
    #expect(scene.feed(.reported(host1, [report])) == [.rosterChanged])
    #expect(scene.feed(.reported(host1, [report])) == [])
    #expect(scene.focus.roster.endpoint(of: p1)?.media == [audio])
    #expect(scene.feed(.reported(host2, [EndpointReport(endpointEntity: endpoint, status: .disconnected)])) == [])
    report.status = .disconnected
    report.cause = .mediaTimeout
    #expect(scene.feed(.reported(host1, [report])) == [.dismiss(p1, .mediaTimeout), .rosterChanged])
  }

  @Test("a leg that its server closes takes the participant out")
  func legEnded() {
    var scene = Scene.active()

    #expect(scene.feed(.legEnded(p1, .closedByServer)) == [.dismiss(p1, .closedByServer), .rosterChanged])
    #expect(scene.feed(.legEnded(p1, .closedByServer)) == [])
  }

  @Test("two phones of one user are one user with two endpoints")
  func twoEndpoints() {
    var scene = Scene.active()
    scene.feed(.join(p2, bo))
    scene.feed(.legAnswered(p2, media: []))

    #expect(scene.focus.roster.userCount == 1)
    #expect(scene.focus.roster.endpointCount == 2)
    scene.feed(.leave(p1, .departed))
    #expect(scene.focus.roster.allUsers.first?.endpoints.map(\.participant) == [p2])
  }

  @Test("random inputs: the roster is who was admitted, and the end leaves nobody", arguments: UInt64(1)...20)
  func randomInputs(seed: UInt64) {
    var random = RandomSource(seed: seed)
    var scene = Scene(maximum: 5)
    var admitted: Set<ParticipantID> = []
    var next: UInt64 = 1
    var ended = false

    for _ in 0..<500 where !ended {
      let id = ParticipantID(max(1, next &- UInt64.random(in: 0...6, using: &random)))
      let server = Bool.random(using: &random) ? host1 : host2
      let input: FocusInput =
        switch Int.random(in: 0..<14, using: &random) {
        case 0...3: .join(ParticipantID(next), Bool.random(using: &random) ? bo : ann)
        case 4: .leave(id, .departed)
        case 5: .serverReady(server)
        case 6: .serverRefused(server, .serverUnreachable)
        case 7: .legAnswered(id, media: [])
        case 8: .legRefused(id, .serverBusy(status: 503))
        case 9: .legEnded(id, .serverLost)
        case 10: .eject(id)
        case 11: .lock(Bool.random(using: &random))
        case 12: .legAnswered(id, media: [])
        default: Int.random(in: 0..<20, using: &random) == 0 ? .serverLost(server) : .serverReady(server)
        }
      if case .join = input { next += 1 }
      scene.feed(input)
      for output in scene.outputs {
        switch output {
        case .admit(let id):
          #expect(!scene.focus.roster.isLocked || scene.focus.participants[id] != nil)
          admitted.insert(id)
        case .dismiss(let id, _), .closeLeg(let id), .refuse(let id, _): admitted.remove(id)
        case .ended: ended = true
        default: break
        }
      }
      #expect(scene.focus.participants.count <= 5)
      #expect(scene.focus.roster.endpointCount == admitted.count, "seed \(seed)")
    }
    scene.feed(.end(.ended))
    #expect(scene.focus.participants.isEmpty && scene.focus.roster.userCount == 0)
    #expect(scene.focus.nextDeadline == .never)
  }
}
