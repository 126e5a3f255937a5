//  Audibility.swift: who hears whom in a meeting, and where a way is cut, from its legs' last seconds.
//  Walk: LegSecond → Audibility → parley audibility

/// The way from one participant into the mix.
@frozen public enum VoiceState: String, CaseIterable, Sendable {
  /// In the mix.
  case talking
  /// Packets come; there is nothing loud in them.
  case silent
  /// Loud, but others are louder, or it is not measured yet.
  case notChosen
  /// In the mix, with a fifth of it invented.
  case broken
  /// Muted by the Focus.
  case muted
  /// By its own signalling it sends nothing.
  case onHold
  /// It has stopped sending audio; RTCP still comes, or has come lately.
  case sendsNothing
  /// Nothing comes any more.
  case cutOff
  /// Nothing authentic has ever come.
  case neverHeard
  /// Packets come and are not authentic, or not readable.
  case refused

  /// Somebody could hear it if it talked.
  public var isOpen: Bool {
    switch self {
    case .talking, .silent, .notChosen, .broken: true
    case .muted, .onHold, .sendsNothing, .cutOff, .neverHeard, .refused: false
    }
  }

  /// Not by anybody's wish.
  public var isFault: Bool {
    switch self {
    case .broken, .cutOff, .neverHeard, .refused: true
    case .talking, .silent, .notChosen, .muted, .onHold, .sendsNothing: false
    }
  }

  public var text: String {
    switch self {
    case .talking: "talks, and is in the mix"
    case .silent: "is silent; its packets come"
    case .notChosen: "is louder than silence, but others are louder"
    case .broken: "talks, and is broken up: packets are lost or late on the way in"
    case .muted: "is muted by the conference"
    case .onHold: "is on hold: it sends nothing by its own wish"
    case .sendsNothing: "sends no audio; its RTCP comes"
    case .cutOff: "is cut off, or has stopped: nothing comes from it any more"
    case .neverHeard: "was never heard: nothing authentic has come from it"
    case .refused: "sends packets that are not authentic or not readable"
    }
  }
}

/// The way from the mix to one participant.
@frozen public enum EarState: String, CaseIterable, Sendable {
  /// It is sent to, and its reports say that it arrives.
  case confirmed
  /// It is sent to; no report says yet whether that arrives.
  case sent
  /// Its reports say that a tenth or more is lost.
  case lossy
  /// Its reports say that nothing arrives.
  case notReceiving
  /// Deafened by the Focus.
  case deafened
  /// By its own signalling it takes nothing.
  case onHold
  /// Nobody knows where to send to.
  case noPath
  /// There was something to hear, and it could not be sent.
  case sendFails

  public var isOpen: Bool {
    switch self {
    case .confirmed, .sent, .lossy: true
    case .notReceiving, .deafened, .onHold, .noPath, .sendFails: false
    }
  }

  public var isFault: Bool {
    switch self {
    case .lossy, .notReceiving, .noPath, .sendFails: true
    case .confirmed, .sent, .deafened, .onHold: false
    }
  }

  public var text: String {
    switch self {
    case .confirmed: "is sent the mix, and reports that it arrives"
    case .sent: "is sent the mix; no report yet says whether it arrives"
    case .lossy: "is sent the mix, and reports that a tenth or more of it is lost"
    case .notReceiving: "is sent the mix, and reports that nothing arrives"
    case .deafened: "is deafened by the conference"
    case .onHold: "takes nothing, by its own wish"
    case .noPath: "cannot be sent to: no address is known, or another participant has proved it to be its own"
    case .sendFails: "has something to hear, which could not be sent"
    }
  }
}

/// One participant's two ways.
public struct Audibility: Hashable, Sendable {
  public var leg: LegID
  public var voice: VoiceState
  public var ear: EarState

  /// Seconds that are looked at: one more than a fault may take to be seen, because a second is known only at its end.
  public static let window = 3

  /// - Parameter history: the leg's last seconds, oldest first, `window` of them or fewer; not empty.
  public init(leg: LegID, history: some BidirectionalCollection<LegSecond>) {
    self.leg = leg
    voice = Self.voice(history)
    ear = Self.ear(history)
  }

  /// What one hears of the other.
  public enum Link: String, Sendable {
    /// Is in the mix that is sent, and arrives.
    case hears
    /// Is in the mix that is sent; not known whether it arrives.
    case sent
    /// Would hear, if there were anything.
    case open
    /// Does not hear, as somebody wishes.
    case closed
    /// Does not hear, and that is a fault.
    case fault
  }

  /// What `self` hears of `other`.
  public func link(from other: Audibility) -> Link {
    if !other.voice.isOpen { return other.voice.isFault ? .fault : .closed }
    if !ear.isOpen { return ear.isFault ? .fault : .closed }
    guard other.voice == .talking || other.voice == .broken else { return .open }
    return ear == .confirmed || ear == .lossy ? .hears : .sent
  }

  private static func voice(_ history: some BidirectionalCollection<LegSecond>) -> VoiceState {
    guard let last = history.last else { return .neverHeard }
    if !last.flags.contains(.receives) { return .onHold }
    if last.flags.contains(.ingressBlocked) { return .muted }
    let received = history.reduce(0) { $0 + Int($1.received) }
    let refused = history.reduce(0) { $0 + Int($1.refused) }
    if last.received == 0, refused > received { return .refused }
    if !last.flags.contains(.wasHeard) { return .neverHeard }
    if last.flags.contains(.isSilent) || last.isQuiet { return .cutOff }
    if last.received == 0 { return last.control > 0 || history.contains { $0.control > 0 } ? .sendsNothing : .silent }
    let mixed = history.reduce(0) { $0 + Int($1.mixed) }
    let concealed = history.reduce(0) { $0 + Int($1.concealed) }
    if last.mixed > 0 { return concealed * 5 >= mixed ? .broken : .talking }
    return Int(last.level) > TalkerChoice.threshold + 10 ? .notChosen : .silent
  }

  private static func ear(_ history: some BidirectionalCollection<LegSecond>) -> EarState {
    guard let last = history.last else { return .noPath }
    if !last.flags.contains(.sends) { return .onHold }
    if last.flags.contains(.egressBlocked) { return .deafened }
    if !last.flags.contains(.hasPath) { return .noPath }
    // 60 ms packets and a joiner's first tick: a second with that much to hear makes packets.
    if last.unsent > 0 || (last.audible > 10 && last.sent == 0) { return .sendFails }
    guard Int(last.remoteAge) <= FaultFinding.Threshold.reportSeconds, last.remoteExpected > 0 else { return .sent }
    if last.remoteReceived == 0 { return last.remoteExpected >= 10 ? .notReceiving : .sent }
    return last.remoteFractionLost >= 26 ? .lossy : .confirmed
  }
}
