//  ConferenceInfoTests.swift: conference-info documents, their differences and merges (RFC 4575).

import ConferenceDocuments
import Primitives
import Testing

@Suite("Conference event documents (RFC 4575)")
struct ConferenceInfoTests {
  @Test("the long example is read whole")
  func fullDocument() throws {
    let info = try ConferenceInfo(parsing: Golden.conference.utf8)

    #expect(info.entity == "sips:c17@example.com")
    #expect(info.version == 1)
    #expect(info.description?.subject == "Weekly planning")
    #expect(info.description?.conferenceURIs.map(\.purpose) == ["participation", "streaming"])
    #expect(info.description?.maximumUserCount == 12)
    #expect(info.host?.child("display-text")?.text == "Ann")
    #expect(info.conferenceState == .init(userCount: 2, active: true, locked: false))
    let bob = try #require(info.users?.users.first)
    #expect(bob.displayText == "Bob Hoskins")
    #expect(bob.roles == ["presenter"])
    #expect(bob.cascadedFocus == "sips:c9@example.org")
    let laptop = try #require(bob.endpoints.first)
    #expect(laptop.status == .disconnected)
    #expect(laptop.joiningMethod == .dialedOut)
    #expect(laptop.disconnectionMethod == .departed)
    #expect(laptop.disconnectionInfo?.reason == "poor voice")
    #expect(laptop.media.first?.sourceID == 432_424)
    #expect(laptop.call?.toTag == "8954jgjg8432")
    #expect(info.users?.users.last?.endpoints.first?.sessionType == "audio-video")
    #expect(info.sidebars.count == 1)
    #expect(info.extensions.first?.name == XMLName("urn:example:later", "later"))
  }

  @Test("documents survive writing and reading", arguments: [Golden.conference, Golden.partial])
  func roundTrip(_ text: String) throws {
    let info = try ConferenceInfo(parsing: text.utf8)

    let again = try ConferenceInfo(parsing: info.encoded())

    #expect(again == info)
  }

  @Test("msci state and our extensions survive too")
  func extensions() throws {
    var info = ConferenceInfo(entity: "sip:c")
    var view = ConferenceInfo.EntityView(entity: "audio-video", entityState: .init())
    view.entityState?.activeSpeakers = ["bo-1", "cy-1"]
    view.entityState?.size = 12
    view.entityState?.videoLayout = "sfu"
    view.entityState?.media = [.init(label: "main-audio", type: "audio")]
    view.entityState?.filterRules = .init()
    view.entityState?.filterRules?.initialFilters = [.init(role: "attendee", ingress: .block)]
    var silent = ConferenceInfo.EntityView(entity: "other", entityState: .init())
    silent.entityState?.activeSpeakers = []
    info.views = [view, silent]
    var user = ConferenceInfo.User(entity: "u", endpoints: [.init(entity: "e", sessionType: "audio-video")])
    user.endpoints[0].digits = "12#"
    user.endpoints[0].uri = "tel:+31"
    user.endpoints[0].media = [.init(id: "1")]
    user.endpoints[0].media[0].egressFilter = .block
    info.users = .init([user])
    info.description = .init()
    info.description?.conferenceID = "K7Q2M9XA"
    info.description?.expiryTime = "2027-01-31T18:00:00Z"

    #expect(try ConferenceInfo(parsing: info.encoded()) == info)
    #expect(info.views[1].entityState?.activeSpeaker == "")
  }

  @Test("the partial document of the example is merged")
  func merging() throws {
    var view = try ConferenceInfo(parsing: Golden.conference.utf8)
    let partial = try ConferenceInfo(parsing: Golden.partial.utf8)

    #expect(view.merge(partial) == .merged)

    #expect(view.version == 2)
    #expect(view.state == .full)
    #expect(view.description?.subject == "Weekly planning")
    #expect(view.conferenceState?.userCount == 1)
    #expect(view.users?.users.map(\.entity) == ["sip:alice@example.com"])
    let endpoint = view.users?.users.first?.endpoints.first
    #expect(endpoint?.status == .mutedViaFocus)
    #expect(endpoint?.sessionType == "audio-video")
    #expect(endpoint?.media.first?.ingressFilter == .block)
    #expect(view.views.first?.entityState?.filterRules?.mayModifyOwnFilters.first?.allowed == false)
  }

  @Test("version rules: stale, gap, full, deleted")
  func versions() throws {
    var view = try ConferenceInfo(parsing: Golden.conference.utf8)
    var partial = try ConferenceInfo(parsing: Golden.partial.utf8)
    partial.version = 1
    #expect(view.merge(partial) == .stale)
    partial.version = 3
    #expect(view.merge(partial) == .refresh)
    partial.version = nil
    #expect(view.merge(partial) == .refresh)
    partial.version = 2
    partial.users?.users.append(.init(entity: "sip:nobody@example.com"))
    partial.users?.users[2].state = .partial
    let before = view
    #expect(view.merge(partial) == .refresh)
    #expect(view == before)
    var other = view
    other.version = 9
    other.entity = "sip:else"
    #expect(view.merge(other) == .refresh)
    var full = view
    full.version = 40
    #expect(view.merge(full) == .merged)
    var over = ConferenceInfo(entity: view.entity)
    over.state = .deleted
    over.version = 41
    #expect(view.merge(over) == .ended)
    var last = before
    last.version = .max
    partial.version = 0
    #expect(last.merge(partial) == .stale)
  }

