//  ParticipantLegTests.swift: offers and answers between a phone and its media host.
import Conferencing
import Primitives
import SIP
import Testing

private let leg = ParticipantID(7)
private func sdp(_ text: String) -> MessageBody { MessageBody(contentType: "application/sdp", text: text) }

private struct Scene {
  var machine: ParticipantLeg
  var now = Instant.zero

  init(offer: MessageBody? = sdp("offer")) {
    machine = ParticipantLeg(id: leg, offer: offer, serverTimeout: .seconds(4))
  }

  @discardableResult mutating func feed(_ input: ParticipantLeg.Input) -> [ParticipantLeg.Output] {
    var outputs: [ParticipantLeg.Output] = []
    machine.handle(input, now: now, into: &outputs)
    return outputs
  }

  static func established() -> Scene {
    var scene = Scene()
    scene.feed(.open)
    scene.feed(.serverAnswered(body: sdp("answer"), media: []))
    scene.feed(.admit)
    return scene
  }
}

@Suite("Participant leg (control protocol P7)")
struct ParticipantLegTests {
  @Test("offer to the host, answer to the phone, once the Focus admits")
  func join() {
    var scene = Scene()

    #expect(scene.feed(.open) == [.inviteServer(offer: sdp("offer"))])
    #expect(
      scene.feed(.serverAnswered(body: sdp("answer"), media: [])) == [.report(.legAnswered(leg, media: []))])
    #expect(scene.feed(.admit) == [.answerPhone(sdp("answer"))])
    #expect(scene.machine.state == .established)
  }

  @Test("a phone without offer gets the host's, and its ACK's answer goes to the host")
  func delayedOffer() {
    var scene = Scene(offer: nil)

    #expect(scene.feed(.open) == [.inviteServer(offer: nil)])
    scene.feed(.serverAnswered(body: sdp("host's offer"), media: []))
    #expect(scene.feed(.admit) == [.answerPhone(sdp("host's offer"))])
    #expect(scene.feed(.offered(.phone, body: sdp("x"))) == [.reject(.phone, .offerPending)])
    #expect(scene.feed(.acknowledged(.phone, body: sdp("answer"))) == [.acknowledge(.server, sdp("answer"))])
    #expect(scene.machine.state == .established)
  }

  @Test("an ACK that should bring the answer and does not ends the leg")
  func missingAnswer() {
    var scene = Scene(offer: nil)
    scene.feed(.open)
    scene.feed(.serverAnswered(body: sdp("host's offer"), media: []))
    scene.feed(.admit)

    #expect(scene.feed(.acknowledged(.phone, body: nil)) == [.report(.legEnded(leg, .unreachable))])
  }

  @Test(
    "a new offer is passed on and its answer back, from either side",
    arguments: [
      ParticipantLeg.Side.phone, .server,
    ])
  func reoffer(asker: ParticipantLeg.Side) {
    var scene = Scene.established()
    let other: ParticipantLeg.Side = asker == .phone ? .server : .phone

    #expect(scene.feed(.offered(asker, body: sdp("hold"))) == [.reoffer(other, sdp("hold"))])
    #expect(scene.feed(.offered(other, body: sdp("glare"))) == [.reject(other, .offerPending)])
    #expect(scene.feed(.reofferAnswered(other, body: sdp("held"))) == [.answer(asker, sdp("held"))])
    #expect(scene.machine.state == .established)
  }

  @Test("a refused offer is refused to who made it, and the leg goes on")
  func reofferRefused() {
    var scene = Scene.established()
    scene.feed(.offered(.phone, body: sdp("hold")))
    let error = ConferencingError.refusedOffer(status: 488, warning: "305 mh \"no\"")

    #expect(scene.feed(.reofferRefused(.server, error)) == [.reject(.phone, error)])
    #expect(scene.machine.state == .established)
  }

  @Test("a re-INVITE without offer gets one, and its ACK's answer is passed on")
  func delayedReoffer() {
    var scene = Scene.established()

    #expect(scene.feed(.offered(.phone, body: nil)) == [.reoffer(.server, nil)])
    #expect(scene.feed(.reofferAnswered(.server, body: sdp("offer"))) == [.answer(.phone, sdp("offer"))])
    #expect(scene.feed(.acknowledged(.phone, body: sdp("answer"))) == [.acknowledge(.server, sdp("answer"))])
    #expect(scene.machine.state == .established)
  }

  @Test("a host that does not answer is given up after its time")
  func serverTimeout() {
    var scene = Scene()
    scene.feed(.open)
    #expect(scene.machine.nextDeadline == .zero + .seconds(4))

    var outputs: [ParticipantLeg.Output] = []
    scene.machine.advance(to: .zero + .seconds(4), into: &outputs)

    #expect(outputs == [.hangUp(.server, .serverLost), .report(.legRefused(leg, .serverUnreachable))])
    #expect(scene.machine.state == .waiting)
    #expect(scene.machine.nextDeadline == .never)
    #expect(scene.feed(.open) == [.inviteServer(offer: sdp("offer"))])
  }

  @Test("an answer without session description is no answer")
  func emptyAnswer() {
    var scene = Scene()
    scene.feed(.open)

    #expect(
      scene.feed(.serverAnswered(body: nil, media: [])) == [
        .hangUp(.server, .refused(.badServerAnswer)), .report(.legRefused(leg, .badServerAnswer)),
      ])
  }

  @Test("refusal, dismissal and the phone's end close both sides as their state wants")
  func closing() {
    var early = Scene()
    early.feed(.open)
    var answered = early
    answered.feed(.serverAnswered(body: sdp("answer"), media: []))
    var late = Scene.established()

    #expect(
      early.feed(.refuse(.conferenceFull)) == [
        .refusePhone(.conferenceFull), .hangUp(.server, .refused(.conferenceFull)),
      ])
    #expect(answered.feed(.close) == [.hangUp(.server, .departed)])
    #expect(late.feed(.dismiss(.ejected)) == [.hangUp(.phone, .ejected), .hangUp(.server, .ejected)])
    for var scene in [early, answered, late] {
      #expect(scene.machine.state == .closed)
      #expect(scene.feed(.close) == [] && scene.feed(.open) == [] && scene.feed(.serverEnded(.serverLost)) == [])
    }
  }

  @Test("a host that closes the leg: on the way in a refusal, later an end")
  func serverEnded() {
    var early = Scene()
    early.feed(.open)
    var late = Scene.established()

    #expect(early.feed(.serverEnded(.serverLost)) == [.report(.legRefused(leg, .serverUnreachable))])
    #expect(late.feed(.serverEnded(.closedByServer)) == [.report(.legEnded(leg, .closedByServer))])
  }
}
