//  HeaderNameTable.swift: finds a header's number from its bytes without a string (RFC 3261 §7.3.3).
import Primitives

/// The known names, hashed by length and by their first and last eight letters.
///
/// Letter case is folded by setting bit 5, which maps no two token characters of these names onto each other; a
/// candidate is then compared letter by letter.
struct HeaderNameTable: Sendable {
  static let shared = HeaderNameTable()

  private struct Slot: Sendable {
    var known = SIPHeaderName.Known.other
    var length = 0
    var first: UInt64 = 0
    var last: UInt64 = 0
  }

  private let slots: [Slot]
  /// Lower-case names by slot, for those over 16 letters, whose middle the two words do not cover.
  private let letters: [[UInt8]]
  private let longNames: [String]
  private static let slotCount = 512

  private init() {
    var slots = [Slot](repeating: Slot(), count: Self.slotCount)
    var letters = [[UInt8]](repeating: [], count: Self.slotCount)
    var longNames = [String](repeating: "", count: SIPHeaderName.Known.allCases.count)
    for (known, long, compact) in Self.names {
      longNames[Int(known.rawValue)] = long
      for name in [long, compact] where !name.isEmpty {
        let bytes = name.utf8.map(ASCII.lowercased)
        let span = bytes.span
        let (first, last) = Self.words(span, 0, bytes.count)
        var index = Self.hash(first, last, bytes.count)
        while slots[index].length != 0 { index = (index + 1) & (Self.slotCount - 1) }
        slots[index] = Slot(known: known, length: bytes.count, first: first, last: last)
        letters[index] = bytes
      }
    }
    self.slots = slots
    self.letters = letters
    self.longNames = longNames
  }

  func long(_ known: SIPHeaderName.Known) -> String { longNames[Int(known.rawValue)] }

  /// - Returns: `.other` for a name that has no number.
  func find(_ bytes: Span<UInt8>, _ start: Int, _ count: Int) -> SIPHeaderName.Known {
    guard count > 0 else { return .other }
    let (first, last) = Self.words(bytes, start, count)
    var index = Self.hash(first, last, count)
    while slots[index].length != 0 {
      if slots[index].first == first, slots[index].last == last, slots[index].length == count,
        count <= 16 || matches(letters[index], bytes, start, count)
      {
        return slots[index].known
      }
      index = (index &+ 1) & (Self.slotCount &- 1)
    }
    return .other
  }

  private func matches(_ name: [UInt8], _ bytes: Span<UInt8>, _ start: Int, _ count: Int) -> Bool {
    for offset in 0..<count {
      guard let byte = bytes.uint8(at: start &+ offset), ASCII.lowercased(byte) == name[offset] else { return false }
    }
    return true
  }

  @inline(__always)
  private static func hash(_ first: UInt64, _ last: UInt64, _ count: Int) -> Int {
    let mixed = (first ^ last &* 0x9e37_79b9_7f4a_7c15 ^ UInt64(truncatingIfNeeded: count)) &* 0xbf58_476d_1ce4_e5b9
    return Int(truncatingIfNeeded: mixed &>> 55)
  }

  /// The first and the last up to eight bytes, case folded.
  @inline(__always)
  private static func words(_ bytes: Span<UInt8>, _ start: Int, _ count: Int) -> (UInt64, UInt64) {
    let fold: UInt64 = 0x2020_2020_2020_2020
    if count >= 8, let first = bytes.littleEndianUInt64(at: start),
      let last = bytes.littleEndianUInt64(at: start &+ count &- 8)
    {
      return (first | fold, last | fold)
    }
    var word: UInt64 = 0
    for offset in 0..<min(count, 8) { word = word &<< 8 | UInt64(bytes.uint8(at: start &+ offset) ?? 0) | 0x20 }
    return (word, word)
  }

  private static let names: [(SIPHeaderName.Known, String, String)] = [
    (.accept, "Accept", ""),
    (.acceptEncoding, "Accept-Encoding", ""),
    (.acceptLanguage, "Accept-Language", ""),
    (.alertInfo, "Alert-Info", ""),
    (.allow, "Allow", ""),
    (.allowEvents, "Allow-Events", "u"),
    (.authenticationInfo, "Authentication-Info", ""),
    (.authorization, "Authorization", ""),
    (.callID, "Call-ID", "i"),
    (.callInfo, "Call-Info", ""),
    (.contact, "Contact", "m"),
    (.contentDisposition, "Content-Disposition", ""),
    (.contentEncoding, "Content-Encoding", "e"),
    (.contentLanguage, "Content-Language", ""),
    (.contentLength, "Content-Length", "l"),
    (.contentType, "Content-Type", "c"),
    (.cseq, "CSeq", ""),
    (.date, "Date", ""),
    (.errorInfo, "Error-Info", ""),
    (.event, "Event", "o"),
    (.expires, "Expires", ""),
    (.from, "From", "f"),
    (.historyInfo, "History-Info", ""),
    (.infoPackage, "Info-Package", ""),
    (.inReplyTo, "In-Reply-To", ""),
    (.join, "Join", ""),
    (.maxForwards, "Max-Forwards", ""),
    (.minExpires, "Min-Expires", ""),
    (.minSE, "Min-SE", ""),
    (.mimeVersion, "MIME-Version", ""),
    (.organization, "Organization", ""),
    (.pAssertedIdentity, "P-Asserted-Identity", ""),
    (.pPreferredIdentity, "P-Preferred-Identity", ""),
    (.path, "Path", ""),
    (.priority, "Priority", ""),
    (.privacy, "Privacy", ""),
    (.proxyAuthenticate, "Proxy-Authenticate", ""),
    (.proxyAuthorization, "Proxy-Authorization", ""),
    (.proxyRequire, "Proxy-Require", ""),
    (.rack, "RAck", ""),
    (.reason, "Reason", ""),
    (.recordRoute, "Record-Route", ""),
    (.recvInfo, "Recv-Info", ""),
    (.referTo, "Refer-To", "r"),
    (.referredBy, "Referred-By", "b"),
    (.replaces, "Replaces", ""),
    (.replyTo, "Reply-To", ""),
    (.require, "Require", ""),
    (.retryAfter, "Retry-After", ""),
    (.route, "Route", ""),
    (.rseq, "RSeq", ""),
    (.server, "Server", ""),
    (.serviceRoute, "Service-Route", ""),
    (.sessionExpires, "Session-Expires", "x"),
    (.sipETag, "SIP-ETag", ""),
    (.sipIfMatch, "SIP-If-Match", ""),
    (.subject, "Subject", "s"),
    (.subscriptionState, "Subscription-State", ""),
    (.supported, "Supported", "k"),
    (.timestamp, "Timestamp", ""),
    (.to, "To", "t"),
    (.unsupported, "Unsupported", ""),
    (.userAgent, "User-Agent", ""),
    (.via, "Via", "v"),
    (.warning, "Warning", ""),
    (.wwwAuthenticate, "WWW-Authenticate", ""),
  ]
}
