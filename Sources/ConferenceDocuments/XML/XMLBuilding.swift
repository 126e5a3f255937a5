//  XMLBuilding.swift: values to and from elements, the parts all documents share.

extension XMLElement {
  /// An element with text only.
  init(_ namespace: String, _ local: String, text: String) {
    self.init(XMLName(namespace, local), text: text)
  }

  /// The first child of that local name in whatever namespace: C3P's payloads are written in several.
  func anyChild(_ local: String) -> XMLElement? { children.first { $0.name.local == local } }

  func anyChildren(_ local: String) -> [XMLElement] { children.filter { $0.name.local == local } }

  /// The attribute without namespace, else the first of that local name.
  func anyAttribute(_ local: String) -> String? {
    attribute(local) ?? attributes.first { $0.name.local == local }?.value
  }

  func required(_ local: String) throws(DocumentError) -> String {
    guard let value = attribute(local) else { throw .missing("\(name.local)@\(local)") }
    return value
  }

  func requiredChild(_ local: String) throws(DocumentError) -> XMLElement {
    guard let child = anyChild(local) else { throw .missing(local) }
    return child
  }

  /// `true`, `false`, `1` or `0` (XML Schema).
  func boolean() throws(DocumentError) -> Bool {
    switch trimmedText {
    case "true", "1": return true
    case "false", "0": return false
    default: throw .invalid(name.local)
    }
  }

  func unsigned() throws(DocumentError) -> UInt32 {
    guard let text = trimmedText, let value = UInt32(decimal: text) else { throw .invalid(name.local) }
    return value
  }
}

extension FixedWidthInteger {
  /// - Returns: `nil` unless the text is 1–20 decimal digits that fit; no sign, no space.
  init?(decimal text: some StringProtocol) {
    guard !text.isEmpty, text.utf8.count <= 20, text.utf8.allSatisfy({ $0 >= 48 && $0 <= 57 }), let value = Self(text)
    else { return nil }
    self = value
  }
}

/// Attributes and children in the order they are added; absent values add nothing.
struct ElementBuilder {
  let name: XMLName
  private var attributes: [XMLAttribute] = []
  private var children: [XMLElement] = []

  init(_ namespace: String, _ local: String) { name = XMLName(namespace, local) }

  mutating func attribute(_ local: String, _ value: String?, namespace: String = "") {
    if let value { attributes.append(XMLAttribute(XMLName(namespace, local), value)) }
  }

  mutating func child(_ local: String, _ text: String?, namespace: String? = nil) {
    if let text { children.append(XMLElement(namespace ?? name.namespace, local, text: text)) }
  }

  mutating func child(_ element: XMLElement?) {
    if let element { children.append(element) }
  }

  mutating func children(_ elements: [XMLElement]) { children += elements }

  var hasChildren: Bool { !children.isEmpty }
  var element: XMLElement { XMLElement(name, attributes: attributes, children: children) }
}
