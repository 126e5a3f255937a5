//  MediaEngine.swift: the thread that plays every virtual phone's media: paced sending, batched receiving, judging.

import LinuxIO
import Media
import Primitives
import RTP
import SDP
import Simulation
import Synchronization

/// To the media thread.
enum MediaOrder: Sendable {
  case start(phone: Int, NegotiatedAudio)
  case stop(phone: Int)
  /// As soon as the last mix has settled, what ears hear is judged, and counts begin anew.
  case judge
  case finish
}

/// What the media thread measured.
struct MediaOutcome: Sendable {
  var phones: [PhoneReport] = []
  var interarrival = IntervalHistogram()
  var delay = LatencySummary()
  var marksHeard: UInt64 = 0
  /// Packets per phone that a listener must get in the judged time, by the clock: 50 a second.
  var judgedSeconds = 0.0
  /// Received while judged, of phones that hear somebody all the time.
  var receivedWhileJudged: UInt64 = 0
  var expectedWhileJudged: UInt64 = 0
  /// Of the media thread, while judged.
  var cpuSeconds = 0.0
  var sendFailures: UInt64 = 0
  /// Frames that left more than 5 ms after their time: the load tool itself was late.
  var lateFrames: UInt64 = 0
  var framesSent: UInt64 = 0
}

/// Owns the sockets and the calls' media. Everything but `orders` and the result belongs to its thread.
final class MediaEngine: @unchecked Sendable {
  // @unchecked: phones, sockets and counters are touched by `run` alone; `outcome` is read after `join`.
  let orders = SPSCQueue<MediaOrder>(capacity: 1 << 14)
  private let wakeUp: WakeUp
  private let plan: LoadPlan
  private let library: VoiceLibrary
  private let epoch: Instant
  private let clock: ClockAnchor
  private var media: AddressFan
  private var control: AddressFan
  private var poll: EventPoll
  private var random: RandomSource
  private var phones: [PhoneMedia?]
  private var nextFrame: [Int]
  private var schedule: [(due: Instant, phone: Int)] = []
  private var cursor = 0
  private var nextControl: Instant
  /// From the order to judge until what was said before it has left every jitter buffer.
  private static let settling = Interval.milliseconds(700)
  private var settledAt = Instant.never
  private var isJudging = false
  private var judgedFrom = Instant.never
  private var atJudging: [PhoneReport] = []
  private var cpuAtJudging = Interval.zero
  private var delay = LatencyHistogram()
  private var outcomeValue = MediaOutcome()
  private var thread: PinnedThread?
  private var isFinished = false

  init(plan: LoadPlan, library: VoiceLibrary, clock: ClockAnchor, cpu: Int?) throws {
    self.plan = plan
    self.library = library
    self.clock = clock
    epoch = MonotonicClock.now()
    nextControl = epoch + .seconds(2)
    wakeUp = try WakeUp()
    media = try AddressFan(port: plan.mediaPort)
    control = try AddressFan(port: plan.mediaPort + 1)
    poll = try EventPoll()
    random = try RandomSource.system()
    phones = Array(repeating: nil, count: plan.participants)
    nextFrame = Array(repeating: 0, count: plan.participants)
    try poll.add(media.descriptor, token: 0)
    try poll.add(control.descriptor, token: 1)
    try poll.add(wakeUp.descriptor, token: 2)
    thread = try PinnedThread(name: "load-media", cpu: cpu) { [unowned self] in self.run() }
  }

  func order(_ order: MediaOrder) {
    while !orders.push(order) { wakeUp.wake() }
    wakeUp.wake()
  }

  /// Ends the thread and returns what it measured.
  func finish() -> MediaOutcome {
    order(.finish)
    thread?.join()
    return outcomeValue
  }

  // MARK: The thread

