//  AdminRoute.swift: which request asks for what: the media host's figures and its operator's questions.

/// What is asked for.
package enum AdminRoute: Hashable, Sendable {
  case metrics
  case legs
  case meetings
  case why(leg: String, seconds: Int)
  case audibility(meeting: String)
  case capacity
  case drain(worker: Int)

  /// Anybody who may connect may scrape; the rest names people, and is for this machine.
  package var isForLoopbackOnly: Bool { self != .metrics }
}

/// Why a request is refused, in words for whoever sent it.
package struct AdminRefusal: Error, Hashable, Sendable {
  package var status: Int
  package var text: String
  /// With 405: what would be allowed.
  package var allowed: String?
}

extension AdminRoute {
  static let reading = "GET, HEAD"
  /// Longest name of a leg or meeting, decoded, in bytes.
  static let nameBytes = 512

  /// - Parameters:
  ///   - target: as in the request line: a path, perhaps with a query.
  ///   - host: the Host header; a page in a browser that has been led here by a name of its own is refused.
  ///   - origin: the Origin header; only browsers send one.
  ///   - isLoopback: the peer is on this machine.
  package static func parse(
    method: String, target: String, host: String?, origin: String?, isLoopback: Bool
  ) throws(AdminRefusal) -> AdminRoute {
    let parts = target.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
    let path = String(parts.first ?? "")
    let query = try parse(query: parts.count > 1 ? String(parts[1]) : "")
    let (route, methods) = try route(path, query)
    guard methods.split(separator: ",").contains(where: { $0.drop { $0 == " " } == method }) else {
      throw AdminRefusal(status: 405, text: "\(path) takes \(methods)", allowed: methods)
    }
    if route.isForLoopbackOnly {
      guard isLoopback else { throw AdminRefusal(status: 403, text: "\(path) is for this machine only") }
      guard origin == nil, isAddress(host) else {
        throw AdminRefusal(status: 403, text: "\(path) is not for browsers: ask by address, without Origin")
      }
    }
    return route
  }

  private static func route(
    _ path: String, _ query: [String: String]
  ) throws(AdminRefusal) -> (AdminRoute, methods: String) {
    switch path {
    case "/metrics": return (.metrics, reading)
    case "/api/legs": return (.legs, reading)
    case "/api/meetings": return (.meetings, reading)
    case "/api/capacity": return (.capacity, reading)
    case "/api/why":
      guard let leg = query["leg"], !leg.isEmpty else { throw AdminRefusal(status: 400, text: "leg=… is missing") }
      let seconds = query["seconds"] ?? "60"
      guard let seconds = Int(seconds), (1...EvidenceHistory.seconds).contains(seconds) else {
        throw AdminRefusal(status: 400, text: "seconds must be a number from 1 to \(EvidenceHistory.seconds)")
      }
      return (.why(leg: leg, seconds: seconds), reading)
    case "/api/audibility":
      guard let meeting = query["meeting"], !meeting.isEmpty else {
        throw AdminRefusal(status: 400, text: "meeting=… is missing")
      }
      return (.audibility(meeting: meeting), reading)
    default:
      let parts = path.split(separator: "/", omittingEmptySubsequences: false)
      if parts.count == 4, parts[0].isEmpty, parts[1] == "workers", parts[3] == "drain" {
        guard parts[2].utf8.count <= 3, let worker = Int(parts[2]), worker >= 0 else {
          throw AdminRefusal(status: 404, text: "no worker \(parts[2].prefix(16))")
        }
        return (.drain(worker: worker), "POST")
      }
      throw AdminRefusal(
        status: 404,
        text: "nothing here; there are /metrics, /api/legs, /api/meetings, /api/why, /api/audibility, /api/capacity")
    }
  }

  private static func parse(query: String) throws(AdminRefusal) -> [String: String] {
    var values: [String: String] = [:]
    for pair in query.split(separator: "&").prefix(8) {
      let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard let name = decoded(parts[0]), let value = decoded(parts.count > 1 ? parts[1] : ""),
        value.utf8.count <= nameBytes
      else { throw AdminRefusal(status: 400, text: "the query is not readable") }
      values[name] = value
    }
    return values
  }

  /// RFC 3986 §2.1; `nil` where a % is not followed by two hexadecimal digits, and for what is no UTF-8.
  static func decoded(_ text: Substring) -> String? {
    var bytes: [UInt8] = []
    var rest = Array(text.utf8)[...]
    while let byte = rest.popFirst() {
      guard byte == UInt8(ascii: "%") else {
        bytes.append(byte)
        continue
      }
      guard rest.count >= 2, let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) else {
        return nil
      }
      bytes.append(value)
      rest = rest.dropFirst(2)
    }
    return String(validating: bytes, as: UTF8.self)
  }

  /// An IP address or localhost, with or without a port; HTTP/1.0 sends no Host.
  private static func isAddress(_ host: String?) -> Bool {
    guard let host else { return true }
    if host == "localhost" || host.hasPrefix("localhost:") || host.hasPrefix("[") { return true }
    return host.utf8.allSatisfy { (48...58).contains($0) || $0 == UInt8(ascii: ".") }
  }
}
