//  xml.swift: fuzz target: C3P, conference information, host load, multipart bodies.

import ConferenceDocuments
import Primitives

/// The first byte chooses the document.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let input = UnsafeBufferPointer(start: start, count: count)
  guard let kind = input.first else { return 0 }
  let body = Array(input[1...])
  // What parses is written so that it parses again and is the same.
  switch kind & 3 {
  case 0:
    guard let message = try? C3PMessage(parsing: body) else { break }
    switch message {
    case .request(let request): precondition((try? C3PRequest(parsing: request.encoded())) == request)
    case .response(let response): precondition((try? C3PResponse(parsing: response.encoded())) == response)
    }
  case 1:
    guard let info = try? ConferenceInfo(parsing: body) else { break }
    precondition((try? ConferenceInfo(parsing: info.encoded(), limits: .roster)) == info)
  case 2:
    guard let load = try? MediaServerLoad(parsing: body) else { break }
    precondition((try? MediaServerLoad(parsing: load.encoded())) == load)
  default:
    multipart(body)
  }
  return 0
}

private func multipart(_ body: [UInt8]) {
  let type = "multipart/mixed;boundary=\"b\""
  _ = try? Multipart.body(ofType: "application/sdp", in: body, contentType: type)
  _ = Multipart.isMultipart(String(decoding: body.prefix(100), as: UTF8.self))
  _ = try? Multipart(parsing: body, contentType: String(decoding: body.prefix(100), as: UTF8.self))
  guard let parsed = try? Multipart(parsing: body, contentType: type) else { return }
  precondition(parsed.parts.count <= MultipartLimits.parts)
  let written = parsed.encoded()
  precondition((try? Multipart(parsing: written.body, contentType: written.contentType)) == parsed)
}
