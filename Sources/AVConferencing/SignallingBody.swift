//  SignallingBody.swift: SDP and C3P out of one message, and back into one body (control protocol P4, P7).

import ConferenceDocuments
import SDP
import SIP

/// What a control INVITE or a participant INVITE carries: SDP, C3P, both, or nothing.
struct SignallingBody: Sendable {
  var sdp: [UInt8]?
  var c3p: C3PMessage?

  var request: C3PRequest? {
    guard case .request(let request)? = c3p else { return nil }
    return request
  }

  init(of message: SIPMessage) throws(AVConferencingError) {
    let body = message.body
    if body.isEmpty { return }
    guard body.count <= Limits.bodyBytes else { throw .badBody("the body is too long") }
    guard let type = message.first(.contentType) else { throw .badBody("the body has no Content-Type") }
    let document: [UInt8]?
    do throws(DocumentError) {
      sdp = try Multipart.body(ofType: SessionDescription.contentType, in: body, contentType: type)
      document = try Multipart.body(ofType: C3PRequest.contentType, in: body, contentType: type)
      c3p = if let document { try C3PMessage(parsing: document) } else { nil }
    } catch {
      throw .badBody(error.text)
    }
    if sdp == nil, document == nil { throw .unsupportedMediaType }
  }

  /// One body for what is there: a multipart when both are.
  static func encoded(sdp: [UInt8]?, c3p: [UInt8]?) -> MessageBody? {
    switch (sdp, c3p) {
    case (let sdp?, let c3p?):
      let (type, bytes) = Multipart(parts: [
        Multipart.Part(contentType: SessionDescription.contentType, body: sdp),
        Multipart.Part(contentType: C3PRequest.contentType, body: c3p),
      ]).encoded()
      return MessageBody(contentType: type, bytes: bytes)
    case (let sdp?, nil): return MessageBody(contentType: SessionDescription.contentType, bytes: sdp)
    case (nil, let c3p?): return MessageBody(contentType: C3PRequest.contentType, bytes: c3p)
    case (nil, nil): return nil
    }
  }
}