  @Test(
    "what makes a document invalid",
    arguments: [
      (
        "<conference-info xmlns='urn:ietf:params:xml:ns:conference-info'/>",
        DocumentError.missing("conference-info@entity")
      ),
      ("<conference-info xmlns='urn:ietf:params:xml:ns:conference-info' entity='a' state='odd'/>", .invalid("state")),
      (
        "<conference-info xmlns='urn:ietf:params:xml:ns:conference-info' entity='a' version='4294967296'/>",
        .invalid("version")
      ),
      (
        "<conference-info xmlns='urn:ietf:params:xml:ns:conference-info' entity='a' version='-1'/>", .invalid("version")
      ),
      ("<conference-info entity='a'/>", .unexpectedRoot("conference-info")),
      (
        "<conference-info xmlns='urn:ietf:params:xml:ns:conference-info' entity='a'><users><user entity='b'/><user entity='b'/></users></conference-info>",
        .invalid("user")
      ),
      (
        "<conference-info xmlns='urn:ietf:params:xml:ns:conference-info' entity='a'><conference-state><locked>maybe</locked></conference-state></conference-info>",
        .invalid("locked")
      ),
    ])
  func invalid(_ text: String, _ error: DocumentError) {
    #expect(throws: error) { try ConferenceInfo(parsing: text.utf8) }
    #expect(error.status == 400)
  }

  @Test("a roster of 1,000 needs the roster limits, and fits them")
  func largeRoster() throws {
    var info = ConferenceInfo(entity: "sip:c")
    info.users = .init(
      (0..<1_000).map { number in
        var endpoint = ConferenceInfo.Endpoint(entity: "e", sessionType: "audio-video", status: .connected)
        endpoint.media = [.init(id: "1", type: "audio", label: "l\(number)", sourceID: 1, status: .sendrecv)]
        return .init(
          entity: "sip:user\(number)@example.com", displayText: "U", roles: ["attendee"], endpoints: [endpoint])
      })
    let bytes = info.encoded()

    #expect(throws: DocumentError.tooLong) { try ConferenceInfo(parsing: bytes) }
    #expect(try ConferenceInfo(parsing: bytes, limits: .roster) == info)
  }

  @Test("merging differences reproduces the full document, over random events", arguments: [UInt64(1), 2, 3, 4])
  func differences(_ seed: UInt64) throws {
    var random = RandomSource(seed: seed)
    var current = ConferenceInfo(entity: "sip:c")
    current.version = 1
    current.users = .init()
    var view = current
    var partials = 0
    for _ in 0..<400 {
      var next = current
      for _ in 0...Int(random.next() % 3) { Self.event(&next, &random) }
      next.version = (current.version ?? 0) + 1
      guard let change = ConferenceInfo.difference(from: current, to: next) else {
        #expect(Self.sorted(current).users == Self.sorted(next).users)
        continue
      }
      if change.state == .partial { partials += 1 }
      let received = try ConferenceInfo(parsing: change.encoded(), limits: .roster)
      #expect(received == change)
      #expect(view.merge(received) == .merged)
      #expect(Self.sorted(view) == Self.sorted(next))
      current = next
    }
    #expect(partials > 200)
  }

  private static func sorted(_ info: ConferenceInfo) -> ConferenceInfo {
    var info = info
    info.users?.users.sort { $0.entity < $1.entity }
    for index in info.users?.users.indices ?? 0..<0 {
      info.users?.users[index].endpoints.sort { $0.entity < $1.entity }
      for endpoint in info.users?.users[index].endpoints.indices ?? 0..<0 {
        info.users?.users[index].endpoints[endpoint].media.sort { $0.id < $1.id }
      }
    }
    return info
  }

  private static func event(_ info: inout ConferenceInfo, _ random: inout RandomSource) {
    func pick(_ count: Int) -> Int { Int(random.next() % UInt64(max(1, count))) }
    func maybe<T>(_ value: T) -> T? { pick(3) == 0 ? nil : value }
    var users = info.users?.users ?? []
    let entity = "sip:u\(pick(8))@example.com"
    let index = users.firstIndex { $0.entity == entity }
    switch pick(10) {
    case 0, 1:
      if index == nil { users.append(.init(entity: entity, displayText: maybe("U"), roles: ["attendee"])) }
    case 2:
      if let index { users.remove(at: index) }
    case 3:
      if let index { users[index].roles = pick(4) == 0 ? [] : ["presenter", "r\(pick(3))"] }
    case 4:
      if let index { users[index].displayText = maybe("Name \(pick(3)) <&>") }
    case 5, 6, 7:
      guard let index else { break }
      let name = "e\(pick(3))"
      guard let at = users[index].endpoints.firstIndex(where: { $0.entity == name }) else {
        users[index].endpoints.append(.init(entity: name, sessionType: "audio-video", status: .pending))
        break
      }
      switch pick(5) {
      case 0: users[index].endpoints.remove(at: at)
      case 1: users[index].endpoints[at].status = maybe(ConferenceInfo.Status.allCases[pick(9)])
      case 2: users[index].endpoints[at].disconnectionInfo = maybe(.init(by: "sip:x"))
      case 3: users[index].endpoints[at].media = (0..<pick(3)).map { .init(id: "\($0)", sourceID: UInt32(pick(3))) }
      default: users[index].endpoints[at].digits = maybe("\(pick(10))")
      }
    case 8: info.conferenceState = maybe(.init(userCount: UInt32(pick(5)), locked: pick(2) == 0))
    default:
      var view = ConferenceInfo.EntityView(entity: "audio-video", entityState: .init())
      view.entityState?.activeSpeakers = pick(3) == 0 ? [] : ["e\(pick(3))"]
      info.views = pick(4) == 0 ? [] : [view]
      info.description = .init()
      info.description?.subject = "S\(pick(3))"
    }
    info.users?.users = users
  }
}
