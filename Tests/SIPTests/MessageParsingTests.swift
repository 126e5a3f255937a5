//  MessageParsingTests.swift: indexing, typed fields, validation, limits.
import Primitives
import SIP
import Testing

@Suite("SIP message (RFC 3261 §7, §20)")
struct MessageParsingTests {
  @Test("fields are found by number, in compact form, folded and in lists")
  func fields() throws {
    let message = try parsed(Sample.invite)

    #expect(fault(message) == nil)
    #expect(message.isRequest && message.method == .invite && message.status == 0)
    #expect(try message.requestURI.user == "K7Q2M9XA")
    #expect(try message.from.displayName == "Alice")
    #expect(message.fromTag == "1928301774" && message.toTag == nil)
    #expect(try message.to.displayName == "The \"Big\" Meeting")
    #expect(message.callID == "a84b4c76e66710@pc33.example.com")
    #expect(try message.cseq == CSeq(314_159, .invite))
    #expect(try message.vias.map(\.host) == ["192.0.2.10", "pc33.example.com", "inner.example.com"])
    #expect(try message.topVia.asksForRport)
    #expect(try message.contacts.first?.uri.transport == .tcp)
    #expect(try message.contacts.first?.parameters["Expires"] == "60")
    #expect(try message.recordRoutes.map(\.uri.host) == ["p1.example.com", "p2.example.com"])
    #expect(message.all(.supported) == ["timer", "100rel", "replaces"])
    #expect(message.lists("TIMER", in: .supported))
    #expect(message.contentType == MediaType("application/sdp"))
    #expect(message.maxForwards == 70 && message.expires == nil)
    #expect(Array(message.body) == Array("v=0".utf8))
  }

  @Test("a response has the method of its CSeq")
  func response() throws {
    let message = try parsed(
      "SIP/2.0 183 Session  Progress \nv: SIP/2.0/UDP h;branch=z9hG4bK1\nf: <sip:a@b>;tag=1\nt: <sip:a@b>\ni: x\nCSeq: 7 PRACK\n\n"
    )

    #expect(message.status == 183 && message.reasonPhrase == "Session  Progress" && message.method == .prack)
    #expect(fault(message) == nil)
    #expect(try parsed("SIP/2.0 200\nCSeq: 1 BYE\n\n").status == 200)
  }

  @Test(
    "what cannot be answered is not a message",
    arguments: [
      ("", SIPParseError.empty), ("\n\n", .empty), ("\0\0\0\0", .empty), ("hello\n\n", .malformedStartLine),
      ("INVITE sip:a@b SIP/2.0\nVia: x\n", .truncated), ("INVITE sip:a@b HTTP/1.1\n\n", .malformedStartLine),
      ("SIP/2.0 99 Low\n\n", .malformedStartLine), ("SIP/2.0 700 High\n\n", .malformedStartLine),
      ("SIP/2.0 4294967301 Big\n\n", .malformedStartLine), ("SIP/2.0 20x Odd\n\n", .malformedStartLine),
    ])
  func unanswerable(text: String, error: SIPParseError) {
    #expect(throws: error) { try parsed(text) }
  }

  @Test(
    "a missing mandatory header is named",
    arguments: ["Via", "From", "To", "Call-ID", "CSeq"])
  func missing(name: String) throws {
    let lines = Sample.request("OPTIONS", branch: "z9hG4bK1").split(separator: "\n", omittingEmptySubsequences: false)

    let message = try parsed(lines.filter { !$0.hasPrefix(name + ":") }.joined(separator: "\n"))

    #expect(fault(message) == .missing(SIPHeaderName(name)))
    #expect(fault(message)?.status == 400)
    #expect(fault(message)?.reason == "Missing \(name) Header")
  }

  @Test(
    "a header of which there is one may not come twice",
    arguments: ["From: <sip:a@b>;tag=2", "t: <sip:c@d>", "i: other", "CSeq: 2 OPTIONS", "Max-Forwards: 69"])
  func duplicate(line: String) throws {
    var lines = Sample.request("OPTIONS", branch: "z9hG4bK1").split(separator: "\n", omittingEmptySubsequences: false)
    lines.insert(Substring(line), at: 2)

    let error = fault(try parsed(lines.joined(separator: "\n")))

    guard case .duplicate? = error else {
      Issue.record("\(String(describing: error))")
      return
    }
  }

