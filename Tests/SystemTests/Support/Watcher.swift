//  Watcher.swift: a conference subscriber of ours over UDP (RFC 4575): what the roster says, as a test reads it.

import ConferenceDocuments
import Foundation
import Primitives
import SIP

/// Subscribes to one meeting and merges the documents that arrive.
final class Watcher {
  private let descriptor: Int32
  private var agent: UserAgent
  private let proxy: SIPFlow
  private var outputs: [UserAgentOutput] = []
  private(set) var document: ConferenceInfo?
  /// Version of every document that came.
  private(set) var versions: [UInt32] = []
  private(set) var isOver = false
  private(set) var refusal: Int?

  init(meeting: String, frontEndPort: UInt16) throws {
    let socket = Foundation.socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
    descriptor = socket
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let bound = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
        bind(socket, pointer, size) == 0 && getsockname(socket, pointer, &size) == 0
      }
    }
    guard bound else { throw HarnessError("no UDP socket for the watcher") }
    let local = SocketAddress(ipv4: 0x7f00_0001, port: UInt16(bigEndian: address.sin_port))
    proxy = SIPFlow(
      transport: .udp, local: local, remote: SocketAddress(ipv4: 0x7f00_0001, port: frontEndPort), connection: 0)
    var configuration = UserAgentConfiguration()
    configuration.listen = [.udp: local]
    configuration.allowedMethods = [.notify, .options]
    configuration.eventPackages = ["conference"]
    agent = UserAgent(configuration: configuration, random: RandomSource(seed: UInt64(local.port)))
    let subscription = OutgoingSubscription(
      target: meeting, from: "<sip:watcher@127.0.0.1>", to: "<\(meeting)>", event: "conference",
      accept: ["application/conference-info+xml"], flow: proxy)
    _ = agent.subscribe(subscription, now: Self.now, into: &outputs)
    try perform()
  }

  deinit { close(descriptor) }

  private static var now: Instant {
    Instant(nanoseconds: Int64(ProcessInfo.processInfo.systemUptime * 1e9))
  }

  /// Reads documents until `matches`, or fails.
  func wait(seconds: Double = 10, _ what: String, until matches: (Watcher) -> Bool) throws {
    let deadline = Date(timeIntervalSinceNow: seconds)
    while !matches(self) {
      let left = deadline.timeIntervalSinceNow
      guard left > 0 else {
        throw HarnessError("the roster never showed: \(what); it shows \(users) (versions \(versions))")
      }
      try step(seconds: min(left, 0.2))
    }
  }

  /// User entities that have an endpoint with this status.
  func users(_ status: ConferenceInfo.Status) -> [String] {
    (document?.users?.users ?? []).filter { user in user.endpoints.contains { $0.status == status } }.map(\.entity)
      .sorted()
  }

  var users: [String] { (document?.users?.users ?? []).map(\.entity).sorted() }

  private func step(seconds: Double) throws {
    var poller = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    if poll(&poller, 1, Int32(max(1, seconds * 1000))) > 0 {
      var buffer = [UInt8](repeating: 0, count: 65_536)
      let count = recv(descriptor, &buffer, buffer.count, 0)
      if count > 0 { agent.receive(Array(buffer[..<count]), from: proxy, now: Self.now, into: &outputs) }
    }
    if agent.nextDeadline <= Self.now { agent.advance(to: Self.now, into: &outputs) }
    try perform()
  }

  private func perform() throws {
    let due = outputs
    outputs = []
    for output in due {
      switch output {
      case .transmit(let bytes, let flow): send(bytes, to: flow.remote)
      case .event(.notified(_, let message)): try take(message)
      case .event(.subscriptionEnded(_, let end)):
        isOver = true
        if case .refused(let status, _) = end { refusal = status }
      case .event: break
      }
    }
  }

  private func take(_ message: SIPMessage) throws {
    guard !message.body.isEmpty else { return }
    let received = try ConferenceInfo(parsing: message.body)
    versions.append(received.version ?? 0)
    var view = document ?? .unknown(entity: received.entity)
    switch view.merge(received) {
    case .merged, .ended: document = view
    case .stale, .refresh: throw HarnessError("version \(versions) does not follow: \(received.state)")
    }
  }

  private func send(_ bytes: [UInt8], to remote: SocketAddress) {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = remote.port.bigEndian
    address.sin_addr.s_addr = (remote.ipv4 ?? 0).bigEndian
    _ = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        sendto(descriptor, bytes, bytes.count, 0, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
  }
}
