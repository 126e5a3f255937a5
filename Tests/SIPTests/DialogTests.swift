//  DialogTests.swift: route sets, targets and sequence numbers of dialogs.
import Primitives
import SIP
import Testing

@Suite("Dialog (RFC 3261 §12)")
struct DialogTests {
  private let flow = SIPFlow(
    transport: .udp, local: SocketAddress(ipv4: 0x0a00_0002, port: 5060),
    remote: SocketAddress(ipv4: 0x0a00_0063, port: 5060))

  private func invite(_ headers: [String] = ["Contact: \"A\" <sip:a@10.0.0.99:5070>"]) throws -> SIPMessage {
    try SIPMessage(parsing: Array(UserAgentStatusTests.request("INVITE", headers, cseq: 7).utf8))
  }

  private func callee(_ headers: [String]) throws -> Dialog {
    try Dialog(accepting: invite(headers), over: flow, localTag: "us", maximumRoutes: 4)
  }

  private func response(_ status: Int, _ headers: [String]) throws -> SIPMessage {
    try SIPMessage(
      parsing: Array(
        """
        SIP/2.0 \(status) X\r
        Via: SIP/2.0/UDP 10.0.0.2;branch=z9hG4bKq\r
        From: <sip:us@10.0.0.2>;tag=us\r
        To: <sip:them@10.0.0.99>;tag=them\r
        Call-ID: c2\r
        CSeq: 3 INVITE\r
        \(headers.map { $0 + "\r\n" }.joined())Content-Length: 0\r
        \r

        """.utf8))
  }

  private func caller(_ status: Int, _ headers: [String]) throws -> Dialog {
    try Dialog(
      from: response(status, headers), over: flow, localParty: "<sip:us@10.0.0.2>;tag=us", localCSeq: 3,
      fallbackTarget: "sip:them@10.0.0.99", maximumRoutes: 4)
  }

  @Test("the callee's side: tags, target, Record-Route in order, no local CSeq yet")
  func calleeSide() throws {
    var dialog = try callee([
      "Record-Route: <sip:p1.example.com;lr>", "Record-Route: <sip:p2.example.com;lr>",
      "Contact: <sip:a@10.0.0.99:5070>",
    ])

    #expect(dialog.id == DialogID(callID: "c1", localTag: "us", remoteTag: "stranger"))
    #expect(dialog.localParty == "<sip:b@10.0.0.2>;tag=us")
    #expect(dialog.remoteTarget == "sip:a@10.0.0.99:5070")
    #expect(dialog.routeSet == ["<sip:p1.example.com;lr>", "<sip:p2.example.com;lr>"])
    #expect(dialog.destination.uri == "sip:a@10.0.0.99:5070")
    #expect(dialog.nextHop == "sip:p1.example.com;lr")
    let next = dialog.nextCSeq()
    #expect(next == 1)
    #expect(dialog.isEarly)
    #expect(!dialog.isBehindNAT)
  }

  @Test("the caller's side: Record-Route reversed, early until 2xx")
  func callerSide() throws {
    let routes = ["Record-Route: <sip:p1.example.com;lr>, <sip:p2.example.com;lr>", "Contact: <sip:them@10.0.0.9>"]
    var dialog = try caller(180, routes)

    #expect(dialog.isEarly)
    #expect(dialog.routeSet == ["<sip:p2.example.com;lr>", "<sip:p1.example.com;lr>"])
    dialog.confirm(
      from: try response(200, ["Record-Route: <sip:p3.example.com;lr>", "Contact: <sip:other@10.0.0.9>"]),
      maximumRoutes: 4)
    #expect(!dialog.isEarly)
    #expect(dialog.routeSet == ["<sip:p3.example.com;lr>"])
    #expect(dialog.remoteTarget == "sip:other@10.0.0.9")
    let next = dialog.nextCSeq()
    #expect(next == 4)
  }

  @Test("a strict router first in line gets the Request-URI, the target goes last (§12.2.1.1)")
  func strictRouter() throws {
    let dialog = try callee([
      "Record-Route: <sip:old.example.com>, <sip:p2.example.com;lr>", "Contact: <sip:a@10.0.0.99>",
    ])

    #expect(dialog.destination.uri == "sip:old.example.com")
    #expect(dialog.destination.routes == ["<sip:p2.example.com;lr>", "<sip:a@10.0.0.99>"])
  }

  @Test("the peer's CSeq must rise")
  func order() throws {
    var dialog = try callee(["Contact: <sip:a@10.0.0.99>"])
    let verdicts = [7, 6, 9, 8, 0x7fff_ffff].map { dialog.accepts($0) }

    #expect(verdicts == [false, false, true, false, true])
  }

  @Test("a missing Contact is refused by the callee and forgiven by the caller; routes have a maximum")
  func faults() throws {
    #expect(throws: SIPParseError.missing(.contact)) { try callee([]) }
    #expect(try caller(200, []).remoteTarget == "sip:them@10.0.0.99")
    let many = "Record-Route: " + (0..<5).map { "<sip:p\($0).example.com;lr>" }.joined(separator: ", ")
    #expect(throws: SIPParseError.tooManyValues(.recordRoute)) { try callee([many, "Contact: <sip:a@10.0.0.99>"]) }
  }

  @Test("target refresh takes a SIP Contact and nothing else")
  func targetRefresh() throws {
    var dialog = try callee(["Contact: <sip:a@10.0.0.99>"])

    dialog.refreshTarget(from: try invite(["Contact: <mailto:a@example.com>"]))
    #expect(dialog.remoteTarget == "sip:a@10.0.0.99")
    dialog.refreshTarget(from: try invite(["Contact: <sip:new@10.0.0.98>"]))
    #expect(dialog.remoteTarget == "sip:new@10.0.0.98")
  }
}
