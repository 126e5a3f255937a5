//  CommandTests.swift: INFO in both styles, every command, every error, each done once (control protocol P5).

import AVConferencing
import ConferenceDocuments
import Media
import Primitives
import SIP
import Testing

@Suite("Commands (control protocol P5)")
struct CommandTests {
  struct Meeting {
    var bench: HostBench
    var control: HostBench.Control
    var phone: HostBench.Phone
    var leg: LegID
  }

  func meeting() throws -> Meeting {
    var bench = HostBench()
    let control = try bench.addConference()
    let phone = bench.join(control, "bo")
    let leg = try #require(bench.latestLeg).leg
    _ = bench.takeCommands()
    return Meeting(bench: bench, control: control, phone: phone, leg: leg)
  }

  func keys(_ phone: HostBench.Phone, media: String = "1", entity: String = HostBench.entity) -> MediaKeys {
    MediaKeys(conference: entity, user: phone.user, endpoint: phone.endpoint, media: media)
  }

  func media(
    ingress: ConferenceInfo.MediaFilter? = nil, egress: ConferenceInfo.MediaFilter? = nil,
    status: ConferenceInfo.MediaStatus? = nil
  ) -> ConferenceInfo.Media {
    var media = ConferenceInfo.Media(id: "1", type: "audio", status: status)
    media.ingressFilter = ingress
    media.egressFilter = egress
    return media
  }

  @Test("modifyEndpointMedia mutes, deafens and undoes both")
  func filters() throws {
    var meeting = try meeting()
    let steps: [(ConferenceInfo.Media, [String])] = [
      (media(ingress: .block), ["ingress true"]), (media(ingress: .block), []),
      (media(ingress: .unblock, egress: .block), ["ingress false", "egress true"]),
      (media(status: .sendrecv), ["egress false"]), (media(status: .recvonly), ["ingress true"]),
    ]
    for (wish, effect) in steps {
      let (status, response) = meeting.bench.command(meeting.control, .modifyEndpointMedia(keys(meeting.phone), wish))

      #expect(status == 200 && response?.code == .success)
      let commands = meeting.bench.takeCommands().map { command in
        switch command {
        case .setIngress(meeting.leg, let blocked): "ingress \(blocked)"
        case .setEgress(meeting.leg, let blocked): "egress \(blocked)"
        default: "other"
        }
      }
      #expect(commands == effect)
    }
  }

  @Test("keys that fit nothing fail with their reason, as 603")
  func wrongKeys() throws {
    var meeting = try meeting()
    let wish = media(ingress: .block)
    var nobody = meeting.phone
    nobody.user = "sip:nobody@example.com"
    var elsewhere = meeting.phone
    elsewhere.endpoint = "bo-2"
    var video = wish
    video.id = "2"
    let wrong: [(C3PCommand, C3PReason)] = [
      (.modifyEndpointMedia(keys(nobody), wish), .userDoesNotExist),
      (.modifyEndpointMedia(keys(elsewhere), wish), .endpointDoesNotExist),
      (.modifyEndpointMedia(keys(meeting.phone, media: "2"), video), .mediaDoesNotExist),
      (.modifyEndpointMedia(keys(meeting.phone, entity: "sip:x@y"), wish), .conferenceDoesNotExist),
      (.modifyEndpointMedia(keys(meeting.phone), media()), .otherFailure),
      (.deleteUser(UserKeys(conference: HostBench.entity, user: nobody.user)), .userDoesNotExist),
      (.getConference(ConferenceKeys(conference: "sip:x@y")), .conferenceDoesNotExist),
      (.addUser(ConferenceKeys(conference: HostBench.entity), ConferenceInfo.User(entity: "tel:+1")), .notSupported),
      (
        .modifyConferenceLock(ConferenceKeys(conference: HostBench.entity), locked: true, admissionPolicy: nil),
        .notSupported
      ),
      (.unknown(XMLName(XMLNamespace.cccp, "makeCoffee")), .notSupported),
    ]
    for (command, reason) in wrong {
      let (status, response) = meeting.bench.command(meeting.control, command)

      #expect(status == 603, "\(command.name)")
      #expect(response?.code == .failure && response?.reason == reason, "\(command.name)")
    }
    #expect(meeting.bench.takeCommands().isEmpty)
  }

