//  SIPHeaderName.swift: header names with small numbers for the known ones (RFC 3261 §20, IANA sip-parameters).

/// A header name. Comparison ignores case, and a compact form is the same name as the long one (RFC 3261 §7.3.3).
public struct SIPHeaderName: Sendable {
  /// The headers that have a number; the raw value is the index in the parsed message.
  enum Known: UInt8, CaseIterable, Sendable {
    case other = 0
    case accept, acceptEncoding, acceptLanguage, alertInfo, allow, allowEvents, authenticationInfo, authorization
    case callID, callInfo, contact, contentDisposition, contentEncoding, contentLanguage, contentLength, contentType
    case cseq, date, errorInfo, event, expires, from, historyInfo, infoPackage, inReplyTo, join, maxForwards, minExpires
    case minSE, mimeVersion, organization, pAssertedIdentity, pPreferredIdentity, path, priority, privacy
    case proxyAuthenticate, proxyAuthorization, proxyRequire, rack, reason, recordRoute, recvInfo, referTo, referredBy
    case replaces, replyTo, require, retryAfter, route, rseq, server, serviceRoute, sessionExpires, sipETag, sipIfMatch
    case subject, subscriptionState, supported, timestamp, to, unsupported, userAgent, via, warning, wwwAuthenticate
  }

  let known: Known
  /// As received or given; empty when `known` says it all.
  let spelling: String

  init(_ known: Known) {
    self.known = known
    self.spelling = ""
  }

  /// The name that `text` stands for, compact forms included: `v` is `.via`.
  public init(_ text: some StringProtocol) {
    let bytes = Array(text.utf8)
    known = HeaderNameTable.shared.find(bytes.span, 0, bytes.count)
    spelling = known == .other ? String(text) : ""
  }

  /// A name that may be unknown here. Known names are recognised.
  public static func other(_ name: String) -> SIPHeaderName { SIPHeaderName(name) }

  /// The long form, in the RFCs' capitals; unknown names as given.
  public var name: String { known == .other ? spelling : HeaderNameTable.shared.long(known) }
}

extension SIPHeaderName: Hashable {
  public static func == (left: SIPHeaderName, right: SIPHeaderName) -> Bool {
    left.known == right.known && (left.known != .other || ASCII.equalIgnoringCase(left.spelling, right.spelling))
  }
  public func hash(into hasher: inout Hasher) {
    hasher.combine(known)
    if known == .other { hasher.combine(ASCII.lowercased(spelling)) }
  }
}

extension SIPHeaderName: CustomStringConvertible, ExpressibleByStringLiteral {
  public var description: String { name }
  public init(stringLiteral text: String) { self.init(text) }
}

