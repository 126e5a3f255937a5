//  SIPMethod.swift: request methods (RFC 3261 §7.1 and the RFCs that added to them).

/// A method. Methods are case-sensitive: `invite` is not `INVITE`, and stays `.other("invite")`.
public enum SIPMethod: Hashable, Sendable {
  case invite, ack, bye, cancel, options, register, subscribe, notify, publish, info, update, prack, refer, message
  case service
  case other(String)

  /// - Parameter name: the token as in a request line.
  public init(_ name: some StringProtocol) { self.init(Array(name.utf8)[...]) }

  init(_ token: ArraySlice<UInt8>) {
    let candidate: SIPMethod? =
      switch (token.first, token.count) {
      case (UInt8(ascii: "I"), 6): .invite
      case (UInt8(ascii: "I"), 4): .info
      case (UInt8(ascii: "A"), 3): .ack
      case (UInt8(ascii: "B"), 3): .bye
      case (UInt8(ascii: "C"), 6): .cancel
      case (UInt8(ascii: "O"), 7): .options
      case (UInt8(ascii: "R"), 8): .register
      case (UInt8(ascii: "R"), 5): .refer
      case (UInt8(ascii: "S"), 9): .subscribe
      case (UInt8(ascii: "S"), 7): .service
      case (UInt8(ascii: "N"), 6): .notify
      case (UInt8(ascii: "P"), 7): .publish
      case (UInt8(ascii: "P"), 5): .prack
      case (UInt8(ascii: "U"), 6): .update
      case (UInt8(ascii: "M"), 7): .message
      default: nil
      }
    if let candidate, candidate.name.utf8.elementsEqual(token) {
      self = candidate
    } else {
      self = .other(String(decoding: token, as: UTF8.self))
    }
  }

  /// The token as it is written in a request line and in CSeq.
  public var name: String {
    switch self {
    case .invite: "INVITE"
    case .ack: "ACK"
    case .bye: "BYE"
    case .cancel: "CANCEL"
    case .options: "OPTIONS"
    case .register: "REGISTER"
    case .subscribe: "SUBSCRIBE"
    case .notify: "NOTIFY"
    case .publish: "PUBLISH"
    case .info: "INFO"
    case .update: "UPDATE"
    case .prack: "PRACK"
    case .refer: "REFER"
    case .message: "MESSAGE"
    case .service: "SERVICE"
    case .other(let name): name
    }
  }
}

extension SIPMethod: CustomStringConvertible {
  public var description: String { name }
}
