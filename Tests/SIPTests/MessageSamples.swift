//  MessageSamples.swift: messages and shorthands that the message and transaction tests share.
import Primitives
import SIP

/// Text with line feeds as bytes with CRLF; the header part ends with its empty line.
func wire(_ text: String) -> [UInt8] {
  var bytes: [UInt8] = []
  for byte in text.utf8 {
    if byte == 10 { bytes.append(13) }
    bytes.append(byte)
  }
  return bytes
}

func parsed(_ text: String) throws -> SIPMessage { try SIPMessage(parsing: wire(text)) }

func fault(_ message: SIPMessage, over transport: SIPTransport = .udp) -> SIPParseError? {
  do throws(SIPParseError) {
    try message.validate(over: transport)
    return nil
  } catch { return error }
}

enum Sample {
  static let invite = """
    INVITE sip:K7Q2M9XA@conf.example.com SIP/2.0
    Via: SIP/2.0/UDP 192.0.2.10:5070;branch=z9hG4bKnashds8;rport
    Via: SIP/2.0/UDP pc33.example.com;branch=z9hG4bK776asdhds, SIP/2.0/TCP inner.example.com;branch=z9hG4bKinner
    Max-Forwards: 70
    To: "The \\"Big\\" Meeting" <sip:K7Q2M9XA@conf.example.com>
    From: Alice <sip:alice@example.com>;tag=1928301774
    Call-ID: a84b4c76e66710@pc33.example.com
    CSeq: 314159 INVITE
    Contact: <sip:alice@192.0.2.10:5070;transport=tcp>;expires=60
    Record-Route: <sip:p1.example.com;lr>,
     <sip:p2.example.com;lr>
    k: timer, 100rel
    Supported: replaces
    c: application/sdp
    l: 3

    v=0
    """

  static let flow = SIPFlow(
    transport: .udp, local: SocketAddress(ipv4: 0x7f00_0001, port: 5060),
    remote: SocketAddress(ipv4: 0xc000_020a, port: 5070))
  static let stream = SIPFlow(
    transport: .tcp, local: SocketAddress(ipv4: 0x7f00_0001, port: 5060),
    remote: SocketAddress(ipv4: 0xc000_020a, port: 40_000), connection: 7)

  static func request(
    _ method: String, branch: String, cseq: Int = 1, toTag: String? = nil, transport: String = "UDP",
    fromTag: String = "f1", callID: String = "call-1"
  ) -> String {
    """
    \(method) sip:bob@example.com SIP/2.0
    Via: SIP/2.0/\(transport) 192.0.2.10:5070;branch=\(branch)\(transport == "UDP" ? ";rport" : "")
    Max-Forwards: 70
    To: <sip:bob@example.com>\(toTag.map { ";tag=\($0)" } ?? "")
    From: <sip:alice@example.com>;tag=\(fromTag)
    Call-ID: \(callID)
    CSeq: \(cseq) \(method)
    Content-Length: 0


    """
  }
}
