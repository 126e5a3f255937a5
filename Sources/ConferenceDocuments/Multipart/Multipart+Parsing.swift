//  Multipart+Parsing.swift: a multipart body taken apart (RFC 2046 §5.1).

extension Multipart {
  /// Whether a Content-Type is some `multipart/…`.
  public static func isMultipart(_ contentType: String) -> Bool { MediaType(contentType)?.type == "multipart" }

  /// The body of the first part of that type at any level, or the whole body when it is itself of that type.
  ///
  /// - Parameters:
  ///   - type: a media type without parameters, such as `application/sdp`; compared without case.
  ///   - contentType: of the message.
  public static func body(
    ofType type: String, in body: some Collection<UInt8>, contentType: String
  ) throws(DocumentError) -> [UInt8]? {
    try leaves(of: body, contentType: contentType).first { MediaType($0.contentType)?.essence == type.lowercased() }?
      .body
  }

  /// All parts that are not multipart themselves, in order; of a body that is not multipart, the body itself.
  ///
  /// - Throws: `.tooComplex` beyond `MultipartLimits`, counted over all levels.
  public static func leaves(
    of body: some Collection<UInt8>, contentType: String
  ) throws(DocumentError) -> [Part] {
    guard body.count <= MultipartLimits.bytes else { throw .tooLong }
    var count = 0
    var leaves: [Part] = []
    // Depth first by an explicit stack, so that nesting costs no recursion.
    var stack: [(part: Part, depth: Int)] = [(Part(contentType: contentType, body: Array(body)), 0)]
    while let (part, depth) = stack.popLast() {
      guard isMultipart(part.contentType) else {
        leaves.append(part)
        continue
      }
      guard depth < MultipartLimits.depth else { throw .tooComplex }
      let parts = try Multipart(parsing: part.body, contentType: part.contentType).parts
      count += parts.count
      guard count <= MultipartLimits.parts else { throw .tooComplex }
      stack += parts.reversed().map { ($0, depth + 1) }
    }
    return leaves
  }

  /// Takes one level apart; nested parts stay bytes.
  ///
  /// - Parameter contentType: with its `boundary` parameter.
  /// - Throws: `.malformed` also when the closing boundary is missing: the body was cut off.
  public init(parsing bytes: some Collection<UInt8>, contentType: String) throws(DocumentError) {
    guard bytes.count <= MultipartLimits.bytes else { throw .tooLong }
    guard let type = MediaType(contentType), type.type == "multipart" else { throw .malformed }
    guard let boundary = type.parameters["boundary"], !boundary.isEmpty,
      boundary.utf8.count <= MultipartLimits.boundaryBytes
    else { throw .missing("boundary") }
    self.init(subtype: type.subtype, parts: [])
    let body = Array(bytes)
    let delimiter = Array("--\(boundary)".utf8)
    var lineStart = body.startIndex
    var partStart: Int?
    while lineStart < body.endIndex {
      let lineEnd = body[lineStart...].firstIndex(of: 10) ?? body.endIndex
      let next = min(lineEnd + 1, body.endIndex)
      if let isLast = Self.delimiter(body[lineStart..<lineEnd], delimiter) {
        if let partStart {
          guard parts.count < MultipartLimits.parts else { throw .tooComplex }
          parts.append(try Part(parsing: body[partStart..<max(partStart, Self.contentEnd(body, lineStart))]))
        }
        if isLast {
          guard partStart != nil else { throw .malformed }
          return
        }
        partStart = next
      }
      lineStart = next
    }
    throw .malformed
  }

  /// Whether a line is a delimiter, and then whether it is the closing one. White space may follow (padding).
  private static func delimiter(_ line: ArraySlice<UInt8>, _ delimiter: [UInt8]) -> Bool? {
    guard line.starts(with: delimiter) else { return nil }
    var rest = line.dropFirst(delimiter.count)
    let isLast = rest.starts(with: "--".utf8)
    if isLast { rest = rest.dropFirst(2) }
    return rest.allSatisfy(\.isXMLSpace) ? isLast : nil
  }

  /// The line break before a delimiter belongs to it, not to the part.
  private static func contentEnd(_ body: [UInt8], _ lineStart: Int) -> Int {
    var end = lineStart
    if end > 0, body[end - 1] == 10 {
      end -= 1
      if end > 0, body[end - 1] == 13 { end -= 1 }
    }
    return end
  }
}

extension Multipart.Part {
  fileprivate init(parsing bytes: ArraySlice<UInt8>) throws(DocumentError) {
    self.init(contentType: "text/plain", body: [])
    var rest = bytes
    var headerBytes = 0
    var lines: [String] = []
    while !rest.isEmpty {
      let end = rest.firstIndex(of: 10) ?? rest.endIndex
      var line = rest[..<end]
      rest = end < rest.endIndex ? rest[(end + 1)...] : []
      if line.last == 13 { line.removeLast() }
      if line.isEmpty {
        body = Array(rest)
        break
      }
      headerBytes += line.count
      guard headerBytes <= MultipartLimits.headerBytesPerPart, lines.count < MultipartLimits.headersPerPart else {
        throw .tooComplex
      }
      guard line.allSatisfy({ ($0 >= 32 && $0 != 127) || $0 == 9 }), let text = String(validating: line, as: UTF8.self)
      else { throw .malformed }
      if let first = line.first, first == 32 || first == 9, let last = lines.indices.last {
        lines[last] += text
      } else {
        lines.append(text)
      }
    }
    for line in lines { try take(line) }
  }

  private mutating func take(_ line: String) throws(DocumentError) {
    let pair = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    guard pair.count == 2 else { throw .malformed }
    let name = Self.trimmed(pair[0])
    let value = Self.trimmed(pair[1])
    guard !name.isEmpty else { throw .malformed }
    switch name.lowercased() {
    case "content-type", "c": contentType = value
    case "content-length", "l": break
    case "content-transfer-encoding" where !["7bit", "8bit", "binary"].contains(value.lowercased()):
      // SIP is 8-bit clean; nobody needs base 64 there (RFC 3261 §7.4.2).
      throw .invalid("Content-Transfer-Encoding")
    default: headers.append((name, value))
    }
  }

  private static func trimmed(_ text: Substring) -> String {
    var text = text
    while text.first == " " || text.first == "\t" { text.removeFirst() }
    while text.last == " " || text.last == "\t" { text.removeLast() }
    return String(text)
  }
}
