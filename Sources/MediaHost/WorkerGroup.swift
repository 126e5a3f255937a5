//  WorkerGroup.swift: this host's workers as the control thread has them: started together, told and heard one by one.

import Deployment
import LinuxIO
import Logging
import Media
import MediaTransport
import Primitives

/// All workers of the process. `send` and `takeEvents` belong to the control thread.
final class WorkerGroup: Sendable {
  /// Why the workers could not start, in words for the operator.
  struct StartError: Error, CustomStringConvertible {
    var description: String
  }

  let workers: [WorkerThread]
  /// Readable when any worker has something to tell.
  let eventsReady: WakeUp

  init(_ settings: MediaHostConfiguration, _ log: Logger) throws(StartError) {
    let cpus = settings.workers.isEmpty ? ProcessorSet.forWorkers(of: ProcessorSet.available()) : settings.workers
    let backend = settings.srtp == "auto" ? SRTPBackend.best() : SRTPBackend(rawValue: settings.srtp) ?? .evp
    guard backend.isAvailable else {
      throw StartError(
        description: "media-host.srtp is \(settings.srtp), which needs a processor with AES instructions; "
          + "set it to auto or evp")
    }
    let clock = MonotonicClock.anchor()
    var started: [WorkerThread] = []
    do throws(LinuxError) {
      eventsReady = try WakeUp()
      let links = try cpus.count > 1 ? WorkerLinks(workers: cpus.count) : nil
      for (number, cpu) in cpus.enumerated() {
        let offset = settings.mediaPort + 2 * number
        guard let port = UInt16(exactly: offset), let address = SocketAddress(host: settings.mediaAddress, port: port)
        else { throw LinuxError.invalid(call: "media port \(offset)") }
        var configuration = MediaWorkerConfiguration(clock: clock, random: try RandomSource.system())
        configuration.worker = number
        configuration.srtp = backend
        configuration.stopwatch = { MonotonicClock.now().nanoseconds }
        configuration.allowsPlain = settings.plainRTP
        configuration.limits.legs = settings.maximumLegs
        configuration.limits.legsPerMeeting = settings.maximumLegs
        var own = WorkerThread.Configuration(worker: configuration, cpu: cpu, address: address)
        own.origin = clock.instant
        own.links = links
        let thread = try WorkerThread(own, eventsReady: eventsReady)
        started.append(thread)
        let grants = thread.grants
        log.info(
          "worker started",
          metadata: [
            "worker": "\(number)", "cpu": "\(cpu)", "media": "\(thread.mediaAddress)", "srtp": "\(backend.description)",
            "receive-buffer": "\(grants.receiveBufferBytes)", "memory": "\(grants.memoryBytes)",
            "huge-pages": "\(grants.hasHugePages)", "locked": "\(grants.isLocked)",
          ])
      }
    } catch {
      for thread in started { thread.stop() }
      throw StartError(description: Self.text(error, cpus: cpus))
    }
    workers = started
  }

  func stop() {
    for worker in workers { worker.stop() }
  }

  private static func text(_ error: LinuxError, cpus: [Int]) -> String {
    switch error {
    case .addressInUse(let address):
      "cannot use media port \(address): the address is in use; stop the program that holds it or configure another "
        + "media-host.media-port"
    case .addressNotAvailable(let address):
      "cannot use media address \(address.host): this machine has no such address; configure one of its own as "
        + "media-host.media-address"
    case .notPermitted(let call):
      "not permitted: \(call); check the port, the CPUs \(cpus) and the security policy"
    case .exhausted(let call): "a limit of the system is reached: \(call); check ulimit and memory"
    case .invalid(let call):
      "cannot start the workers: \(call) refused; check media-host.workers \(cpus) and media-host.media-port"
    case .other(let call, let errno): "cannot start the workers: \(call) failed with error \(errno)"
    }
  }
}
