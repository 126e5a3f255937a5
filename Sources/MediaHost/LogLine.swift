//  LogLine.swift: the control core's events as lines of the log: dialogs by Call-ID, legs and meetings by number, nobody by name.

import AVConferencing
import Logging
import Media
import Primitives

extension AVConferencingLogEvent.Severity {
  var level: Logger.Level {
    switch self {
    case .debug: .debug
    case .info: .info
    case .notice: .notice
    case .warning: .warning
    case .error: .error
    }
  }
}

extension AVConferencingLogEvent {
  /// The leg that it is about.
  var leg: LegID? {
    switch self {
    case .legOpened(let leg, _, worker: _, callID: _, codec: _, suite: _), .legConnected(let leg, _),
      .legModified(let leg, callID: _), .legSilent(let leg), .legResumed(let leg), .legClosed(let leg, _, _),
      .workerRefused(let leg, _), .workerLate(_, let leg):
      leg
    default: nil
    }
  }

  var line: (text: String, metadata: Logger.Metadata) {
    switch self {
    case .registered(let frontEnd, let expires):
      ("registered", ["front-end": "\(frontEnd)", "expires": "\(expires)"])
    case .active(let frontEnd): ("active: the front end has this host's load", ["front-end": "\(frontEnd)"])
    case .registrationFailed(let frontEnd, let status, let pause):
      (
        status == 0 ? "front end does not answer" : "front end refuses this host",
        ["front-end": "\(frontEnd)", "status": "\(status)", "retry-in-ms": "\(Int(pause.milliseconds))"]
      )
    case .loadRefused(let frontEnd, let status):
      ("front end refuses the load document", ["front-end": "\(frontEnd)", "status": "\(status)"])
    case .unregistered(let frontEnd): ("unregistered", ["front-end": "\(frontEnd)"])
    case .meetingOpened(let meeting, let worker, let callID):
      ("meeting opened", ["meeting": "\(meeting.rawValue)", "worker": "\(worker)", "call-id": "\(callID)"])
    case .partOpened(let meeting, let worker, let parts):
      ("part of meeting opened", ["meeting": "\(meeting.rawValue)", "worker": "\(worker)", "parts": "\(parts)"])
    case .partClosed(let meeting, let worker, let parts):
      ("part of meeting closed", ["meeting": "\(meeting.rawValue)", "worker": "\(worker)", "parts": "\(parts)"])
    case .meetingReplaced(let old, let new):
      ("meeting replaced by its Focus", ["meeting": "\(old.rawValue)", "by": "\(new.rawValue)"])
    case .meetingClosed(let meeting, let reason, let legs):
      ("meeting closed", ["meeting": "\(meeting.rawValue)", "reason": "\(reason)", "legs": "\(legs)"])
    case .legOpened(let leg, let meeting, let worker, let callID, let codec, let suite):
      (
        "leg opened",
        [
          "leg": "\(leg.rawValue)", "meeting": "\(meeting.rawValue)", "worker": "\(worker)", "call-id": "\(callID)",
          "codec": "\(codec)", "suite": "\(suite?.name ?? "none")",
        ]
      )
    case .legConnected(let leg, let milliseconds):
      ("first media", ["leg": "\(leg.rawValue)", "after-ms": "\(milliseconds)"])
    case .legModified(let leg, let callID):
      ("leg re-negotiated", ["leg": "\(leg.rawValue)", "call-id": "\(callID)"])
    case .legSilent(let leg): ("no media from leg", ["leg": "\(leg.rawValue)"])
    case .legResumed(let leg): ("media again from leg", ["leg": "\(leg.rawValue)"])
    case .legClosed(let leg, let reason, let statistics):
      ("leg closed", Self.metadata(leg, reason, statistics))
    case .refused(let callID, let status, let reason):
      ("refused: \(reason)", ["call-id": "\(callID)", "status": "\(status)"])
    case .commandFailed(let callID, let command, let status, let reason):
      ("command failed: \(reason)", ["call-id": "\(callID)", "command": "\(command)", "status": "\(status)"])
    case .untrustedPeer(let peer, let method):
      ("request from an address that may not control this host", ["peer": "\(peer)", "method": "\(method)"])
    case .workerRefused(let leg, let reason):
      ("worker refused leg", ["leg": "\(leg.rawValue)", "reason": "\(reason)"])
    case .workerLate(let worker, let leg):
      ("worker did not answer in time", ["worker": "\(worker)", "leg": "\(leg.rawValue)"])
    case .effortChanged(let worker, let from, let to, let busy):
      (
        to > from ? "worker is short of time and leaves out more" : "worker leaves out less",
        ["worker": "\(worker)", "from": "\(from)", "to": "\(to)", "busy": "\(busy)"]
      )
    case .overloaded(let busy, let lateTicks):
      ("overloaded: no new legs", ["busy": "\(busy)", "late-ticks": "\(lateTicks)"])
    case .recovered(let busy): ("no longer overloaded", ["busy": "\(busy)"])
    case .workerFailed(let worker, let meetings, let legs):
      (
        "worker stands still: its meetings were ended",
        ["worker": "\(worker)", "meetings": "\(meetings)", "legs": "\(legs)"]
      )
    case .workerDraining(let worker, let meetings):
      ("worker is drained: its meetings go to others", ["worker": "\(worker)", "meetings": "\(meetings)"])
    case .workerDrained(let worker): ("worker has no meetings left", ["worker": "\(worker)"])
    case .workerUndrained(let worker): ("worker takes meetings again", ["worker": "\(worker)"])
    case .meetingMoved(let meeting, let from, let to, let legs):
      (
        "meeting moved",
        ["meeting": "\(meeting.rawValue)", "from-worker": "\(from)", "to-worker": "\(to)", "legs": "\(legs)"]
      )
    case .meetingNotMoved(let meeting, let from, let to, let reason):
      (
        "meeting not moved: \(reason)",
        ["meeting": "\(meeting.rawValue)", "from-worker": "\(from)", "to-worker": "\(to)"]
      )
    case .draining: ("draining", [:])
    case .shuttingDown(let legs, let meetings):
      ("shutting down", ["legs": "\(legs)", "meetings": "\(meetings)"])
    case .shutDown: ("shut down", [:])
    }
  }

  private static func metadata(_ leg: LegID, _ reason: String, _ statistics: LegStatistics?) -> Logger.Metadata {
    var metadata: Logger.Metadata = ["leg": "\(leg.rawValue)", "reason": "\(reason)"]
    guard let statistics else { return metadata }
    metadata["packets-in"] = "\(statistics.packetsReceived)"
    metadata["packets-out"] = "\(statistics.packetsSent)"
    metadata["lost"] = "\(statistics.packetsLost)"
    metadata["concealed"] = "\(statistics.framesConcealed)"
    metadata["late"] = "\(statistics.packetsLate)"
    metadata["dropped"] = "\(statistics.packetsDropped)"
    return metadata
  }
}
