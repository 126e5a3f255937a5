//  RawSIP.swift: SIP as bytes over a socket of the test's own, for what no well-behaved client would send.

import Foundation

/// One UDP or TCP socket connected to a server; messages are text.
final class RawSIP {
  private let descriptor: Int32
  let isStream: Bool
  let localPort: UInt16
  private var pending = ""

  init(port: UInt16, stream: Bool = false) throws {
    isStream = stream
    let socket = Foundation.socket(AF_INET, Int32(stream ? SOCK_STREAM.rawValue : SOCK_DGRAM.rawValue), 0)
    descriptor = socket
    var remote = Self.address(port)
    var local = Self.address(0)
    var size = socklen_t(MemoryLayout<sockaddr_in>.size)
    let connected = withUnsafePointer(to: &remote) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(socket, $0, size) }
    }
    _ = withUnsafeMutablePointer(to: &local) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(socket, $0, &size) }
    }
    localPort = UInt16(bigEndian: local.sin_port)
    guard connected == 0 else { throw HarnessError("cannot connect to port \(port): errno \(errno)") }
  }

  deinit { close(descriptor) }

  private static func address(_ port: UInt16) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    return address
  }

  func send(_ text: String) throws { try send(Array(text.utf8)) }

  func send(_ bytes: [UInt8]) throws {
    var rest = bytes[...]
    repeat {
      let count = rest.withUnsafeBytes { Foundation.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
      guard count > 0 || bytes.isEmpty else { throw HarnessError("send failed: errno \(errno)") }
      rest = rest.dropFirst(count)
    } while !rest.isEmpty
  }

  /// The next message; `nil` when none comes in time, or when the server closed the connection.
  func receive(seconds: Double = 5) -> String? {
    let deadline = Date(timeIntervalSinceNow: seconds)
    while true {
      if let message = takeMessage() { return message }
      let left = deadline.timeIntervalSinceNow
      guard left > 0 else { return nil }
      var poller = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
      guard poll(&poller, 1, Int32(max(1, left * 1000))) > 0 else { continue }
      var buffer = [UInt8](repeating: 0, count: 65_536)
      let count = recv(descriptor, &buffer, buffer.count, 0)
      guard count > 0 else { return nil }
      pending += String(decoding: buffer[..<count], as: UTF8.self)
    }
  }

  private func takeMessage() -> String? {
    if !isStream {
      defer { pending = "" }
      return pending.isEmpty ? nil : pending
    }
    guard let end = pending.range(of: "\r\n\r\n") else { return nil }
    let head = pending[..<end.upperBound]
    let length =
      head.components(separatedBy: "\r\n").first { $0.lowercased().hasPrefix("content-length:") }
      .flatMap { Int($0.dropFirst(15).trimmingCharacters(in: .whitespaces)) } ?? 0
    guard pending[end.upperBound...].utf8.count >= length else { return nil }
    let message = String(head) + String(pending[end.upperBound...].prefix(length))
    pending.removeFirst(message.count)
    return message
  }

  /// Whether the server closed the connection, within `seconds`; what it sends meanwhile is read and forgotten.
  func isClosed(seconds: Double) -> Bool {
    let deadline = Date(timeIntervalSinceNow: seconds)
    while case let left = deadline.timeIntervalSinceNow, left > 0 {
      var poller = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
      guard poll(&poller, 1, Int32(max(1, left * 1000))) > 0 else { continue }
      var buffer = [UInt8](repeating: 0, count: 65_536)
      if recv(descriptor, &buffer, buffer.count, 0) <= 0 { return true }
    }
    return false
  }

  /// The first final response: provisional ones are passed over. Three digits, `nil` when none comes.
  func finalResponse(seconds: Double = 8) -> (status: Int, text: String)? {
    let deadline = Date(timeIntervalSinceNow: seconds)
    while case let left = deadline.timeIntervalSinceNow, left > 0, let message = receive(seconds: left) {
      let words = message.split(separator: " ", maxSplits: 2)
      if words.count > 1, words[0] == "SIP/2.0", let status = Int(words[1]), status >= 200 { return (status, message) }
    }
    return nil
  }
}

/// A request as text, every part replaceable.
struct RawRequest {
  var method = "INVITE"
  var uri: String
  var transport = "UDP"
  var port: UInt16
  var branch = "z9hG4bK" + UUID().uuidString
  var callID = UUID().uuidString
  var fromTag: String? = "t" + UUID().uuidString.prefix(8)
  var toTag: String?
  var sequence = 1
  var maxForwards = 70
  var extra: [String] = []
  var contentType: String? = "application/sdp"
  var body = RawRequest.offer
  var contentLengths: [Int]?
  /// Names of header fields to leave out.
  var without: Set<String> = []

  init(_ method: String = "INVITE", uri: String, port: UInt16) {
    self.method = method
    self.uri = uri
    self.port = port
    if method != "INVITE" {
      body = ""
      contentType = nil
    }
  }

  /// PCMA with SDES; nobody listens at the address.
  static let offer = [
    "v=0", "o=raw 1 1 IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0", "m=audio 9 RTP/SAVP 8 101",
    "a=rtpmap:8 PCMA/8000", "a=rtpmap:101 telephone-event/8000",
    "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj", "",
  ].joined(separator: "\r\n")

  var text: String {
    let cseqMethod = method
    var lines = ["\(method) \(uri) SIP/2.0"]
    func add(_ name: String, _ value: String) {
      if !without.contains(name) { lines.append("\(name): \(value)") }
    }
    add("Via", "SIP/2.0/\(transport) 127.0.0.1:\(port);branch=\(branch);rport")
    add("Max-Forwards", "\(maxForwards)")
    add("From", "<sip:raw@127.0.0.1>" + (fromTag.map { ";tag=\($0)" } ?? ""))
    add("To", "<\(uri)>" + (toTag.map { ";tag=\($0)" } ?? ""))
    add("Call-ID", callID)
    add("CSeq", "\(sequence) \(cseqMethod)")
    add("Contact", "<sip:raw@127.0.0.1:\(port);transport=\(transport.lowercased())>")
    lines += extra
    if let contentType { add("Content-Type", contentType) }
    for length in contentLengths ?? [body.utf8.count] { add("Content-Length", "\(length)") }
    return lines.joined(separator: "\r\n") + "\r\n\r\n" + body
  }

  /// A request in the dialog that `response` made.
  func inDialog(_ method: String, response: String, sequence: Int) -> RawRequest {
    var request = self
    request.method = method
    request.branch = "z9hG4bK" + UUID().uuidString
    request.sequence = sequence
    request.toTag = response.components(separatedBy: "\r\n").first { $0.lowercased().hasPrefix("to:") }
      .flatMap { $0.components(separatedBy: "tag=").last }
    if method != "INVITE" {
      request.body = ""
      request.contentType = nil
    }
    return request
  }
}
