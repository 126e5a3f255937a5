//  SDPAttribute.swift: one `a=` line (RFC 8866 §5.13).

/// `a=name` or `a=name:value`. Attributes nobody here knows are kept and written back.
public struct SDPAttribute: Hashable, Sendable {
  /// Compared byte for byte: attribute names are case-sensitive (RFC 8866 §5.13).
  public var name: String
  /// `nil` for a property attribute (`a=rtcp-mux`).
  public var value: String?

  public init(_ name: String, _ value: String? = nil) {
    self.name = name
    self.value = value
  }
}

extension Array<SDPAttribute> {
  /// The value of the first attribute of that name that has a value.
  public func value(_ name: String) -> String? {
    for attribute in self where attribute.name == name {
      if let value = attribute.value { return value }
    }
    return nil
  }

  public func values(_ name: String) -> [String] {
    compactMap { $0.name == name ? $0.value : nil }
  }

  public func has(_ name: String) -> Bool { contains { $0.name == name } }
}
