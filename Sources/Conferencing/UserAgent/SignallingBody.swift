//  SignallingBody.swift: SDP and C3P out of one message, and into one body (control protocol P4, P7).

import ConferenceDocuments
import SDP
import SIP

/// The session description, unread, and the C3P document of a message; either may be missing.
struct SignallingBody: Sendable {
  var description: MessageBody?
  var document: [UInt8]?

  /// - Throws: `.badDocument` when a multipart body cannot be taken apart; `.unsupportedBody` when neither is there.
  init(of message: SIPMessage) throws(ConferencingError) {
    if message.body.isEmpty { return }
    guard let type = message.first(.contentType) else { throw .badRequest("Missing Content-Type") }
    do {
      description = try Multipart.body(ofType: SessionDescription.contentType, in: message.body, contentType: type)
        .map { MessageBody(contentType: SessionDescription.contentType, bytes: $0) }
      document = try Multipart.body(ofType: C3PRequest.contentType, in: message.body, contentType: type)
    } catch {
      throw .badDocument
    }
    guard description != nil || document != nil else { throw .unsupportedBody }
  }

  /// The C3P response in it, if it is one and can be read.
  var response: C3PResponse? {
    guard let document, case .response(let response)? = try? C3PMessage(parsing: document) else { return nil }
    return response
  }

  static func encoded(_ description: MessageBody?, _ request: C3PRequest) -> MessageBody {
    let document = request.encoded()
    guard let description else { return MessageBody(contentType: C3PRequest.contentType, bytes: document) }
    let (type, bytes) = Multipart(parts: [
      Multipart.Part(contentType: description.contentType, body: description.bytes),
      Multipart.Part(contentType: C3PRequest.contentType, body: document),
    ]).encoded()
    return MessageBody(contentType: type, bytes: bytes)
  }

  /// An offer without media: what a control dialog needs to be a legal INVITE (control protocol P4, RFC 3264 §5).
  static func emptyOffer(host: String) -> MessageBody {
    let family = host.contains(":") ? "IP6" : "IP4"
    let unspecified = host.contains(":") ? "::" : "0.0.0.0"
    let text =
      "v=0\r\no=focus 1 1 IN \(family) \(host)\r\ns=-\r\nc=IN \(family) \(unspecified)\r\nt=0 0\r\n"
    return MessageBody(contentType: SessionDescription.contentType, text: text)
  }
}
