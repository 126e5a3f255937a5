//  XMLElementTests.swift: XML in and out, and what must never get in.

import ConferenceDocuments
import Primitives
import Testing

private func parse(_ text: String) throws(DocumentError) -> XMLElement { try XMLElement(parsing: text.utf8) }

private func refusal(_ bytes: [UInt8], limits: DocumentLimits = .untrusted) -> DocumentError? {
  do throws(DocumentError) {
    _ = try XMLElement(parsing: bytes, limits: limits)
    return nil
  } catch { return error }
}

private func refusal(_ text: String) -> DocumentError? { refusal(Array(text.utf8)) }

/// Of three runs, since the machine may be busy with something else.
private func shortest(_ body: () -> Void) -> Duration {
  (0..<3).map { _ in ContinuousClock().measure(body) }.min() ?? .zero
}

@Suite("XML, bounded")
struct XMLElementTests {
  @Test("names are resolved, layout is dropped, text and CDATA join")
  func reading() throws {
    let root = try parse(
      """
      \u{feff}<?xml version="1.0" encoding="utf-8"?>
      <!-- hello --><a xmlns="urn:a" xmlns:b="urn:b" plain="1" b:other='2 &amp; 3'>
        <b:c>x<![CDATA[<y>]]>&#233;</b:c> <?skip me?>
        <d xmlns=""/>
      </a>
      """)

    #expect(root.name == XMLName("urn:a", "a"))
    #expect(root.text == "")
    #expect(root.attribute("plain") == "1")
    #expect(root.attribute(XMLName("urn:b", "other")) == "2 & 3")
    #expect(root.attributes.count == 2)
    #expect(root.child(XMLName("urn:b", "c"))?.text == "x<y>é")
    #expect(root.children.last?.name == XMLName("", "d"))
  }

  @Test("a tree survives writing and reading, whatever its text and namespaces")
  func roundTrip() throws {
    let tree = XMLElement(
      XMLName(XMLNamespace.cccp, "request"),
      attributes: [
        XMLAttribute(XMLName("", "q"), "a<b>\"c'&\t\n\r"),
        XMLAttribute(XMLName(XMLNamespace.cccpExtensions, "mcuUri"), "sip:x"),
        XMLAttribute(XMLName("urn:unknown?a=1&b=<&amp;", "z"), "1"),
        XMLAttribute(XMLName(XMLNamespace.cccp, "own"), "2"),
        XMLAttribute(XMLName("http://www.w3.org/XML/1998/namespace", "lang"), "nl"),
      ],
      children: [
        XMLElement(XMLName(XMLNamespace.conferenceInfo, "user"), text: "]]> & 😀\u{85}"),
        XMLElement(
          XMLName("urn:other", "o"),
          children: [
            XMLElement(XMLName("urn:other", "p"), text: "x"), XMLElement(XMLName(XMLNamespace.cccp, "r")),
            XMLElement(XMLName("", "none"), children: [XMLElement(XMLName("urn:other", "back"))]),
          ]),
      ])

    let again = try XMLElement(parsing: tree.encoded())

    #expect(again == tree)
  }

  @Test("what XML forbids is left out, markup cannot be forged")
  func filtering() throws {
    let tree = XMLElement(
      XMLName("", "a"), attributes: [XMLAttribute(XMLName("", "x"), "\u{0}\u{1}\u{fffe}ok\"><b/>")],
      children: [XMLElement(XMLName("", "b><evil"), text: "\u{8}</a><c/>")])

    let again = try XMLElement(parsing: tree.encoded())

    #expect(again.attribute("x") == "ok\"><b/>")
    #expect(again.children.count == 1)
    #expect(again.children[0].text == "</a><c/>")
  }

  @Test("document types are refused before anything is expanded or fetched")
  func doctype() {
    var bomb = "<?xml version=\"1.0\"?><!DOCTYPE lolz [<!ENTITY l0 \"lol\">"
    for level in 1...9 {
      bomb += "<!ENTITY l\(level) \"" + String(repeating: "&l\(level - 1);", count: 10) + "\">"
    }
    bomb += "]><lolz>&l9;</lolz>"
    let external = "<!DOCTYPE a [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><a>&x;</a>"
    let parameter = "<!DOCTYPE a SYSTEM \"http://192.0.2.1/evil.dtd\"><a/>"

    let time = shortest {
      #expect(refusal(bomb) == .doctype)
      #expect(refusal(external) == .doctype)
      #expect(refusal(parameter) == .doctype)
      #expect(refusal("<a><!DOCTYPE b></a>") == .doctype)
      #expect(refusal("<a>&undefined;</a>") == .malformed)
    }

    #expect(time < .milliseconds(50))
  }

  @Test("depth, size, elements and attributes: at the limit and one past it")
  func limits() {
    func nested(_ depth: Int) -> String {
      String(repeating: "<a>", count: depth) + String(repeating: "</a>", count: depth)
    }
    func flat(_ count: Int) -> String { "<r>" + String(repeating: "<a/>", count: count - 1) + "</r>" }
    func wide(_ count: Int) -> String { "<r " + (0..<count).map { "a\($0)='' " }.joined() + "/>" }
    func padded(_ count: Int) -> String { "<r>" + String(repeating: " ", count: count - 7) + "</r>" }

    #expect(refusal(nested(64)) == nil)
    #expect(refusal(nested(65)) == .tooComplex)
    #expect(refusal(flat(4_096)) == nil)
    #expect(refusal(flat(4_097)) == .tooComplex)
    #expect(refusal(wide(64)) == nil)
    #expect(refusal(wide(65)) == .tooComplex)
    #expect(refusal(wide(6_000)) == .tooComplex)
    #expect(refusal("<r>" + String(repeating: "<a b=''/>", count: 4_097) + "</r>") == .tooComplex)
    #expect(refusal(padded(65_536)) == nil)
    #expect(refusal(padded(65_537)) == .tooLong)
  }

