//  MediaWorker+Commands.swift: legs and meetings come, change and go. Set-up: the only place of the worker that allocates.

import MediaTransport
import Primitives
import RTP

extension MediaWorker {
  /// Performs one command of the control core. Call only while `acceptsCommand`, with room in `egress` for the BYEs of a
  /// closing meeting's legs (what does not fit is dropped and counted as `queueFull`).
  public mutating func handle(_ command: MediaCommand, now: Instant, into egress: inout DatagramBatch) {
    precondition(!mixer.isBusy, "a command in the middle of a tick")
    schedule.idle(until: now)
    switch command {
    case .openMeeting(let id, let phase): openMeeting(id, phase: phase)
    case .linkMeeting(let id, let parts): linkMeeting(id, parts)
    case .moveMeeting(let id, let worker): moveMeeting(id, to: worker, now: now)
    case .closeMeeting(let id): closeMeeting(id, now: now, into: &egress)
    case .openLeg(let configuration):
      if let reason = openLeg(configuration, now: now) { ring.command(.refused(configuration.leg, reason)) }
    case .modifyLeg(let configuration):
      if let reason = modifyLeg(configuration, now: now) { ring.command(.refused(configuration.leg, reason)) }
    case .closeLeg(let id):
      if let slot = legSlots[id.rawValue] { closeLeg(slot, now: now, into: &egress) }
    case .setIngress(let id, let blocked):
      if let slot = legSlots[id.rawValue] { legs[slot].ingressBlocked = blocked }
    case .setEgress(let id, let blocked):
      if let slot = legSlots[id.rawValue] { legs[slot].egressBlocked = blocked }
    }
  }

  // MARK: Meetings

  /// At the limit nothing is opened: the meeting's legs will be refused with `unknownMeeting`.
  private mutating func openMeeting(_ id: MeetingID, phase: Int?) {
    guard meetingSlots[id.rawValue] == nil, !meetings.isFull else { return }
    let phase = phase.map { min(max($0, 0), TickSchedule.phases - 1) } ?? schedule.emptiestPhase()
    let meeting = Meeting(id: id, phase: phase, talkers: configuration.limits.talkers)
    let slot = meetings.insert(meeting)
    meetingSlots.set(id.rawValue, slot)
    schedule.add(slot, &meetings)
  }

  private mutating func closeMeeting(_ id: MeetingID, now: Instant, into egress: inout DatagramBatch) {
    guard let slot = meetingSlots[id.rawValue] else { return }
    while meetings[slot].legs.count > 0 {
      closeLeg(Int(meetings[slot].legs[meetings[slot].legs.count - 1]), now: now, into: &egress)
    }
    forgetReport(of: slot)
    unlinkMeeting(slot)
    schedule.remove(slot, &meetings)
    meetingSlots.remove(id.rawValue)
    _ = meetings.remove(slot)
  }

  // MARK: Legs

  private func isValid(_ configuration: LegConfiguration) -> Bool {
    let formats = configuration.receive + [configuration.send]
    guard !configuration.receive.isEmpty, configuration.receive.count <= MediaWorkerLimits.receiveFormatsPerLeg,
      formats.allSatisfy({ $0.payloadType < 128 }), [10, 20, 40, 60].contains(configuration.packetMilliseconds),
      configuration.telephoneEvents.count <= 2,
      configuration.telephoneEvents.allSatisfy({
        $0.payloadType < 128 && ($0.clockRate == 8_000 || $0.clockRate == 48_000)
      }),
      configuration.cname.utf8.count <= MediaWorkerLimits.cnameBytes,
      configuration.audioLevelExtension.map({ (1...14).contains($0) }) ?? true
    else { return false }
    if let home = configuration.home, home < 0 || home >= MediaWorkerLimits.workers { return false }
    if case .plain = configuration.security { return self.configuration.allowsPlain }
    return true
  }

