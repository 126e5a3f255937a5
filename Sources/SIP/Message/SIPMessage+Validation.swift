//  SIPMessage+Validation.swift: what every message must have before anyone acts on it (RFC 3261 §8.1.1, §16.3).

extension SIPMessage {
  /// Checks the start line, the framing and the fields that every message has.
  ///
  /// Other fields are checked by whoever reads them. An unknown URI scheme passes: it is the user agent's 416. A
  /// missing Max-Forwards passes, because RFC 2543 did not know it.
  ///
  /// - Parameter transport: on a reliable one Content-Length is mandatory (RFC 3261 §20.14).
  /// - Throws: the first fault; `status` and `reason` of it make the answer to a request. Drop a bad response.
  public func validate(over transport: SIPTransport = .udp) throws(SIPParseError) {
    if let defect { throw defect }
    // WebSocket frames delimit messages themselves (RFC 7118 §5.1).
    if transport == .tcp || transport == .tls, !hasContentLength { throw .missing(.contentLength) }
    for name in [SIPHeaderName.from, .to, .callID, .cseq, .maxForwards, .contentType] {
      var count = 0
      for field in fields where field.known == name.known { count += 1 }
      if count > 1 { throw .duplicate(name) }
    }
    guard contains(.via) else { throw .missing(.via) }
    _ = try vias
    _ = try from
    _ = try to
    guard contains(.callID) else { throw .missing(.callID) }
    guard !callID.isEmpty, !callID.utf8.contains(where: FieldReader.isSpace) else { throw .malformed(.callID) }
    let cseq = try cseq
    guard isRequest else { return }
    guard cseq.method == method else { throw .methodMismatch }
    _ = try requestURI
    if contains(.maxForwards), maxForwards == nil { throw .malformed(.maxForwards) }
  }
}
