//  RunCommand.swift: `parley run`: front end and media host on this machine, from one command.

import ArgumentParser
import Deployment
import Foundation

struct RunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Runs front end and media host here until Ctrl-C.",
    discussion: "Without a configuration file everything is on 127.0.0.1 and any name is a meeting.")

  @Option(name: .customLong("config"), help: "The configuration file.")
  var file: String?

  func run() throws {
    let deployment = try ConfigurationFile(path: file).load()
    let signals = SignalQueue([SIGINT, SIGTERM])
    let arguments = file.map { ["--config", $0] } ?? []
    let ended = DispatchSemaphore(value: 0)
    signals.onSignal { ended.signal() }

    let frontEnd = try Service(
      "parley-front-end", arguments: arguments, readyMark: " ready", onEnd: { ended.signal() })
    let mediaHost: Service
    do {
      try frontEnd.waitUntilReady(seconds: 20)
      mediaHost = try Service(
        "parley-media-host", arguments: arguments, readyMark: " ready", onEnd: { ended.signal() })
    } catch {
      frontEnd.stop(seconds: 5)
      throw error
    }
    do {
      try mediaHost.waitUntilReady(seconds: 20)
    } catch {
      mediaHost.stop(seconds: 5)
      frontEnd.stop(seconds: 5)
      throw error
    }
    announce(deployment)
    ended.wait()

    // The front end says goodbye to the phones first, while the media host can still be told.
    let failed = [frontEnd, mediaHost].filter { !$0.isRunning }
    frontEnd.stop(seconds: 5)
    mediaHost.stop(seconds: 5)
    if let failed = failed.first, !signals.received {
      StandardError.write("\(failed.name) ended by itself with status \(failed.status); Parley is stopped")
      throw ExitCode(failed.status == 0 ? 1 : failed.status)
    }
    print("Parley is stopped.")
  }

  private func announce(_ deployment: DeploymentConfiguration) {
    let frontEnd = deployment.frontEnd
    let domain = frontEnd.domains.first ?? frontEnd.listen.host
    let port = frontEnd.listen.port == 5060 ? "" : ":\(frontEnd.listen.port)"
    print(
      """

      Parley is ready. Call a meeting from any SIP phone with SRTP (SDES) on this machine:

          sip:demo@\(domain)\(port)

      Everyone who calls the same address is in the same meeting; any other name is another meeting.
      Stop with Ctrl-C.

      """)
    fflush(nil)
  }
}
