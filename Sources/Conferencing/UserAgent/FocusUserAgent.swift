//  FocusUserAgent.swift: the SIP side of one active conference: phones, media host and watchers around its Focus.
//  Walk: ConferencingCore → FocusUserAgent → Focus → FocusUserAgent → ParticipantLeg

import ConferenceDocuments
import Primitives
import SIP

/// One active conference with everything that belongs to it. Events of the user agent come in by handle; the Focus
/// decides; what it wants is done here through `SIPContext`.
struct FocusUserAgent: Sendable {
  /// One participant: the machine and the handles of its two dialogs.
  struct Leg: Sendable {
    var machine: ParticipantLeg
    var phone: CallHandle
    var server: CallHandle?
    /// Promised by the factory until the leg is up.
    var lease: (id: UInt64, server: ConferencingServerID)?
  }

  let name: ConferenceName
  let entity: String
  /// The audio/video server's virtual URI.
  let serverURI: String
  var focus: Focus
  var legs: [ParticipantID: Leg] = [:]
  /// Legs with a deadline of their own.
  var inviting: Set<ParticipantID> = []
  var control: HostControl?
  var controlCall: CallHandle?
  var controlSubscription: SubscriptionHandle?
  /// Booked when the server was chosen, for the first leg on it.
  var firstLease: (id: UInt64, server: ConferencingServerID)?
  var subscriptions: ConferenceSubscriptions
  private(set) var isEnded = false
  private var isRosterDue = false

  init(name: ConferenceName, entity: String, configuration: ConferencingConfiguration) {
    self.name = name
    self.entity = entity
    serverURI = "\(entity);gruu;opaque=app:conf:\(ConferencingServerType.audioVideo.rawValue):id:\(name)"
    var policy = FocusPolicy()
    policy.maximumParticipants = configuration.maximumParticipants
    policy.gracePeriod = configuration.gracePeriod
    policy.joinTimeout = configuration.joinTimeout
    focus = Focus(name: name, entity: entity, policy: policy)
    subscriptions = ConferenceSubscriptions(
      conference: entity, serverURI: serverURI, interval: configuration.notificationInterval,
      maximum: configuration.maximumSubscriptionsPerConference)
  }

  // MARK: Time

  var nextDeadline: Instant {
    var deadline = min(focus.nextDeadline, subscriptions.nextDeadline)
    if let control { deadline = min(deadline, control.nextDeadline) }
    for id in inviting {
      if let leg = legs[id] { deadline = min(deadline, leg.machine.nextDeadline) }
    }
    return deadline
  }

  mutating func advance(to now: Instant, in context: inout SIPContext) {
    for id in inviting.sorted() {
      var outputs: [ParticipantLeg.Output] = []
      legs[id]?.machine.advance(to: now, into: &outputs)
      perform(outputs, of: id, now: now, in: &context)
    }
    if var control {
      var outputs: [HostControl.Output] = []
      control.advance(to: now, into: &outputs)
      self.control = control
      perform(outputs, now: now, in: &context)
    }
    var outputs: [FocusOutput] = []
    focus.advance(to: now, into: &outputs)
    perform(outputs, now: now, in: &context)
    updateWatchers(now: now, in: &context)
    var notifications: [ConferenceSubscriptions.Output] = []
    subscriptions.advance(
      to: now, roster: focus.roster, isBusy: { context.userAgent.isNotifying($0) }, into: &notifications)
    perform(notifications, now: now, in: &context)
  }

  // MARK: The Focus

  /// Feeds the Focus, and whatever follows from what it wants.
  mutating func drive(_ input: FocusInput, now: Instant, in context: inout SIPContext) {
    feed(input, now: now, in: &context)
    updateWatchers(now: now, in: &context)
  }

  func hasEnded() -> Bool { isEnded }

  /// Each further input comes of a server or leg that failed at once; their number is bounded by `serverAttempts`.
  mutating func feed(_ input: FocusInput, now: Instant, in context: inout SIPContext) {
    var outputs: [FocusOutput] = []
    focus.handle(input, now: now, into: &outputs)
    perform(outputs, now: now, in: &context)
  }

  private mutating func perform(_ outputs: [FocusOutput], now: Instant, in context: inout SIPContext) {
    for output in outputs {
      switch output {
      case .provision(let excluded): provision(excluding: excluded, now: now, in: &context)
      case .releaseServer: stopControl(now: now, in: &context)
      case .openLeg(let id): handle(.open, of: id, now: now, in: &context)
      case .suspendLeg(let id): handle(.suspend, of: id, now: now, in: &context)
      case .admit(let id): handle(.admit, of: id, now: now, in: &context)
      case .refuse(let id, let error):
        context.log(ConferencingLogEvent(.refused(error), conference: name, leg: id))
        handle(.refuse(error), of: id, now: now, in: &context)
      case .dismiss(let id, let cause): handle(.dismiss(cause), of: id, now: now, in: &context)
      case .closeLeg(let id): handle(.close, of: id, now: now, in: &context)
      case .rosterChanged: isRosterDue = true
      case .record(let record): context.outputs.append(.record(record))
      case .log(let event): context.log(event)
      case .ended:
        isEnded = true
        var notifications: [ConferenceSubscriptions.Output] = []
        subscriptions.end(into: &notifications)
        perform(notifications, now: now, in: &context)
      }
    }
  }

  // MARK: Watchers

  mutating func updateWatchers(now: Instant, in context: inout SIPContext) {
    guard isRosterDue, !isEnded else { return }
    isRosterDue = false
    var outputs: [ConferenceSubscriptions.Output] = []
    subscriptions.update(
      roster: focus.roster, now: now, isBusy: { context.userAgent.isNotifying($0) }, into: &outputs)
    perform(outputs, now: now, in: &context)
  }

  mutating func watch(_ subscription: SubscriptionHandle, now: Instant, in context: inout SIPContext) {
    var outputs: [ConferenceSubscriptions.Output] = []
    subscriptions.add(subscription, roster: focus.roster, now: now, into: &outputs)
    perform(outputs, now: now, in: &context)
  }

  mutating func refreshWatcher(_ subscription: SubscriptionHandle, now: Instant, in context: inout SIPContext) {
    var outputs: [ConferenceSubscriptions.Output] = []
    subscriptions.refresh(subscription, roster: focus.roster, now: now, into: &outputs)
    perform(outputs, now: now, in: &context)
  }

  private mutating func perform(
    _ outputs: [ConferenceSubscriptions.Output], now: Instant, in context: inout SIPContext
  ) {
    for output in outputs {
      switch output {
      case .notify(let subscription, let document):
        context.userAgent.notify(
          subscription, body: MessageBody(contentType: ConferenceInfo.contentType, bytes: document), now: now,
          into: &context.queue)
      case .terminate(let subscription, let document):
        context.subscriptions[subscription] = nil
        context.userAgent.notify(
          subscription, state: .terminated(reason: "noresource"),
          body: MessageBody(contentType: ConferenceInfo.contentType, bytes: document), now: now, into: &context.queue)
      }
    }
  }
}
