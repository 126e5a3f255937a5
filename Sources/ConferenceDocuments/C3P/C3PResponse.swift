//  C3PResponse.swift: the answer to one command.

/// `<response>` with its one child, named as the command.
public struct C3PResponse: Hashable, Sendable {
  public var requestID: UInt64
  public var from: String
  public var to: String
  public var code: Code
  public var reason: C3PReason?
  /// The local name of the command answered.
  public var command: String
  public var result = Result()

  public enum Code: String, CaseIterable, Hashable, Sendable {
    case success, failure, pending
  }

  /// What the child carries; most commands carry nothing back.
  public struct Result: Hashable, Sendable {
    public var keys: ConferenceKeys?
    /// Of `addConference`, `getConference`, `modifyConference`.
    public var conference: ConferenceInfo?
    /// Of `addUser`: granted roles, endpoint entity, media with ids and labels.
    public var user: ConferenceInfo.User?
    /// `connection-info/entry`: keys and values.
    public var connection: [ConnectionEntry] = []

    public init(keys: ConferenceKeys? = nil, conference: ConferenceInfo? = nil, user: ConferenceInfo.User? = nil) {
      self.keys = keys
      self.conference = conference
      self.user = user
    }
  }

  public struct ConnectionEntry: Hashable, Sendable {
    /// Compared without case.
    public var key: String
    public var value: String

    public init(key: String, value: String) {
      self.key = key
      self.value = value
    }
  }

  public init(
    requestID: UInt64, from: String, to: String, code: Code, reason: C3PReason? = nil, command: String,
    result: Result = Result()
  ) {
    self.requestID = requestID
    self.from = from
    self.to = to
    self.code = code
    self.reason = reason
    self.command = command
    self.result = result
  }

  /// The answer to a request: its id, its addresses the other way round, its command.
  public init(to request: C3PRequest, code: Code, reason: C3PReason? = nil, result: Result = Result()) {
    self.init(
      requestID: request.requestID, from: request.to, to: request.from, code: code, reason: reason,
      command: request.command.name, result: result)
  }
}
