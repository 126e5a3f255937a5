//  sip.swift: fuzz target: SIP messages with all typed fields, URIs, and the framing of streams.

import Primitives
import SIP

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let input = Array(UnsafeBufferPointer(start: start, count: count))
  message(input)
  uri(String(decoding: input.prefix(300), as: UTF8.self))
  precondition(frames(input, piece: max(count, 1)) == frames(input, piece: 7))
  return 0
}

private func message(_ input: [UInt8]) {
  guard let message = try? SIPMessage(parsing: input) else { return }
  _ = (try? message.requestURI, message.requestURIText, message.reasonPhrase, message.body.count)
  _ = (try? message.from, try? message.to, message.fromTag, message.toTag, message.callID)
  _ = (try? message.cseq, try? message.topVia, try? message.vias)
  _ = (try? message.routes, try? message.recordRoutes, try? message.contacts, message.hasContactStar)
  _ = (message.maxForwards, message.expires, message.contentType)
  for field in message.headerFields {
    _ = (message.first(field.name), message.all(field.name).count, message.contains(field.name))
    _ = (message.parameterized(field.name), message.number(field.name), message.lists("x", in: field.name))
  }
  let isValid = (try? message.validate(over: .udp)) != nil
  guard message.isRequest, isValid, input.count < 4_096 else { return }

  // What we answer to a request that we call valid is a message, and goes to the same transaction.
  let here = SocketAddress(ipv4: 0x7f00_0001, port: 5_060)
  let flow = SIPFlow(transport: .udp, local: here, remote: here.with(port: 7_070), connection: 0)
  let response = SIPMessageBuilder.response(to: message, from: flow, status: 486, toTag: "tag").encoded()
  guard let parsed = try? SIPMessage(parsing: response), let theirs = try? message.cseq, let ours = try? parsed.cseq
  else { preconditionFailure("our own response does not parse") }
  precondition(parsed.status == 486 && ours == theirs)
  // A Call-ID of other bytes than words have is written without them.
  if message.callID.utf8.allSatisfy({ $0 > 32 && $0 < 127 }) { precondition(parsed.callID == message.callID) }
}

private func uri(_ text: String) {
  guard let uri = try? SIPURI(text) else { return }
  _ = (uri.user, uri.transport, uri.isLooseRouter, uri.isSIP)
  _ = uri.isEquivalent(to: uri)  // not always: two headers of one name never match
  guard let again = try? SIPURI(uri.text) else { preconditionFailure("a URI that we wrote does not parse") }
  precondition(again.text == uri.text)
}

/// The items of a stream, however it is cut into pieces, and the error at its end.
private func frames(_ input: [UInt8], piece: Int) -> [StreamFramer.Item?] {
  var framer = StreamFramer()
  var items: [StreamFramer.Item?] = []
  var offset = 0
  while offset < input.count {
    framer.append(Array(input[offset..<min(offset + piece, input.count)]))
    offset += piece
    do throws(StreamFramingError) {
      while let item = try framer.next() { items.append(item) }
    } catch {
      return items + [nil]
    }
  }
  return items
}
