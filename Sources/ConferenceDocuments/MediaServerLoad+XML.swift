//  MediaServerLoad+XML.swift: mrbpublish with one mrbnotification, read and written (RFC 6917 §5.1.5).

private let mrb = XMLNamespace.mrbPublish

extension MediaServerLoad {
  public init(parsing bytes: some Collection<UInt8>, limits: DocumentLimits = .untrusted) throws(DocumentError) {
    let root = try XMLElement(parsing: bytes, limits: limits)
    guard root.name == XMLName(mrb, "mrbpublish") else { throw .unexpectedRoot(root.name.local) }
    guard let element = root.child("mrbnotification") else { throw .missing("mrbnotification") }
    guard let sequence = UInt32(decimal: try element.required("seqnum")) else { throw .invalid("seqnum") }
    guard let serverID = element.child("media-server-id")?.trimmedText else { throw .missing("media-server-id") }
    guard let word = element.child("media-server-status")?.trimmedText else { throw .missing("media-server-status") }
    guard let status = Status(rawValue: word) else { throw .invalid("media-server-status") }
    self.init(sequence: sequence, id: try element.required("id"), serverID: serverID, status: status)
    if let sessions = element.child("active-rtp-sessions") { activeRTP = try CodecSessions.list(sessions) }
    for mix in element.child("active-mixer-sessions")?.children(XMLName(mrb, "active-mix")) ?? [] {
      activeMixes.append(
        ActiveMix(conferenceID: try mix.required("conferenceid"), codecs: try CodecSessions.list(mix)))
    }
    for mix in element.child("non-active-mixer-sessions")?.children(XMLName(mrb, "non-active-mix")) ?? [] {
      guard let available = UInt32(decimal: try mix.required("available")) else { throw .invalid("available") }
      availableMixes.append(AvailableMix(available: available, codecs: try CodecSessions.list(mix)))
    }
    label = element.child("label")?.trimmedText
    address = element.child("media-server-address")?.trimmedText
    encrypts = element.child("encryption") != nil
    if let child = element.child(XMLName(XMLNamespace.load, "load")) { load = try Load(element: child) }
  }

  public func encoded() -> [UInt8] {
    var builder = ElementBuilder(mrb, "mrbnotification")
    builder.attribute("seqnum", "\(sequence)")
    builder.attribute("id", id)
    builder.child("media-server-id", serverID)
    builder.child(Self.element("active-rtp-sessions", activeRTP.map(\.element)))
    builder.child(
      Self.element(
        "active-mixer-sessions",
        activeMixes.map { mix in
          var line = ElementBuilder(mrb, "active-mix")
          line.attribute("conferenceid", mix.conferenceID)
          line.children(mix.codecs.map(\.element))
          return line.element
        }))
    builder.child(
      Self.element(
        "non-active-mixer-sessions",
        availableMixes.map { mix in
          var line = ElementBuilder(mrb, "non-active-mix")
          line.attribute("available", "\(mix.available)")
          line.children(mix.codecs.map(\.element))
          return line.element
        }))
    builder.child("media-server-status", status.rawValue)
    builder.child("label", label)
    builder.child("media-server-address", address)
    if encrypts { builder.child(XMLElement(XMLName(mrb, "encryption"))) }
    builder.child(load.element)
    var root = ElementBuilder(mrb, "mrbpublish")
    root.attribute("version", "1.0")
    root.child(builder.element)
    return root.element.encoded()
  }

  private static func element(_ local: String, _ children: [XMLElement]) -> XMLElement? {
    children.isEmpty ? nil : XMLElement(XMLName(mrb, local), children: children)
  }
}

extension MediaServerLoad.CodecSessions {
  static func list(_ element: XMLElement) throws(DocumentError) -> [Self] {
    var list: [Self] = []
    for codec in element.children(XMLName(mrb, "rtp-codec")) {
      list.append(
        Self(
          name: try codec.required("name"), decoding: try codec.child("decoding")?.unsigned() ?? 0,
          encoding: try codec.child("encoding")?.unsigned() ?? 0))
    }
    return list
  }

  var element: XMLElement {
    var builder = ElementBuilder(mrb, "rtp-codec")
    builder.attribute("name", name)
    builder.child("decoding", "\(decoding)")
    builder.child("encoding", "\(encoding)")
    return builder.element
  }
}

extension MediaServerLoad.Load {
  init(element: XMLElement) throws(DocumentError) {
    self.init()
    if let text = element.attribute("cpu") {
      guard text.utf8.count <= 32, let value = Double(text), value.isFinite, value >= 0 else { throw .invalid("cpu") }
      cpu = min(value, 1_000)
    }
    packetsInPerSecond = try Self.number(element, "pps-in")
    packetsOutPerSecond = try Self.number(element, "pps-out")
    lateTicks = try Self.number(element, "late-ticks")
    switch element.attribute("drain") {
    case nil, "false", "0": draining = false
    case "true", "1": draining = true
    default: throw .invalid("drain")
    }
  }

  private static func number(_ element: XMLElement, _ name: String) throws(DocumentError) -> UInt32 {
    guard let text = element.attribute(name) else { return 0 }
    guard let value = UInt32(decimal: text) else { throw .invalid(name) }
    return value
  }

  var element: XMLElement {
    // Thousandths: `Double`'s own text could be `4e-05`, which not every reader takes.
    let thousandths = cpu.isFinite ? Int(min(max(cpu, 0), 1_000) * 1_000) : 0
    let digits = String(thousandths % 1_000)
    let fraction = String(repeating: "0", count: 3 - digits.count) + digits
    var builder = ElementBuilder(XMLNamespace.load, "load")
    builder.attribute("cpu", "\(thousandths / 1_000).\(fraction)")
    builder.attribute("pps-in", "\(packetsInPerSecond)")
    builder.attribute("pps-out", "\(packetsOutPerSecond)")
    builder.attribute("late-ticks", "\(lateTicks)")
    builder.attribute("drain", "\(draining)")
    return builder.element
  }
}
