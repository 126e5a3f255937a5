//  ServiceNotifier.swift: what a service manager is told: ready, alive, stopping (sd_notify's protocol: one datagram to NOTIFY_SOCKET).

import Foundation
import LinuxIO
import Primitives

/// Says nothing when nobody asked: without `NOTIFY_SOCKET` in the environment.
struct ServiceNotifier: Sendable {
  private let path: String?
  /// How often the manager wants to hear that all is well, halved; `nil`: it does not.
  let watchdogPeriod: Interval?

  init(environment: [String: String] = ProcessInfo.processInfo.environment, process: Int32 = getpid()) {
    let socket = environment["NOTIFY_SOCKET"] ?? ""
    // A path, or a name in the abstract namespace, written with @.
    path = socket.hasPrefix("/") || socket.hasPrefix("@") ? socket : nil
    let isForUs = environment["WATCHDOG_PID"].map { Int32($0) == process } ?? true
    let period = environment["WATCHDOG_USEC"].flatMap { Int($0) } ?? 0
    watchdogPeriod = path != nil && isForUs && period > 0 ? .microseconds(max(1_000, period / 2)) : nil
  }

  func ready() { send("READY=1") }
  func alive() { send("WATCHDOG=1") }
  func stopping() { send("STOPPING=1") }

  private func send(_ state: String) {
    guard let path else { return }
    // A manager that does not listen is no reason to stop.
    _ = NotificationSocket.send(state, to: path)
  }
}
