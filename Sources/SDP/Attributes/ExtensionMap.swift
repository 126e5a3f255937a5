//  ExtensionMap.swift: RTP header extensions by number (`a=extmap`, RFC 8285 §5).

public struct ExtensionMap: Hashable, Sendable {
  /// 1–14 in one-byte headers, to 255 in two-byte ones; 4096–4351 are offers without a number yet.
  public var id: UInt16
  /// `nil`: as the stream.
  public var direction: MediaDirection?
  public var uri: String
  /// Extension attributes, as they came.
  public var attributes: String?

  /// Client-to-mixer audio level (RFC 6464).
  public static let audioLevel = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"

  public init(id: UInt16, direction: MediaDirection? = nil, uri: String, attributes: String? = nil) {
    self.id = id
    self.direction = direction
    self.uri = uri
    self.attributes = attributes
  }

  public init?(_ value: some StringProtocol) {
    let fields = value.split(separator: " ", maxSplits: 2)
    guard fields.count >= 2 else { return nil }
    let head = fields[0].split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
    guard let id = UInt16(digits: head[0]), (1...4351).contains(id) else { return nil }
    self.id = id
    if head.count == 2 {
      guard let parsed = MediaDirection(rawValue: String(head[1])) else { return nil }
      direction = parsed
    }
    uri = String(fields[1])
    attributes = fields.count == 3 ? String(fields[2]) : nil
  }

  public var value: String {
    "\(id)" + (direction.map { "/\($0.rawValue)" } ?? "") + " \(uri)" + (attributes.map { " " + $0 } ?? "")
  }
}
