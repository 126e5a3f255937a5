//  SIPParameters.swift: the `;name=value` list of URIs and header values (RFC 3261 §7.3.1, §19.1.1).

/// Parameters in the order received. Names compare without case.
///
/// A header's quoted value is held without quotes and written with them again; a URI's escapes stay as they are.
public struct SIPParameters: Hashable, Sendable {
  public struct Parameter: Hashable, Sendable {
    public var name: String
    /// `nil` for a bare name such as `lr`.
    public var value: String?
    public var isQuoted: Bool

    public init(_ name: String, _ value: String? = nil, isQuoted: Bool = false) {
      self.name = name
      self.value = value
      self.isQuoted = isQuoted
    }
  }

  public var list: [Parameter]

  public init(_ list: [Parameter] = []) { self.list = list }

  public var isEmpty: Bool { list.isEmpty }

  public func contains(_ name: String) -> Bool { index(of: name) != nil }

  /// The value of the first parameter of this name; `nil` when it is absent or bare. Setting `nil` removes it.
  public subscript(name: String) -> String? {
    get { index(of: name).flatMap { list[$0].value } }
    set {
      switch (index(of: name), newValue) {
      case (let index?, let value?): list[index].value = value
      case (let index?, nil): list.remove(at: index)
      case (nil, let value?): list.append(Parameter(name, value))
      case (nil, nil): break
      }
    }
  }

  /// Adds a bare name such as `lr` unless it is there.
  public mutating func insert(_ name: String) {
    if !contains(name) { list.append(Parameter(name)) }
  }

  private func index(of name: String) -> Int? {
    list.firstIndex { ASCII.equalIgnoringCase($0.name, name) }
  }

  /// `;a=b;c`, or nothing.
  public var text: String {
    var text = ""
    for parameter in list {
      text += ";" + parameter.name
      guard let value = parameter.value else { continue }
      text += "="
      text += parameter.isQuoted || !value.utf8.allSatisfy(Self.isPlain) ? Self.quoted(value) : value
    }
    return text
  }

  /// `text` as a quoted string, with escapes where it needs them; control characters become spaces.
  public static func quoted(_ text: String) -> String {
    var bytes: [UInt8] = [UInt8(ascii: "\"")]
    for byte in text.utf8 {
      if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { bytes.append(UInt8(ascii: "\\")) }
      bytes.append(byte < 32 || byte == 127 ? 32 : byte)
    }
    bytes.append(UInt8(ascii: "\""))
    return String(decoding: bytes, as: UTF8.self)
  }

  /// What a header parameter's value may hold without quotes: a token, a host, and what careless senders write there.
  private static func isPlain(_ byte: UInt8) -> Bool {
    switch byte {
    case 0...32, 127, UInt8(ascii: ";"), UInt8(ascii: ","), UInt8(ascii: "\""), UInt8(ascii: "<"), UInt8(ascii: ">"):
      false
    default: true
    }
  }

  /// Reads the parameters of a header value up to its end or a comma.
  /// - Returns: `nil` for an empty name, a value cut short, or more than `SIPLimits.parameters`.
  static func header(_ reader: inout FieldReader) -> SIPParameters? {
    var list: [Parameter] = []
    while reader.take(UInt8(ascii: ";")) {
      let name = reader.token()
      guard !name.isEmpty, list.count < SIPLimits.parameters else { return nil }
      var parameter = Parameter(String(decoding: name, as: UTF8.self))
      if reader.take(UInt8(ascii: "=")) {
        reader.skipSpace()
        if reader.peek == UInt8(ascii: "\"") {
          guard let value = reader.quotedString() else { return nil }
          parameter.value = value
          parameter.isQuoted = true
        } else {
          let value = reader.takeWhile(isPlain)
          guard !value.isEmpty else { return nil }
          parameter.value = String(decoding: value, as: UTF8.self)
        }
      }
      list.append(parameter)
    }
    return SIPParameters(list)
  }
}
