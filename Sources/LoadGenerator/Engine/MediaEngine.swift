//  MediaEngine.swift: the thread that plays every virtual phone's media: paced sending, batched receiving, judging.

import Dispatch
import LinuxIO
import Media
import MediaTransport
import Primitives
import SDP
import Simulation
import Synchronization

/// To the media thread.
enum MediaOrder: Sendable {
  case start(phone: Int, NegotiatedAudio)
  case stop(phone: Int)
  /// As soon as the last mix has settled, what ears hear is judged, and counts begin anew.
  case judge
  /// The judged time is over; its outcome is taken by `MediaEngine.outcome()`.
  case endJudging
  case finish
}

/// What the media thread is to do besides playing the plan.
struct EngineOptions: Sendable {
  var cpu: Int?
  var impairment = Impairment(loss: 0, jitterMilliseconds: 0, seed: 0)
  /// Listeners that decode at once; more take turns.
  var ears = 64
  var faults = FaultOptions()
  /// What ciphers the phones use.
  var backend = SRTPBackend.best()
}

/// Owns the sockets and the calls' media. Everything but `orders` and the outcome belongs to its thread.
final class MediaEngine: @unchecked Sendable {
  // @unchecked: phones, sockets and counters are touched by `run` alone; outcomes cross by `outcomes` and its semaphore.
  let orders = SPSCQueue<MediaOrder>(capacity: 1 << 14)
  let plan: LoadPlan
  let epoch: Instant
  let options: EngineOptions
  private let wakeUp: WakeUp
  private let library: VoiceLibrary
  private let clock: ClockAnchor
  private var media: SendBatch
  private var control: SendBatch
  private var poll: EventPoll
  private var random: RandomSource
  private(set) var phones: [PhoneMedia?]
  private var wheel: FrameWheel
  private var rota: EarRota
  /// When each phone's ear came; `never` for those who do not listen.
  private var listensSince: [Instant]
  private var faults: FaultSource
  private var nextControl: Instant
  private var sampleTurn: UInt32 = 0
  private var density = ArrivalDensity()
  private var thread: PinnedThread?
  private var isFinished = false
  let intervals = IntervalRecorder()
  var judging = Judging()
  private let outcomes = Mutex<[MediaOutcome]>([])
  private let hasOutcome = DispatchSemaphore(value: 0)

  /// Of received packets that nobody listens to, one in this many is authenticated.
  static let verifiedShare: UInt32 = 64
  /// A packet that left this much after its time was late.
  static let tolerance = Interval.milliseconds(10)

  init(plan: LoadPlan, library: VoiceLibrary, clock: ClockAnchor, options: EngineOptions) throws {
    self.plan = plan
    self.library = library
    self.clock = clock
    self.options = options
    epoch = MonotonicClock.now()
    nextControl = epoch + .seconds(2)
    wakeUp = try WakeUp()
    media = try SendBatch(port: plan.mediaPort, backend: options.backend, impairment: options.impairment)
    control = try SendBatch(port: plan.mediaPort + 1, backend: options.backend, impairment: options.impairment)
    poll = try EventPoll()
    random = try RandomSource.system()
    phones = Array(repeating: nil, count: plan.participants)
    listensSince = Array(repeating: .never, count: plan.participants)
    wheel = FrameWheel(epoch: epoch)
    rota = EarRota(ears: options.ears)
    faults = FaultSource(options.faults, plan: plan)
    try poll.add(media.descriptor, token: 0)
    try poll.add(control.descriptor, token: 1)
    try poll.add(wakeUp.descriptor, token: 2)
    thread = try PinnedThread(name: "load-media", cpu: options.cpu) { [unowned self] in self.run() }
  }

  func order(_ order: MediaOrder) {
    while !orders.push(order) { wakeUp.wake() }
    wakeUp.wake()
  }

  /// Ends the judged time.
  ///
  /// - Returns: what was measured in it; `nil` when the thread does not answer.
  func outcome() -> MediaOutcome? {
    order(.endJudging)
    guard hasOutcome.wait(timeout: .now() + .seconds(10)) == .success else { return nil }
    return outcomes.withLock { $0.isEmpty ? nil : $0.removeFirst() }
  }

  /// Ends the thread.
  func finish() {
    order(.finish)
    thread?.join()
    thread = nil
  }

  // MARK: The thread

  private func run() {
    while !isFinished {
      var now = MonotonicClock.now()
      takeOrders(now)
      moveEars(now)
      beginJudging(now)
      sendDue(now)
      sendControl(now)
      media.flush(now: now)
      control.flush(now: now)
      media.release(now: now)
      now = MonotonicClock.now()
      let wait = max(.zero, min(wheel.due, now + .milliseconds(10)) - now)
      let isDense = density.isDense
      wakeUp.prepareToWait()
      if isDense {
        if orders.isEmpty, wait > .zero { wakeUp.wait(timeout: wait) }
        wakeUp.finishWait()
        receive(onControl: false)
        receive(onControl: true)
      } else {
        let ready = poll.wait(timeout: orders.isEmpty ? wait : .zero)
        wakeUp.finishWait()
        if ready.isReadable(0) { receive(onControl: false) }
        if ready.isReadable(1) { receive(onControl: true) }
      }
    }
  }

