//  XMLElement.swift: an XML element as an immutable value, names resolved (Namespaces in XML 1.0).

/// A name with its namespace; the prefix that a document happened to use is not kept.
public struct XMLName: Hashable, Sendable {
  /// Empty: no namespace.
  public let namespace: String
  public let local: String

  public init(_ namespace: String, _ local: String) {
    self.namespace = namespace
    self.local = local
  }
}

public struct XMLAttribute: Hashable, Sendable {
  public let name: XMLName
  public let value: String

  public init(_ name: XMLName, _ value: String) {
    self.name = name
    self.value = value
  }
}

/// An element with its attributes, child elements and character data. Comments and processing instructions are
/// gone, and where text and elements mix, their relative order is lost: no document of Parley's uses it.
public struct XMLElement: Hashable, Sendable {
  public let name: XMLName
  public let attributes: [XMLAttribute]
  public let children: [XMLElement]
  /// All character data directly inside, in one piece.
  public let text: String

  public init(_ name: XMLName, attributes: [XMLAttribute] = [], children: [XMLElement] = [], text: String = "") {
    self.name = name
    self.attributes = attributes
    self.children = children
    self.text = text
  }
}

extension XMLElement {
  /// The attribute without namespace of that name.
  public func attribute(_ local: String) -> String? { attribute(XMLName("", local)) }

  public func attribute(_ name: XMLName) -> String? { attributes.first { $0.name == name }?.value }

  /// The first child of that name.
  public func child(_ name: XMLName) -> XMLElement? { children.first { $0.name == name } }

  /// The first child of that local name in the parent's own namespace.
  public func child(_ local: String) -> XMLElement? { child(XMLName(name.namespace, local)) }

  public func children(_ name: XMLName) -> [XMLElement] { children.filter { $0.name == name } }

  /// The text without white space at its ends; `nil` when nothing is left.
  public var trimmedText: String? {
    let bytes = text.utf8
    guard let start = bytes.firstIndex(where: { !$0.isXMLSpace }), let end = bytes.lastIndex(where: { !$0.isXMLSpace })
    else { return nil }
    return String(text[start...end])
  }
}

extension UInt8 {
  var isXMLSpace: Bool { self == 0x20 || self == 0x09 || self == 0x0a || self == 0x0d }
}
