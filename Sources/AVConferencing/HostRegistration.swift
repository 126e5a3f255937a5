//  HostRegistration.swift: a media host's registration and load lease with one front end (control protocol P1, P2; RFC 3903).

import Primitives

/// Keeps this host registered and its load published, with one front end.
///
///     idle ──start──▶ registering ──200──▶ registered ──refresh──▶ registering
///                        │  ▲                  │
///                  failure  └──── waiting ◀────┘ connection lost
///     any ──stop──▶ unregistering ──answer or failure──▶ stopped
///
/// The load document follows the registration and is renewed every `loadPeriod`; it is sent whole each time, with the
/// entity tag of the last success. 412 (RFC 3903 §11.2.1) or a lost connection forgets the tag.
public struct HostRegistration: Sendable {
  public enum State: Hashable, Sendable {
    case idle, registering, registered, waiting, unregistering, stopped
  }

  public enum Output: Hashable, Sendable {
    /// `expires` 0 ends the registration.
    case register(expires: Int)
    /// `expires` 0 removes the document (RFC 3903 §4.5).
    case publish(ifMatch: String?, expires: Int)
    case registered(expires: Int)
    case registrationFailed(status: Int, retryIn: Interval)
    /// The first load document of this registration was accepted: the front end gives us meetings from now on.
    case active
    case loadRefused(status: Int)
    case unregistered
  }

  public struct Settings: Sendable {
    public var expires = 60
    public var retry = Interval.milliseconds(250)
    public var retryMaximum = Interval.seconds(5)
    public var loadExpires = 15
    public var loadPeriod = Interval.seconds(5)
    public init() {}
  }

  /// The response, or the lack of one, to what was asked for.
  public enum Answer: Sendable {
    /// - Parameter expires: what the registrar granted.
    case success(expires: Int?, entityTag: String?)
    /// - Parameter status: 0 when there was none.
    case failure(status: Int, retryAfter: Int?, minimumExpires: Int?)
  }

  public private(set) var state = State.idle
  public private(set) var entityTag: String?
  /// The front end has our load.
  public private(set) var isActive = false
  private let settings: Settings
  private var requestedExpires: Int
  private var failures = 0
  private var registrationDeadline = Instant.never
  private var loadDeadline = Instant.never
  private var publishing = false
  private var publishAgain = false

  public init(settings: Settings) {
    self.settings = settings
    requestedExpires = min(max(1, settings.expires), 3_600)
  }

  public var isRegistered: Bool { state == .registered }
  public var nextDeadline: Instant { min(registrationDeadline, loadDeadline) }

  public mutating func start(now: Instant, into outputs: inout [Output]) {
    guard state == .idle else { return }
    register(into: &outputs)
  }

  /// Ends the registration: removes the load document and the binding, and waits for no more than the answers.
  public mutating func stop(now: Instant, into outputs: inout [Output]) {
    switch state {
    case .idle, .waiting:
      state = .stopped
      outputs.append(.unregistered)
    case .registering, .registered:
      if let entityTag { outputs.append(.publish(ifMatch: entityTag, expires: 0)) }
      outputs.append(.register(expires: 0))
      state = .unregistering
    case .unregistering, .stopped: break
    }
    (registrationDeadline, loadDeadline) = (.never, .never)
  }

  /// The load has changed enough to be told before its time.
  public mutating func loadChanged(now: Instant, into outputs: inout [Output]) {
    guard state == .registered else { return }
    publish(now: now, into: &outputs)
  }

  /// The connection to the front end is gone: it may have restarted, and knows us no more.
  public mutating func connectionLost(now: Instant, random: inout RandomSource, into outputs: inout [Output]) {
    entityTag = nil
    switch state {
    case .registered: fail(status: 0, retryAfter: nil, now: now, random: &random, into: &outputs)
    case .unregistering: finish(into: &outputs)
    case .idle, .registering, .waiting, .stopped: break  // the request that is under way will fail by itself
    }
  }