  private func takeOrders(_ now: Instant) {
    while let order = orders.pop() {
      switch order {
      case .start(let phone, let negotiated): start(phone, negotiated)
      case .stop(let phone): stop(phone)
      case .judge: judging.beginsAt = now + Judging.settling
      case .endJudging:
        let outcome = endJudging(now)
        outcomes.withLock { $0.append(outcome) }
        hasOutcome.signal()
      case .finish: isFinished = true
      }
    }
  }

  private func start(_ phone: Int, _ negotiated: NegotiatedAudio) {
    if let call = phones[phone] {
      if call.renegotiate(negotiated) { return }
    } else {
      wheel.add(phone)
      if plan.place(of: phone) < plan.ears { rota.add(phone, order: plan.listeningOrder(of: phone)) }
    }
    guard let codec = AudioCodec(negotiated.send.encoding),
      let voice = library.voice(codec: codec, pilot: plan.pilot(of: phone))
    else { return }
    phones[phone] = PhoneMedia(
      negotiated, voice: voice, quiet: plan.quiet, ear: listensSince[phone] != .never, backend: options.backend,
      intervals: intervals, random: &random)
  }

  private func stop(_ phone: Int) {
    guard phones[phone] != nil else { return }
    phones[phone] = nil
    wheel.remove(phone)
    rota.remove(phone)
    listensSince[phone] = .never
  }

  private func moveEars(_ now: Instant) {
    let (leaving, coming) = rota.advance(to: now)
    for phone in leaving {
      phones[phone]?.endListening()
      listensSince[phone] = .never
    }
    for phone in coming {
      phones[phone]?.beginListening()
      listensSince[phone] = now
    }
  }

  // MARK: Sending

  private func sendDue(_ now: Instant) {
    while let turn = wheel.next(now: now) {
      let lateness = now - turn.due
      // After a stop of a second nobody sends what he would have said.
      let isLost = lateness > .seconds(1)
      for phone in turn.phones {
        guard let call = phones[phone] else { continue }
        isLost ? call.pause() : send(call, phone, turn.frame, now)
      }
      judging.noteSent(turn.phones.count, lateness)
      faults.advance(now: now, into: &media)
    }
  }

  private func send(_ call: PhoneMedia, _ phone: Int, _ frame: Int, _ now: Instant) {
    let local = plan.address(of: phone)
    let talks = plan.talks(phone, frame: frame)
    unsafe media.queue(from: local, to: call.remoteMedia, session: call.sessionHandle, now: now) {
      call.plainPacket(frame: frame, talking: talks, into: &$0)
    }
    faults.sent(call, phone, frame, now: now, into: &media)
  }

  /// Every five seconds, all phones' sender reports, a few at a time.
  private func sendControl(_ now: Instant) {
    guard now >= nextControl, !phones.isEmpty else { return }
    let turn = Int((now - epoch).nanoseconds / 20_000_000)
    for phone in stride(from: turn % 250, to: phones.count, by: 250) {
      guard let call = phones[phone] else { continue }
      let local = plan.address(of: phone)
      if call.rtcpMux {
        unsafe media.queue(from: local, to: call.remoteControl, session: nil, now: now) {
          call.control(now: now, clock: clock, into: &$0)
        }
      } else {
        unsafe control.queue(from: local, to: call.remoteControl, session: nil, now: now) {
          call.control(now: now, clock: clock, into: &$0)
        }
      }
    }
    nextControl = epoch + .milliseconds(20) * (turn + 1)
  }

  // MARK: Receiving

  private func receive(onControl: Bool) {
    while true {
      let now = MonotonicClock.now()
      let count =
        onControl
        ? control.receive { local, _, bytes, count in take(local, &bytes, count, now) }
        : media.receive { local, _, bytes, count in take(local, &bytes, count, now) }
      density.note(count, now: now)
      // Sending must not wait for an endless stream of arrivals.
      if count < AddressFan.batch || wheel.due <= now { return }
    }
  }

  private func take(_ local: UInt32, _ bytes: inout MutableRawSpan, _ count: Int, _ now: Instant) {
    guard let phone = plan.phone(at: local), let call = phones[phone] else { return }
    let since = listensSince[phone]
    sampleTurn &+= 1
    let isSample = since != .never || sampleTurn % Self.verifiedShare == 0
    call.receive(&bytes, count: count, now: now, verifying: isSample)
    guard since != .never, judging.isOn else { return }
    if let window = call.takeWindow(), !rota.rotates || now - since > EarRota.settling { judge(window, phone, call) }
    if let mark = call.takeMark() { measure(mark, phone) }
  }

  // MARK: Figures of the whole engine

  var sendFailures: UInt64 { media.failures + control.failures }
  var receiveDrops: UInt64 { media.drops + control.drops }
  var faultsSent: (badTags: UInt64, flood: UInt64) { (faults.badTagsSent, faults.floodSent) }
}