  private func makeSession(_ security: LegSecurity) throws(SRTPError) -> SRTPSession? {
    switch security {
    case .plain: return nil
    case .srtp(let send, let receive):
      return try SRTPSession(send: send, receive: receive, backend: configuration.srtp)
    }
  }

  private mutating func openLeg(_ configuration: LegConfiguration, now: Instant) -> LegRefusal? {
    guard legSlots[configuration.leg.rawValue] == nil else { return .duplicateLeg }
    guard let meeting = meetingSlots[configuration.meeting.rawValue] else { return .unknownMeeting }
    guard !legs.isFull, meetings[meeting].legs.count < self.configuration.limits.legsPerMeeting else {
      return .tooManyLegs
    }
    guard isValid(configuration) else { return .badConfiguration }
    let session: SRTPSession?
    do throws(SRTPError) { session = try makeSession(configuration.security) } catch { return .badConfiguration }
    let slot = legs.insert(
      Leg(
        configuration: configuration, home: configuration.home ?? self.configuration.worker, meeting: meeting,
        session: session, now: now,
        tick: schedule.tick, random: &random))
    guard joinFormat(slot, of: meeting) else {
      _ = legs.remove(slot)
      return .tooManyLegs
    }
    guard router.add(slot, &legs, now: now) else {
      leaveFormat(slot, of: meeting)
      _ = legs.remove(slot)
      return .badConfiguration
    }
    legSlots.set(configuration.leg.rawValue, slot)
    legs[slot].placeInMeeting = meetings[meeting].legs.count
    meetings[meeting].legs.reserve(meetings[meeting].legs.count + 1)
    meetings[meeting].legs.append(Int32(truncatingIfNeeded: slot))
    announcePath(of: slot)
    ring.command(.opened(configuration.leg))
    return nil
  }

  /// - Returns: why nothing was changed.
  private mutating func modifyLeg(_ new: LegConfiguration, now: Instant) -> LegRefusal? {
    guard let slot = legSlots[new.leg.rawValue] else { return nil }  // it was closed meanwhile
    let meeting = legs[slot].meeting
    guard new.meeting == meetings[meeting].id, isValid(new) else { return .badConfiguration }
    let old = legs[slot].configuration
    let isRekeyed = new.security != old.security
    let isMoved =
      new.remoteMedia != old.remoteMedia || new.remoteControl != old.remoteControl || new.rtcpMux != old.rtcpMux
    if isRekeyed || isMoved {
      if isRekeyed {
        do throws(SRTPError) {
          legs[slot].rekey(try makeSession(new.security))
        } catch { return .badConfiguration }
      }
      router.remove(slot, &legs)
      legs[slot].configuration = new
      legs[slot].media = PeerPath(new.remoteMedia)
      legs[slot].control = PeerPath(new.rtcpMux ? new.remoteMedia : new.remoteControl)
      if !router.add(slot, &legs, now: now) { legs[slot].media.isLost = true }
      announcePath(of: slot)
      if isRekeyed {
        legs[slot].stream.configure(new, isAuthenticated: !legs[slot].isPlain)
      } else if legs[slot].stream.isActive {
        router.setSource(legs[slot].stream.ssrc, slot, replacing: nil)
      }
    }
    legs[slot].configuration = new
    legs[slot].rtcp.configure(new)
    if new.receives && !old.receives { legs[slot].lastHeard = now }
    if !new.receives { legs[slot].isSilent = false }
    if new.receive != old.receive || new.telephoneEvents != old.telephoneEvents {
      legs[slot].stream.configure(new, isAuthenticated: !legs[slot].isPlain)
      legs[slot].audio.configure(formats: new.receive, pool: &pool)
    }
    if new.ssrc != old.ssrc {
      legs[slot].send = SendStream(configuration: new, tick: schedule.tick)
    } else {
      legs[slot].send.configure(new, tick: schedule.tick)
    }
    if Self.groupFormat(new) != Self.groupFormat(old) || new.packetMilliseconds != old.packetMilliseconds {
      legs[slot].configuration = old
      leaveFormat(slot, of: meeting)
      legs[slot].configuration = new
      if !joinFormat(slot, of: meeting) {
        // No room for one more format in this meeting: the leg keeps what it had, which was just given free.
        legs[slot].configuration.send = old.send
        legs[slot].configuration.packetMilliseconds = old.packetMilliseconds
        legs[slot].send.configure(legs[slot].configuration, tick: schedule.tick)
        _ = joinFormat(slot, of: meeting)
        return .tooManyLegs
      }
    }
    return nil
  }

