//  Limits.swift: the named maxima of the SIP module: messages, fields, streams, transactions.
import Primitives

/// What a message or a table may hold at most. A value at the limit passes, one past it is refused.
public enum SIPLimits {
  /// One message with its body, bytes.
  public static let messageBytes = 65_536
  /// Header fields of one message.
  public static let headerFields = 200
  /// The start line, or one header field with its folded lines, bytes without the last CRLF.
  public static let lineBytes = 8_192
  /// Values of one header that is a list (Via, Route, Record-Route, Contact …) in one message.
  public static let listEntries = 256
  /// Parameters of one URI or header value.
  public static let parameters = 64
  /// Empty lines skipped before a start line (RFC 3261 §7.5).
  public static let leadingEmptyLines = 16
  /// Bytes a stream connection may have received and not yet taken as messages.
  public static let streamBufferBytes = 4 * messageBytes
  /// A request longer than this should go over a stream transport when the path MTU is unknown (RFC 3261 §18.1.1).
  public static let datagramRequestBytes = 1_300
  /// Server transactions at once; the next request is answered 503.
  public static let serverTransactions = 20_000
  /// Client transactions at once; the next request is not sent.
  public static let clientTransactions = 20_000
  /// Responses kept for repetition and keys, bytes of all server transactions together.
  public static let keptResponseBytes = 64 << 20
}
