//  RelocationState.swift: what a worker knows of meetings that leave it or arrive, until each is settled.

import Primitives

/// A meeting that is to go to another worker, at the next good moment.
struct Departure: BitwiseCopyable {
  let meeting: MeetingID
  let worker: Int
  let asked: Instant
}

/// The first tick of a meeting that nobody ran: it fell due while the meeting was on its way.
struct MissedTick: BitwiseCopyable {
  let meeting: MeetingID
  var step: Int64
}

/// What another worker is to know of one leg.
struct RelocationNotice: BitwiseCopyable {
  enum Kind: UInt8, BitwiseCopyable {
    /// To the leg's home: it went on to the sender, from `place`.
    case moved
    /// To a worker that it had only passed through: its home sends elsewhere now, so nothing more comes that way.
    case settled
    /// To its home: it is closed.
    case closed
  }
  let kind: Kind
  let receiver: Int
  let leg: LegID
  var place: UInt16 = 0
  var moves: UInt32 = 0
}

/// A leg that only passed through: nothing more comes for it, once what is still under way has come.
struct SettledLeg: BitwiseCopyable {
  let leg: LegID
  let moves: UInt32
  let until: Instant
}

/// What the control core is to know.
enum RelocationNews: BitwiseCopyable {
  case left(MeetingID, Int)
  case stayed(MeetingID)
  case arrived(MeetingID, Int)
  case lost(MeetingID)

  var event: MediaEvent {
    switch self {
    case .left(let meeting, let worker): .meetingLeft(meeting, to: worker)
    case .stayed(let meeting): .meetingStayed(meeting)
    case .arrived(let meeting, let legs): .meetingArrived(meeting, legs: legs)
    case .lost(let meeting): .meetingLost(meeting)
    }
  }
}

struct RelocationState: ~Copyable {
  /// A meeting leaves when its next tick is at least so far away: time enough to be there for it.
  static let margin = Interval.milliseconds(5)
  /// A datagram that goes by way of several workers may come so much later than the word that no more will.
  static let settling = Interval.seconds(1)
  /// After so long it leaves in any case.
  static let patience = Interval.milliseconds(60)
  /// Datagrams that other workers may have sent on in one turn.
  static let inboundMaximum = 4096
  /// Datagrams from unknown sources that may be sent on in a second, each to as many workers as `unknownReceivers`: the
  /// peer of a leg that has left may turn up with a new address, and a spray of nonsense must not reach everybody.
  static let unknownPerSecond = 2000
  static let unknownReceivers = 4

  /// Made when the first leg leaves.
  var forwarding: Forwarding?
  /// It has something in it: all that a packet of a worker without moves is asked.
  private(set) var isForwarding = false

  var leaving: BoundedList<Departure>
  /// When the next of them may leave.
  var departAt = Instant.never
  /// Arrived, and not yet installed.
  var parcels: [MeetingParcel] = []
  /// Made when the first datagram is sent on to here.
  var inbound: DatagramBatch?
  var missed: BoundedList<MissedTick>
  /// The schedule as it was before a missed tick was begun.
  var interrupted: TickSchedule?
  var notices: BoundedList<RelocationNotice>
  var settled: BoundedQueue<SettledLeg>
  var news: BoundedQueue<RelocationNews>
  private var unknownSecond = Int64.min
  private var unknownCount = 0

  init(limits: MediaWorkerLimits) {
    leaving = BoundedList(capacity: limits.meetings)
    missed = BoundedList(capacity: limits.meetings)
    // Each leg here may be closed, moved on and settled before the outbox takes the first notice.
    notices = BoundedList(capacity: limits.legs * 4)
    settled = BoundedQueue(capacity: limits.legs * 4)
    news = BoundedQueue(capacity: limits.meetings * 4)
  }

  /// Room for what one command may cause, and for a meeting that arrives meanwhile.
  var hasRoomForCommand: Bool { news.available >= 8 && !leaving.isFull }

  mutating func tell(_ event: RelocationNews) { _ = news.push(event) }

  mutating func forwardingChanged() {
    isForwarding = (forwarding?.count ?? 0) > 0
  }

  /// Takes one of this second's places for datagrams of unknown origin.
  mutating func mayForwardUnknown(now: Instant) -> Bool {
    let second = now.nanoseconds / 1_000_000_000
    if second != unknownSecond {
      unknownSecond = second
      unknownCount = 0
    }
    guard unknownCount < Self.unknownPerSecond else { return false }
    unknownCount &+= 1
    return true
  }
}
