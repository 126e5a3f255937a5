//  EncodingEffort.swift: how much a worker spends on each mix: the overload steps turn it down and up again.

/// Read at the next tick of each meeting; nothing is allocated and no seam is heard: who loses his place fades out, and an
/// encoder's complexity changes between two frames.
struct EncodingEffort: BitwiseCopyable {
  /// 0–10.
  var complexity = 5
  /// The loudest that are heard, 1…`MediaWorkerLimits.maximumTalkers`.
  var talkers = MediaWorkerLimits.maximumTalkers

  static let full = EncodingEffort()
}

extension MediaWorker {
  /// Turns the effort of all meetings down or up. Reversible; takes effect with each meeting's next tick.
  ///
  /// - Parameters:
  ///   - complexity: of the Opus encoders, 0–10 (5 is full effort); clamped.
  ///   - talkers: the loudest that are decoded and mixed in a meeting; clamped to 1 and `configuration.limits.talkers`.
  public mutating func setEffort(complexity: Int, talkers: Int) {
    effort = EncodingEffort(
      complexity: min(max(complexity, 0), 10), talkers: min(max(talkers, 1), configuration.limits.talkers))
  }

  /// Present Opus complexity, and talkers heard in a meeting at most.
  public var currentEffort: (complexity: Int, talkers: Int) {
    (effort.complexity, min(effort.talkers, configuration.limits.talkers))
  }
}
