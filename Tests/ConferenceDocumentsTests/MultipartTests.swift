//  MultipartTests.swift: multipart bodies (RFC 2046 §5.1).

import ConferenceDocuments
import Testing

private func refusal(_ body: String, _ type: String = "multipart/mixed;boundary=b") -> DocumentError? {
  do throws(DocumentError) {
    _ = try Multipart.leaves(of: body.utf8, contentType: type)
    return nil
  } catch { return error }
}

@Suite("Multipart bodies (RFC 2046)")
struct MultipartTests {
  @Test("preamble, padding, folding and epilogue; a part keeps all but the last line break")
  func reading() throws {
    let parsed = try Multipart(
      parsing: Golden.multipart.utf8, contentType: "Multipart/Mixed; charset=x ; Boundary=\"b\"")

    #expect(parsed.subtype == "mixed")
    #expect(parsed.parts.map(\.contentType) == ["application/sdp", "application/cccp+xml"])
    #expect(parsed.parts[0].body == Array("v=0\r\n".utf8))
    #expect(parsed.parts[1].body == Array("<a/>".utf8))
    #expect(parsed.parts[1].headers.first?.value == "session; handling=optional")
  }

  @Test("bare line feeds, parts without headers, empty parts, lookalike lines")
  func lenient() throws {
    let body = "--b\n\nx\n--bb\n--b\n\n--b\nno-colon-needed: 1\n--b--"

    let parts = try Multipart(parsing: body.utf8, contentType: "multipart/related;boundary=b").parts

    #expect(parts.map { String(decoding: $0.body, as: UTF8.self) } == ["x\n--bb", "", ""])
    #expect(parts[0].contentType == "text/plain")
  }

  @Test("finding a body by type, nested or plain")
  func finding() throws {
    let inner = Multipart(
      subtype: "related", parts: [.init(contentType: "Application/SDP; x=y", body: Array("v=0".utf8))]
    ).encoded()
    let outer = Multipart(parts: [
      .init(contentType: "text/plain", body: []), .init(contentType: inner.contentType, body: inner.body),
    ]).encoded()

    #expect(
      try Multipart.body(ofType: "application/sdp", in: outer.body, contentType: outer.contentType) == Array("v=0".utf8)
    )
    #expect(try Multipart.body(ofType: "application/xml", in: outer.body, contentType: outer.contentType) == nil)
    #expect(try Multipart.body(ofType: "application/sdp", in: [1], contentType: "application/sdp") == [1])
    #expect(Multipart.isMultipart("MULTIPART/mixed;boundary=x"))
    #expect(!Multipart.isMultipart("application/sdp"))
  }

  @Test("what is written is read back, also when parts hold boundaries")
  func roundTrip() throws {
    let whole = Multipart(parts: [
      .init(contentType: "application/sdp", body: Array("v=0\r\n--part-1-parley\r\n--part-2-parley--\r\n".utf8)),
      .init(contentType: "a/b", headers: [("Content-ID", "<1>")], body: Array("\r\n\r\n--part-3-".utf8)),
      .init(contentType: "a/b", body: []),
    ])

    let written = whole.encoded()

    #expect(written.contentType == "multipart/mixed;boundary=part-4-parley")
    #expect(try Multipart(parsing: written.body, contentType: written.contentType) == whole)
  }

  @Test("limits: parts, depth, headers, size")
  func limits() throws {
    func flat(_ count: Int) -> String { String(repeating: "--b\r\n\r\nx\r\n", count: count) + "--b--" }
    #expect(refusal(flat(16)) == nil)
    #expect(refusal(flat(17)) == .tooComplex)
    func nested(_ depth: Int) -> (contentType: String, body: [UInt8]) {
      var (type, body) = ("text/plain", Array("x".utf8))
      for _ in 0..<depth { (type, body) = Multipart(parts: [.init(contentType: type, body: body)]).encoded() }
      return (type, body)
    }
    #expect(try Multipart.leaves(of: nested(3).body, contentType: nested(3).contentType).count == 1)
    #expect(throws: DocumentError.tooComplex) {
      try Multipart.leaves(of: nested(4).body, contentType: nested(4).contentType)
    }
    #expect(throws: DocumentError.tooComplex) {
      try Multipart.leaves(of: nested(100).body, contentType: nested(100).contentType)
    }
    #expect(refusal("--b\r\n" + String(repeating: "a: b\r\n", count: 33) + "\r\n--b--") == .tooComplex)
    #expect(refusal("--b\r\na:" + String(repeating: "x", count: 4_095) + "\r\n\r\n--b--") == .tooComplex)
    #expect(refusal(String(repeating: "x", count: 262_145)) == .tooLong)
  }

  @Test("malformed bodies")
  func malformed() {
    #expect(refusal("") == .malformed)
    #expect(refusal("--b--") == .malformed)
    #expect(refusal("--b\r\n\r\nx") == .malformed)
    #expect(refusal("--b\r\n\r\nx\r\n--b") == .malformed)
    #expect(refusal("--b\r\nno colon\r\n\r\nx\r\n--b--") == .malformed)
    #expect(refusal("--b\r\n: x\r\n\r\nx\r\n--b--") == .malformed)
    #expect(
      refusal("--b\r\nContent-Transfer-Encoding: base64\r\n\r\nx\r\n--b--") == .invalid("Content-Transfer-Encoding"))
    #expect(refusal("--b--", "multipart/mixed") == .missing("boundary"))
    #expect(refusal("--b--", "multipart/mixed;boundary=") == .missing("boundary"))
    #expect(refusal("--b--", "multipart/mixed;boundary=\"") == .missing("boundary"))
    #expect(refusal("--b--", "multipart/mixed;boundary=" + String(repeating: "b", count: 71)) == .missing("boundary"))
  }
}
