//  ConferenceNameTests.swift: which URIs are conferences.
import Conferencing
import Primitives
import SIP
import Testing

@Suite("Conference names and URIs (RFC 3261 §19.1, RFC 4579 §5.1)")
struct ConferenceNameTests {
  @Test(
    "names are 1 to 64 unreserved characters",
    arguments: [
      "room", "8812345", "a-_.!~*'()", String(repeating: "x", count: 64), "r%6f%6Fm",
    ])
  func good(text: String) throws {
    let name = try #require(ConferenceName(user: text))
    #expect(name.text == (text.hasPrefix("r%") ? "room" : text))
  }

  @Test(
    "anything else is none",
    arguments: [
      "", "a b", "a/b", "a;b", "rööm", "a%2Fb", "a%00", "a%4", "a%zz", String(repeating: "x", count: 65),
      String(repeating: "%61", count: 65), String(repeating: "%", count: 10_000),
    ])
  func bad(text: String) { #expect(ConferenceName(user: text) == nil) }

  private static let directory = ConferenceDirectory(
    domains: ["Conf.example.com", "example.org"], listen: [.udp: SocketAddress(ipv4: 0x7f00_0001, port: 5060)],
    advertisedHost: "edge.example.net")
  private static let flow = SIPFlow(
    transport: .udp, local: SocketAddress(ipv4: 0x0a00_0001, port: 5060),
    remote: SocketAddress(ipv4: 0x0a00_0002, port: 5060))

  private func destination(_ text: String) throws -> ConferenceDirectory.Destination {
    Self.directory.destination(of: try SIPURI(text), over: Self.flow)
  }

  @Test(
    "our domains in any case and our addresses, with any port",
    arguments: [
      ("sip:room@conf.example.com", "sip:room@conf.example.com"),
      ("sip:room@CONF.Example.COM:5099;transport=tcp", "sip:room@conf.example.com"),
      ("sips:room@example.org", "sip:room@example.org"),
      ("sip:room@127.0.0.1:5060", "sip:room@conf.example.com"),
      ("sip:room@10.0.0.1", "sip:room@conf.example.com"),
      ("sip:room@edge.example.net", "sip:room@conf.example.com"),
    ])
  func ours(uri: String, entity: String) throws {
    let name = try #require(ConferenceName(user: "room"))
    #expect(try destination(uri) == .conference(name, entity: entity))
  }

  @Test(
    "other domains and schemes are unknown, and no meeting takes the name of the factory",
    arguments: [
      "sip:room@example.com", "sip:room@10.0.0.2", "tel:+31201234567", "sip:a%2Fb@example.org",
      "sip:MCUfactory@example.org",
    ])
  func foreign(uri: String) throws { #expect(try destination(uri) == .unknown) }

  @Test("a URI without user is the system")
  func system() throws { #expect(try destination("sip:example.org") == .system) }
}

@Suite("Errors as answers (control protocol)")
struct ConferencingErrorTests {
  @Test(
    "the table of failures",
    arguments: [
      (ConferencingError.conferenceDoesNotExist, 404, "conferenceDoesNotExist", Int?.some(3012)),
      (.notAuthorized, 403, "unauthorized", 3014),
      (.locked, 403, "conferenceLocked", 3014),
      (.conferenceFull, 486, "maximumMeetingSizeExceeded", nil),
      (.badDocument, 400, "otherFailure", 3006),
      (.unsupportedCommand, 603, "notSupported", 3004),
      (.noServerRegistered, 480, "mcuTypeNotAvailable", nil),
      (.noServerAvailable, 503, "otherFailure", nil),
      (.mediaNotSupported(warning: nil), 488, "mediaNotSupported", nil),
    ])
  func table(error: ConferencingError, status: Int, reason: String, diagnostics: Int?) {
    #expect(error.answer.status == status)
    #expect(error.answer.c3pReason == reason)
    #expect(error.answer.diagnostics == diagnostics)
  }

  @Test("who may come again later is told when")
  func retryAfter() {
    for error in [ConferencingError.noServerAvailable, .serverUnreachable, .serverBusy(status: 503), .overloaded] {
      #expect(error.answer.headers.contains { $0.name == "Retry-After" })
    }
  }

  @Test(
    "a host's refusals, as the joiner hears them",
    arguments: [
      (488, 488), (606, 488), (486, 486), (600, 486), (503, 503), (500, 503), (480, 503), (403, 503), (404, 503),
      (481, 503), (408, 503), (400, 502),
    ])
  func serverStatus(received: Int, sent: Int) {
    #expect(ConferencingError(serverStatus: received, warning: nil).answer.status == sent)
  }

  @Test("the host's Warning reaches the phone")
  func warning() {
    let error = ConferencingError(serverStatus: 488, warning: "305 mh7 \"Incompatible media format\"")
    #expect(error.answer.headers.contains { $0 == ("Warning", "305 mh7 \"Incompatible media format\"") })
  }
}
