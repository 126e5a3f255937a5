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
        configuration.automaticGain = settings.automaticGain
        configuration.alignsTicks = true
        configuration.limits.legs = settings.maximumLegs
        configuration.limits.legsPerMeeting = settings.maximumLegs
        // Each leg keeps up to three packets; the rest is for talkers' jitter buffers and what is on its way.
        configuration.limits.packets = max(configuration.limits.packets, 4 * settings.maximumLegs + 8_192)
        var own = WorkerThread.Configuration(worker: configuration, cpu: cpu, address: address)
        own.origin = clock.instant
        own.links = links
        own.realtimePriority = settings.realtimePriority
        let thread = try WorkerThread(own, eventsReady: eventsReady)
        started.append(thread)
        let grants = thread.grants
        log.info(
          "worker started",
          metadata: [
            "worker": "\(number)", "cpu": "\(cpu)", "media": "\(thread.mediaAddress)", "srtp": "\(backend.description)",
            "receive-buffer": "\(grants.receiveBufferBytes)", "memory": "\(grants.memoryBytes)",
            "huge-pages": "\(grants.hugeBytes)", "locked": "\(grants.isLocked)",
            "node": "\(ProcessorSet.node(of: cpu))", "node-local": "\(grants.isNodeLocal)",
            "realtime": "\(grants.isRealtime ? settings.realtimePriority : 0)",
          ])
        Self.warn(of: grants, number, settings, log)
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

  /// Of what the system did not grant and the operator can give.
  private static func warn(
    of grants: WorkerThread.Grants, _ worker: Int, _ settings: MediaHostConfiguration, _ log: Logger
  ) {
    let wanted = 2 * settings.maximumLegs  // 40 ms of packets of 20 ms
    if grants.receiveBufferPackets < wanted {
      log.warning(
        "the receive buffer holds less than 40 ms of the packets of maximum-legs; raise net.core.rmem_max",
        metadata: [
          "worker": "\(worker)", "packets": "\(grants.receiveBufferPackets)", "wanted": "\(wanted)",
          "rmem_max": "\(wanted * DatagramSocket.kernelBytesPerPacket / 2)",
        ])
    }
    if settings.realtimePriority > 0, !grants.isRealtime {
      log.warning(
        "media-host.realtime-priority is not permitted: give the program CAP_SYS_NICE or LimitRTPRIO",
        metadata: ["worker": "\(worker)", "realtime-priority": "\(settings.realtimePriority)"])
    }
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
