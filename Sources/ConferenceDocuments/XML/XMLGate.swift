//  XMLGate.swift: what is refused before the XML parser sees a byte.

/// One pass over the bytes of a document, without understanding it. It refuses what would cost the parser time
/// or memory out of proportion: document types (and so every entity), great depth, thousands of attributes in
/// one tag, whose uniqueness libxml2 checks pairwise. What it lets through is still for the parser to judge.
enum XMLGate {
  /// - Throws: `.doctype`, `.tooComplex`, `.malformed`; `.badEncoding` for a declared encoding other than UTF-8.
  static func check(_ bytes: ArraySlice<UInt8>, limits: DocumentLimits) throws(DocumentError) {
    try checkDeclaration(bytes)
    var depth = 0
    var elements = 0
    var attributes = 0
    var index = bytes.startIndex
    while let open = bytes[index...].firstIndex(of: UInt8(ascii: "<")) {
      let rest = bytes[open...]
      if rest.starts(with: "<!--".utf8) {
        index = try end(of: "-->", in: bytes, from: open + 4)
      } else if rest.starts(with: "<![CDATA[".utf8) {
        index = try end(of: "]]>", in: bytes, from: open + 9)
      } else if rest.starts(with: "<?".utf8) {
        index = try end(of: "?>", in: bytes, from: open + 2)
      } else if rest.starts(with: "<!".utf8) {
        throw .doctype
      } else if rest.starts(with: "</".utf8) {
        depth -= 1
        index = try end(of: ">", in: bytes, from: open + 2)
      } else {
        elements += 1
        let tag = try startTag(bytes, from: open + 1)
        attributes += tag.attributes
        index = tag.end
        guard depth < limits.depth, elements <= limits.elements, attributes <= limits.attributes,
          tag.attributes <= DocumentLimits.attributesPerElement
        else { throw .tooComplex }
        if !tag.isEmpty { depth += 1 }
      }
    }
  }

  private static func startTag(
    _ bytes: ArraySlice<UInt8>, from start: Int
  ) throws(DocumentError) -> (end: Int, attributes: Int, isEmpty: Bool) {
    var attributes = 0
    var quote: UInt8 = 0
    var index = start
    while index < bytes.endIndex {
      let byte = bytes[index]
      if quote != 0 {
        if byte == quote { quote = 0 }
      } else if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") {
        quote = byte
      } else if byte == UInt8(ascii: "=") {
        attributes += 1
      } else if byte == UInt8(ascii: ">") {
        return (index + 1, attributes, index > start && bytes[index - 1] == UInt8(ascii: "/"))
      } else if byte == UInt8(ascii: "<") {
        throw .malformed
      }
      index += 1
    }
    throw .malformed
  }

  private static func end(
    of mark: StaticString, in bytes: ArraySlice<UInt8>, from start: Int
  ) throws(DocumentError) -> Int {
    let mark = Array(mark.description.utf8)
    var index = start
    while index <= bytes.endIndex - mark.count {
      if bytes[index] == mark[0], bytes[index...].starts(with: mark) { return index + mark.count }
      index += 1
    }
    throw .malformed
  }

  /// A document in another encoding could be all ASCII, but nobody sends one: what is declared must be what is.
  private static func checkDeclaration(_ bytes: ArraySlice<UInt8>) throws(DocumentError) {
    guard bytes.starts(with: "<?xml".utf8) else { return }
    let text = String(decoding: bytes.prefix { $0 != UInt8(ascii: ">") }.prefix(256), as: UTF8.self).lowercased()
    guard let range = text.firstRange(of: "encoding") else { return }
    let value = text[range.upperBound...].drop { $0 == " " || $0 == "=" || $0 == "\t" || $0.isNewline }
    guard let quote = value.first, quote == "\"" || quote == "'" else { throw .malformed }
    let name = value.dropFirst().prefix { $0 != quote }
    guard name == "utf-8" || name == "utf8" || name == "us-ascii" || name == "ascii" else { throw .badEncoding }
  }
}
