//  XMLElement+Writing.swift: a tree to XML, escaped, namespaces declared where they are needed.

extension XMLElement {
  /// The document in UTF-8, with an XML declaration.
  ///
  /// The root's namespace is the default one; namespaces Parley knows get their usual prefix at the root; any
  /// other is declared on the element that uses it. Characters that XML does not allow are left out.
  public func encoded() -> [UInt8] {
    var writer = XMLWriter(root: self)
    writer.write(self)
    return writer.bytes
  }
}

private struct XMLWriter {
  var bytes = Array("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".utf8)
  private var prefixes: [String: String] = [:]
  private var defaults: [String] = []
  private var declarations: [(prefix: String, namespace: String)] = []

  init(root: XMLElement) {
    var seen: Set<String> = ["", root.name.namespace]
    collect(root, &seen)
  }

  private mutating func collect(_ element: XMLElement, _ seen: inout Set<String>) {
    note(element.name.namespace, &seen)
    for attribute in element.attributes {
      // An attribute needs a prefix even when its namespace is the default one (Namespaces in XML §6.2).
      if prefixes[attribute.name.namespace] == nil { seen.remove(attribute.name.namespace) }
      note(attribute.name.namespace, &seen)
    }
    for child in element.children { collect(child, &seen) }
  }

  private mutating func note(_ namespace: String, _ seen: inout Set<String>) {
    guard !namespace.isEmpty, seen.insert(namespace).inserted, let prefix = XMLNamespace.prefix(namespace) else {
      return
    }
    prefixes[namespace] = prefix
    if prefix != "xml" { declarations.append((prefix, namespace)) }
  }

  mutating func write(_ element: XMLElement) {
    let namespace = element.name.namespace
    let isRoot = defaults.isEmpty
    let inherited = defaults.last ?? ""
    var name = Self.sanitized(element.name.local)
    var opening = ""
    var newDefault = inherited
    if isRoot || namespace != inherited {
      if !isRoot, let prefix = prefixes[namespace] {
        name = "\(prefix):\(name)"
      } else {
        newDefault = namespace
        if !isRoot || !namespace.isEmpty { opening = " xmlns=\"\(Self.escaped(namespace))\"" }
      }
    }
    put("<\(name)\(opening)")
    if isRoot {
      for declaration in declarations { put(" xmlns:\(declaration.prefix)=\"\(Self.escaped(declaration.namespace))\"") }
    }
    for (index, attribute) in element.attributes.enumerated() { write(attribute, index) }
    if element.children.isEmpty && element.text.isEmpty {
      put("/>")
      return
    }
    put(">")
    put(Self.escaped(element.text))
    defaults.append(newDefault)
    for child in element.children { write(child) }
    defaults.removeLast()
    put("</\(name)>")
  }

  private mutating func write(_ attribute: XMLAttribute, _ index: Int) {
    var name = Self.sanitized(attribute.name.local)
    if !attribute.name.namespace.isEmpty {
      let prefix = prefixes[attribute.name.namespace] ?? "a\(index)"
      if prefixes[attribute.name.namespace] == nil {
        put(" xmlns:\(prefix)=\"\(Self.escaped(attribute.name.namespace))\"")
      }
      name = "\(prefix):\(name)"
    }
    put(" \(name)=\"\(Self.escaped(attribute.value))\"")
  }

  private mutating func put(_ text: String) { bytes += text.utf8 }

  /// Names come from our code or from a parser; what could break out of a tag is still never written.
  private static func sanitized(_ name: String) -> String {
    let kept = name.utf8.filter { byte in
      byte >= 0x80 || (byte >= 48 && byte <= 57) || (byte >= 65 && byte <= 90) || (byte >= 97 && byte <= 122)
        || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_") || byte == UInt8(ascii: ".")
    }
    return kept.count == name.utf8.count ? name : "_" + String(decoding: kept, as: UTF8.self)
  }

  /// Escapes markup, and white space that a parser would normalise away; drops what XML 1.0 §2.2 forbids.
  private static func escaped(_ text: String) -> String {
    if text.utf8.allSatisfy(\.isPlainXML) { return text }
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar.value {
      case 0x26: result += "&amp;"
      case 0x3c: result += "&lt;"
      case 0x3e: result += "&gt;"
      case 0x22: result += "&quot;"
      case 0x27: result += "&apos;"
      case 0x09, 0x0a, 0x0d: result += "&#\(scalar.value);"
      case 0x20...0xd7ff, 0xe000...0xfffd, 0x10000...0x10ffff: result.unicodeScalars.append(scalar)
      default: break
      }
    }
    return result
  }
}

extension UInt8 {
  /// Printable ASCII without markup.
  fileprivate var isPlainXML: Bool {
    self >= 0x20 && self < 0x7f && self != 0x26 && self != 0x3c && self != 0x3e && self != 0x22 && self != 0x27
  }
}
