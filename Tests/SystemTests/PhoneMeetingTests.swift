//  PhoneMeetingTests.swift: real softphones in a meeting: everyone hears everyone else, and not himself.

import Foundation
import Testing

/// One phone with its own tone, present from the start of its call.
private struct Person {
  let name: String
  let frequency: Double
  let phone: Baresip
}

@Suite("Meetings of real phones (baresip)", .serialized)
struct PhoneMeetingTests {
  private static let tones: [(String, Double)] = [("ann", 440), ("bo", 1_000), ("cy", 2_200)]
  /// Amplitude from which a tone of 0.2 counts as heard, and below which it counts as absent.
  private static let heard = 0.05
  private static let absent = 0.004

  private func gather(
    _ codecs: [String], in meeting: String, _ parley: RunningParley, _ directory: ScratchDirectory,
    encryption: String? = "srtp-mand"
  ) throws -> [Person] {
    try zip(Self.tones, codecs).map { tone, codec in
      let file = directory.path("\(tone.0).wav")
      try WaveFile.tone(tone.1, seconds: 60).write(to: file)
      var options = Baresip.Options()
      options.codecs = [codec]
      options.mediaEncryption = encryption
      let phone = try Baresip(tone.0, microphone: file, options: options)
      try phone.dial(parley.uri(meeting))
      return Person(name: tone.0, frequency: tone.1, phone: phone)
    }
  }

  /// Holds what each heard in its last seconds against who was there.
  private func expectAllHear(_ people: [Person], others: [Person], seconds: Double, _ parley: RunningParley) throws {
    for person in people {
      let heard = try person.phone.heard().tail(seconds)
      for other in others where other.name != person.name {
        let gap = heard.longestGap(of: other.frequency, amplitude: Self.heard)
        #expect(gap == 0, "\(person.name) missed \(other.name) for \(gap) s\n\(parley.log)")
      }
      let own = heard.amplitude(of: person.frequency)
      #expect(own < Self.absent, "\(person.name) heard himself: \(own)")
    }
  }

  /// Lets the phones talk for a while: their recordings are what is tested afterwards.
  private func talk(_ seconds: Double) { Thread.sleep(forTimeInterval: seconds) }

  @Test(
    "three phones hear the two others and not themselves, without gaps",
    arguments: [
      ["opus/48000/2", "opus/48000/2", "opus/48000/2"], ["PCMA/8000/1", "PCMA/8000/1", "PCMA/8000/1"],
      ["opus/48000/2", "PCMA/8000/1", "G722/16000/1"],
    ])
  func threePhones(codecs: [String]) throws {
    let parley = try RunningParley()
    let directory = try ScratchDirectory()
    let people = try gather(codecs, in: "demo", parley, directory)

    talk(5)

    try expectAllHear(people, others: people, seconds: 3, parley)
    for person in people { try person.phone.quit() }
    #expect(try parley.stop() == [0, 0])
  }

  @Test("the same with the reference SRTP backend")
  func referenceBackend() throws {
    var settings = RunningParley.Settings()
    settings.srtp = "reference"
    let parley = try RunningParley(settings)
    let directory = try ScratchDirectory()
    let people = try gather(Array(repeating: "opus/48000/2", count: 3), in: "demo", parley, directory)

    talk(4)

    try expectAllHear(people, others: people, seconds: 2, parley)
  }

  @Test("mute, hold, BYE and death: the mix and the roster follow")
  func comingsAndGoings() throws {
    let parley = try RunningParley()
    let directory = try ScratchDirectory()
    let people = try gather(Array(repeating: "opus/48000/2", count: 3), in: "demo", parley, directory)
    let (ann, bo, cy) = (people[0], people[1], people[2])
    let watcher = try Watcher(meeting: parley.uri("demo"), frontEndPort: parley.sipPort)
    try watcher.wait("three connected") { $0.users(.connected).count == 3 }

    try ann.phone.toggleMute()
    talk(2)
    #expect(try bo.phone.heard().tail(1).amplitude(of: ann.frequency) < Self.absent)
    #expect(try bo.phone.heard().tail(1).amplitude(of: cy.frequency) > Self.heard)
    try ann.phone.toggleMute()
    talk(2)
    try expectAllHear([bo, cy], others: people, seconds: 1, parley)

    try bo.phone.hold()
    talk(2)
    #expect(try ann.phone.heard().tail(1).amplitude(of: bo.frequency) < Self.absent)
    try bo.phone.resume()
    talk(2)
    try expectAllHear([ann, cy], others: people, seconds: 1, parley)

    try cy.phone.hangUp()
    try watcher.wait("two users") { $0.users.count == 2 }
    talk(2)
    #expect(try ann.phone.heard().tail(1).amplitude(of: cy.frequency) < Self.absent)
    try expectAllHear([ann, bo], others: [ann, bo], seconds: 1, parley)

    let before = try ann.phone.heard().seconds
    try bo.phone.killWithoutBye()
    try watcher.wait(seconds: 15, "one user") { $0.users.count == 1 }
    talk(1)
    // Concealment fades within half a second; then the mix sends nothing, and the recording grows no more.
    let afterwards = try ann.phone.heard()
    #expect(afterwards.slice(from: before + 0.6, to: afterwards.seconds).amplitude(of: bo.frequency) < Self.absent)

    try ann.phone.quit()
    try watcher.wait("the end of the conference") { $0.isOver }
    let rising = zip(watcher.versions, watcher.versions.dropFirst()).allSatisfy { $1 == $0 + 1 || $1 == $0 }
    #expect(rising, "versions \(watcher.versions)")
  }