  private mutating func closeLeg(_ slot: Int, now: Instant, into egress: inout DatagramBatch) {
    let meeting = legs[slot].meeting
    let first = egress.count
    sendReport(slot, goodbye: true, now: now, into: &egress)
    protectEgress(&egress, from: first)  // while its key is there
    ring.command(.closed(legs[slot].id, legs[slot].statistics))
    forgetNews(of: slot)
    router.remove(slot, &legs)
    notifyClosed(legs[slot].id, home: legs[slot].home)
    leaveFormat(slot, of: meeting)
    forgetSource(slot, in: meeting)
    meetings[meeting].choice.remove(slot)
    for index in 0..<meetings[meeting].choice.count { legs[meetings[meeting].choice[index]].talker = index }
    let place = legs[slot].placeInMeeting
    meetings[meeting].legs.swapRemove(at: place)
    if place < meetings[meeting].legs.count { legs[Int(meetings[meeting].legs[place])].placeInMeeting = place }
    legs[slot].audio.reset(pool: &pool)
    legSlots.remove(legs[slot].id.rawValue)
    _ = legs.remove(slot)
  }

  // MARK: Formats and their encoders

  /// Bit rates that listeners are given: wishes in between share the next lower one's encoder.
  static let opusBitRates: [Int32] = [64_000, 48_000, 32_000, 24_000, 16_000, 12_000]

  /// The same of talkers' packets that they may be sent.
  static let acceptedBitRates: [Int32] = [510_000, 128_000, 64_000, 48_000, 32_000, 24_000, 16_000, 12_000]

  /// The mix is worth 64 kbit/s to a peer who takes it and whose rate nobody has set: CELT alone then sounds as well as SILK
  /// at half the rate, for a tenth of the time.
  private static func mixBitRate(_ wish: OpusPreferences) -> Int32 {
    let isDefault = wish.bitRate == OpusPreferences().bitRate && wish.acceptedBitRate >= EncodeGroup.transformBitRate
    return isDefault ? EncodeGroup.transformBitRate : wish.bitRate
  }

  /// What of a leg's format makes a difference to the encoder.
  static func groupFormat(_ configuration: LegConfiguration) -> AudioFormat {
    var format = AudioFormat(codec: configuration.send.codec, payloadType: 0)
    guard format.codec == .opus else { return format }
    format.opus = configuration.send.opus
    format.opus.dtx = false  // silence is never encoded here
    let wanted = mixBitRate(configuration.send.opus)
    format.opus.bitRate = opusBitRates.first { $0 <= wanted } ?? 8_000
    format.opus.acceptedBitRate = acceptedBitRates.first { $0 <= configuration.send.opus.acceptedBitRate } ?? 8_000
    return format
  }

