//  ConfigurationReader.swift: one section of the configuration file, read key by key, with every complaint collected.

import Primitives
import Yams

/// One thing that is wrong with a configuration: which key, what was expected, what stood there.
public struct ConfigurationComplaint: Error, Equatable, CustomStringConvertible, Sendable {
  public var key: String
  public var expected: String
  public var found: String?
  public var line: Int?

  public var description: String {
    let place = line.map { " (line \($0))" } ?? ""
    return "\(key)\(place): expected \(expected)" + (found.map { ", found «\($0)»" } ?? "")
  }
}

/// Reads the keys of one section. A key's value comes from the environment (`PARLEY_SECTION_KEY`), else from the file,
/// else from the default. Keys that nobody asked for are complaints too: a misspelt key must not pass silently.
struct ConfigurationReader {
  private let section: String
  private let node: Node.Mapping?
  private let environment: [String: String]
  private var known: Set<String> = []
  private(set) var complaints: [ConfigurationComplaint] = []

  init(section: String, of root: Node?, environment: [String: String]) {
    self.section = section
    self.environment = environment
    let value = root?.mapping?.first { $0.key.string == section }?.value
    node = value?.mapping
    if let value, value.mapping == nil, value.null == nil {
      complaints.append(
        ConfigurationComplaint(key: section, expected: "a section of keys", found: value.string, line: value.mark?.line)
      )
    }
  }

  /// Call after the last key.
  mutating func complainAboutUnknownKeys() {
    for (key, _) in node ?? [:] {
      let name = key.string ?? "?"
      guard !known.contains(name) else { continue }
      complaints.append(
        ConfigurationComplaint(
          key: "\(section).\(name)", expected: "one of \(known.sorted().joined(separator: ", "))", found: name,
          line: key.mark?.line))
    }
  }

  mutating func value<Value>(
    _ key: String, _ expected: String, default standard: Value, _ convert: (String) -> Value?
  ) -> Value {
    guard let (text, line) = scalar(key, expected) else { return standard }
    if let value = convert(text) { return value }
    complaints.append(ConfigurationComplaint(key: "\(section).\(key)", expected: expected, found: text, line: line))
    return standard
  }

  mutating func text(_ key: String, default standard: String) -> String {
    value(key, "text", default: standard) { $0.isEmpty ? nil : $0 }
  }

  mutating func flag(_ key: String, default standard: Bool) -> Bool {
    value(key, "true or false", default: standard) { ["true": true, "false": false][$0] }
  }

  mutating func number(_ key: String, in range: ClosedRange<Int>, default standard: Int) -> Int {
    value(key, "a number from \(range.lowerBound) to \(range.upperBound)", default: standard) {
      Int($0).flatMap { range.contains($0) ? $0 : nil }
    }
  }

  /// Peers are told this address: 0.0.0.0 and :: say nothing to them.
  mutating func address(_ key: String, default standard: SocketAddress) -> SocketAddress {
    value(key, "an address and port such as 192.0.2.1:5060, not 0.0.0.0: peers are told it", default: standard) {
      SocketAddress($0).flatMap { $0.isUnspecified ? nil : $0 }
    }
  }

  /// As `address`, without port.
  mutating func host(_ key: String, default standard: String) -> String {
    value(key, "an IP address, not 0.0.0.0: peers are told it", default: standard) { text in
      SocketAddress(host: text, port: 0).flatMap { $0.isUnspecified ? nil : text }
    }
  }

  /// A number with its unit: `250ms`, `10s`, `5m`, `1h`.
  mutating func interval(_ key: String, in range: ClosedRange<Interval>, default standard: Interval) -> Interval {
    value(key, "a time such as 250ms, 10s, 5m or 1h within its limits", default: standard) { text in
      let digits = text.prefix { $0.isASCII && $0.isNumber }
      guard let count = Int(digits), count <= 1_000_000,
        let unit = ["ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000][text.dropFirst(digits.count)]
      else { return nil }
      let interval = Interval.milliseconds(count * unit)
      return range.contains(interval) ? interval : nil
    }
  }

  /// A YAML list, or from the environment a comma-separated one.
  mutating func list<Element>(
    _ key: String, _ expected: String, default standard: [Element], _ convert: (String) -> Element?
  ) -> [Element] {
    known.insert(key)
    let texts: [(text: String, line: Int?)]
    if let text = environment[variable(key)] {
      texts = text.split(separator: ",").map { (String($0.drop { $0 == " " }), nil) }
    } else if let value = node?.first(where: { $0.key.string == key })?.value {
      texts = (value.sequence.map(Array.init) ?? [value]).map { ($0.scalar?.string ?? "", $0.mark?.line) }
    } else {
      return standard
    }
    var elements: [Element] = []
    for (text, line) in texts {
      if let element = convert(text) {
        elements.append(element)
      } else {
        complaints.append(
          ConfigurationComplaint(key: "\(section).\(key)", expected: expected, found: text, line: line))
      }
    }
    return elements
  }

  private func variable(_ key: String) -> String {
    "PARLEY_" + "\(section)_\(key)".uppercased().map { $0 == "-" || $0 == "." ? "_" : $0 }
  }

  private mutating func scalar(_ key: String, _ expected: String) -> (text: String, line: Int?)? {
    known.insert(key)
    if let text = environment[variable(key)] { return (text, nil) }
    guard let value = node?.first(where: { $0.key.string == key })?.value else { return nil }
    guard let scalar = value.scalar else {
      complaints.append(
        ConfigurationComplaint(
          key: "\(section).\(key)", expected: expected, found: "a list or section", line: value.mark?.line))
      return nil
    }
    return (scalar.string, value.mark?.line)
  }
}