  private func run() {
    while !isFinished {
      var now = MonotonicClock.now()
      takeOrders(now)
      beginJudging(now)
      sendDue(now)
      sendControl(now)
      media.flush()
      control.flush()
      now = MonotonicClock.now()
      let wait = max(.zero, min(nextDue(now), now + .milliseconds(10)) - now)
      wakeUp.prepareToWait()
      let ready = poll.wait(timeout: orders.isEmpty ? wait : .zero)
      wakeUp.finishWait()
      if ready.isReadable(0) { receive(onControl: false) }
      if ready.isReadable(1) { receive(onControl: true) }
    }
    conclude()
  }

  private func takeOrders(_ now: Instant) {
    while let order = orders.pop() {
      switch order {
      case .start(let phone, let negotiated): start(phone, negotiated, now)
      case .stop(let phone): phones[phone] = nil
      case .judge: settledAt = now + Self.settling
      case .finish: isFinished = true
      }
    }
  }

  /// The last caller's mix has begun by now: from here on packets are due and windows are judged.
  private func beginJudging(_ now: Instant) {
    guard !isJudging, now >= settledAt else { return }
    isJudging = true
    judgedFrom = now
    atJudging = phones.map { $0?.finishedReport() ?? PhoneReport() }
    cpuAtJudging = MonotonicClock.threadCPUTime()
    outcomeValue.lateFrames = 0
    outcomeValue.framesSent = 0
  }

  private func start(_ phone: Int, _ negotiated: NegotiatedAudio, _ now: Instant) {
    guard let codec = AudioCodec(negotiated.send.encoding),
      let voice = library.voice(codec: codec, pilot: plan.pilot(of: phone))
    else { return }
    let isNew = phones[phone] == nil
    phones[phone] = PhoneMedia(
      negotiated, voice: voice, quiet: plan.quiet, ear: plan.place(of: phone) < plan.ears, random: &random)
    guard isNew else { return }
    nextFrame[phone] = Int((now - offset(of: phone) - epoch).nanoseconds / 20_000_000) + 1
    schedule.append((due(phone), phone))
    sortSchedule()
  }

  /// Phones are spread over the 20 ms.
  private func offset(of phone: Int) -> Interval {
    .nanoseconds(Int64(phone) * 20_000_000 / Int64(plan.participants))
  }
  private func due(_ phone: Int) -> Instant { epoch + .milliseconds(20) * nextFrame[phone] + offset(of: phone) }

  private func sortSchedule() {
    schedule = schedule.map { (due($0.phone), $0.phone) }.sorted { $0.due < $1.due }
    cursor = 0
  }

  private func nextDue(_ now: Instant) -> Instant { schedule.isEmpty ? .never : schedule[cursor].due }

  /// The schedule is a ring in the order of the phones' offsets: each turn sends those whose time has come.
  private func sendDue(_ now: Instant) {
    while !schedule.isEmpty, schedule[cursor].due <= now {
      let phone = schedule[cursor].phone
      let frame = nextFrame[phone]
      if let call = phones[phone] {
        media.send(from: plan.address(of: phone), to: call.remoteMedia) { bytes in
          call.packet(frame: frame, talking: plan.talks(phone, frame: frame), into: &bytes)
        }
        outcomeValue.framesSent &+= 1
        if now - schedule[cursor].due > .milliseconds(5) { outcomeValue.lateFrames &+= 1 }
      }
      nextFrame[phone] = frame + 1
      schedule[cursor].due = due(phone)
      cursor = cursor + 1 == schedule.count ? 0 : cursor + 1
    }
  }

  /// Every five seconds, all phones' sender reports, a few at a time.
  private func sendControl(_ now: Instant) {
    guard now >= nextControl, !phones.isEmpty else { return }
    let turn = Int((now - epoch).nanoseconds / 20_000_000)
    for phone in stride(from: turn % 250, to: phones.count, by: 250) {
      guard let call = phones[phone] else { continue }
      let local = plan.address(of: phone)
      if call.rtcpMux {
        media.send(from: local, to: call.remoteControl) { call.control(now: now, clock: clock, into: &$0) }
      } else {
        control.send(from: local, to: call.remoteControl) { call.control(now: now, clock: clock, into: &$0) }
      }
    }
    nextControl = epoch + .milliseconds(20) * (turn + 1)
  }

