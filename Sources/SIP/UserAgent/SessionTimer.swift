//  SessionTimer.swift: who refreshes a session and when it expires, as two ends agree on it (RFC 4028).
import Primitives

/// The session timer of one dialog. It starts anew with each successful session refresh request, in either direction.
struct SessionTimer: Sendable {
  /// RFC 4028 §5: nobody may ask for less.
  static let smallestMinimum: UInt32 = 90
  /// A 422 is answered by a new attempt this often per request (RFC 4028 §7.3); Min-SE only grows, so two do.
  static let maximumAttempts = 3

  enum Verdict: Equatable, Sendable {
    case tooSmall(minimumSeconds: UInt32)
    case granted
  }

  private let policy: SessionTimerPolicy
  /// Largest Min-SE that the path has asked for.
  private var minimumSeconds: UInt32
  /// Agreed Session-Expires; `nil`: the session does not expire.
  private(set) var intervalSeconds: UInt32?
  private(set) var isRefresher = false

  init(policy: SessionTimerPolicy) {
    self.policy = policy
    minimumSeconds = policy.minimumSeconds
  }

  private var wantedSeconds: UInt32 { max(policy.expiresSeconds, minimumSeconds) }

  // MARK: As the one who sends the refresh request

  /// Session-Expires and Min-SE of an INVITE or UPDATE that we send (§7.1, §7.4).
  func requestFields() -> [HeaderField] {
    guard policy.isEnabled || intervalSeconds != nil else { return [] }
    var value = "\(max(intervalSeconds ?? wantedSeconds, minimumSeconds))"
    if intervalSeconds != nil {
      value += isRefresher ? ";refresher=uac" : ";refresher=uas"
    } else {
      switch policy.refresher {
      case .automatic: break
      case .uac: value += ";refresher=uac"
      case .uas: value += ";refresher=uas"
      }
    }
    return [HeaderField("Session-Expires", value), HeaderField("Min-SE", "\(minimumSeconds)")]
  }

  /// A 422 came: the next request asks for at least this much (§7.3).
  /// - Returns: false when it asks for nothing that we had not granted, so that asking again is of no use.
  mutating func raiseMinimum(to seconds: UInt32?) -> Bool {
    guard let seconds, seconds > max(intervalSeconds ?? wantedSeconds, minimumSeconds) else { return false }
    minimumSeconds = seconds
    if intervalSeconds != nil { intervalSeconds = seconds }
    return true
  }

  /// The 2xx to a refresh request that we sent (§7.2). Without Session-Expires the session does not expire.
  mutating func takeResponse(_ field: SessionExpires?) {
    guard let field else {
      intervalSeconds = nil
      isRefresher = false
      return
    }
    // Less than Min-SE is illegal; honoured it would have us refresh as fast as a stranger likes.
    intervalSeconds = max(field.seconds, policy.minimumSeconds, 1)
    isRefresher = field.refresher != .uas
  }

  // MARK: As the one who answers the refresh request

  /// An INVITE or UPDATE came (§9); `responseFields` are for its 2xx, after `.granted`.
  mutating func takeRequest(_ field: SessionExpires?, minimum: UInt32?, peerSupportsTimer: Bool) -> Verdict {
    if let field, field.seconds < policy.minimumSeconds, peerSupportsTimer {
      return .tooSmall(minimumSeconds: policy.minimumSeconds)
    }
    let floor = max(minimum ?? 0, policy.minimumSeconds)
    if let field {
      // Never more than asked for, never less than Min-SE. A peer without the extension cannot be told 422.
      intervalSeconds = max(
        min(field.seconds, policy.expiresSeconds), min(floor, field.seconds), policy.minimumSeconds, 1)
    } else if policy.isEnabled {
      intervalSeconds = max(policy.expiresSeconds, floor)
    } else {
      intervalSeconds = nil
    }
    guard peerSupportsTimer else {
      isRefresher = true
      return .granted
    }
    switch field?.refresher {
    case .uac: isRefresher = false
    case .uas: isRefresher = true
    case nil: isRefresher = policy.refresher == .uas
    }
    return .granted
  }

  func responseFields(peerSupportsTimer: Bool) -> [HeaderField] {
    guard let intervalSeconds else { return [] }
    let field = HeaderField("Session-Expires", "\(intervalSeconds);refresher=\(isRefresher ? "uas" : "uac")")
    return isRefresher || !peerSupportsTimer ? [field] : [field, HeaderField("Require", "timer")]
  }

  // MARK: Deadlines

  /// Half way (§7.2): when the refresher sends the next refresh.
  func refreshDeadline(from start: Instant) -> Instant? {
    guard let intervalSeconds, isRefresher else { return nil }
    return start + Interval.seconds(Int(intervalSeconds)) / 2
  }

  /// When the session is given up: the end of the interval for the refresher, min(32 s, a third) before it for the
  /// other (§10).
  func expiryDeadline(from start: Instant) -> Instant? {
    guard let intervalSeconds else { return nil }
    let margin = isRefresher ? 0 : min(32, Int(intervalSeconds) / 3)
    return start + .seconds(Int(intervalSeconds) - margin)
  }
}

/// Session-Expires (RFC 4028 §4).
struct SessionExpires: Equatable, Sendable {
  enum Refresher: Sendable { case uac, uas }

  var seconds: UInt32
  var refresher: Refresher?

  /// - Returns: `nil` when the value is no number; a number over 2³²−1 is taken as that.
  init?(_ value: String) {
    var parts = value.split(separator: ";", omittingEmptySubsequences: true)[...]
    guard let seconds = DeltaSeconds.parse(parts.popFirst() ?? "") else { return nil }
    self.seconds = seconds
    for part in parts.prefix(8) {
      let pair = part.lowercased().filter { $0 != " " && $0 != "\t" }
      if pair == "refresher=uac" { refresher = .uac }
      if pair == "refresher=uas" { refresher = .uas }
    }
  }
}

/// delta-seconds (RFC 3261 §25.1).
enum DeltaSeconds {
  /// Digits with white space around, parameters cut off; more than fits is taken as 2³²−1 (§20.19).
  static func parse(_ text: some StringProtocol) -> UInt32? {
    var value: UInt64 = 0
    var digits = 0
    var ended = false
    for byte in text.utf8 {
      switch byte {
      case 48...57:
        guard !ended else { return nil }
        value = min(value * 10 + UInt64(byte - 48), UInt64(UInt32.max))
        digits += 1
      case 32, 9: if digits > 0 { ended = true }
      case UInt8(ascii: ";"): return digits > 0 ? UInt32(value) : nil
      default: return nil
      }
    }
    return digits > 0 ? UInt32(value) : nil
  }
}
