//  SIPSteps.swift: parsing an INVITE as phones send it.

import SIP

func sipSteps() throws {
  let body = """
    v=0\r
    o=phone 3928 1 IN IP4 192.0.2.10\r
    s=-\r
    c=IN IP4 192.0.2.10\r
    t=0 0\r
    m=audio 40000 RTP/SAVP 111 8 0 101\r
    a=rtpmap:111 opus/48000/2\r
    a=fmtp:111 useinbandfec=1\r
    a=rtpmap:101 telephone-event/48000\r
    a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz\r
    a=rtcp-mux\r
    a=ptime:20\r

    """
  let head = """
    INVITE sip:demo@conference.example SIP/2.0\r
    Via: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK74b43e6f;rport\r
    Max-Forwards: 70\r
    From: "Alice" <sip:alice@example.com>;tag=9fxced76sl\r
    To: <sip:demo@conference.example>\r
    Call-ID: 3848276298220188511@192.0.2.10\r
    CSeq: 1 INVITE\r
    Contact: <sip:alice@192.0.2.10:5060>\r
    Allow: INVITE,ACK,BYE,CANCEL,OPTIONS,NOTIFY,INFO,UPDATE\r
    Supported: timer,replaces\r
    User-Agent: phone/1.0\r
    Content-Type: application/sdp\r
    Content-Length: \(body.utf8.count)\r
    \r

    """
  let bytes = Array((head + body).utf8)
  var sum = 0
  try measure("SIP INVITE of \(bytes.count) bytes parsed and indexed", count: 20_000) { _ in
    sum &+= try SIPMessage(parsing: bytes).body.count
  }
  try measure("the same, with From, To, Call-ID, CSeq, Via and Contact read", count: 10_000) { _ in
    let message = try SIPMessage(parsing: bytes)
    sum &+= try message.from.tag?.utf8.count ?? 0
    sum &+= try message.to.tag?.utf8.count ?? 0
    sum &+= message.callID.utf8.count
    sum &+= Int(try message.cseq.number)
    sum &+= try message.topVia.branch?.utf8.count ?? 0
    sum &+= try message.contacts.count
  }
  precondition(sum > 0)
}
