//  MessageURITests.swift: URIs, addresses, Via, CSeq, media types.
import SIP
import Testing

@Suite("SIP URI (RFC 3261 §19.1)")
struct MessageURITests {
  @Test(
    "parts are read and written as they were",
    arguments: [
      "sip:alice@example.com", "sips:alice:secret@example.com:5061;transport=tcp;lr?Subject=a%20b&To=sip:x%40y",
      "sip:[2001:db8::1]:5060;lr", "sip:example.com", "sip:user;par=u%40example.net@example.com",
      "sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@example.com",
      "tel:+1-201-555-0123;phone-context=example.com", "urn:service:sos",
    ])
  func roundTrip(text: String) throws {
    #expect(try SIPURI(text).text == text)
  }

  @Test(
    "what is no URI is refused",
    arguments: [
      "", "sip:", "sip:@example.com", "example.com", "sip:a b@c", "sip:a@b@c", "sip:a@b:99999", "sip:a@b:", "sip:a@b;",
      "sip:a@b;=x", "sip:a%4@b", "sip:a%zz@b", "sip:a@[::1", "sip:a@b?x", "sip:a@b>", "<sip:a@b>", "sip:a@b;p=",
      "5ip:a@b",
      "sip:ü@b", "sip:a@b\r\n",
    ])
  func refused(text: String) {
    #expect(throws: SIPParseError.malformedURI) { try SIPURI(text) }
  }

  @Test("the user part is unescaped on the way in and escaped on the way out")
  func escapes() throws {
    #expect(try SIPURI("sip:I%20have%20spaces@h").user == "I have spaces")
    #expect(try SIPURI("sip:null-%00-null@h").user == "null-\0-null")
    #expect(SIPURI(user: "a b@c:d", host: "h").text == "sip:a%20b%40c%3Ad@h")
    #expect(SIPURI.unescaped("100%") == "100%" && SIPURI.unescaped("%4") == "%4")
  }

  @Test(
    "equivalent by §19.1.4",
    arguments: [
      ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtlanTa.CoM;Transport=tcp"),
      ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
      ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;newparam=5"),
      (
        "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
        "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com"
      ),
      (
        "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
        "sip:alice@atlanta.com?priority=urgent&subject=project%20x"
      ),
    ])
  func equivalent(left: String, right: String) throws {
    #expect(try SIPURI(left).isEquivalent(to: SIPURI(right)))
    #expect(try SIPURI(right).isEquivalent(to: SIPURI(left)))
  }

  @Test(
    "not equivalent by §19.1.4",
    arguments: [
      ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtlanTa.CoM;Transport=UDP"),
      ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"), ("sip:bob@biloxi.com", "sips:bob@biloxi.com"),
      ("sip:bob@biloxi.com;transport=udp", "sip:bob@biloxi.com;transport=tcp"),
      ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
      ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"), ("sip:a@h;maddr=1.2.3.4", "sip:a@h"),
      ("sip:a%3Bb@h", "sip:a;b@h"), ("sip:a@h", "sip:h"),
    ])
  func different(left: String, right: String) throws {
    #expect(try !SIPURI(left).isEquivalent(to: SIPURI(right)))
  }
}

@Suite("Header values (RFC 3261 §20)")
struct MessageFieldTests {
  @Test("a bare URI ends where the header's parameters begin")
  func bare() throws {
    let bare = try NameAddress("sip:alice@example.com;tag=1;lr")
    let bracketed = try NameAddress("<sip:alice@example.com;lr>;tag=1")

    #expect(bare.uri.parameters.isEmpty && bare.tag == "1" && bare.parameters.contains("LR"))
    #expect(bracketed.uri.isLooseRouter && bracketed.text == "<sip:alice@example.com;lr>;tag=1")
  }

  @Test("display names are unquoted when read and quoted when written")
  func displayName() throws {
    let address = try NameAddress(#""Joe \"the\\man\"" <sip:joe@h>;x="a;b""#)

    #expect(address.displayName == #"Joe "the\man""#)
    #expect(address.parameters["x"] == "a;b")
    #expect(address.text == #""Joe \"the\\man\"" <sip:joe@h>;x="a;b""#)
    #expect(NameAddress(displayName: "a\r\nEvil: b", uri: address.uri).text == "\"a  Evil: b\" <sip:joe@h>")
    #expect(try NameAddress("token1~` token2'+_ token3*%!.- <sip:m@h>").displayName == "token1~` token2'+_ token3*%!.-")
    #expect(try NameAddress("caller<sip:c@h>").displayName == "caller")
  }

  @Test(
    "malformed addresses are refused",
    arguments: [
      "\"open <sip:a@b>", "<sip:a@b", "\"x\" sip:a@b", "Bell, Alexander <sip:a@b>", "<sip:a@b>;;", "<sip:a@b>;=",
      "<sip:a@b>;tag=", "sip:a@b?Route=%3Csip:c%3E", "< sip:a@b >", "<sip:a@b> x", "", "*", "a\"b <sip:a@b>",
    ])
  func malformed(text: String) {
    #expect(throws: SIPParseError.malformedURI) { try NameAddress(text) }
  }

  @Test("event-like values and media types")
  func values() {
    let expires = ParameterizedValue(parsing: " 1800 ; refresher = uac")
    #expect(expires?.value == "1800" && expires?.parameters["Refresher"] == "uac")
    #expect(ParameterizedValue(parsing: ";x") == nil && ParameterizedValue(parsing: "a;x=\"b") == nil)
    #expect(MediaType(parsing: "Multipart/Mixed; boundary=\"a b\"")?.boundary == "a b")
    #expect(MediaType(parsing: "multipart/mixed")?.isMultipart == true)
    #expect(MediaType(parsing: "sdp") == nil && MediaType(parsing: "a/b c") == nil)
  }

  @Test("methods are case-sensitive tokens")
  func methods() {
    for method: SIPMethod in [.invite, .ack, .bye, .cancel, .options, .register, .subscribe, .notify, .publish, .info] {
      #expect(SIPMethod(method.name) == method)
    }
    #expect(SIPMethod("invite") == .other("invite") && SIPMethod("PRACK") == .prack && SIPMethod("REFER") == .refer)
    #expect(SIPMethod("UPDATE") == .update && SIPMethod("MESSAGE") == .message && SIPMethod("SERVICE") == .service)
    #expect(SIPTransport("tLs") == .tls && SIPTransport("SCTP") == nil)
  }
}
