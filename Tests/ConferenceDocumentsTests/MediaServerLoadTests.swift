//  MediaServerLoadTests.swift: load reports (RFC 6917 with our extension).

import ConferenceDocuments
import Testing

@Suite("Load reports (RFC 6917)")
struct MediaServerLoadTests {
  @Test("the document of the profile is read and survives writing")
  func reading() throws {
    let load = try MediaServerLoad(parsing: Golden.load.utf8)

    #expect(load.sequence == 912)
    #expect(load.serverID == "mh7")
    #expect(load.status == .active)
    #expect(load.activeRTP == [.init(name: "audio/opus", decoding: 84, encoding: 84)])
    #expect(load.activeMixes.first?.conferenceID == "K7Q2M9XA")
    #expect(load.availableMixes.first?.available == 40)
    #expect(load.address == "sip:av@mh7.example.com;transport=tls")
    #expect(load.encrypts)
    #expect(load.load.cpu == 0.41)
    #expect(load.load.packetsOutPerSecond == 118_000)
    #expect(load.load.lateTicks == 3)
    #expect(try MediaServerLoad(parsing: load.encoded()) == load)
  }

  @Test("the least report survives too; a processor load is written in thousandths")
  func minimal() throws {
    var load = MediaServerLoad(sequence: .max, id: "", serverID: "h", status: .deactivated)
    load.encrypts = false
    load.load.draining = true
    load.load.cpu = 0.007

    #expect(try MediaServerLoad(parsing: load.encoded()) == load)
    for (cpu, text) in [
      (0.00004, "0.000"), (1.5, "1.500"), (-.infinity, "0.000"), (.nan, "0.000"), (1e300, "1000.000"),
    ] {
      load.load.cpu = cpu
      #expect(String(decoding: load.encoded(), as: UTF8.self).contains("cpu=\"\(text)\""))
    }
  }

  @Test("hostile numbers")
  func hostile() {
    for (from, to, what) in [
      ("0.41", "nan", "cpu"), ("0.41", "-1", "cpu"), ("0.41", "inf", "cpu"), ("41200", "4294967296", "pps-in"),
      ("\"3\"", "\"-3\"", "late-ticks"), ("\"912\"", "\"99999999999999999999999\"", "seqnum"),
      ("\"40\"", "\"x\"", "available"),
      (">6<", "> <", "decoding"), (">active<", ">odd<", "media-server-status"), ("\"false\"", "\"no\"", "drain"),
    ] {
      let text = Golden.load.replacing(from, with: to)
      #expect(throws: DocumentError.invalid(what)) { try MediaServerLoad(parsing: text.utf8) }
    }
  }
}