  public mutating func registrationAnswered(
    _ answer: Answer, now: Instant, random: inout RandomSource, into outputs: inout [Output]
  ) {
    switch (state, answer) {
    case (.registering, .success(let expires, _)):
      let granted = min(max(10, expires ?? requestedExpires), 3_600)
      let isFirst = failures > 0 || entityTag == nil
      failures = 0
      state = .registered
      // Three quarters of the lease: two more tries fit before it ends.
      registrationDeadline = now + .seconds(granted) * 3 / 4
      outputs.append(.registered(expires: granted))
      if isFirst { publish(now: now, into: &outputs) }
    case (.registering, .failure(let status, let retryAfter, let minimumExpires)):
      if status == 423, let minimumExpires, minimumExpires > requestedExpires, minimumExpires <= 3_600 {
        requestedExpires = minimumExpires
        outputs.append(.register(expires: requestedExpires))
      } else {
        fail(status: status, retryAfter: retryAfter, now: now, random: &random, into: &outputs)
      }
    case (.unregistering, _): finish(into: &outputs)
    case (.idle, _), (.registered, _), (.waiting, _), (.stopped, _): break
    }
  }

  public mutating func loadAnswered(
    _ answer: Answer, now: Instant, random: inout RandomSource, into outputs: inout [Output]
  ) {
    publishing = false
    guard state == .registered || state == .registering else { return }
    switch answer {
    case .success(_, let tag):
      if !isActive { outputs.append(.active) }
      isActive = true
      entityTag = tag
      if publishAgain, state == .registered { publish(now: now, into: &outputs) }
    case .failure(412, _, _) where entityTag != nil:
      entityTag = nil  // the next one goes without, so a front end that always says 412 cannot make us race
      if state == .registered { publish(now: now, into: &outputs) }
    case .failure(let status, let retryAfter, _):
      entityTag = nil
      outputs.append(.loadRefused(status: status))
      if status == 0 || status == 404 || status == 481 {
        // Nobody there, or nobody who knows us: registering shows which, and publishes anew.
        if state == .registered { fail(status: status, retryAfter: nil, now: now, random: &random, into: &outputs) }
      } else {
        let pause = min(Interval.seconds(min(max(0, retryAfter ?? 0), 300)), .seconds(300))
        loadDeadline = now + max(settings.loadPeriod, pause)
      }
    }
  }

  public mutating func advance(to now: Instant, into outputs: inout [Output]) {
    if registrationDeadline <= now {
      registrationDeadline = .never
      switch state {
      case .registered, .waiting: register(into: &outputs)
      case .idle, .registering, .unregistering, .stopped: break
      }
    }
    if loadDeadline <= now {
      loadDeadline = .never
      if state == .registered || state == .registering { publish(now: now, into: &outputs) }
    }
  }

  private mutating func register(into outputs: inout [Output]) {
    state = .registering
    registrationDeadline = .never
    outputs.append(.register(expires: requestedExpires))
  }

  private mutating func publish(now: Instant, into outputs: inout [Output]) {
    loadDeadline = now + settings.loadPeriod
    guard !publishing else {
      publishAgain = true
      return
    }
    publishing = true
    publishAgain = false
    outputs.append(.publish(ifMatch: entityTag, expires: settings.loadExpires))
  }

  private mutating func fail(
    status: Int, retryAfter: Int?, now: Instant, random: inout RandomSource, into outputs: inout [Output]
  ) {
    // Doubling, with the upper half drawn by lot, so that hosts which lost the same front end do not return at once.
    var pause = settings.retry * (1 << min(failures, 16))
    if pause > settings.retryMaximum || pause <= .zero { pause = settings.retryMaximum }
    let half = max(1, pause.nanoseconds / 2)
    pause = Interval(nanoseconds: half + Int64.random(in: 0...half, using: &random))
    if let retryAfter { pause = max(pause, .seconds(min(max(0, retryAfter), 300))) }
    failures += 1
    isActive = false
    entityTag = nil
    publishing = false
    publishAgain = false
    loadDeadline = .never
    state = .waiting
    registrationDeadline = now + pause
    outputs.append(.registrationFailed(status: status, retryIn: pause))
  }

  private mutating func finish(into outputs: inout [Output]) {
    state = .stopped
    isActive = false
    entityTag = nil
    outputs.append(.unregistered)
  }
}
