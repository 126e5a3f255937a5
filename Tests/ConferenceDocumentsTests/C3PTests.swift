//  C3PTests.swift: C3P requests and responses.

import ConferenceDocuments
import Testing

private let open = "<request xmlns='urn:ietf:params:xml:ns:cccp' requestId='1' from='a' to='b'>"

@Suite("C3P")
struct C3PTests {
  @Test("addUser as a client sends it; unknown elements are ignored")
  func addUser() throws {
    let request = try C3PRequest(parsing: Golden.addUser.utf8)

    #expect(request.requestID == 41)
    #expect(request.from == "sip:bo@example.com")
    #expect(request.serverURI == "sip:av@mh7.example.com")
    guard case .addUser(let keys, let user) = request.command else {
      Issue.record("not addUser")
      return
    }
    #expect(keys.conference == request.to)
    #expect(user.roles == ["attendee"])
    #expect(user.endpoints.first?.joiningMethod == .dialedIn)
  }

  @Test("the response carries user, media and connection")
  func addUserResponse() throws {
    let response = try C3PResponse(parsing: Golden.addUserResponse.utf8)

    #expect(response.code == .success)
    #expect(response.command == "addUser")
    #expect(response.result.user?.endpoints.first?.media.first?.label == "a-bo")
    #expect(response.result.connection.first?.key == "Mcu-Server-Uri")
    #expect(try C3PResponse(parsing: response.encoded()) == response)
  }

  @Test("mute as a client sends it")
  func mute() throws {
    let request = try C3PRequest(parsing: Golden.mute.utf8)

    #expect(request.serverURI == "AV")
    guard case .modifyEndpointMedia(let keys, let media) = request.command else {
      Issue.record("not modifyEndpointMedia")
      return
    }
    #expect(keys == MediaKeys(conference: "FOCUS", user: "sip:bo@example.com", endpoint: "bo-1", media: "1"))
    #expect(media.ingressFilter == .block)
    #expect(media.egressFilter == nil)
    #expect(media.status == .recvonly)
  }

  @Test("every command survives writing and reading")
  func roundTrips() throws {
    let keys = ConferenceKeys(conference: "sip:c&\"<>")
    let user = UserKeys(conference: "sip:c", user: "sip:u")
    var media = ConferenceInfo.Media(id: "1", type: "audio")
    media.egressFilter = .unblock
    var conference = ConferenceInfo(entity: "")
    conference.description = .init()
    conference.description?.admissionPolicy = "openAuthenticated"
    conference.views = [.init(entity: "audio-video"), .init(entity: "chat")]
    let commands: [C3PCommand] = [
      .addConference(conference), .modifyConference(ConferenceInfo(entity: "sip:c")), .deleteConference(keys),
      .getConference(keys), .modifyConferenceLock(keys, locked: true, admissionPolicy: nil),
      .modifyConferenceLock(keys, locked: false, admissionPolicy: "anonymous"),
      .addUser(keys, .init(entity: "sip:u", displayText: "Zoë", roles: ["presenter"])), .deleteUser(user),
      .modifyUserRoles(user, roles: ["presenter", "attendee"]),
      .modifyEndpointMedia(MediaKeys(conference: "c", user: "u", endpoint: "e", media: "1"), media),
      .unknown(XMLName(XMLNamespace.cccp, "playMusic")), .unknown(XMLName("urn:x", "addUser")),
    ]

    for command in commands {
      for server in [nil, "sip:av@mh7"] {
        let request = C3PRequest(requestID: .max, from: "sip:f", to: "sip:t", serverURI: server, command: command)
        #expect(try C3PRequest(parsing: request.encoded()) == request)
        let response = C3PResponse(
          to: request, code: .failure, reason: .notSupported, result: .init(keys: keys, conference: conference))
        #expect(response.from == "sip:t")
        #expect(try C3PMessage(parsing: response.encoded()) == .response(response))
      }
    }
  }

  @Test("an unknown command is no error of the document: it gets notSupported")
  func unknown() throws {
    let request = try C3PRequest(parsing: "\(open)<setLobbyAccess/></request>".utf8)

    #expect(request.command == .unknown(XMLName(XMLNamespace.cccp, "setLobbyAccess")))
  }

  @Test(
    "malformed requests",
    arguments: [
      ("<request xmlns='urn:ietf:params:xml:ns:cccp' from='a' to='b'><deleteUser/></request>", "request@requestId"),
      ("<request xmlns='urn:ietf:params:xml:ns:cccp' requestId='1' to='b'><deleteUser/></request>", "request@from"),
      ("<request xmlns='urn:ietf:params:xml:ns:cccp' requestId='1' from='b'><deleteUser/></request>", "request@to"),
      (open + "</request>", "command"), (open + "<deleteUser/></request>", "userKeys"),
      (open + "<deleteUser><userKeys confEntity='c'/></deleteUser></request>", "userKeys@userEntity"),
      (open + "<addUser><conferenceKeys confEntity='c'/></addUser></request>", "user"),
      (open + "<getConference/></request>", "conferenceKeys"), (open + "<addConference/></request>", "conference-info"),
      (open + "<modifyEndpointMedia/></request>", "mediaKeys"),
      (open + "<modifyConferenceLock><conferenceKeys confEntity='c'/></modifyConferenceLock></request>", "locked"),
      (open + "<modifyUserRoles><userKeys confEntity='c' userEntity='u'/></modifyUserRoles></request>", "user-roles"),
    ])
  func missing(_ text: String, _ what: String) {
    #expect(throws: DocumentError.missing(what)) { try C3PRequest(parsing: text.utf8) }
  }

  @Test("a requestId is a number; a request has one command; a filter is a known word")
  func invalid() {
    for id in ["", "-1", "+1", " 1", "1x", "18446744073709551616", "１"] {
      let text = "<request xmlns='urn:ietf:params:xml:ns:cccp' requestId='\(id)' from='a' to='b'><x/></request>"
      #expect(throws: DocumentError.invalid("requestId")) { try C3PRequest(parsing: text.utf8) }
    }
    #expect(throws: DocumentError.invalid("command")) {
      try C3PRequest(parsing: "\(open)<deleteUser/><deleteUser/></request>".utf8)
    }
    let odd = Golden.mute.replacing(">block<", with: ">perhaps<")
    #expect(throws: DocumentError.invalid("media-ingress-filter")) { try C3PRequest(parsing: odd.utf8) }
    let crossed = Golden.mute.replacing("media id=\"1\"", with: "media id=\"2\"")
    #expect(throws: DocumentError.invalid("media@id")) { try C3PRequest(parsing: crossed.utf8) }
    #expect(throws: DocumentError.unexpectedRoot("request")) { try C3PResponse(parsing: Golden.mute.utf8) }
    #expect(throws: DocumentError.unexpectedRoot("a")) { try C3PMessage(parsing: "<a/>".utf8) }
  }
}
