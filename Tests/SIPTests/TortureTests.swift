//  TortureTests.swift: RFC 4475's messages with the outcome that the RFC wants of an element without application.
import SIP
import Testing

@Suite("SIP torture messages (RFC 4475)")
struct TortureTests {
  private static let faults: [String: SIPParseError] = [
    "badinv01": .malformed(.via),
    "clerr": .bodyTooShort,
    "ncl": .malformed(.contentLength),
    "scalar02": .malformed(.cseq),
    "scalarlg": .malformed(.cseq),
    "quotbal": .malformed(.to),
    "ltgtruri": .malformedURI,
    "lwsruri": .malformedURI,
    "lwsstart": .malformedURI,
    "trws": .malformedStartLine,
    "baddn": .malformed(.from),
    "badaspec": .malformed(.to),
    "badvers": .unsupportedVersion,
    "mismatch01": .methodMismatch,
    "mismatch02": .methodMismatch,
    "insuf": .missing(.from),
    "multi01": .duplicate(.from),
    "mcl01": .conflictingContentLength,
  ]

  @Test("valid messages pass, whole and through the framer byte by byte", arguments: Torture.valid)
  func valid(sample: TortureMessage) throws {
    let message = try SIPMessage(parsing: sample.bytes)

    #expect(fault(message) == nil)
    #expect(throws: Never.self) { try message.contacts }
    #expect(throws: Never.self) { try message.routes }
    guard message.contains(.contentLength) else { return }
    var framer = StreamFramer()
    var framed: [UInt8]?
    for byte in sample.bytes where framed == nil {
      framer.append([byte])
      if case .message(let bytes)? = try framer.next() { framed = bytes }
    }
    #expect(try framed.map { try SIPMessage(parsing: $0).headerFields.count } == message.headerFields.count)
  }

  @Test("invalid messages are refused with a reason that can be answered", arguments: Torture.invalid)
  func invalid(sample: TortureMessage) throws {
    let message = try SIPMessage(parsing: sample.bytes)

    let error = fault(message)

    #expect(error == Self.faults[sample.name])
    #expect(error?.status == (sample.name == "badvers" ? 505 : 400))
  }

  private func message(_ name: String) throws -> SIPMessage {
    try SIPMessage(parsing: #require(Torture.valid.first { $0.name == name }).bytes)
  }

  @Test("wsinv: white space and folds everywhere")
  func whiteSpace() throws {
    let message = try message("wsinv")

    #expect(message.toTag == "1918181833n" && message.fromTag == "98asjd8" && message.maxForwards == 68)
    #expect(try message.from.displayName == "J Rosenberg \\\"")
    #expect(try message.cseq == CSeq(9, .invite))
    #expect(try message.vias.map(\.host) == ["192.0.2.2", "spindle.example.com", "192.168.255.111"])
    #expect(try message.vias.map(\.branch) == ["390skdjuw", "z9hG4bK9ikj8", "z9hG4bK30239"])
    #expect(message.first("NewFangledHeader") == "newfangled value continued newfangled value")
    #expect(message.first("UnknownHeaderWithUnusualValue") == ";;,,;;,;" && message.first(.subject) == "")
    #expect(try message.contacts.first?.displayName == "Quoted string \"\"")
    #expect(try message.contacts.first?.parameters["q"] == "0.33" && message.routes.first?.uri.isLooseRouter == true)
    #expect(message.body.count == 150)
  }

  @Test("intmeth, esc01, esc02, escnull: unusual characters and escapes")
  func characters() throws {
    let unusual = try message("intmeth")
    #expect(unusual.method.name == "!interesting-Method0123456789_*+`.%indeed'~")
    #expect(try unusual.requestURI.password == "&it+has=1,weird!*pas$wo~d_too.(doesn't-it)")
    #expect(try unusual.to.displayName == "BEL:\u{7} NUL:\0 DEL:\u{7f}")
    #expect(try unusual.from.parameters["fromParam''~+*_!.-%"] == "работающий")
    #expect(unusual.callID == "intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{")

    let escaped = try message("esc01")
    #expect(try escaped.requestURI.user == "sips:user@example.com" && escaped.to.uri.user == "user")
    #expect(try !escaped.contacts[0].uri.isLooseRouter)

    let method = try message("esc02")
    #expect(method.method == .other("RE%47IST%45R"))
    #expect(try method.contacts.count == 2 && method.to.displayName == "%Z%45")
    #expect(try message("escnull").contacts.map(\.uri.user) == ["\0", "\0\0"])
  }

  @Test("the rest: two requests in a datagram, semicolons in the user, transports, reason phrases, schemes")
  func others() throws {
    #expect(try message("dblreq").method == .register && message("dblreq").body.isEmpty)
    #expect(try message("semiuri").requestURI.user == "user;par=u@example.net")
    #expect(try message("semiuri").requestURI.parameters.isEmpty && message("semiuri").all(.accept).count == 6)
    #expect(try message("transports").vias.map(\.transport) == [.udp, nil, .tls, nil, .tcp])
    #expect(try message("unreason").reasonPhrase.hasSuffix("простое") && message("noreason").reasonPhrase == "")
    #expect(try message("longreq").vias.count == 34 && message("longreq").vias.last?.received == "192.0.2.5")
    #expect(try message("unkscm").requestURI.scheme == .other("nobodyknowsthisscheme"))
    #expect(try message("novelsc").requestURI.scheme == .other("soap.beep"))
    #expect(try !message("inv2543").topVia.hasMagicCookie)
  }
}
