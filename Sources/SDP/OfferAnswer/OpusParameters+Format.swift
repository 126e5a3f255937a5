//  OpusParameters+Format.swift: Opus parameters, read and written (RFC 7587 §6.1).

extension OpusParameters {
  /// Numbers beyond their range are brought into it; unknown parameters are skipped.
  public init(_ parameters: FormatParameters) {
    self.init()
    maximumPlaybackRate = parameters.number("maxplaybackrate", in: 8_000...48_000) ?? 48_000
    maximumAverageBitRate = parameters.number("maxaveragebitrate", in: 6_000...510_000)
    stereo = parameters.flag("stereo")
    sendsStereo = parameters.flag("sprop-stereo")
    inBandFEC = parameters.flag("useinbandfec")
    dtx = parameters.flag("usedtx")
    constantBitRate = parameters.flag("cbr")
  }

  /// The text of `a=fmtp` after the payload type; `nil` when all is as it is without one.
  public var formatText: String? {
    var parts: [String] = []
    if maximumPlaybackRate != 48_000 { parts.append("maxplaybackrate=\(maximumPlaybackRate)") }
    if let maximumAverageBitRate { parts.append("maxaveragebitrate=\(maximumAverageBitRate)") }
    if stereo { parts.append("stereo=1") }
    if sendsStereo { parts.append("sprop-stereo=1") }
    if inBandFEC { parts.append("useinbandfec=1") }
    if dtx { parts.append("usedtx=1") }
    if constantBitRate { parts.append("cbr=1") }
    return parts.isEmpty ? nil : parts.joined(separator: ";")
  }
}
