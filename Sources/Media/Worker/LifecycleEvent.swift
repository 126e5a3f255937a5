//  LifecycleEvent.swift: events of legs, as trivial values in the worker's ring until the shell takes them.

import Primitives

/// What must reach the control core, in the order it happened.
enum LifecycleEvent {
  case opened(LegID)
  case refused(LegID, LegRefusal)
  case connected(LegID, SocketAddress, UInt32)
  case silent(LegID)
  case resumed(LegID)
  case closed(LegID, LegStatistics)
  case goodbye(LegID)
  case digit(LegID, UInt8, Int32)

  var event: MediaEvent {
    switch self {
    case .opened(let leg): .legOpened(leg)
    case .refused(let leg, let reason): .legRefused(leg, reason: reason)
    case .connected(let leg, let source, let ssrc): .legConnected(leg, source: source, remoteSSRC: ssrc)
    case .silent(let leg): .legSilent(leg)
    case .resumed(let leg): .legResumed(leg)
    case .closed(let leg, let statistics): .legClosed(leg, statistics)
    case .goodbye(let leg): .legSaidGoodbye(leg)
    case .digit(let leg, let digit, let milliseconds): .digit(leg, digit: digit, milliseconds: Int(milliseconds))
    }
  }
}

/// The worker's events until the shell takes them.
///
/// Commands are taken only while the ring has room for all that one of them can cause (one event for each leg), so their
/// events always fit. What the network causes may use only the rest: when that is full the event stays noted in the leg
/// (`LegNews`) and is put in later. Reports never enter the ring: only the newest is kept. So a shell that does not listen
/// loses reports first, and of the rest only key presses beyond `LegNews.digits`.
struct EventRing: ~Copyable {
  /// Events kept for the network's causes.
  static let networkRoom = 1024
  private let reserve: Int
  private var queue: BoundedQueue<LifecycleEvent>
  /// Events that did not fit, ever.
  private(set) var lost: UInt64 = 0

  init(limits: MediaWorkerLimits) {
    reserve = limits.legs + 1
    queue = BoundedQueue(capacity: 2 * reserve + Self.networkRoom)
  }

  var hasRoomForCommand: Bool { queue.available >= reserve }

  mutating func command(_ event: LifecycleEvent) { if !queue.push(event) { lost &+= 1 } }

  /// - Returns: `false` when the caller must keep it.
  mutating func network(_ event: LifecycleEvent) -> Bool { queue.available > reserve && queue.push(event) }

  mutating func drop() { lost &+= 1 }

  mutating func pop() -> LifecycleEvent? { queue.pop() }
}

/// What a leg still has to tell because the ring was full.
struct LegNews: BitwiseCopyable {
  static let digits = 4
  var connected = false
  var silent = false
  var resumed = false
  var goodbye = false
  var presses: InlineArray<4, DTMFReceiver.Press> = InlineArray(
    repeating: DTMFReceiver.Press(digit: 0, milliseconds: 0))
  var pressCount = 0
  /// The worker has it in its list of legs with news.
  var isListed = false

  var isEmpty: Bool { !connected && !silent && !resumed && !goodbye && pressCount == 0 }
}
