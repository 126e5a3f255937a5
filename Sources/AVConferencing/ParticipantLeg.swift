//  ParticipantLeg.swift: one participant's call on this host, from its INVITE to the worker's farewell (control protocol P7).

import ConferenceDocuments
import Media
import Primitives
import SIP

/// Who a leg belongs to: the keys by which the Focus speaks of it.
struct EndpointKey: Hashable, Sendable {
  var user: String
  var endpoint: String
}

/// One leg.
///
///     INVITE with offer ──▶ opening ──legOpened, 200──▶ open
///     INVITE without ─200─▶ offering ──ACK with answer──▶ confirming ──legOpened──▶ open
///     any ──BYE, refusal, deleteUser, meeting's end──▶ closing ──legClosed──▶ gone
struct ParticipantLeg: Sendable {
  enum State: Hashable, Sendable {
    /// The worker was asked; our answer waits for it.
    case opening(answer: [UInt8])
    /// Our offer is out; the worker does not know the leg yet.
    case offering
    /// The worker was asked after the answer came.
    case confirming
    case open
    /// The dialog is over; the worker has been told.
    case closing
  }

  let id: LegID
  let meeting: MeetingID
  var worker: Int
  let call: CallHandle
  let callID: String
  let key: EndpointKey
  let displayText: String?
  let roles: [String]
  let joiningMethod: ConferenceInfo.JoiningMethod
  /// The `addUser` to answer; `nil` when the INVITE carried only SDP.
  let request: C3PRequest?
  let invitedAt: Instant

  var negotiation: LegNegotiation
  var state: State
  /// When `state` has lasted too long; `.never` when it may last.
  var deadline = Instant.never
  /// A re-INVITE without offer was answered with ours: its answer comes in the ACK.
  var awaitsAnswer = false

  var ingressBlocked = false
  var egressBlocked = false
  /// The peer's SSRC, once authentic media came.
  var remoteSSRC: UInt32?
  var isSilent = false
  /// Key presses, the last `Limits.digitsPerDocument` of them, and how many there ever were.
  var digits: [UInt8] = []
  var digitCount: UInt32 = 0
  var closingReason = ""
  /// The worker whose address its peer was told, when it has moved since.
  var home: Int?

  /// Whether the roster shows it: from the answer on, until it is closing.
  var isVisible: Bool {
    switch state {
    case .open, .offering, .confirming: true
    case .opening, .closing: false
    }
  }

  /// The one audio stream's id in the roster.
  static let mediaID = "1"

  var status: ConferenceInfo.Status {
    if isSilent { return .disconnected }
    guard state == .open, let configuration = negotiation.configuration else { return .pending }
    if !configuration.sends, !configuration.receives { return .onHold }
    if ingressBlocked { return .mutedViaFocus }
    // Who may not send is in when he has acknowledged; everybody else when his first authentic packet came.
    return remoteSSRC != nil || !configuration.receives ? .connected : .pending
  }

  /// Seen from the endpoint, filters included.
  var mediaStatus: ConferenceInfo.MediaStatus {
    guard let configuration = negotiation.configuration else { return .inactive }
    switch (configuration.receives && !ingressBlocked, configuration.sends && !egressBlocked) {
    case (true, true): return .sendrecv
    case (true, false): return .sendonly
    case (false, true): return .recvonly
    case (false, false): return .inactive
    }
  }

  /// The endpoint as the roster shows it now.
  var endpoint: ConferenceInfo.Endpoint {
    var media = ConferenceInfo.Media(
      id: Self.mediaID, type: "audio", label: negotiation.label, sourceID: remoteSSRC, status: mediaStatus)
    media.ingressFilter = ingressBlocked ? .block : .unblock
    media.egressFilter = egressBlocked ? .block : .unblock
    var endpoint = ConferenceInfo.Endpoint(
      entity: key.endpoint, sessionType: "audio-video", status: status, media: [media])
    endpoint.joiningMethod = joiningMethod
    if isSilent {
      endpoint.disconnectionMethod = .failed
      endpoint.disconnectionInfo = ConferenceInfo.ExecutionInfo(reason: "no media")
    }
    if digitCount > 0 {
      endpoint.extensions = [
        XMLElement(
          XMLName(StateNamespace.extensions, "digits"),
          attributes: [XMLAttribute(XMLName("", "total"), "\(digitCount)")],
          text: String(decoding: digits, as: UTF8.self))
      ]
    }
    return endpoint
  }

  /// - Parameter digit: ASCII, as the worker reports it.
  mutating func press(_ digit: UInt8) {
    digits.append(digit)
    if digits.count > Limits.digitsPerDocument { digits.removeFirst() }
    digitCount &+= 1
  }
}

enum StateNamespace {
  /// What conference-info has no element for: digits and active talkers.
  static let extensions = "urn:parley:conference-state:1"
}
