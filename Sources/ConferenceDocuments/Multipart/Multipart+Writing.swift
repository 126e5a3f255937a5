//  Multipart+Writing.swift: several bodies put into one (RFC 2046 §5.1).

extension Multipart {
  /// - Returns: a Content-Type with a boundary that occurs in no part, and the body.
  public func encoded() -> (contentType: String, body: [UInt8]) {
    let boundary = freeBoundary()
    var body: [UInt8] = []
    func put(_ text: String) { body += text.utf8.lazy.map { $0 == 13 || $0 == 10 ? 32 : $0 } }
    for part in parts {
      put("--\(boundary)")
      body += [13, 10]
      put("Content-Type: \(part.contentType)")
      body += [13, 10]
      for header in part.headers {
        put("\(header.name): \(header.value)")
        body += [13, 10]
      }
      body += [13, 10]
      body += part.body
      body += [13, 10]
    }
    put("--\(boundary)--")
    body += [13, 10]
    return ("multipart/\(subtype);boundary=\(boundary)", body)
  }

  /// The lowest number that no part uses in such a line. One pass, whatever the parts contain, since a peer can
  /// know how boundaries are made.
  private func freeBoundary() -> String {
    let mark = Array("--part-".utf8)
    var used = Set<Int>()
    for part in parts {
      var rest = part.body[...]
      while let dash = rest.firstIndex(of: mark[0]) {
        rest = rest[dash...]
        if rest.starts(with: mark) {
          let digits = rest.dropFirst(mark.count).prefix(9).prefix { $0 >= 48 && $0 <= 57 }
          used.insert(digits.reduce(0) { $0 * 10 + Int($1 - 48) })
        }
        rest = rest.dropFirst()
      }
    }
    var number = 1
    while used.contains(number) { number += 1 }
    return "part-\(number)-parley"
  }
}