  /// Counts the leg into its format, and makes the encoders that the format needs now: the shared one, and one for each
  /// talker there can be.
  mutating func joinFormat(_ slot: Int, of meeting: Int) -> Bool {
    let format = Self.groupFormat(legs[slot].configuration)
    let milliseconds = legs[slot].configuration.packetMilliseconds
    let place: Int
    if let known = meetings[meeting].place(of: format, packetMilliseconds: milliseconds) {
      place = known
    } else {
      let limit = configuration.limits.formatsPerMeeting
      guard let free = meetings[meeting].freePlace(limit: limit) else { return false }
      place = free
      meetings[meeting].formats[place] = MeetingFormat(format: format, packetMilliseconds: milliseconds)
      meetings[meeting].formats[place].shared = encoders.insert(
        EncodeGroup(format: format, packetMilliseconds: milliseconds))
      // In use from now on, so that it is not given away for its own twin.
      meetings[meeting].formats[place].legs = 1
      addRepaired(place, of: meeting)
      meetings[meeting].formats[place].legs = 0
    }
    meetings[meeting].formats[place].legs += 1
    let own = meetings[meeting].formats[place].ownCount
    if own < min(meetings[meeting].choice.capacity, meetings[meeting].formats[place].legs) {
      let group = encoders.insert(EncodeGroup(format: format, packetMilliseconds: milliseconds))
      meetings[meeting].formats[place].own[own] = Int32(truncatingIfNeeded: group)
      meetings[meeting].formats[place].ownCount += 1
    }
    legs[slot].format = place
    legs[slot].loss = LossWatch()
    return true
  }

  /// The same format with in-band copies, for legs whose path turns out to be lossy: made now, because later nothing may
  /// be allocated. Where there is no room they go without.
  private mutating func addRepaired(_ place: Int, of meeting: Int) {
    let format = meetings[meeting].formats[place]
    guard format.format.codec == .opus, format.format.opus.inBandFEC,
      let twin = meetings[meeting].freePlace(limit: configuration.limits.formatsPerMeeting + 1)
    else { return }
    meetings[meeting].formats[twin] = MeetingFormat(
      format: format.format, packetMilliseconds: format.packetMilliseconds)
    meetings[meeting].formats[twin].base = place
    meetings[meeting].formats[twin].shared = encoders.insert(
      EncodeGroup(format: format.format, packetMilliseconds: format.packetMilliseconds))
    meetings[meeting].formats[place].repaired = twin
  }

  private mutating func leaveFormat(_ slot: Int, of meeting: Int) {
    releaseEncoder(of: slot)
    var place = legs[slot].format
    if meetings[meeting].formats[place].base >= 0 {
      meetings[meeting].formats[place].legs -= 1
      place = meetings[meeting].formats[place].base
    }
    meetings[meeting].formats[place].legs -= 1
    let remaining = meetings[meeting].formats[place].legs
    let own = meetings[meeting].formats[place].ownCount
    if own > remaining { removeFreeEncoder(of: meeting, format: place) }
    if remaining == 0 {
      _ = encoders.remove(meetings[meeting].formats[place].shared)
      meetings[meeting].formats[place].shared = -1
      let twin = meetings[meeting].formats[place].repaired
      if twin >= 0 {
        _ = encoders.remove(meetings[meeting].formats[twin].shared)
        meetings[meeting].formats[twin].shared = -1
        meetings[meeting].formats[twin].base = -1
        meetings[meeting].formats[place].repaired = -1
      }
    }
  }

  /// The leg is heard no more: its slot will be another's.
  private mutating func forgetSource(_ slot: Int, in meeting: Int) {
    for place in 0..<meetings[meeting].formats.count where meetings[meeting].formats[place].legs > 0 {
      encoders[meetings[meeting].formats[place].shared].forget(slot)
      for index in 0..<meetings[meeting].formats[place].ownCount {
        encoders[Int(meetings[meeting].formats[place].own[index])].forget(slot)
      }
    }
  }

  /// There are now more encoders than legs: one at least has no owner.
  private mutating func removeFreeEncoder(of meeting: Int, format place: Int) {
    let count = meetings[meeting].formats[place].ownCount
    for index in 0..<count {
      let group = Int(meetings[meeting].formats[place].own[index])
      guard encoders[group].owner < 0 else { continue }
      _ = encoders.remove(group)
      meetings[meeting].formats[place].own[index] = meetings[meeting].formats[place].own[count - 1]
      meetings[meeting].formats[place].ownCount -= 1
      return
    }
  }
}
