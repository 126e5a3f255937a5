//  ConferenceSubscriptions.swift: who watches a conference, and what each is owed (RFC 4575 §3, §4; RFC 6665 §4.2).
//  Walk: Focus → Roster → ConferenceSubscriptions → NOTIFY

import ConferenceDocuments
import Primitives
import SIP

/// The watchers of one conference.
///
/// Each watcher has its own version, which rises by one with every document (RFC 4575 §5.2), and the sequence number
/// of the last roster change that it was told. A document is made and encoded once for all watchers that are owed the
/// same; only its version differs and is written in.
public struct ConferenceSubscriptions: Sendable {
  public struct Watcher: Hashable, Sendable {
    /// Of the last document sent; 0: none yet.
    public fileprivate(set) var version: UInt32 = 0
    /// Last roster change told.
    public fileprivate(set) var sequence: UInt64 = 0
    fileprivate var notified = Instant(nanoseconds: .min)
    fileprivate var isOwedFull = true
  }

  public enum Output: Hashable, Sendable {
    case notify(SubscriptionHandle, [UInt8])
    /// The last one: `terminated;reason=noresource`.
    case terminate(SubscriptionHandle, [UInt8])
  }

  public let conference: String
  public let serverURI: String
  public let interval: Interval
  public let maximum: Int
  public private(set) var watchers: [SubscriptionHandle: Watcher] = [:]
  public private(set) var nextDeadline = Instant.never

  public init(conference: String, serverURI: String, interval: Interval, maximum: Int) {
    self.conference = conference
    self.serverURI = serverURI
    self.interval = interval
    self.maximum = maximum
  }

  public var isFull: Bool { watchers.count >= maximum }

  // MARK: Inputs

  /// A new watcher: a full document at once (RFC 6665 §4.2.1.2).
  public mutating func add(
    _ subscription: SubscriptionHandle, roster: Roster, now: Instant, into outputs: inout [Output]
  ) {
    watchers[subscription] = Watcher()
    notify([subscription], roster, now, &outputs)
  }

  /// A refresh is answered with everything, whatever the watcher was told before (RFC 4575 §3.5).
  public mutating func refresh(
    _ subscription: SubscriptionHandle, roster: Roster, now: Instant, into outputs: inout [Output]
  ) {
    guard watchers[subscription] != nil else { return }
    watchers[subscription]?.isOwedFull = true
    notify([subscription], roster, now, &outputs)
  }

  public mutating func remove(_ subscription: SubscriptionHandle) { watchers[subscription] = nil }

  /// The roster has changed: those who were left in peace long enough are told at once, the others in time.
  ///
  /// - Parameter isBusy: the document before has not arrived yet; a slow watcher is told everything in one later.
  public mutating func update(
    roster: Roster, now: Instant, isBusy: (SubscriptionHandle) -> Bool = { _ in false },
    into outputs: inout [Output]
  ) {
    var due: [SubscriptionHandle] = []
    nextDeadline = .never
    for (subscription, watcher) in watchers where watcher.sequence < roster.sequence {
      let ready = watcher.notified == Instant(nanoseconds: .min) ? now : watcher.notified + interval
      if ready > now {
        nextDeadline = min(nextDeadline, ready)
      } else if isBusy(subscription) {
        nextDeadline = min(nextDeadline, now + interval)
      } else {
        due.append(subscription)
      }
    }
    // A dictionary's order differs from run to run; a simulation's must not.
    due.sort { $0.number < $1.number }
    notify(due, roster, now, &outputs)
  }

  public mutating func advance(
    to now: Instant, roster: Roster, isBusy: (SubscriptionHandle) -> Bool = { _ in false },
    into outputs: inout [Output]
  ) {
    if nextDeadline <= now { update(roster: roster, now: now, isBusy: isBusy, into: &outputs) }
  }

  /// The conference is over: everyone is told, and nobody watches any more.
  public mutating func end(into outputs: inout [Output]) {
    var document = ConferenceInfo(entity: conference)
    document.state = .deleted
    let template = Template(document)
    for (subscription, watcher) in watchers.sorted(by: { $0.key.number < $1.key.number }) {
      outputs.append(.terminate(subscription, template.bytes(version: watcher.version &+ 1)))
    }
    watchers = [:]
    nextDeadline = .never
  }

  // MARK: Documents

  private mutating func notify(
    _ due: [SubscriptionHandle], _ roster: Roster, _ now: Instant, _ outputs: inout [Output]
  ) {
    var full: Template?
    var partial: [UInt64: Template] = [:]
    for subscription in due {
      guard var watcher = watchers[subscription] else { continue }
      let template: Template
      if !watcher.isOwedFull, let known = partial[watcher.sequence] {
        template = known
      } else if !watcher.isOwedFull, let changes = roster.changes(since: watcher.sequence) {
        template = Template(
          roster.document(of: conference, serverURI: serverURI, changes: changes, version: Template.placeholder))
        partial[watcher.sequence] = template
      } else {
        template =
          full
          ?? Template(roster.document(of: conference, serverURI: serverURI, version: Template.placeholder))
        full = template
      }
      watcher.version &+= 1
      watcher.sequence = roster.sequence
      watcher.notified = now
      watcher.isOwedFull = false
      watchers[subscription] = watcher
      outputs.append(.notify(subscription, template.bytes(version: watcher.version)))
    }
  }

  /// An encoded document with a gap where its version goes.
  private struct Template {
    /// No document of ours gets this far.
    static let placeholder = UInt32.max

    private var before: [UInt8]
    private var after: [UInt8]

    init(_ document: ConferenceInfo) {
      var document = document
      document.version = Self.placeholder
      let bytes = document.encoded()
      let mark = Array(" version=\"\(Self.placeholder)\"".utf8)
      // In the root's start tag, near the front; quotes are escaped in every value, so nothing else can look like it.
      let gap = bytes.indices.first { bytes[$0] == mark[0] && bytes[$0...].starts(with: mark) } ?? bytes.endIndex
      before = Array(bytes[..<gap])
      after = Array(bytes[gap...].dropFirst(mark.count))
    }

    func bytes(version: UInt32) -> [UInt8] {
      before + Array(" version=\"\(version)\"".utf8) + after
    }
  }
}
