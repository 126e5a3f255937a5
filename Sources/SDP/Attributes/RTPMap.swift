//  RTPMap.swift: payload type to encoding (`a=rtpmap`, RFC 8866 §6.6; static ones RFC 3551 §6).

/// What a payload type stands for.
public struct RTPMap: Hashable, Sendable {
  /// 0–127.
  public var payloadType: UInt8
  public var encoding: String
  public var clockRate: UInt32
  /// `nil`: not said; 1 for audio.
  public var channels: UInt8?

  public init(payloadType: UInt8, encoding: String, clockRate: UInt32, channels: UInt8? = nil) {
    self.payloadType = payloadType
    self.encoding = encoding
    self.clockRate = clockRate
    self.channels = channels
  }

  /// Reads the value of `a=rtpmap`: `96 opus/48000/2`.
  public init?(_ value: some StringProtocol) {
    let fields = value.split(separator: " ", maxSplits: 1)
    guard fields.count == 2, let payloadType = UInt8(digits: fields[0]), payloadType < 128 else { return nil }
    let parts = fields[1].split(separator: "/", maxSplits: 3, omittingEmptySubsequences: false)
    guard (2...3).contains(parts.count), !parts[0].isEmpty else { return nil }
    guard let clockRate = UInt32(digits: parts[1].prefix { $0 != " " }), clockRate > 0 else { return nil }
    var channels: UInt8?
    if parts.count == 3 {
      guard let count = UInt8(digits: parts[2].prefix { $0 != " " }), count > 0 else { return nil }
      channels = count
    }
    self.init(payloadType: payloadType, encoding: String(parts[0]), clockRate: clockRate, channels: channels)
  }

  public var value: String {
    "\(payloadType) \(encoding)/\(clockRate)" + (channels.map { "/\($0)" } ?? "")
  }

  /// The static assignments Parley can use: 0, 8, 9.
  public static func `static`(_ payloadType: UInt8) -> RTPMap? {
    AudioEncoding.allCases.first { $0.staticPayloadType == payloadType }
      .map { RTPMap(payloadType: payloadType, encoding: $0.name, clockRate: $0.clockRate) }
  }
}
