//  MessageBuilderTests.swift: what is written, and that nothing breaks out of its line.
import Primitives
import SIP
import Testing

@Suite("SIP message builder (RFC 3261 §8.2.6)")
struct MessageBuilderTests {
  @Test("a response copies what it must and fills received and rport")
  func response() throws {
    let request = try parsed(Sample.invite)
    var builder = SIPMessageBuilder.response(to: request, from: Sample.flow, status: 180, toTag: "t1")
    builder.add(.contact, "<sip:us@127.0.0.1>;isfocus")
    builder.setBody(type: "application/sdp", Array("v=0".utf8))

    let response = try SIPMessage(parsing: builder.encoded())

    #expect(response.status == 180 && response.reasonPhrase == "Ringing" && response.method == .invite)
    #expect(fault(response, over: .tcp) == nil)
    #expect(try response.vias.map(\.branch) == request.vias.map(\.branch))
    #expect(try response.topVia.rport == 5070 && response.topVia.received == "192.0.2.10")
    #expect(response.toTag == "t1" && response.fromTag == request.fromTag && response.callID == request.callID)
    #expect(try response.recordRoutes == request.recordRoutes)
    #expect(try response.cseq == request.cseq)
    #expect(Array(response.body) == Array("v=0".utf8) && response.contentType?.name == "application/sdp")
    #expect(response.first(.contentLength) == "3")
  }

  @Test("received names the true source, whatever the request claimed")
  func received() throws {
    let claimed = Sample.request("OPTIONS", branch: "z9hG4bK1;received=10.9.9.9").split(separator: "\n")
      .map { $0.hasPrefix("Via") ? "Via: SIP/2.0/UDP pc.example.com;received=10.9.9.9;branch=z9hG4bK1" : String($0) }
    let request = try parsed(claimed.joined(separator: "\n") + "\n\n")

    let response = SIPMessageBuilder.response(to: request, from: Sample.flow, status: 200)

    let via = try SIPMessage(parsing: response.encoded()).topVia
    #expect(via.received == "192.0.2.10" && !via.asksForRport)
  }

  @Test("a refusal has no Record-Route; 100 has no tag; a tag that is there stays")
  func variants() throws {
    let invite = try parsed(Sample.invite)
    let inside = try parsed(Sample.request("BYE", branch: "z9hG4bK1", toTag: "there"))

    let refusal = try SIPMessage(
      parsing: SIPMessageBuilder.response(to: invite, from: Sample.flow, status: 486, toTag: "t").encoded())
    let bye = try SIPMessage(
      parsing: SIPMessageBuilder.response(to: inside, from: Sample.flow, status: 200, toTag: "other").encoded())

    #expect(!refusal.contains(.recordRoute) && refusal.toTag == "t")
    #expect(bye.toTag == "there")
  }

  @Test("control characters cannot start a header of their own")
  func injection() throws {
    var builder = SIPMessageBuilder(request: .options, uri: "sip:a@b SIP/2.0\r\nEvil: 1\r\n")
    builder.add(.subject, "x\r\nEvil: 2\r\n\r\nbody\0")
    builder.add(name: "Ev\r\nil", "3")
    builder.add(name: "", "4")
    builder.add(.contentLength, "999")
    builder.setBody(type: "text/plain\r\nEvil: 5", Array("hi".utf8))

    let message = try SIPMessage(parsing: builder.encoded())

    #expect(!message.contains("Evil") && message.headerFields.count == 3)
    #expect(message.first(.contentLength) == "2" && Array(message.body) == Array("hi".utf8))
    let reason = SIPMessageBuilder(status: 400, reason: "Bad\r\nEvil: 6").encoded()
    #expect(try !SIPMessage(parsing: reason).contains("Evil"))
  }

  @Test("set replaces every field of a name")
  func replace() throws {
    var builder = SIPMessageBuilder(request: .register, uri: "sip:example.com")
    builder.add(.allow, "INVITE")
    builder.add(.subject, "x")
    builder.add(.allow, "BYE")
    builder.set(.allow, "ACK")
    builder.set(.expires, "60")

    let message = try SIPMessage(parsing: builder.encoded())

    #expect(message.all(.allow) == ["ACK"] && message.expires == 60 && message.first(.subject) == "x")
  }

  @Test("a malformed request can be answered")
  func malformed() throws {
    let request = try parsed("INVITE sip:a@b SIP/2.0\nVia: garbage\nTo: \"x\nl: 0\n\n")

    let response = SIPMessageBuilder.response(to: request, from: Sample.flow, status: 400, reason: "Bad", toTag: "t")

    #expect(
      String(decoding: response.encoded(), as: UTF8.self).hasPrefix("SIP/2.0 400 Bad\r\nVia: garbage\r\nTo: \"x\r\n"))
  }
}
