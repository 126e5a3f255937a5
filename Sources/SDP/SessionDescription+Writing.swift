//  SessionDescription+Writing.swift: a session description to bytes, in RFC 8866's order (§9).

extension SessionDescription {
  /// The body, lines ending in CRLF. A line break inside a value, which only our own code could have put there,
  /// becomes a space, so that no value can forge a line.
  public func encoded() -> [UInt8] {
    var writer = LineWriter()
    writer.line("v", "0")
    writer.line("o", origin.value)
    writer.line("s", name.isEmpty ? "-" : name)
    // i=, u=, e= and p= come before c=, b= after it.
    for line in headLines where line.letter != "b" { writer.line(line.letter, line.value) }
    if let connection { writer.line("c", connection.value) }
    for line in headLines where line.letter == "b" { writer.line("b", line.value) }
    for line in timeLines { writer.line(line.letter, line.value) }
    for attribute in attributes { writer.attribute(attribute) }
    for description in media { description.write(into: &writer) }
    return writer.bytes
  }
}

extension MediaDescription {
  fileprivate func write(into writer: inout LineWriter) {
    let ports = portCount == 1 ? "\(port)" : "\(port)/\(portCount)"
    writer.line("m", "\(kind) \(ports) \(transport) \(formats.joined(separator: " "))")
    for line in lines where line.letter == "i" { writer.line("i", line.value) }
    if let connection { writer.line("c", connection.value) }
    for line in lines where line.letter != "i" { writer.line(line.letter, line.value) }
    for attribute in attributes { writer.attribute(attribute) }
  }
}

private struct LineWriter {
  var bytes: [UInt8] = []

  mutating func line(_ letter: Character, _ value: String) {
    append("\(letter)=")
    append(value)
    bytes += [13, 10]
  }

  mutating func attribute(_ attribute: SDPAttribute) {
    append("a=")
    append(attribute.name)
    if let value = attribute.value {
      bytes.append(UInt8(ascii: ":"))
      append(value)
    }
    bytes += [13, 10]
  }

  private mutating func append(_ text: String) {
    bytes += text.utf8.lazy.map { $0 == 13 || $0 == 10 || $0 == 0 ? 32 : $0 }
  }
}
