//  Baresip.swift: a real softphone without screen or sound card, driven through its own control interface (ctrl_tcp).

import Foundation

/// Debian's baresip 1.0.0: plays a wave file as its microphone and records what it hears.
final class Baresip {
  struct Options {
    var codecs = ["opus/48000/2"]
    /// `srtp-mand` (SDES), or nothing for plain RTP.
    var mediaEncryption: String? = "srtp-mand"
    var transport = "udp"
    var answersByItself = false
  }

  let name: String
  let port: UInt16
  private let directory: ScratchDirectory
  private let process: ChildProcess
  private let control: NetstringConnection

  /// - Parameter microphone: path of a mono 16-bit wave file at 48 kHz; played once, then silence.
  init(_ name: String, microphone: String, options: Options = Options()) throws {
    self.name = name
    directory = try ScratchDirectory()
    port = FreePort.pair()
    let controlPort = FreePort.pair()
    let mediaPort = FreePort.pair()
    let modules = [
      "g711.so", "g722.so", "opus.so", "aufile.so", "sndfile.so", "srtp.so", "uuid.so", "account.so", "ctrl_tcp.so",
      "menu.so",
    ]
    _ = try directory.write(
      "config",
      """
      poll_method epoll
      sip_listen 127.0.0.1:\(port)
      call_local_timeout 120
      call_max_calls 4
      audio_player aufile,\(directory.path("unused.wav"))
      audio_source aufile,\(microphone)
      audio_alert aufile,\(directory.path("unused.wav"))
      ausrc_srate 48000
      auplay_srate 48000
      ausrc_channels 1
      auplay_channels 1
      audio_level no
      rtp_tos 184
      rtp_ports \(mediaPort)-\(mediaPort + 9)
      rtcp_mux no
      jitter_buffer_delay 5-10
      rtp_stats no
      module_path /usr/lib/baresip/modules
      \(modules.map { "module \($0)" }.joined(separator: "\n"))
      ctrl_tcp_listen 127.0.0.1:\(controlPort)
      snd_path \(directory.url.path)
      net_interface 127.0.0.1
      opus_bitrate 32000
      """)
    let media =
      (options.mediaEncryption.map { ";mediaenc=\($0)" } ?? "") + (options.answersByItself ? ";answermode=auto" : "")
    _ = try directory.write(
      "accounts",
      "<sip:\(name)@127.0.0.1;transport=\(options.transport)>;regint=0\(media);audio_codecs=\(options.codecs.joined(separator: ","))\n"
    )
    _ = try directory.write("contacts", "")
    process = try ChildProcess("baresip \(name)", "/usr/bin/baresip", ["-4", "-f", directory.url.path])
    try process.waitForLine(containing: "baresip is ready")
    control = try NetstringConnection(port: controlPort)
  }

  /// Calls a meeting and waits until the call is up.
  func dial(_ uri: String, seconds: Double = 20) throws {
    try control.send(["command": "dial", "params": uri, "token": "dial"])
    try waitFor(event: "CALL_ESTABLISHED", seconds: seconds)
  }

  /// Calls and waits for the refusal; returns what baresip says of it, e.g. `486 Busy Here`.
  func dialRefused(_ uri: String, seconds: Double = 20) throws -> String {
    try control.send(["command": "dial", "params": uri, "token": "dial"])
    return try waitFor(event: "CALL_CLOSED", seconds: seconds)["param"] as? String ?? ""
  }

  func hangUp() throws {
    try control.send(["command": "hangup", "token": "hangup"])
    try waitFor(event: "CALL_CLOSED", seconds: 10)
  }

  func waitForEnd(seconds: Double = 20) throws -> String {
    try waitFor(event: "CALL_CLOSED", seconds: seconds)["param"] as? String ?? ""
  }

  func toggleMute() throws { try control.send(["command": "mute", "token": "mute"]) }
  func hold() throws { try control.send(["command": "hold", "token": "hold"]) }
  func resume() throws { try control.send(["command": "resume", "token": "resume"]) }
  func press(_ digit: Character) throws {
    try control.send(["command": "sndcode", "params": String(digit), "token": "digit"])
  }

  /// Dies as a phone does whose battery is pulled: no BYE.
  func killWithoutBye() throws {
    process.kill(signal: SIGKILL)
    _ = try process.waitForExit()
  }

  /// As when the cable is pulled: nothing comes from it any more, and it takes nothing.
  func freeze() { process.kill(signal: SIGSTOP) }
  func thaw() { process.kill(signal: SIGCONT) }

  func quit() throws {
    try control.send(["command": "quit", "token": "quit"])
    _ = try process.waitForExit(seconds: 10)
  }

  /// What it heard, decoded, since its call began.
  func heard() throws -> WaveFile { try recording(suffix: "-dec.wav") }

  private func recording(suffix: String) throws -> WaveFile {
    let names = try FileManager.default.contentsOfDirectory(atPath: directory.url.path).filter { $0.hasSuffix(suffix) }
    guard let name = names.sorted().last else { throw HarnessError("baresip \(self.name) recorded nothing") }
    return try WaveFile(contentsOf: directory.path(name))
  }

  @discardableResult
  private func waitFor(event: String, seconds: Double) throws -> [String: Any] {
    do {
      return try control.wait(seconds: seconds) { $0["event"] as? Bool == true && $0["type"] as? String == event }
    } catch {
      throw HarnessError("\(error) (waiting for \(event) of \(name)); baresip printed:\n\(process.output.suffix(3000))")
    }
  }
}

/// JSON values framed as netstrings over TCP, as ctrl_tcp speaks them.
final class NetstringConnection {
  private let descriptor: Int32
  private var received: [UInt8] = []
  private var unread: [[String: Any]] = []

  init(port: UInt16) throws {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard result == 0 else { throw HarnessError("no control connection on port \(port): errno \(errno)") }
  }

  deinit { close(descriptor) }

  func send(_ value: [String: String]) throws {
    let json = try JSONSerialization.data(withJSONObject: value)
    let frame = Array("\(json.count):".utf8) + Array(json) + Array(",".utf8)
    guard Foundation.send(descriptor, frame, frame.count, Int32(MSG_NOSIGNAL)) == frame.count else {
      throw HarnessError("control connection closed")
    }
  }

  /// The first message, also an earlier unread one, that `matches`.
  func wait(seconds: Double, _ matches: ([String: Any]) -> Bool) throws -> [String: Any] {
    let deadline = Date(timeIntervalSinceNow: seconds)
    while true {
      if let index = unread.firstIndex(where: matches) { return unread.remove(at: index) }
      let left = deadline.timeIntervalSinceNow
      guard left > 0 else { throw HarnessError("nothing matched within \(seconds) s; unread: \(unread)") }
      var poller = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
      guard poll(&poller, 1, Int32(left * 1000)) >= 0 else { continue }
      guard poller.revents != 0 else { continue }
      var buffer = [UInt8](repeating: 0, count: 65_536)
      let count = recv(descriptor, &buffer, buffer.count, 0)
      guard count > 0 else { throw HarnessError("control connection closed") }
      received += buffer[..<count]
      try takeFrames()
    }
  }

  private func takeFrames() throws {
    while let colon = received.firstIndex(of: UInt8(ascii: ":")),
      let length = Int(String(decoding: received[..<colon], as: UTF8.self)), received.count >= colon + length + 2
    {
      let json = Data(received[(colon + 1)..<(colon + 1 + length)])
      received.removeSubrange(...(colon + 1 + length))
      if let value = try JSONSerialization.jsonObject(with: json) as? [String: Any] { unread.append(value) }
    }
  }
}
