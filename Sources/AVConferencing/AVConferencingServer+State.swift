//  AVConferencingServer+State.swift: the conference event package: who is here, muted, heard (control protocol P6, RFC 4575).

import ConferenceDocuments
import Media
import Primitives
import SIP

extension AVConferencingServer {
  /// SUBSCRIBE to a meeting's own URI: a full document at once, partial ones after each change.
  mutating func subscribed(
    _ handle: ServerRequestHandle, _ message: SIPMessage, now: Instant
  ) throws(AVConferencingError) {
    let event = message.first(.event)?.prefix { $0 != ";" && $0 != " " }
    guard event?.lowercased() == "conference" else { throw .badEvent }
    guard let id = meetingOfUser[message.targetUser], let meeting = meetings[id] else { throw .unknownConference }
    guard meeting.watchers.count < Limits.subscriptionsPerConference else {
      throw .tooManySubscriptions(retryAfter: configuration.retryAfter)
    }
    guard
      let watcher = agent.acceptSubscription(
        of: handle, contactUser: meeting.contactUser, isFocus: true, now: now, into: &queue)
    else { return }
    meetingOfWatcher[watcher] = id
    meetings[id]?.watchers[watcher] = Meeting.Watcher()
    notifyWhole(watcher, of: id, now: now)
  }

  /// The subscriber has refreshed: it is owed the whole state (RFC 6665 §4.2.1.2).
  mutating func refreshed(_ watcher: SubscriptionHandle, now: Instant) {
    guard let id = meetingOfWatcher[watcher] else { return }
    notifyWhole(watcher, of: id, now: now)
  }

  mutating func forgetWatcher(_ watcher: SubscriptionHandle) {
    guard let id = meetingOfWatcher.removeValue(forKey: watcher) else { return }
    meetings[id]?.watchers[watcher] = nil
  }

  /// The meeting is over: a last document that says so (RFC 4575 §4.4), and the end of the subscription.
  mutating func endWatching(_ watcher: SubscriptionHandle, of meeting: Meeting, now: Instant) {
    meetingOfWatcher[watcher] = nil
    var document = ConferenceInfo(entity: meeting.entity)
    document.state = .deleted
    document.version = (meeting.watchers[watcher]?.version ?? 0) &+ 1
    agent.notify(
      watcher, state: .terminated(reason: "noresource"),
      body: MessageBody(contentType: ConferenceInfo.contentType, bytes: document.encoded()), now: now, into: &queue)
  }

  // MARK: Changes

  mutating func noteChange(of leg: ParticipantLeg, now: Instant) {
    guard meetings[leg.meeting]?.legOfEndpoint[leg.key] == leg.id else { return }
    meetings[leg.meeting]?.note(leg.key.user)
    scheduleFlush(leg.meeting, now: now)
  }

  /// At once after a quiet time, else when the gap is over: changes that come together share a document.
  mutating func scheduleFlush(_ id: MeetingID, now: Instant) {
    guard let meeting = meetings[id], !meeting.watchers.isEmpty else { return }
    let due = meeting.flushedAt.map { max(now, $0 + Limits.notificationGap) } ?? now
    scheduleFlush(id, at: due)
  }

  private mutating func scheduleFlush(_ id: MeetingID, at due: Instant) {
    guard let meeting = meetings[id], due < meeting.flushDeadline else { return }
    meetings[id]?.flushDeadline = due
    timers.set(.flush(id), at: due)
  }

  mutating func flush(_ id: MeetingID, now: Instant) {
    guard var meeting = meetings[id] else { return }
    meeting.flushDeadline = .never
    let talkersDue = meeting.talkersToldAt.map { $0 + Limits.talkerGap } ?? now
    var again = Instant.never
    var hasTold = false
    for watcher in meeting.watchers.keys.sorted(by: { $0.number < $1.number }) {
      guard var place = meeting.watchers[watcher], place.hasNews else { continue }
      let tellsTalkers = place.talkersChanged && talkersDue <= now
      guard !place.changed.isEmpty || tellsTalkers else {
        again = min(again, talkersDue)
        continue
      }
      guard !agent.isNotifying(watcher) else {
        // The watcher has not taken the last one: it gets the sum of what happens meanwhile.
        again = min(again, now + Limits.notificationGap)
        continue
      }
      place.version &+= 1
      var document = document(
        of: meeting, users: place.take(count(of: place.changed, in: meeting)), talkers: tellsTalkers)
      document.state = .partial
      document.users?.state = .partial
      if document.users?.users.isEmpty == true { document.users = nil }
      document.version = place.version
      if tellsTalkers {
        place.talkersChanged = false
        hasTold = true
      }
      if place.hasNews { again = min(again, place.changed.isEmpty ? talkersDue : now + Limits.notificationGap) }
      meeting.watchers[watcher] = place
      notify(watcher, document, now: now)
    }
    if hasTold { meeting.talkersToldAt = now }
    meeting.flushedAt = now
    meetings[id] = meeting
    if again < .never { scheduleFlush(id, at: max(again, now + Limits.notificationGap)) }
  }

