//  HostClient.swift: asks media hosts over HTTP what the operator wants to know.

import ArgumentParser
import Deployment
import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import Primitives

/// Which media hosts are asked, as all these commands take it.
struct HostOptions: ParsableArguments {
  @Option(
    name: .customLong("host"),
    help: ArgumentHelp(
      "A media host's address for figures and questions, several times for several hosts.",
      discussion: "Without it, media-host.metrics of the configuration is asked (127.0.0.1:9108).",
      valueName: "address:port"))
  var hosts: [String] = []
  @Option(name: .customLong("config"), help: "The configuration file that names the address.")
  var file: String?
  @Flag(help: "Print the hosts' answers as JSON, one line for each host.")
  var json = false

  func addresses() throws -> [Primitives.SocketAddress] {
    guard hosts.isEmpty else {
      return try hosts.map { text in
        guard let address = Primitives.SocketAddress(text) else {
          throw ValidationError("--host '\(text)' is no address:port, such as 127.0.0.1:9108")
        }
        return address
      }
    }
    guard let address = try ConfigurationFile(path: file).load().mediaHost.metrics else {
      StandardError.write("media-host.metrics is empty: the media host answers no questions; set it, or name --host")
      throw ExitStatus.configuration
    }
    return [address]
  }
}

/// One host's answer.
struct HostAnswer {
  var address: Primitives.SocketAddress
  var status: Int
  var body: [UInt8]

  /// - Throws: `ExitStatus.protocolError`, after a complaint, when it is not what this program knows.
  func document<Document: Decodable>(_ type: Document.Type) throws -> Document {
    do {
      return try JSONDecoder().decode(type, from: Data(body))
    } catch {
      StandardError.write("\(address) answers something that this program does not understand: \(error)")
      throw ExitStatus.protocolError
    }
  }

  var failure: HostAPI.Failure {
    (try? JSONDecoder().decode(HostAPI.Failure.self, from: Data(body)))
      ?? HostAPI.Failure(error: String(decoding: body.prefix(300), as: UTF8.self).trimmingCharacters(in: .newlines))
  }
}

/// Asks one host after the other; each must answer within `seconds`.
enum HostClient {
  static let seconds: Int64 = 5
  /// An answer about thousands of participants.
  static let maximumBytes = 16 << 20

  /// Asks every host and returns what those that answered said.
  ///
  /// - Throws: `ExitStatus.unavailable`, after complaints, when none could be reached.
  static func ask(_ options: HostOptions, path: String, query: [(String, String)] = []) throws -> [HostAnswer] {
    var answers: [HostAnswer] = []
    for address in try options.addresses() {
      do {
        answers.append(try ask(address, path: path, query: query))
      } catch {
        StandardError.write("\(address) is not reachable: \(reason(error)); is parley-media-host running there?")
      }
    }
    if answers.isEmpty { throw ExitStatus.unavailable }
    return answers
  }

  static func ask(
    _ address: Primitives.SocketAddress, path: String, query: [(String, String)] = []
  ) throws -> HostAnswer {
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    defer { try? group.syncShutdownGracefully() }
    let loop = group.next()
    let promise = loop.makePromise(of: HostAnswer.self)
    let target = path + (query.isEmpty ? "" : "?" + query.map { "\($0)=\(escaped($1))" }.joined(separator: "&"))
    let bootstrap = ClientBootstrap(group: loop)
      .connectTimeout(.seconds(seconds))
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHTTPClientHandlers()
          try channel.pipeline.syncOperations.addHandler(Exchange(address, target, promise))
        }
      }
    let channel: any Channel
    do {
      channel = try bootstrap.connect(host: address.host, port: Int(address.port)).wait()
    } catch {
      promise.fail(error)
      throw error
    }
    let late = loop.scheduleTask(in: .seconds(seconds)) { promise.fail(ChannelError.connectTimeout(.seconds(seconds))) }
    defer {
      late.cancel()
      channel.close(promise: nil)
    }
    return try promise.futureResult.wait()
  }

  private static func escaped(_ text: String) -> String {
    text.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
  }

  private static func reason(_ error: any Error) -> String {
    switch error {
    case let error as IOError: unsafe String(cString: strerror(error.errnoCode))
    case let error as NIOConnectionError:
      error.connectionErrors.first.map { reason($0.error) } ?? "no connection"
    case ChannelError.connectTimeout: "no answer within \(seconds) s"
    default: "\(error)"
    }
  }

  private final class Exchange: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundOut = HTTPClientRequestPart
    private let target: String
    private let promise: EventLoopPromise<HostAnswer>
    private var answer: HostAnswer

    init(_ address: Primitives.SocketAddress, _ target: String, _ promise: EventLoopPromise<HostAnswer>) {
      self.target = target
      self.promise = promise
      answer = HostAnswer(address: address, status: 0, body: [])
    }

    func channelActive(context: ChannelHandlerContext) {
      let headers = HTTPHeaders([("Host", "\(answer.address)"), ("Connection", "close")])
      let head = HTTPRequestHead(version: .http1_1, method: .GET, uri: target, headers: headers)
      context.write(wrapOutboundOut(.head(head)), promise: nil)
      context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      switch unwrapInboundIn(data) {
      case .head(let head): answer.status = Int(head.status.code)
      case .body(let bytes):
        answer.body += bytes.readableBytesView
        if answer.body.count > HostClient.maximumBytes {
          promise.fail(ByteToMessageDecoderError.PayloadTooLargeError())
        }
      case .end: promise.succeed(answer)
      }
    }

    func channelInactive(context: ChannelHandlerContext) {
      promise.fail(ChannelError.eof)
      context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
      promise.fail(error)
      context.close(promise: nil)
    }
  }
}

extension HostClient {
  /// What the first host that knows the name says; JSON is printed as it came, and then `nil` comes back.
  ///
  /// - Throws: `ExitStatus.unknownName`, after saying what names there are, when no host knows it.
  static func find<Document: Decodable>(
    _ options: HostOptions, path: String, query: [(String, String)], as type: Document.Type
  ) throws -> Document? {
    let answers = try ask(options, path: path, query: query)
    if let found = answers.first(where: { $0.status == 200 }) {
      guard options.json else { return try found.document(type) }
      print(String(decoding: found.body, as: UTF8.self), terminator: "")
      return nil
    }
    for answer in answers {
      let failure = answer.failure
      StandardError.write("\(answer.address): \(failure.error)")
      if !failure.nearest.isEmpty { StandardError.write("  there are: \(failure.nearest.joined(separator: ", "))") }
    }
    throw answers.contains { $0.status == 404 } ? ExitStatus.unknownName : ExitStatus.protocolError
  }

  /// What every host says; JSON is printed as it came, and then nothing comes back.
  static func all<Document: Decodable>(
    _ options: HostOptions, path: String, as type: Document.Type
  ) throws -> [Document] {
    var documents: [Document] = []
    for answer in try ask(options, path: path) {
      guard answer.status == 200 else {
        StandardError.write("\(answer.address): \(answer.failure.error)")
        throw ExitStatus.protocolError
      }
      if options.json {
        print(String(decoding: answer.body, as: UTF8.self), terminator: "")
      } else {
        documents.append(try answer.document(type))
      }
    }
    return documents
  }
}
