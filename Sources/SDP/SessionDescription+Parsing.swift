//  SessionDescription+Parsing.swift: bytes to a session description (RFC 8866 §9).

extension SessionDescription {
  /// Reads a body.
  ///
  /// Lenient where phones are: lines may end in a bare LF, come in another order within their section, and `s=`
  /// or `t=` may be absent. Strict where it costs nothing: `v=0` first, an `o=`, no unknown type letters
  /// (RFC 8866 §5), no NUL, nothing beyond `SDPLimits`. Attributes are not looked into.
  public init(parsing bytes: some Collection<UInt8>) throws(SDPError) {
    guard bytes.count <= SDPLimits.bodyBytes else { throw .tooLong }
    var builder = Builder()
    var number = 0
    for raw in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
      number += 1
      var line = Array(raw)
      if line.last == UInt8(ascii: "\r") { line.removeLast() }
      if line.isEmpty { continue }
      guard line.count <= SDPLimits.lineBytes else { throw .lineTooLong(line: number) }
      guard line.count >= 2, line[1] == UInt8(ascii: "="), !line.contains(0), !line.contains(UInt8(ascii: "\r")) else {
        throw .badLine(line: number)
      }
      try builder.append(letter: line[0], value: String(decoding: line[2...], as: UTF8.self), number: number)
    }
    self = try builder.finish()
  }
}

/// The description while its lines come in.
private struct Builder {
  var sawVersion = false
  var origin: SessionOrigin?
  var name: String?
  var session = Section()
  var timeLines: [SDPLine] = []
  var media: [MediaDescription] = []

  /// What session and media sections have in common.
  struct Section {
    var connection: ConnectionData?
    var lines: [SDPLine] = []
    var attributes: [SDPAttribute] = []

    mutating func append(letter: UInt8, value: String, number: Int) throws(SDPError) {
      switch letter {
      case UInt8(ascii: "a"):
        guard attributes.count < SDPLimits.attributesPerSection else { throw .tooManyAttributes }
        let colon = value.utf8.firstIndex(of: UInt8(ascii: ":"))
        let name = colon.map { value[..<$0] } ?? value[...]
        guard !name.isEmpty else { throw .badLine(line: number) }
        attributes.append(SDPAttribute(String(name), colon.map { String(value[value.utf8.index(after: $0)...]) }))
      case UInt8(ascii: "c"):
        guard let parsed = ConnectionData(value) else { throw .badLine(line: number) }
        // A second `c=` belongs to layered multicast (RFC 8866 §5.7), which Parley does not do.
        if connection == nil { connection = parsed }
      default:
        guard lines.count < SDPLimits.otherLinesPerSection else { throw .tooManyLines }
        lines.append(SDPLine(Character(Unicode.Scalar(letter)), value))
      }
    }
  }

  mutating func append(letter: UInt8, value: String, number: Int) throws(SDPError) {
    if !sawVersion {
      guard letter == UInt8(ascii: "v"), value == "0" else { throw .badVersion }
      sawVersion = true
      return
    }
    switch letter {
    case UInt8(ascii: "m"):
      guard media.count < SDPLimits.mediaDescriptions else { throw .tooManyMediaDescriptions }
      closeMedia()
      media.append(try MediaDescription(mediaLine: value, number: number))
    case UInt8(ascii: "o") where media.isEmpty:
      guard origin == nil, let parsed = SessionOrigin(value) else { throw .badLine(line: number) }
      origin = parsed
    case UInt8(ascii: "s") where media.isEmpty:
      guard name == nil else { throw .badLine(line: number) }
      name = value.isEmpty ? "-" : value
    case UInt8(ascii: "t"), UInt8(ascii: "r"), UInt8(ascii: "z"):
      guard media.isEmpty else { throw .badLine(line: number) }
      try appendTime(letter, value)
    case UInt8(ascii: "k") where media.isEmpty:
      try appendTime(letter, value)
    case UInt8(ascii: "u"), UInt8(ascii: "e"), UInt8(ascii: "p"):
      guard media.isEmpty else { throw .badLine(line: number) }
      try session.append(letter: letter, value: value, number: number)
    case UInt8(ascii: "a"), UInt8(ascii: "c"), UInt8(ascii: "i"), UInt8(ascii: "b"), UInt8(ascii: "k"):
      if media.isEmpty {
        try session.append(letter: letter, value: value, number: number)
      } else {
        try current.append(letter: letter, value: value, number: number)
      }
    default:
      throw .badLine(line: number)
    }
  }

  /// The section of the last `m=` line; moved into it when the next one begins.
  private var current = Section()

  private mutating func closeMedia() {
    guard let last = media.indices.last else { return }
    media[last].connection = current.connection
    media[last].lines = current.lines
    media[last].attributes = current.attributes
    current = Section()
  }

  private mutating func appendTime(_ letter: UInt8, _ value: String) throws(SDPError) {
    guard timeLines.count < SDPLimits.otherLinesPerSection else { throw .tooManyLines }
    timeLines.append(SDPLine(Character(Unicode.Scalar(letter)), value))
  }

  mutating func finish() throws(SDPError) -> SessionDescription {
    guard sawVersion else { throw .badVersion }
    guard let origin else { throw .missing("o") }
    closeMedia()
    return SessionDescription(
      origin: origin, name: name ?? "-", headLines: session.lines, connection: session.connection,
      timeLines: timeLines.isEmpty ? [SDPLine("t", "0 0")] : timeLines, attributes: session.attributes, media: media)
  }
}

extension MediaDescription {
  fileprivate init(mediaLine value: String, number: Int) throws(SDPError) {
    let fields = value.split(separator: " ", maxSplits: 3 + SDPLimits.formats)
    guard fields.count >= 4 else { throw .badLine(line: number) }
    guard fields.count <= 3 + SDPLimits.formats else { throw .tooManyFormats }
    let ports = fields[1].split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
    guard let port = UInt16(digits: ports[0]) else { throw .badLine(line: number) }
    var portCount: UInt16 = 1
    if ports.count == 2 {
      guard let count = UInt16(digits: ports[1]), count > 0 else { throw .badLine(line: number) }
      portCount = count
    }
    self.init(
      kind: String(fields[0]), port: port, portCount: portCount, transport: String(fields[2]),
      formats: fields[3...].map(String.init))
  }
}
