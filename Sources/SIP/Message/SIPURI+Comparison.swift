//  SIPURI+Comparison.swift: when two URIs mean the same (RFC 3261 §19.1.4).

extension SIPURI {
  /// Equivalence by the RFC's rules, which is neither `==` (same text) nor transitive, so it cannot be a hash key.
  public func isEquivalent(to other: SIPURI) -> Bool {
    guard scheme == other.scheme, opaque == other.opaque,
      Self.normalized(escapedUser) == Self.normalized(other.escapedUser),
      Self.normalized(password) == Self.normalized(other.password),
      ASCII.equalIgnoringCase(host, other.host), port == other.port
    else { return false }
    return parametersMatch(other) && other.parametersMatch(self) && headersMatch(other) && other.headersMatch(self)
  }

  /// Parameters in both URIs must agree; of those in one only, these four make a difference.
  private func parametersMatch(_ other: SIPURI) -> Bool {
    parameters.list.allSatisfy { parameter in
      if other.parameters.contains(parameter.name) {
        let left = Self.normalized(parameter.value).map(ASCII.lowercased)
        return left == Self.normalized(other.parameters[parameter.name]).map(ASCII.lowercased)
      }
      return !["user", "ttl", "method", "maddr"].contains(ASCII.lowercased(parameter.name))
    }
  }

  private func headersMatch(_ other: SIPURI) -> Bool {
    headers.list.allSatisfy { header in
      other.headers.contains(header.name)
        && Self.normalized(header.value) == Self.normalized(other.headers[header.name])
    }
  }

  /// Unescapes what need not be escaped and writes the other escapes in capitals: reserved characters differ from
  /// their escaped form.
  private static func normalized(_ text: String?) -> String? {
    guard let text, text.utf8.contains(UInt8(ascii: "%")) else { return text }
    let bytes = Array(text.utf8)
    var result: [UInt8] = []
    var index = 0
    while index < bytes.count {
      if bytes[index] == UInt8(ascii: "%"), index + 2 < bytes.count, let high = ASCII.hexadecimal(bytes[index + 1]),
        let low = ASCII.hexadecimal(bytes[index + 2])
      {
        let byte = high << 4 | low
        if ASCII.unreserved.contains(byte) {
          result.append(byte)
        } else {
          result += bytes[index...(index + 2)].map { $0 &- 97 < 26 ? $0 & 0xdf : $0 }
        }
        index += 3
      } else {
        result.append(bytes[index])
        index += 1
      }
    }
    return String(decoding: result, as: UTF8.self)
  }
}
