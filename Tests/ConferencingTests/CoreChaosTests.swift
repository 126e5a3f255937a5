//  CoreChaosTests.swift: random callers, hosts and losses by seed; every dialog ends and no table keeps anything.
import Conferencing
import Primitives
import SIP
import Testing

@Suite("Conferencing core: lossy networks and random lives")
struct CoreChaosTests {
  @Test(
    "lost, doubled and reordered datagrams: everybody gets in, hears of it once, and gets out",
    arguments:
      UInt64(1)...6)
  func lossy(seed: UInt64) {
    let network = ConferenceNetwork(seed: seed) { $0.gracePeriod = .seconds(5) }
    network.loss = 0.15
    network.duplication = 0.1
    network.delayMilliseconds = 1...80
    let host = network.addHost(1)
    let phones = (1...8).map { network.addPhone($0) }
    let watcher = network.addPhone(9)

    for phone in phones {
      phone.dial()
      network.run(.milliseconds(100))
    }
    network.run(.seconds(20))
    #expect(phones.allSatisfy { $0.isIn }, "seed \(seed)")
    #expect(network.roster()?.userCount == 8 && host.legs.count == 8)
    watcher.watch()
    network.run(.seconds(10))
    for phone in phones {
      phone.reinvite("v=0 hold")
      network.run(.milliseconds(100))
    }
    network.run(.seconds(20))
    #expect(phones.allSatisfy { $0.answers.last == "v=0 host's answer to v=0 hold" }, "seed \(seed)")
    for phone in phones { phone.hangUp() }
    network.run(.seconds(20))
    #expect(network.roster() == nil || network.roster()?.userCount == 0, "seed \(seed)")
    #expect(watcher.documents.compactMap(\.version) == (1...UInt32(max(1, watcher.documents.count))).map { $0 })

    network.run(.seconds(120))
    #expect(network.leaks == [], "seed \(seed)")
    #expect(host.legs.isEmpty && host.controls.isEmpty)
  }

  @Test("callers that come, hold, cancel and vanish; hosts that refuse, fall silent and die", arguments: UInt64(1)...6)
  func chaos(seed: UInt64) {
    let network = ConferenceNetwork(seed: seed) {
      $0.gracePeriod = .seconds(3)
      $0.maximumParticipants = 6
      $0.sessionTimer = SessionTimerPolicy(expiresSeconds: 90)
    }
    var random = RandomSource(seed: seed &+ 1_000)
    network.loss = 0.05
    network.delayMilliseconds = 1...40
    let hosts = (1...3).map { network.addHost($0, room: 20) }
    let phones = (1...14).map { network.addPhone($0) }

    for _ in 0..<400 {
      let phone = phones[Int.random(in: 0..<phones.count, using: &random)]
      let host = hosts[Int.random(in: 0..<hosts.count, using: &random)]
      switch Int.random(in: 0..<40, using: &random) {
      case 0...17:
        if phone.call == nil || phone.isDone {
          phone.isSilent = false
          let offer = Int.random(in: 0..<6, using: &random) == 0 ? nil : "v=0 offer"
          phone.dial("sip:m\(Int.random(in: 0..<3, using: &random))@conf.example.com", offer: offer)
        }
      case 18...23: phone.hangUp()
      case 24...26: if phone.isIn { phone.reinvite(Bool.random(using: &random) ? "v=0 hold" : nil) }
      case 27: phone.watch("sip:m\(Int.random(in: 0..<3, using: &random))@conf.example.com")
      case 28: phone.unwatch()
      case 29: phone.isSilent = true
      case 30: host.leg = .refuse([486, 488, 503, 404].randomElement(using: &random) ?? 503)
      case 31: host.leg = .silence
      case 32: host.control = .refuse(503)
      case 33: host.control = .silence
      case 34: if !host.legs.isEmpty { host.hangUpLeg(0) }
      case 35: if let leg = host.legs.first { host.notify(.disconnected, of: leg, failed: true) }
      case 36: if Int.random(in: 0..<6, using: &random) == 0, !host.isDead { network.kill(host) }
      default:
        host.leg = .accept
        host.control = .accept
      }
      network.run(.milliseconds(Int.random(in: 0..<400, using: &random)))
      // The roster is who is in.
      for name in network.core.activeConferences {
        let joined = network.core.participants(of: name).count { $0.phase == .joined }
        #expect(network.core.roster(of: name)?.endpointCount == joined, "seed \(seed)")
        #expect(network.core.participants(of: name).count <= 6)
      }
    }
    for phone in phones {
      phone.isSilent = false
      phone.hangUp()
      phone.unwatch()
    }
    // Phones that vanished without BYE are found out by their session timers.
    network.run(.seconds(400))

    let joined = network.records.count { if case .participantJoined = $0 { true } else { false } }
    let refused = network.records.count { if case .participantRefused = $0 { true } else { false } }
    #expect(joined > 20 && refused > 3, "seed \(seed): \(joined) joined, \(refused) refused: nothing was tried")
    #expect(network.core.activeConferences == [], "seed \(seed)")
    #expect(network.leaks == [], "seed \(seed)")
    for host in hosts where !host.isDead { #expect(host.legs.isEmpty && host.controls.isEmpty, "seed \(seed)") }
  }
}
