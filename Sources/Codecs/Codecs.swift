//  Codecs.swift: what the module's types share.

/// Why a codec refused a payload.
@frozen public enum CodecError: UInt8, Error, Sendable, BitwiseCopyable {
  /// The payload contradicts itself or its format's rules.
  case malformed
  /// More audio than one packet may carry, or than the caller has room for.
  case tooLong
  /// Our own parameters are out of range.
  case badArgument
}
