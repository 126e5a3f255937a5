//  SIPMessageBuilder.swift: writes requests and responses (RFC 3261 §7, §8.1.1, §8.2.6).
import Primitives

/// A message in the making: start line, header fields in order, body.
///
/// No value can break out of its line: control characters become spaces, in names they are dropped. Content-Length is
/// always written, and only here.
public struct SIPMessageBuilder: Sendable {
  struct Line: Sendable {
    var name: SIPHeaderName
    var value: String
  }

  /// Of a request; `nil` for a response.
  public let method: SIPMethod?
  /// Of a response; 0 for a request.
  public let status: Int
  private let startLine: String
  private(set) var lines: [Line] = []
  private var body: [UInt8] = []

  /// - Parameter uri: the Request-URI's text, without angle brackets.
  public init(request method: SIPMethod, uri: String) {
    self.method = method
    status = 0
    // A space inside would move what follows to the version's place.
    let target = String(decoding: uri.utf8.filter { $0 > 32 && $0 != 127 }, as: UTF8.self)
    startLine = "\(method.name.filter { $0 > " " }) \(target) SIP/2.0"
  }

  /// - Parameter status: 100…699, clamped.
  /// - Parameter reason: `nil`: the RFC's phrase.
  public init(status: Int, reason: String? = nil) {
    method = nil
    self.status = min(max(status, 100), 699)
    startLine = "SIP/2.0 \(self.status) \(reason ?? ReasonPhrase.text(self.status))"
  }

  /// A response with Via, From, To, Call-ID and CSeq of its request, and Record-Route where a dialog may come of it.
  ///
  /// The top Via gets `received` and `rport` from the flow (RFC 3261 §18.2.1, RFC 3581 §4).
  /// - Parameter toTag: added unless the request's To has one; `nil` for 100.
  public static func response(
    to request: SIPMessage, from flow: SIPFlow, status: Int, reason: String? = nil, toTag: String? = nil
  ) -> SIPMessageBuilder {
    var response = SIPMessageBuilder(status: status, reason: reason)
    response.copyVias(request, flow)
    if (101...299).contains(status) { response.copy(.recordRoute, from: request) }
    response.copy(.from, from: request)
    if let to = request.first(.to) {
      let hasTag = (try? request.to).map { $0.tag != nil } ?? true
      response.add(.to, hasTag ? to : to + (toTag.map { ";tag=\($0)" } ?? ""))
    }
    response.copy(.callID, from: request)
    response.copy(.cseq, from: request)
    if status == 100 { response.copy(.timestamp, from: request) }
    return response
  }

  /// Appends a header field. Content-Length is ignored; a name that is no token is ignored.
  public mutating func add(_ name: SIPHeaderName, _ value: String) {
    guard name != .contentLength else { return }
    if name.known == .other, name.spelling.isEmpty || !name.spelling.utf8.allSatisfy(ASCII.token.contains) { return }
    lines.append(Line(name: name, value: value))
  }
  public mutating func add(name: String, _ value: String) { add(SIPHeaderName(name), value) }

  /// Replaces all fields of a name by one, at the place of the first.
  public mutating func set(_ name: SIPHeaderName, _ value: String) {
    guard let index = lines.firstIndex(where: { $0.name == name }) else { return add(name, value) }
    lines[index].value = value
    let rest = lines[(index + 1)...].filter { $0.name != name }
    lines.replaceSubrange((index + 1)..., with: rest)
  }

  /// - Parameter type: Content-Type with its parameters.
  public mutating func setBody(type: String, _ bytes: [UInt8]) {
    set(.contentType, type)
    body = bytes
  }

  /// Puts a Via above all others.
  mutating func push(_ via: Via) { lines.insert(Line(name: .via, value: via.text), at: 0) }
  mutating func popVia() {
    if let index = lines.firstIndex(where: { $0.name == .via }) { lines.remove(at: index) }
  }

  /// All fields of a name, as they were written.
  mutating func copy(_ name: SIPHeaderName, from message: SIPMessage) {
    for field in message.fields where message.isNamed(field, name) {
      add(name, FieldReader.text(message.bytes, field.value))
    }
  }

  private mutating func copyVias(_ request: SIPMessage, _ flow: SIPFlow) {
    var isTop = true
    for field in request.fields where field.known == .via {
      defer { isTop = false }
      var reader = FieldReader(request.bytes, field.value)
      guard isTop, var via = Via(&reader) else {
        add(.via, FieldReader.text(request.bytes, field.value))
        continue
      }
      via.note(source: flow.remote)
      let others = reader.take(UInt8(ascii: ",")) ? FieldReader.text(request.bytes, reader.position..<reader.end) : ""
      add(.via, others.isEmpty ? via.text : via.text + ", " + others)
    }
  }

  /// The message on the wire.
  public func encoded() -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(512 + body.count)
    Self.append(startLine, to: &bytes)
    for line in lines {
      bytes += line.name.name.utf8
      bytes.append(UInt8(ascii: ":"))
      bytes.append(32)
      Self.append(line.value, to: &bytes)
    }
    bytes += "Content-Length: \(body.count)\r\n\r\n".utf8
    bytes += body
    return bytes
  }

  private static func append(_ text: String, to bytes: inout [UInt8]) {
    if text.utf8.contains(where: { $0 < 32 }) {
      for byte in text.utf8 { bytes.append(byte < 32 ? 32 : byte) }
    } else {
      bytes += text.utf8
    }
    bytes.append(13)
    bytes.append(10)
  }
}

extension Via {
  /// Records where the request really came from, and drops what its sender claimed (RFC 3261 §18.2.1, RFC 3581 §4).
  mutating func note(source: SocketAddress) {
    let isHonest = SocketAddress(host: host, port: 0)?.sameHost(as: source) ?? false
    parameters["received"] = isHonest && !asksForRport ? nil : source.host
    if asksForRport {
      parameters["rport"] = nil
      parameters["rport"] = String(source.port)
    }
  }
}