  mutating func forgetDeparted(_ id: MeetingID, now: Instant) {
    guard let next = meetings[id]?.forgetDeparted(at: now) else { return }
    if next < .never { timers.set(.departed(id), at: next) }
    scheduleFlush(id, now: now)
  }

  private mutating func notifyWhole(_ watcher: SubscriptionHandle, of id: MeetingID, now: Instant) {
    guard let meeting = meetings[id], var place = meeting.watchers[watcher] else { return }
    let isFirst = place.version == 0
    place.version &+= 1
    place.changed = []
    place.changedSet = []
    place.talkersChanged = false
    let users = allUsers(of: meeting)
    let count = count(of: users, in: meeting)
    var document = document(of: meeting, users: Array(users.prefix(count)), talkers: true)
    document.version = place.version
    if users.count > count {
      users.dropFirst(count).forEach { place.note($0) }
      if !isFirst {
        // A full document in parts would make everybody else leave for a moment.
        document.state = .partial
        document.users?.state = .partial
      }
    }
    meetings[id]?.watchers[watcher] = place
    notify(watcher, document, now: now)
    if place.hasNews { scheduleFlush(id, at: now + Limits.notificationGap) }
  }

  private mutating func notify(_ watcher: SubscriptionHandle, _ document: ConferenceInfo, now: Instant) {
    agent.notify(
      watcher, body: MessageBody(contentType: ConferenceInfo.contentType, bytes: document.encoded()), now: now,
      into: &queue)
  }

  // MARK: Documents

  func allUsers(of meeting: Meeting) -> [String] { meeting.endpointsOfUser.keys.sorted() }

  /// How many of these users fit into one document; at least one. The rest follows in the next.
  func count(of users: [String], in meeting: Meeting) -> Int {
    var bytes = 0
    var count = 0
    for user in users {
      bytes += 120 + user.escapedCount
      for endpoint in meeting.endpointsOfUser[user] ?? [] {
        let leg = meeting.legOfEndpoint[EndpointKey(user: user, endpoint: endpoint)].flatMap { legs[$0] }
        bytes += 600 + endpoint.escapedCount + (leg?.displayText?.escapedCount ?? 0)
        bytes += leg?.roles.reduce(0) { $0 + $1.escapedCount + 20 } ?? 0
      }
      if count > 0, bytes > Limits.documentBytes { break }
      count += 1
    }
    return count
  }

  /// A document about the named users: each whole, with those endpoints that are here or have just left, or deleted.
  func document(of meeting: Meeting, users: [String], talkers: Bool = true) -> ConferenceInfo {
    var document = ConferenceInfo(entity: meeting.entity)
    document.description = ConferenceInfo.Description()
    document.description?.conferenceURIs = [
      ConferenceInfo.URIEntry(uri: uri(user: meeting.contactUser), purpose: "audio-video")
    ]
    document.conferenceState = ConferenceInfo.ConferenceState(
      userCount: UInt32(clamping: meeting.endpointsOfUser.count), active: true)
    document.users = ConferenceInfo.Users(users.map { user($0, in: meeting) })
    if talkers { document.views = [talkerView(of: meeting)] }
    return document
  }

  private func user(_ entity: String, in meeting: Meeting) -> ConferenceInfo.User {
    var user = ConferenceInfo.User(entity: entity)
    for name in (meeting.endpointsOfUser[entity] ?? []).sorted() {
      let key = EndpointKey(user: entity, endpoint: name)
      if let id = meeting.legOfEndpoint[key], let leg = legs[id] {
        user.endpoints.append(leg.endpoint)
        user.displayText = user.displayText ?? leg.displayText
        if user.roles.isEmpty { user.roles = leg.roles }
      } else if let gone = meeting.departed[key] {
        user.endpoints.append(gone.endpoint)
      }
    }
    if user.endpoints.isEmpty { user.state = .deleted }
    return user
  }

  /// Who is heard: the loudest as `active-speaker`, all of them in an extension.
  private func talkerView(of meeting: Meeting) -> ConferenceInfo.EntityView {
    let heard = meeting.talkers.compactMap { id -> EndpointKey? in
      guard let leg = legs[id], meeting.legOfEndpoint[leg.key] == id else { return nil }
      return leg.key
    }
    var state = ConferenceInfo.EntityState()
    state.activeSpeaker = heard.first?.endpoint ?? ""
    if !heard.isEmpty {
      state.extensions = [
        XMLElement(
          XMLName(StateNamespace.extensions, "active-talkers"),
          children: heard.map { key in
            XMLElement(
              XMLName(StateNamespace.extensions, "talker"),
              attributes: [
                XMLAttribute(XMLName("", "user"), key.user), XMLAttribute(XMLName("", "endpoint"), key.endpoint),
              ])
          })
      ]
    }
    return ConferenceInfo.EntityView(entity: uri(user: meeting.contactUser), entityState: state)
  }
}

extension String {
  /// Bytes in XML at most: the characters that need an entity count for six.
  fileprivate var escapedCount: Int {
    utf8.reduce(0) { sum, byte in
      switch byte {
      case UInt8(ascii: "&"), UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "\""), UInt8(ascii: "'"), 0..<32:
        sum + 6
      default: sum + 1
      }
    }
  }
}
