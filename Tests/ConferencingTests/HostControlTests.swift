//  HostControlTests.swift: one control dialog: set-up, commands, state.
import ConferenceDocuments
import Conferencing
import Primitives
import SIP
import Testing

private let server = ConferencingServerID("mh1@factory")
private let room = "sip:room@conf.example.com"

private struct Scene {
  var control = HostControl(
    server: server, generation: 1, conference: room, serverURI: "\(room);gruu", size: 3, timeout: .seconds(4),
    now: .zero)
  var now = Instant.zero

  @discardableResult mutating func feed(_ input: HostControl.Input) -> [String] {
    var outputs: [HostControl.Output] = []
    control.handle(input, now: now, into: &outputs)
    return outputs.map(Self.name)
  }

  mutating func advance(_ interval: Interval) -> [String] {
    now += interval
    var outputs: [HostControl.Output] = []
    control.advance(to: now, into: &outputs)
    return outputs.map(Self.name)
  }

  static func name(_ output: HostControl.Output) -> String {
    switch output {
    case .invite: "invite"
    case .hangUp: "hang up"
    case .subscribe: "subscribe"
    case .unsubscribe: "unsubscribe"
    case .send(let request): "send \(request.requestID)"
    case .finish(_, let code, let reason): "finish \(code.rawValue) \(reason?.rawValue ?? "-")"
    case .log: "log"
    case .report(let input):
      switch input {
      case .serverReady: "ready"
      case .serverRefused(_, let error): "refused \(error.name)"
      case .serverLost: "lost"
      case .reported(_, let reports): "reported \(reports.count)"
      default: "\(input)"
      }
    }
  }

  static func active() -> Scene {
    var scene = Scene()
    scene.feed(.start)
    scene.feed(.answered(contact: "sip:t.av@10.0.1.1", response: response(.success)))
    return scene
  }

  static func response(_ code: C3PResponse.Code, _ reason: C3PReason? = nil, id: UInt64 = 1) -> C3PResponse {
    C3PResponse(requestID: id, from: "a", to: "b", code: code, reason: reason, command: "addConference")
  }
}

private func document(_ state: ConferenceInfo.ElementState, _ version: UInt32) -> ConferenceInfo {
  var document = ConferenceInfo(entity: room)
  document.state = state
  document.version = version
  var user = ConferenceInfo.User(entity: "sip:bo@example.com")
  user.endpoints = [ConferenceInfo.Endpoint(entity: "bo-1", status: .connected)]
  document.users = ConferenceInfo.Users([user], state: state)
  return document
}

@Suite("Control dialog (control protocol P4–P6)")
struct HostControlTests {
  @Test("INVITE, 200 with success, SUBSCRIBE, ready; then BYE")
  func life() {
    var scene = Scene()

    #expect(scene.feed(.start) == ["invite"])
    #expect(scene.control.nextDeadline == .zero + .seconds(4))
    #expect(
      scene.feed(.answered(contact: "sip:t.av@10.0.1.1", response: Scene.response(.success))) == ["subscribe", "ready"])
    #expect(scene.control.contact == "sip:t.av@10.0.1.1" && scene.control.nextDeadline == .never)
    #expect(scene.feed(.stop) == ["unsubscribe", "hang up"])
    #expect(scene.feed(.lost) == [] && scene.feed(.stop) == [])
  }

  @Test("no success is a refusal: by status, by C3P, by nonsense, by silence")
  func refusals() {
    func start() -> Scene {
      var scene = Scene()
      scene.feed(.start)
      return scene
    }
    var (byStatus, byReason, byNonsense, byLoss, bySilence) = (start(), start(), start(), start(), start())

    #expect(byStatus.feed(.refused(.serverBusy(status: 503))) == ["refused server-busy-503"])
    #expect(
      byReason.feed(
        .answered(contact: "sip:x@y", response: Scene.response(.failure, .maximumMeetingSizeExceeded))) == [
          "hang up", "refused server-busy-486",
        ])
    #expect(byNonsense.feed(.answered(contact: "sip:x@y", response: nil)) == ["hang up", "refused bad-server-answer"])
    #expect(byLoss.feed(.lost) == ["hang up", "refused server-unreachable"])
    #expect(bySilence.advance(.seconds(4)) == ["hang up", "refused server-unreachable"])
  }

  @Test("commands: answered at once, by INFO later, declined, never")
  func commands() {
    var scene = Scene.active()
    let command = C3PRequest(
      requestID: 5, from: "a", to: "b", command: .getConference(ConferenceKeys(conference: room)))
    let waiter = CommandWaiter(request: ServerRequestHandle(number: 1), command: command)

    #expect(scene.feed(.command(command.command, waiter: waiter)) == ["send 2"])
    #expect(
      scene.feed(.commandAnswered(requestID: 2, status: 200, response: Scene.response(.success))) == [
        "finish success -"
      ])
    #expect(scene.feed(.commandAnswered(requestID: 2, status: 200, response: Scene.response(.success))) == [])
    scene.feed(.command(command.command, waiter: waiter))
    #expect(scene.feed(.commandAnswered(requestID: 3, status: 202, response: Scene.response(.pending))) == [])
    #expect(
      scene.feed(.commandAnswered(requestID: 3, status: 200, response: Scene.response(.failure, .notSupported))) == [
        "finish failure notSupported", "log",
      ])
    scene.feed(.command(command.command, waiter: waiter))
    #expect(scene.advance(.seconds(8)) == ["finish failure otherFailure", "log"])
    scene.feed(.command(command.command, waiter: waiter))
    #expect(scene.feed(.lost) == ["hang up", "unsubscribe", "finish failure otherFailure", "log", "lost"])
    #expect(scene.feed(.command(command.command, waiter: waiter)) == ["finish failure mcuTypeNotAvailable"])
  }

  @Test("commands under way, at their limit and one past it")
  func commandLimit() {
    var scene = Scene.active()
    let command = C3PRequest(
      requestID: 5, from: "a", to: "b", command: .getConference(ConferenceKeys(conference: room)))
    let waiter = CommandWaiter(request: ServerRequestHandle(number: 1), command: command)

    for _ in 0..<Limits.commandsPerControl {
      #expect(scene.feed(.command(command.command, waiter: waiter)).first?.hasPrefix("send") == true)
    }

    #expect(scene.feed(.command(command.command, waiter: waiter)) == ["finish failure otherFailure"])
  }

  @Test("documents in order are merged, old ones dropped, a gap asks for everything (RFC 4575 §4.4–4.6)")
  func versions() {
    var scene = Scene.active()

    #expect(scene.feed(.notified(document(.partial, 7))) == [])
    #expect(scene.feed(.notified(document(.full, 3))) == ["reported 1"])
    #expect(scene.feed(.notified(document(.partial, 4))) == ["reported 1"])
    #expect(scene.feed(.notified(document(.partial, 4))) == [])
    #expect(scene.feed(.notified(document(.full, 2))) == [])
    #expect(scene.feed(.notified(document(.partial, 6))) == ["unsubscribe", "subscribe"])
    #expect(scene.feed(.notified(document(.full, 1))) == ["reported 1"])
  }

  @Test("a subscription that ends is renewed, not for ever")
  func renewal() {
    var scene = Scene.active()
    var renewed = 0

    for _ in 0..<100 where scene.feed(.subscriptionEnded) == ["subscribe"] { renewed += 1 }

    #expect(renewed == 8)
  }
}