  @Test("telephone keys are recognised, reported to the Focus, and not heard by the others")
  func keys() throws {
    let parley = try RunningParley()
    let directory = try ScratchDirectory()
    let people = try gather(Array(repeating: "opus/48000/2", count: 2), in: "demo", parley, directory)

    try people[0].phone.press("5")
    try parley.frontEnd.waitForLine(containing: "telephone key", seconds: 5)
    talk(1.5)

    // 770 Hz and 1,336 Hz are the tones of key 5.
    let heard = try people[1].phone.heard().tail(2)
    #expect(heard.amplitude(of: 770) < Self.absent)
    #expect(heard.amplitude(of: 1_336) < Self.absent)
  }

  @Test("plain RTP is refused unless the configuration allows it")
  func plainRTP() throws {
    let directory = try ScratchDirectory()
    try WaveFile.tone(440, seconds: 5).write(to: directory.path("a.wav"))
    var options = Baresip.Options()
    options.mediaEncryption = nil
    do {
      let parley = try RunningParley()
      let phone = try Baresip("plain", microphone: directory.path("a.wav"), options: options)
      let refusal = try phone.dialRefused(parley.uri("demo"))
      #expect(refusal.contains("488"), "\(refusal)")
    }
    var settings = RunningParley.Settings()
    settings.plainRTP = true
    let parley = try RunningParley(settings)

    let people = try gather(Array(repeating: "opus/48000/2", count: 2), in: "demo", parley, directory, encryption: nil)
    talk(3)

    try expectAllHear(people, others: people, seconds: 1.5, parley)
  }

  @Test("a second media host takes meetings when the first is full, and when it drains")
  func secondHost() throws {
    var settings = RunningParley.Settings()
    settings.maximumLegs = 2
    settings.mediaHosts = 2
    let parley = try RunningParley(settings)
    let directory = try ScratchDirectory()

    let first = try gather(Array(repeating: "opus/48000/2", count: 2), in: "one", parley, directory)
    let second = try gather(Array(repeating: "opus/48000/2", count: 2), in: "two", parley, directory)
    talk(3)
    try expectAllHear(first, others: first, seconds: 1.5, parley)
    try expectAllHear(second, others: second, seconds: 1.5, parley)

    // Both are full: a fifth caller is told so.
    try WaveFile.tone(600, seconds: 5).write(to: directory.path("e.wav"))
    let fifth = try Baresip("eve", microphone: directory.path("e.wav"))
    let refusal = try fifth.dialRefused(parley.uri("three"))
    #expect(refusal.contains("503") || refusal.contains("486"), "\(refusal)")

    // A host that drains takes nothing new, though it has room.
    let third = try parley.startMediaHost("mh3", maximumLegs: 10)
    let fourth = try parley.startMediaHost("mh4", maximumLegs: 10)
    third.process.kill(signal: SIGUSR1)
    try third.process.waitForLine(containing: "draining")
    try parley.frontEnd.waitForLine(containing: "draining")
    let late = try gather(Array(repeating: "opus/48000/2", count: 2), in: "four", parley, directory)
    talk(3)
    try expectAllHear(late, others: late, seconds: 1.5, parley)
    let placements = parley.frontEnd.output.split(separator: "\n").filter { $0.contains("conference placed on") }
    func host(of meeting: String) -> Substring? {
      placements.first { $0.contains("conference=\(meeting) ") }?.components(separatedBy: "placed on ").last?.prefix(3)
    }
    #expect(Set([host(of: "one"), host(of: "two")]) == ["mh1", "mh2"], "\(placements)")
    #expect(host(of: "four") == Substring(fourth.name), "\(placements)")
  }
}
