//  ControlFeatures.swift: what a peer wants of RTCP beyond reports (RFC 4585, RFC 5506, RFC 3611 §5).

/// Agreed between offer and answer, or only offered.
public struct ControlFeatures: Hashable, Sendable {
  /// A profile with feedback, `…AVPF`: RTCP may come sooner than every 5 s.
  public var feedback = false
  /// `a=rtcp-rsize`: RTCP packets may come without a report before them.
  public var reducedSize = false
  /// `a=rtcp-xr:rcvr-rtt=…`: reference times are given back.
  public var receiverRoundTrip = false
  /// `a=rtcp-xr:voip-metrics`.
  public var voipMetrics = false

  public init() {}

  /// Session-level `a=rtcp-xr` holds for every stream (RFC 3611 §5.1).
  init(_ media: MediaDescription, in session: SessionDescription) {
    feedback = media.transport.uppercased().hasSuffix("AVPF")
    reducedSize = media.attributes.has("rtcp-rsize")
    for value in media.attributes.values("rtcp-xr") + session.attributes.values("rtcp-xr") {
      for format in value.split(separator: " ") {
        if format == "voip-metrics" { voipMetrics = true }
        if format.hasPrefix("rcvr-rtt=") { receiverRoundTrip = true }
      }
    }
  }

  func intersection(_ other: ControlFeatures) -> ControlFeatures {
    var common = self
    common.feedback = feedback && other.feedback
    common.reducedSize = reducedSize && other.reducedSize
    common.receiverRoundTrip = receiverRoundTrip && other.receiverRoundTrip
    common.voipMetrics = voipMetrics && other.voipMetrics
    return common
  }

  /// The lines that say so; the profile is in the `m=` line.
  var attributes: [SDPAttribute] {
    var lines: [SDPAttribute] = []
    if reducedSize { lines.append(SDPAttribute("rtcp-rsize")) }
    var formats: [String] = []
    if receiverRoundTrip { formats.append("rcvr-rtt=all") }
    if voipMetrics { formats.append("voip-metrics") }
    if !formats.isEmpty { lines.append(SDPAttribute("rtcp-xr", formats.joined(separator: " "))) }
    return lines
  }
}