  @Test("a repeated command is answered the same and done once, for 32 s")
  func repeated() throws {
    var meeting = try meeting()
    let mute = C3PCommand.modifyEndpointMedia(keys(meeting.phone), media(ingress: .block))
    let unmute = C3PCommand.modifyEndpointMedia(keys(meeting.phone), media(ingress: .unblock))
    let first = meeting.bench.command(meeting.control, mute, id: 500)
    _ = meeting.bench.command(meeting.control, unmute, id: 501)
    _ = meeting.bench.takeCommands()

    let again = meeting.bench.command(meeting.control, mute, id: 500)

    #expect(again.status == first.status && again.response == first.response)
    #expect(meeting.bench.takeCommands().isEmpty)
    meeting.bench.run(.seconds(33))
    _ = meeting.bench.command(meeting.control, mute, id: 500)
    #expect(meeting.bench.takeCommands().count == 1)
  }

  @Test("deleteUser ends all the user's legs with Reason 403")
  func deleteUser() throws {
    var meeting = try meeting()

    let (status, _) = meeting.bench.command(
      meeting.control, .deleteUser(UserKeys(conference: HostBench.entity, user: meeting.phone.user)))

    #expect(status == 200)
    let bye = try #require(meeting.bench.hasEnded(meeting.phone.call))
    #expect(bye.first(.reason)?.contains("cause=403") == true)
    #expect(meeting.bench.takeCommands().filter(\.isCloseLeg).count == 1)
    #expect(meeting.bench.host.counts.legs == 0)
  }

  @Test("RFC 6086 style: 200 without body, the result by INFO back")
  func infoPackage() throws {
    var meeting = try meeting()

    let (status, response) = meeting.bench.command(
      meeting.control, .modifyEndpointMedia(keys(meeting.phone), media(ingress: .block)),
      headers: [HeaderField("Info-Package", "cccp"), HeaderField("Content-Disposition", "Info-Package")])

    #expect(status == 200 && response == nil)
    var result: C3PResponse?
    for case .requested(_, meeting.control.call, let message, _) in meeting.bench.events where message.method == .info {
      #expect(message.first(.infoPackage) == "cccp")
      result = try C3PResponse(parsing: message.body)
    }
    #expect(result?.code == .success)
    #expect(result?.command == "modifyEndpointMedia")
  }

  @Test("another Info package is 469 with Recv-Info; a body that is no C3P is 400 or 415")
  func wrongInfo() throws {
    var meeting = try meeting()
    let get = C3PCommand.getConference(ConferenceKeys(conference: HostBench.entity))

    let other = meeting.bench.command(meeting.control, get, headers: [HeaderField("Info-Package", "dtmf")])
    let text = meeting.bench.info(meeting.control.call, MessageBody(contentType: "text/plain", text: "hello"))
    let prompt = meeting.bench.info(
      meeting.phone.call, MessageBody(contentType: "application/msc-ivr+xml", text: "<mscivr/>"))

    #expect(other.status == 469)
    #expect(text.status == 415)
    #expect(prompt.status == 415)
  }

  @Test("getConference tells everybody, modifyConference sets how newcomers start")
  func conference() throws {
    var meeting = try meeting()

    let (_, response) = meeting.bench.command(
      meeting.control, .getConference(ConferenceKeys(conference: HostBench.entity)))
    var change = ConferenceInfo(entity: HostBench.entity)
    var state = ConferenceInfo.EntityState()
    var rules = ConferenceInfo.FilterRules()
    rules.initialFilters = [ConferenceInfo.InitialFilter(role: "attendee", ingress: .block)]
    state.filterRules = rules
    change.views = [ConferenceInfo.EntityView(entity: "audio-video", entityState: state)]
    let modified = meeting.bench.command(meeting.control, .modifyConference(change))
    _ = meeting.bench.takeCommands()
    _ = meeting.bench.join(meeting.control, "cid")
    let attendee = meeting.bench.takeCommands()
    _ = meeting.bench.join(meeting.control, "dee", roles: ["presenter"])
    let presenter = meeting.bench.takeCommands()

    #expect(response?.result.conference?.users?.users.map(\.entity) == [meeting.phone.user])
    #expect(modified.status == 200)
    #expect(attendee.contains { if case .setIngress(_, blocked: true) = $0 { true } else { false } })
    #expect(!presenter.contains { if case .setIngress = $0 { true } else { false } })
  }

  @Test("layouts need video, which this host has not")
  func layout() throws {
    var meeting = try meeting()
    var change = ConferenceInfo(entity: HostBench.entity)
    var state = ConferenceInfo.EntityState()
    state.videoLayout = "quad-view"
    change.views = [ConferenceInfo.EntityView(entity: "audio-video", entityState: state)]

    let (status, response) = meeting.bench.command(meeting.control, .modifyConference(change))

    #expect(status == 603 && response?.reason == .notSupported)
  }
}
