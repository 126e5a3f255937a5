//  MediaWorker+Events.swift: what the shell takes from the worker, oldest first, reports last.

import Primitives

extension MediaWorker {
  /// The oldest event not yet taken; then reports, of which only the newest is kept.
  public mutating func takeEvent() -> MediaEvent? {
    if let event = ring.pop() { return event.event }
    if let news = relocation.news.pop() { return news.event }
    if let event = takeNews() { return event }
    if let event = takeTalkers() { return event }
    if let report {
      self.report = nil
      return .report(report)
    }
    return nil
  }

  private mutating func takeNews() -> MediaEvent? {
    while legsWithNews.count > 0 {
      let slot = Int(legsWithNews[legsWithNews.count - 1])
      if let event = nextNews(of: slot) { return event }
      legs[slot].news.isListed = false
      _ = legsWithNews.popLast()
    }
    return nil
  }

  private mutating func nextNews(of slot: Int) -> MediaEvent? {
    let id = legs[slot].id
    if legs[slot].news.connected {
      legs[slot].news.connected = false
      return .legConnected(id, source: legs[slot].media.address, remoteSSRC: legs[slot].stream.ssrc)
    }
    if legs[slot].news.pressCount > 0 {
      let press = legs[slot].news.presses[0]
      legs[slot].news.pressCount &-= 1
      for index in 0..<legs[slot].news.pressCount {
        legs[slot].news.presses[index] = legs[slot].news.presses[index &+ 1]
      }
      return .digit(id, digit: press.digit, milliseconds: Int(press.milliseconds))
    }
    if legs[slot].news.resumed {
      legs[slot].news.resumed = false
      return .legResumed(id)
    }
    if legs[slot].news.silent {
      legs[slot].news.silent = false
      return .legSilent(id)
    }
    if legs[slot].news.goodbye {
      legs[slot].news.goodbye = false
      return .legSaidGoodbye(id)
    }
    return nil
  }

  private mutating func takeTalkers() -> MediaEvent? {
    guard let slot = meetingsToReport.popLast().map({ Int($0) }) else { return nil }
    meetings[slot].wantsReport = false
    let talkers = self.talkers(of: slot)
    meetings[slot].reported = talkers
    return .activeTalkers(meetings[slot].id, (0..<talkers.count).map { talkers[$0] })
  }

  func talkers(of slot: Int) -> ReportedTalkers {
    if meetings[slot].link >= 0 { return talkersOfAllParts(slot) }
    var talkers = ReportedTalkers()
    for index in 0..<meetings[slot].choice.count {
      let leg = meetings[slot].choice[index]
      if legs[leg].activity.isProven, !legs[leg].isLeaving { talkers.append(legs[leg].id) }
    }
    return talkers
  }

  /// A leg or meeting is removed: it has no more to tell.
  mutating func forgetNews(of slot: Int) {
    guard legs[slot].news.isListed else { return }
    for index in 0..<legsWithNews.count where Int(legsWithNews[index]) == slot {
      legsWithNews.swapRemove(at: index)
      return
    }
  }

  mutating func forgetReport(of slot: Int) {
    guard meetings[slot].wantsReport else { return }
    for index in 0..<meetingsToReport.count where Int(meetingsToReport[index]) == slot {
      meetingsToReport.swapRemove(at: index)
      return
    }
  }
}