extension SIPHeaderName {
  public static var accept: SIPHeaderName { SIPHeaderName(.accept) }
  public static var acceptEncoding: SIPHeaderName { SIPHeaderName(.acceptEncoding) }
  public static var acceptLanguage: SIPHeaderName { SIPHeaderName(.acceptLanguage) }
  public static var alertInfo: SIPHeaderName { SIPHeaderName(.alertInfo) }
  public static var allow: SIPHeaderName { SIPHeaderName(.allow) }
  public static var allowEvents: SIPHeaderName { SIPHeaderName(.allowEvents) }
  public static var authenticationInfo: SIPHeaderName { SIPHeaderName(.authenticationInfo) }
  public static var authorization: SIPHeaderName { SIPHeaderName(.authorization) }
  public static var callID: SIPHeaderName { SIPHeaderName(.callID) }
  public static var callInfo: SIPHeaderName { SIPHeaderName(.callInfo) }
  public static var contact: SIPHeaderName { SIPHeaderName(.contact) }
  public static var contentDisposition: SIPHeaderName { SIPHeaderName(.contentDisposition) }
  public static var contentEncoding: SIPHeaderName { SIPHeaderName(.contentEncoding) }
  public static var contentLanguage: SIPHeaderName { SIPHeaderName(.contentLanguage) }
  public static var contentLength: SIPHeaderName { SIPHeaderName(.contentLength) }
  public static var contentType: SIPHeaderName { SIPHeaderName(.contentType) }
  public static var cseq: SIPHeaderName { SIPHeaderName(.cseq) }
  public static var date: SIPHeaderName { SIPHeaderName(.date) }
  public static var errorInfo: SIPHeaderName { SIPHeaderName(.errorInfo) }
  public static var event: SIPHeaderName { SIPHeaderName(.event) }
  public static var expires: SIPHeaderName { SIPHeaderName(.expires) }
  public static var from: SIPHeaderName { SIPHeaderName(.from) }
  public static var historyInfo: SIPHeaderName { SIPHeaderName(.historyInfo) }
  public static var infoPackage: SIPHeaderName { SIPHeaderName(.infoPackage) }
  public static var inReplyTo: SIPHeaderName { SIPHeaderName(.inReplyTo) }
  public static var join: SIPHeaderName { SIPHeaderName(.join) }
  public static var maxForwards: SIPHeaderName { SIPHeaderName(.maxForwards) }
  public static var minExpires: SIPHeaderName { SIPHeaderName(.minExpires) }
  public static var minSE: SIPHeaderName { SIPHeaderName(.minSE) }
  public static var mimeVersion: SIPHeaderName { SIPHeaderName(.mimeVersion) }
  public static var organization: SIPHeaderName { SIPHeaderName(.organization) }
  public static var pAssertedIdentity: SIPHeaderName { SIPHeaderName(.pAssertedIdentity) }
  public static var pPreferredIdentity: SIPHeaderName { SIPHeaderName(.pPreferredIdentity) }
  public static var path: SIPHeaderName { SIPHeaderName(.path) }
  public static var priority: SIPHeaderName { SIPHeaderName(.priority) }
  public static var privacy: SIPHeaderName { SIPHeaderName(.privacy) }
  public static var proxyAuthenticate: SIPHeaderName { SIPHeaderName(.proxyAuthenticate) }
  public static var proxyAuthorization: SIPHeaderName { SIPHeaderName(.proxyAuthorization) }
  public static var proxyRequire: SIPHeaderName { SIPHeaderName(.proxyRequire) }
  public static var rack: SIPHeaderName { SIPHeaderName(.rack) }
  public static var reason: SIPHeaderName { SIPHeaderName(.reason) }
  public static var recordRoute: SIPHeaderName { SIPHeaderName(.recordRoute) }
  public static var recvInfo: SIPHeaderName { SIPHeaderName(.recvInfo) }
  public static var referTo: SIPHeaderName { SIPHeaderName(.referTo) }
  public static var referredBy: SIPHeaderName { SIPHeaderName(.referredBy) }
  public static var replaces: SIPHeaderName { SIPHeaderName(.replaces) }
  public static var replyTo: SIPHeaderName { SIPHeaderName(.replyTo) }
  public static var require: SIPHeaderName { SIPHeaderName(.require) }
  public static var retryAfter: SIPHeaderName { SIPHeaderName(.retryAfter) }
  public static var route: SIPHeaderName { SIPHeaderName(.route) }
  public static var rseq: SIPHeaderName { SIPHeaderName(.rseq) }
  public static var server: SIPHeaderName { SIPHeaderName(.server) }
  public static var serviceRoute: SIPHeaderName { SIPHeaderName(.serviceRoute) }
  public static var sessionExpires: SIPHeaderName { SIPHeaderName(.sessionExpires) }
  public static var sipETag: SIPHeaderName { SIPHeaderName(.sipETag) }
  public static var sipIfMatch: SIPHeaderName { SIPHeaderName(.sipIfMatch) }
  public static var subject: SIPHeaderName { SIPHeaderName(.subject) }
  public static var subscriptionState: SIPHeaderName { SIPHeaderName(.subscriptionState) }
  public static var supported: SIPHeaderName { SIPHeaderName(.supported) }
  public static var timestamp: SIPHeaderName { SIPHeaderName(.timestamp) }
  public static var to: SIPHeaderName { SIPHeaderName(.to) }
  public static var unsupported: SIPHeaderName { SIPHeaderName(.unsupported) }
  public static var userAgent: SIPHeaderName { SIPHeaderName(.userAgent) }
  public static var via: SIPHeaderName { SIPHeaderName(.via) }
  public static var warning: SIPHeaderName { SIPHeaderName(.warning) }
  public static var wwwAuthenticate: SIPHeaderName { SIPHeaderName(.wwwAuthenticate) }
}