  private func receive(onControl: Bool) {
    while true {
      let now = MonotonicClock.now()
      let count =
        onControl
        ? control.receive { local, _, bytes, count in take(local, &bytes, count, now) }
        : media.receive { local, _, bytes, count in take(local, &bytes, count, now) }
      if count < AddressFan.batch { return }
    }
  }

  private func take(_ local: UInt32, _ bytes: inout MutableRawSpan, _ count: Int, _ now: Instant) {
    guard let phone = plan.phone(at: local), let call = phones[phone] else { return }
    call.receive(&bytes, count: count, now: now)
    guard isJudging else { return }
    if let window = call.takeWindow() { judge(window, phone, call) }
    if let mark = call.takeMark() { measure(mark, phone) }
  }

  /// A window counts when the same people talked since half a second before it ended: what the path delays is inside.
  private func judge(_ window: Ear.Window, _ phone: Int, _ call: PhoneMedia) {
    // A window that began before judging did is not whole.
    guard window.arrival - judgedFrom > .milliseconds(200), plan.talkersAreTold else { return }
    let last = frame(at: window.arrival)
    let expected = plan.talkers(heardBy: phone, frame: last)
    guard stride(from: last - 30, to: last, by: 5).allSatisfy({ plan.talkers(heardBy: phone, frame: $0) == expected })
    else { return }
    call.judge(heard: window.pilots, expected: expected, own: 1 << UInt32(plan.pilot(of: phone)))
  }

  private func frame(at instant: Instant) -> Int { Int((instant - epoch).nanoseconds / 20_000_000) }

  /// Which mark it was follows from the second: one talker marks in each.
  private func measure(_ arrival: Instant, _ listener: Int) {
    let second = Int((arrival - epoch).nanoseconds / 1_000_000_000)
    let frame = second * LoadPlan.framesPerSecond
    let first = plan.meeting(of: listener) * plan.meetingSize
    let end = first + plan.size(of: plan.meeting(of: listener))
    guard
      let talker = (first..<end).first(where: {
        $0 != listener && plan.marks($0, second: second) && plan.talks($0, frame: frame)
      })
    else { return }
    let left = epoch + .seconds(second) + offset(of: talker)
    let microseconds = (arrival - left).nanoseconds / 1_000
    guard (0..<900_000).contains(microseconds) else { return }
    delay.record(microseconds: microseconds)
    outcomeValue.marksHeard &+= 1
  }

  private func conclude() {
    let now = MonotonicClock.now()
    outcomeValue.judgedSeconds = isJudging ? (now - judgedFrom).seconds : 0
    outcomeValue.cpuSeconds = isJudging ? (MonotonicClock.threadCPUTime() - cpuAtJudging).seconds : 0
    outcomeValue.delay = delay.summary
    outcomeValue.sendFailures = media.failures + control.failures
    outcomeValue.phones = phones.map { $0?.finishedReport() ?? PhoneReport() }
    for (phone, call) in phones.enumerated() {
      guard let call else { continue }
      outcomeValue.interarrival.merge(call.interarrival)
      guard isJudging, plan.hearsAlways(phone) else { continue }
      outcomeValue.receivedWhileJudged &+= call.report.received &- atJudging[phone].received
      // One may be on its way at either end.
      let due = Int(outcomeValue.judgedSeconds * Double(LoadPlan.framesPerSecond)) - 1
      outcomeValue.expectedWhileJudged &+= UInt64(max(0, due))
    }
  }
}

extension LoadPlan {
  /// Whether who is heard follows from the plan: not where the loudest are chosen from more than the mixer takes.
  var talkersAreTold: Bool { pattern.talkers(of: meetingSize) <= 4 }

  /// Somebody else talks in every frame.
  func hearsAlways(_ phone: Int) -> Bool {
    switch pattern {
    case .all: size(of: meeting(of: phone)) > 1
    case .always(let count): count > 1 || place(of: phone) >= count
    case .turns(let count, _): count > 1
    }
  }
}
