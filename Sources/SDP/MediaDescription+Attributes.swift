//  MediaDescription+Attributes.swift: the attributes of a stream, typed.

extension MediaDescription {
  /// Valid RTP payload types of the `m=` line, in order, each once. Whatever else stands there is skipped, also
  /// a number with leading zeros, which could not be answered as it was written.
  public var payloadTypes: [UInt8] {
    var seen = Set<UInt8>()
    return formats.compactMap { format in
      guard let number = UInt8(digits: format), number < 128, String(number) == format else { return nil }
      return seen.insert(number).inserted ? number : nil
    }
  }

  /// What a payload type stands for: by its first well-formed `a=rtpmap`, else by RFC 3551.
  public func rtpMap(_ payloadType: UInt8) -> RTPMap? {
    for attribute in attributes where attribute.name == "rtpmap" {
      if let map = attribute.value.flatMap({ RTPMap($0) }), map.payloadType == payloadType { return map }
    }
    return RTPMap.static(payloadType)
  }

  /// The `a=fmtp` of a format.
  public func formatParameters(_ payloadType: UInt8) -> FormatParameters? {
    for value in attributes.values("fmtp") {
      let fields = value.split(separator: " ", maxSplits: 1)
      if fields.count == 2, UInt8(digits: fields[0]) == payloadType { return FormatParameters(text: String(fields[1])) }
    }
    return nil
  }

  /// `a=ptime` in whole milliseconds, 1–1000.
  public var packetTime: Int? { milliseconds("ptime") }
  public var maximumPacketTime: Int? { milliseconds("maxptime") }

  /// `nil` when the media description itself does not say.
  public var direction: MediaDirection? { MediaDirection.first(in: attributes) }

  public var rtcp: RTCPAttribute? { attributes.value("rtcp").flatMap { RTCPAttribute($0) } }
  public var hasRTCPMux: Bool { attributes.has("rtcp-mux") }

  /// The well-formed `a=crypto` lines, at most `SDPLimits.cryptoLines`.
  public var cryptoLines: [CryptoAttribute] {
    attributes.values("crypto").prefix(SDPLimits.cryptoLines).compactMap { CryptoAttribute($0) }
  }

  public var extensionMaps: [ExtensionMap] { attributes.values("extmap").compactMap { ExtensionMap($0) } }

  /// RFC 4574.
  public var label: String? { attributes.value("label") }
  /// RFC 4796: `main`, `slides`, `speaker` …
  public var content: [String] {
    attributes.value("content")?.split(separator: ",").map(String.init) ?? []
  }

  private func milliseconds(_ name: String) -> Int? {
    // RFC 8866 §6.4 allows a real number.
    guard let text = attributes.value(name)?.prefix(while: { $0 != "." && $0 != " " }),
      let value = UInt16(digits: text), (1...1000).contains(value)
    else { return nil }
    return Int(value)
  }
}
