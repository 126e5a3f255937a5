//  ControlDialogTests.swift: meetings opened and ended by the Focus, and commands in between (control protocol P4, P5).

import AVConferencing
import ConferenceDocuments
import Media
import Primitives
import SDP
import SIP
import Testing

@Suite("Control dialogs (control protocol P4)")
struct ControlDialogTests {
  @Test("addConference opens a meeting on a worker and is answered with SDP without streams and a Contact of its own")
  func open() throws {
    var bench = HostBench()

    let control = try bench.addConference()

    #expect(control.response?.code == .success)
    #expect(control.response?.result.conference?.entity == HostBench.entity)
    #expect(control.uri.contains(".av@127.0.0.1:5070"))
    guard case .openMeeting? = bench.takeCommands().first else {
      Issue.record("no openMeeting")
      return
    }
    #expect(bench.host.counts.meetings == 1)
  }

  @Test("BYE is deleteConference: every leg gets BYE, every table is empty")
  func bye() throws {
    var bench = HostBench()
    let control = try bench.addConference()
    let phones = (0..<5).map { bench.join(control, "user\($0)") }
    _ = bench.takeCommands()

    bench.focusDoes { $0.hangUp(control.call, now: $1, into: &$2) }

    let commands = bench.takeCommands()
    #expect(commands.filter(\.isCloseLeg).count == 5)
    #expect(commands.filter(\.isCloseMeeting).count == 1)
    for phone in phones { #expect(bench.hasEnded(phone.call) != nil) }
    #expect(bench.host.counts == AVConferencingServer.Counts())
  }

  @Test("a control dialog whose session expires takes its meeting with it")
  func expiry() throws {
    var bench = HostBench()
    let sdp = SessionDescription.withoutMedia(sessionID: 1, address: HostBench.focusAddress).encoded()
    let c3p = bench.request(.addConference(ConferenceInfo(entity: HostBench.entity)), id: 1)
    let call = bench.invite(
      HostBench.serviceURI, body: HostBench.multipart(sdp: sdp, c3p: c3p),
      sessionTimer: SessionTimerPolicy(expiresSeconds: 90, refresher: .uac))
    #expect(bench.takeAnswer(of: call)?.first(.sessionExpires)?.hasPrefix("90") == true)
    #expect(bench.host.counts.meetings == 1)
    let began = bench.now

    // The Focus dies: nobody refreshes, nobody answers.
    for _ in 0..<600 where bench.host.counts.meetings > 0 {
      bench.now += .milliseconds(500)
      var outputs: [AVConferencingOutput] = []
      bench.host.advance(to: bench.now, into: &outputs)
    }

    #expect(bench.host.counts.meetings == 0)
    #expect(bench.now - began <= .seconds(91))
  }

  @Test("deleteConference is answered, then the dialog ends")
  func deleteConference() throws {
    var bench = HostBench()
    let control = try bench.addConference()
    _ = bench.join(control, "bo")

    let (status, response) = bench.command(
      control, .deleteConference(ConferenceKeys(conference: HostBench.entity)))

    #expect(status == 200 && response?.code == .success)
    #expect(bench.hasEnded(control.call) != nil)
    #expect(bench.host.counts == AVConferencingServer.Counts())
  }

  @Test("a Focus that comes again for the same conference replaces what it had lost")
  func replace() throws {
    var bench = HostBench()
    let first = try bench.addConference()
    let phone = bench.join(first, "bo")

    let second = try bench.addConference()

    #expect(second.uri != first.uri)
    #expect(bench.hasEnded(first.call) != nil)
    #expect(bench.hasEnded(phone.call) != nil)
    #expect(bench.host.counts.meetings == 1 && bench.host.counts.legs == 0)
  }

  @Test("a re-INVITE of the control dialog is answered in kind")
  func reinvite() throws {
    var bench = HostBench()
    let control = try bench.addConference()
    let sdp = SessionDescription.withoutMedia(sessionID: 1, version: 2, address: HostBench.focusAddress).encoded()

    bench.focusDoes {
      $0.reinvite(control.call, body: MessageBody(contentType: "application/sdp", bytes: sdp), now: $1, into: &$2)
    }

    let accepted = bench.takeAnswer(of: control.call)
    let answer = try #require(accepted)
    #expect(try SessionDescription(parsing: answer.body).media.isEmpty)
  }

  @Test("strangers are refused with 403, whatever they ask")
  func strangers() {
    let stranger = SocketAddress(ipv4: 0xc000_0263, port: 5_060)
    var bench = HostBench(focusAddress: stranger)
    let c3p = bench.request(.addConference(ConferenceInfo(entity: HostBench.entity)), id: 1)

    let call = bench.invite(HostBench.serviceURI, body: HostBench.multipart(sdp: nil, c3p: c3p))
    let subscription = bench.subscribe(HostBench.serviceURI)

    #expect(bench.takeRefusal(of: call)?.status == 403)
    var refused = 0
    for case .subscriptionEnded(subscription, .refused(let status, _)) in bench.events { refused = status }
    #expect(refused == 403)
    #expect(bench.host.counts == AVConferencingServer.Counts())
    var trusting = HostBench(focusAddress: stranger) { $0.trustedPeers = [stranger.with(port: 0)] }
    #expect(throws: Never.self) { try trusting.addConference() }
  }

  @Test("an INVITE without a meeting to call is 404, an unknown command 501, no conference named 400")
  func wrongInvites() throws {
    var bench = HostBench()
    let sdp = LegNegotiationTests.offer(suites: [.aeadAES128GCM])
    let plain = MessageBody(contentType: "application/sdp", bytes: sdp)

    let unknown = bench.invite("sip:nobody.av@127.0.0.1:5070;transport=tcp", body: plain)
    let standalone = bench.invite("sip:room@127.0.0.1:5070;transport=tcp", body: plain)
    let command = bench.invite(
      HostBench.serviceURI,
      body: HostBench.multipart(
        sdp: nil, c3p: bench.request(.getConference(ConferenceKeys(conference: "sip:x@y")), id: 1)))
    let nameless = bench.invite(
      HostBench.serviceURI,
      body: HostBench.multipart(sdp: nil, c3p: bench.request(.addConference(ConferenceInfo(entity: "")), id: 2)))

    #expect(bench.takeRefusal(of: unknown)?.status == 404)
    #expect(bench.takeRefusal(of: standalone)?.status == 404)
    #expect(bench.takeRefusal(of: command)?.status == 501)
    #expect(bench.takeRefusal(of: nameless)?.status == 400)
    #expect(bench.host.counts == AVConferencingServer.Counts())
  }

  @Test("meetings are limited, at the limit and one past it, with Retry-After")
  func meetingLimit() throws {
    var bench = HostBench { $0.maximumMeetings = 3 }
    for number in 1...3 { _ = try bench.addConference(entity: "sip:c\(number)@example.com") }

    let c3p = bench.request(.addConference(ConferenceInfo(entity: "sip:c4@example.com")), id: 99)
    let call = bench.invite(HostBench.serviceURI, body: HostBench.multipart(sdp: nil, c3p: c3p))

    let taken = bench.takeRefusal(of: call)
    let refusal = try #require(taken)
    #expect(refusal.status == 503)
    #expect(refusal.first(.retryAfter) == "5")
    #expect(bench.host.counts.meetings == 3)
  }

  @Test(
    "hostile bodies are 400 and leave the host as it was",
    arguments: [
      "entity bomb", "external entity", "negative id", "cut off", "empty", "binary", "deep", "large",
    ])
  func hostileBodies(kind: String) throws {
    let root = "<request xmlns=\"urn:ietf:params:xml:ns:cccp\""
    let text =
      switch kind {
      case "entity bomb":
        "<?xml version=\"1.0\"?><!DOCTYPE r [<!ENTITY a \"aaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;\">]>"
          + "\(root) requestId=\"1\" from=\"a\" to=\"b\">&b;</request>"
      case "external entity": "<?xml version=\"1.0\"?><!DOCTYPE r SYSTEM \"file:///etc/passwd\"><request/>"
      case "negative id": "\(root) requestId=\"-1\" from=\"a\" to=\"b\"><addConference/></request>"
      case "cut off": "<request"
      case "binary": "\u{0}\u{1}\u{2}"
      case "deep": String(repeating: "<a>", count: 10_000)
      case "large": root + String(repeating: " ", count: 64_000) + "/>"
      default: ""
      }
    var bench = HostBench()
    let control = try bench.addConference()
    let body = MessageBody(contentType: C3PRequest.contentType, text: text)

    let call = bench.invite(HostBench.serviceURI, body: body)
    let info = bench.info(control.call, body)

    // An INVITE without any body names no conference: 404.
    let status = bench.takeRefusal(of: call)?.status
    #expect(text.isEmpty ? status == 404 : status == 400)
    #expect(info.status == 400 && info.response == nil)
    #expect(bench.host.counts.meetings == 1)
    #expect(bench.command(control, .getConference(ConferenceKeys(conference: HostBench.entity))).status == 200)
  }

  @Test("draining refuses new meetings and goes on with the old")
  func draining() throws {
    var bench = HostBench()
    let control = try bench.addConference()
    var outputs: [AVConferencingOutput] = []
    bench.host.drain(now: bench.now, into: &outputs)
    bench.pump(outputs, [])

    let c3p = bench.request(.addConference(ConferenceInfo(entity: "sip:c2@example.com")), id: 99)
    let call = bench.invite(HostBench.serviceURI, body: HostBench.multipart(sdp: nil, c3p: c3p))
    let phone = bench.join(control, "bo")

    #expect(bench.takeRefusal(of: call)?.status == 503)
    #expect(phone.answer?.status == 200)
    #expect(!bench.host.isDrained)
    bench.focusDoes { $0.hangUp(control.call, now: $1, into: &$2) }
    #expect(bench.host.isDrained)
  }
}
