//  TalkPattern.swift: who talks when in a virtual meeting, decided by arithmetic alone, so that every ear knows it too.

/// Participants of one meeting are numbered from 0; frames of 20 ms are counted from the meeting's start.
public enum TalkPattern: Hashable, Sendable {
  /// Everybody, always.
  case all
  /// The first `count`, always.
  case always(count: Int)
  /// `count` at a time; each turn lasts `turnFrames`, then the next `count` take over.
  case turns(count: Int, turnFrames: Int)

  public func talks(_ participant: Int, of participants: Int, frame: Int) -> Bool {
    guard participants > 0 else { return false }
    switch self {
    case .all: return true
    case .always(let count): return participant < count
    case .turns(let count, let turnFrames):
      let first = frame / max(1, turnFrames) * count % participants
      return (participant - first + participants) % participants < count
    }
  }

  /// The places of those who talk in a frame, none twice.
  public func places(of participants: Int, frame: Int) -> [Int] {
    guard participants > 0 else { return [] }
    switch self {
    case .all: return Array(0..<participants)
    case .always(let count): return Array(0..<max(0, min(count, participants)))
    case .turns(let count, let turnFrames):
      let first = frame / max(1, turnFrames) * count % participants
      return (0..<max(0, min(count, participants))).map { (first + $0) % participants }
    }
  }

  /// How many talk at once.
  public func talkers(of participants: Int) -> Int {
    switch self {
    case .all: participants
    case .always(let count), .turns(let count, _): min(count, participants)
    }
  }
}