  @Test(
    "Content-Length: equal ones pass, others are refused, a datagram needs none",
    arguments: [
      ("Content-Length: 3\nl: 3\n\nabc", nil, 3), ("\nabcd", nil, 4), ("l: 2\n\nabc", nil, 2),
      ("l:\n 3 \n\nabc", nil, 3),
      ("l: 3\nl: 2\n\nabc", SIPParseError.conflictingContentLength, 3), ("l: 4\n\nabc", .bodyTooShort, 3),
      ("l: -1\n\nabc", .malformed(.contentLength), 3), ("l: 1 2\n\nabc", .malformed(.contentLength), 3),
      ("l: 99999999999999999999\n\nabc", .malformed(.contentLength), 3), ("l: 70000\n\nabc", .bodyTooLarge, 3),
    ] as [(String, SIPParseError?, Int)])
  func contentLength(rest: String, error: SIPParseError?, count: Int) throws {
    let head = Sample.request("OPTIONS", branch: "z9hG4bK1").split(separator: "\n").dropLast().joined(separator: "\n")

    let message = try parsed(head + "\n" + rest)

    #expect(fault(message) == error)
    #expect(message.body.count == count)
    if rest.hasPrefix("\n") { #expect(fault(message, over: .tcp) == .missing(.contentLength)) }
  }

  @Test("a trust header cannot be hidden by its spelling")
  func spelling() throws {
    for spelling in [
      "P-Asserted-Identity:", "p-asserted-identity :", "P-ASSERTED-IDENTITY\t:", "P-Asserted-Identity  \t :\n ",
    ] {
      let message = try parsed("OPTIONS sip:a@b SIP/2.0\nX: y\n\(spelling) <sip:boss@example.com>\n\n")
      #expect(message.contains(.pAssertedIdentity), "\(spelling)")
    }
    #expect(try parsed("OPTIONS sip:a@b SIP/2.0\nx-foo: 1\n\n").first("X-Foo") == "1")
  }

  @Test(
    "a bare line end or a nameless line is answered 400, not read as a header",
    arguments: ["Subject: a\rb", "Sub ject: a", ": a", "Subject", "Sübject: a", " continued: a"])
  func badLines(line: String) throws {
    let text = Sample.request("OPTIONS", branch: "z9hG4bK1")
    var bytes = wire(text)
    let first = try #require(bytes.firstIndex(of: 10))
    bytes.insert(contentsOf: Array(line.utf8) + [13, 10], at: first + 1)

    #expect(fault(try SIPMessage(parsing: bytes)) == .malformedHeaderLine)
  }

  @Test("every known header name is found in any case, and its compact form too")
  func names() {
    #expect(SIPHeaderName("cONTENT-lENGTH") == .contentLength && SIPHeaderName("L") == .contentLength)
    #expect(SIPHeaderName("V") == .via && SIPHeaderName("x") == .sessionExpires && SIPHeaderName("u") == .allowEvents)
    #expect(SIPHeaderName("p-preferred-IDENTITY") == .pPreferredIdentity)
    #expect(SIPHeaderName("p-preferrex-identity") != .pPreferredIdentity)
    #expect(SIPHeaderName("X-Own").name == "X-Own" && SIPHeaderName("X-Own") == .other("x-own"))
    #expect(SIPHeaderName.subscriptionState.name == "Subscription-State" && SIPHeaderName.cseq.name == "CSeq")
    #expect(SIPHeaderName("") != .via)
  }
}

@Suite("SIP message limits")
struct MessageLimitTests {
  private func message(extra: [String], body: Int = 0) -> [UInt8] {
    let head = Sample.request("OPTIONS", branch: "z9hG4bK1").split(separator: "\n").dropLast().map(String.init)
    return wire((head + extra + ["Content-Length: \(body)"]).joined(separator: "\n") + "\n\n")
      + [UInt8](repeating: 65, count: body)
  }

  @Test("200 header fields pass, 201 do not")
  func headers() throws {
    let own = 7  // six lines of the sample and Content-Length

    let most = try SIPMessage(parsing: message(extra: Array(repeating: "X: y", count: SIPLimits.headerFields - own)))

    #expect(fault(most) == nil)
    #expect(throws: SIPParseError.tooManyHeaders) {
      try SIPMessage(parsing: message(extra: Array(repeating: "X: y", count: SIPLimits.headerFields - own + 1)))
    }
  }

  @Test("a header field of 8 KiB passes, a byte more does not, folded or not")
  func line() throws {
    for fold in ["", "\n "] {
      let line = "X: " + fold
      let room = SIPLimits.lineBytes - wire(line).count

      #expect(throws: Never.self) {
        try SIPMessage(parsing: message(extra: [line + String(repeating: "y", count: room)]))
      }
      #expect(throws: SIPParseError.lineTooLong) {
        try SIPMessage(parsing: message(extra: [line + String(repeating: "y", count: room + 1)]))
      }
    }
  }

  @Test("256 Via values pass, 257 do not")
  func vias() throws {
    let value = "SIP/2.0/UDP h"
    func lines(_ count: Int) -> [String] {
      stride(from: 0, to: count, by: 100).map { start in
        "v: " + Array(repeating: value, count: min(100, count - start)).joined(separator: ",")
      }
    }

    #expect(fault(try SIPMessage(parsing: message(extra: lines(255)))) == nil)
    #expect(fault(try SIPMessage(parsing: message(extra: lines(256)))) == .tooManyValues(.via))
  }

  @Test("a message of 64 KiB passes, a byte more does not")
  func size() throws {
    let bare = message(extra: [], body: 10_000).count - 10_000

    #expect(fault(try SIPMessage(parsing: message(extra: [], body: SIPLimits.messageBytes - bare))) == nil)
    #expect(throws: SIPParseError.messageTooLarge) {
      try SIPMessage(parsing: message(extra: [], body: SIPLimits.messageBytes - bare + 1))
    }
  }

  @Test("64 parameters pass, 65 do not")
  func parameters() {
    func uri(_ count: Int) -> String { "sip:a@b" + String(repeating: ";p", count: count) }

    #expect(throws: Never.self) { try SIPURI(uri(SIPLimits.parameters)) }
    #expect(throws: SIPParseError.malformedURI) { try SIPURI(uri(SIPLimits.parameters + 1)) }
  }
}
