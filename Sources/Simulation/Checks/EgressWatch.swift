//  EgressWatch.swift: looks at what a worker sends before the network touches it: no gap, no repetition, no stranger.

import Media
import Primitives
import RTP

/// Follows the RTP streams of one worker's legs (RFC 3550 §5.1): headers are in clear under SRTP.
struct EgressWatch {
  struct Leg: Hashable {
    var id: LegID
    var meeting: MeetingID
    var remoteMedia: SocketAddress
    var ssrc: UInt32
  }
  private struct Stream {
    var leg: LegID
    var nextSequence: UInt16
    var timestamp: UInt32?
  }

  private(set) var legs: [LegID: Leg] = [:]
  private(set) var meetings: Set<MeetingID> = []
  private var streams: [UInt32: Stream] = [:]
  private(set) var packets = 0
  /// A forwarded talker's packets that the network has lost leave their numbers out, so that listeners know.
  private let longestGap: UInt16

  /// - Parameter losesTalkers: the network loses packets on their way to the worker.
  init(losesTalkers: Bool) { longestGap = losesTalkers ? 64 : 0 }

  static func isMedia(_ bytes: [UInt8]) -> Bool { unsafe PacketKind(of: bytes.span.bytes) == .rtp }

  /// A command as the worker takes it.
  mutating func handle(_ command: MediaCommand) -> String? {
    switch command {
    case .openMeeting(let id, _):
      guard meetings.insert(id).inserted else { return "meeting \(id.rawValue) is opened twice" }
    case .closeMeeting(let id):
      meetings.remove(id)
      for leg in legs.values where leg.meeting == id { close(leg.id) }
    case .openLeg(let configuration):
      guard legs[configuration.leg] == nil else { return "leg \(configuration.leg.rawValue) is opened twice" }
      guard meetings.contains(configuration.meeting) else {
        return "leg \(configuration.leg.rawValue) is opened in no meeting"
      }
      guard streams[configuration.ssrc] == nil else { return "two legs send as \(configuration.ssrc)" }
      note(configuration)
    case .modifyLeg(let configuration):
      guard let leg = legs[configuration.leg] else { return nil }
      guard leg.meeting == configuration.meeting else { return "leg \(leg.id.rawValue) changes its meeting" }
      if leg.ssrc != configuration.ssrc { streams[leg.ssrc] = nil }
      note(configuration)
    case .closeLeg(let id): close(id)
    case .linkMeeting, .moveMeeting, .setIngress, .setEgress: break
    }
    return nil
  }

  private mutating func note(_ configuration: LegConfiguration) {
    legs[configuration.leg] = Leg(
      id: configuration.leg, meeting: configuration.meeting, remoteMedia: configuration.remoteMedia,
      ssrc: configuration.ssrc)
    if streams[configuration.ssrc] == nil {
      streams[configuration.ssrc] = Stream(leg: configuration.leg, nextSequence: configuration.initialSequence)
    }
  }

  private mutating func close(_ id: LegID) {
    guard let leg = legs.removeValue(forKey: id) else { return }
    streams[leg.ssrc] = nil
  }

  /// - Returns: what is wrong with a packet, if anything.
  mutating func check(_ bytes: [UInt8]) -> String? {
    guard Self.isMedia(bytes) else { return nil }
    packets += 1
    guard let header = try? unsafe RTPHeader(parsing: bytes.span.bytes) else { return "an RTP packet that is none" }
    guard var stream = streams[header.ssrc] else { return "a packet of SSRC \(header.ssrc), which no leg has" }
    defer { streams[header.ssrc] = stream }
    let expected = stream.nextSequence
    stream.nextSequence = header.sequence &+ 1
    guard header.sequence &- expected <= longestGap else {
      return "leg \(stream.leg.rawValue) sends sequence \(header.sequence) where \(expected) is due"
    }
    if let last = stream.timestamp, header.timestamp == last || last.isSeriallyAfter(header.timestamp) {
      return "leg \(stream.leg.rawValue) sends timestamp \(header.timestamp) after \(last)"
    }
    stream.timestamp = header.timestamp
    return nil
  }
}