  @Test("100,000 deep and 10 MiB are refused within 50 ms")
  func huge() {
    let deep = Array(String(repeating: "<a>", count: 100_000).utf8)
    let large = [UInt8](repeating: UInt8(ascii: "<"), count: 10 << 20)
    let generous = DocumentLimits(bytes: 1 << 20, elements: 1 << 20, attributes: 1 << 20, depth: 64)

    let time = shortest {
      #expect(refusal(deep) == .tooLong)
      #expect(refusal(Array(deep.prefix(65_536))) == .tooComplex)
      #expect(refusal(deep, limits: generous) == .tooComplex)
      #expect(refusal(large) == .tooLong)
    }

    #expect(time < .milliseconds(200))  // four documents, perhaps in debug
  }

  @Test(
    "malformed documents",
    arguments: [
      "", " ", "<", "<a", "<a>", "</a>", "<a></b>", "<a/><b/>", "<a b/>", "<a b='1' b='2'/>", "<a>&#0;</a>",
      "<a>&#xD800;</a>", "<a><![CDATA[</a>", "<!-- ", "<?xml version='1.0'?>", "text", "<a/>text", "<p:a/>",
      "<a p:b='1'/>", "<a b='<'/>", "<a>\u{1}</a>", "<a>]]></a>", "<a/><", "<?xml?><a/>", "<a:/>",
    ])
  func malformed(_ text: String) {
    #expect(refusal(text) == .malformed)
  }

  @Test("only UTF-8")
  func encodings() {
    let utf16 = Array("<a/>".utf16).flatMap { [UInt8($0 & 255), UInt8($0 >> 8)] }

    #expect(refusal([0xff, 0xfe] + utf16) == .badEncoding)
    #expect(refusal(utf16) == .badEncoding)
    #expect(refusal(Array("<a>".utf8) + [0xe9] + Array("</a>".utf8)) == .badEncoding)
    #expect(refusal(Array("<a>".utf8) + [0xc0, 0x80] + Array("</a>".utf8)) == .badEncoding)
    #expect(refusal("<?xml version='1.0' encoding='ISO-8859-1'?><a/>") == .badEncoding)
    #expect(refusal("<?xml version='1.0' encoding='UTF-7'?><a/>") == .badEncoding)
    #expect(refusal("<?xml version='1.0' encoding=\"US-ASCII\"?><a/>") == nil)
  }

  @Test("every truncation of a document is refused")
  func truncation() {
    let whole = Array(
      "<?xml version=\"1.0\"?><a xmlns:b='urn:b'><b:c d=\"e\">f&amp;<!-- g --><![CDATA[h]]></b:c></a>".utf8)

    for count in 0..<whole.count { #expect(refusal(Array(whole.prefix(count))) != nil, "\(count) bytes") }
    #expect(refusal(whole) == nil)
  }
}

@Suite("Mutated documents")
struct DocumentMutationTests {
  @Test("no mutation traps, and what is read can be written and read again")
  func mutations() throws {
    let seed: UInt64 = 0x17c0_ffee
    print("seed \(seed)")
    var random = RandomSource(seed: seed)
    let samples = Golden.all.map { Array($0.utf8) }
    let tokens = [
      "<", ">", "/>", "&", "&amp;", "]]>", "<!--", "<![CDATA[", "state=\"partial\"", "18446744073709551616",
    ]
    .map { Array($0.utf8) }
    var read = 0
    for _ in 0..<1_200 {
      var bytes = samples[Int(random.next() % UInt64(samples.count))]
      for _ in 0...Int(random.next() % 3) {
        let at = Int(random.next() % UInt64(bytes.count))
        switch random.next() % 5 {
        case 0: bytes[at] = UInt8(truncatingIfNeeded: random.next())
        case 1: bytes.remove(at: at)
        case 2: bytes.insert(contentsOf: tokens[Int(random.next() % UInt64(tokens.count))], at: at)
        case 3:
          let length = Int(random.next() % 40)
          bytes.insert(contentsOf: bytes[at..<min(bytes.count, at + length)], at: at)
        default:
          bytes.removeSubrange(at..<min(bytes.count, at + Int(random.next() % 20)))
        }
        if bytes.isEmpty { bytes = [60] }
      }
      if let info = try? ConferenceInfo(parsing: bytes) {
        #expect(try ConferenceInfo(parsing: info.encoded()) == info, "\(String(decoding: bytes, as: UTF8.self))")
        read += 1
      }
      if let message = try? C3PMessage(parsing: bytes) {
        switch message {
        case .request(let request):
          #expect(try C3PRequest(parsing: request.encoded()) == request, "\(String(decoding: bytes, as: UTF8.self))")
        case .response(let response): #expect(try C3PResponse(parsing: response.encoded()) == response)
        }
        read += 1
      }
      if let load = try? MediaServerLoad(parsing: bytes) {
        _ = load.encoded()
        read += 1
      }
      _ = try? Multipart.leaves(of: bytes, contentType: "multipart/mixed; boundary=b")
    }
    #expect(read > 10)
  }
}
