//  EModel.swift: how a call probably sounds, from delay, loss and codec (ITU-T G.107, with G.107.1's scale for wideband).

import Glibc

/// The transmission rating of one direction, with the standard's default values for everything that a network cannot see
/// (loudness, noise, room, echo of 65 dB).
///
/// A planning model, not a measurement of anybody's voice: it knows nothing of what was said, of level or of clipping.
package struct EModel: Hashable, Sendable {
  /// A codec as the model sees it.
  package struct Codec: Hashable, Sendable {
    /// Up to 7 kHz or more: rated on G.107.1's scale, whose best is 129 instead of 93.2.
    package var isWideband: Bool
    /// The equipment impairment factor Ie: what coding alone costs.
    package var impairment: Double
    /// The packet-loss robustness factor Bpl, in per cent.
    package var robustness: Double

    /// G.711 with concealment (ITU-T G.113 appendix I).
    package static let g711 = Codec(isWideband: false, impairment: 0, robustness: 25.1)
    /// G.722 at 64 kbit/s: Ie of ITU-T G.113 appendix IV; its Bpl is an assumption, below that of G.711 because its
    /// adaptive predictor carries an error on.
    package static let g722 = Codec(isWideband: true, impairment: 13, robustness: 13)
    /// Opus at 24 kbit/s and more. The ITU gives no values: these are assumptions, near the best wideband codecs.
    package static let opus = Codec(isWideband: true, impairment: 8, robustness: 17)
  }

  package var codec: Codec
  /// Mouth to ear as far as it is known, milliseconds.
  package var delayMilliseconds: Double = 0
  /// Lost, or too late to be played, per cent.
  package var lossPercent: Double = 0
  /// Mean length of a loss run over that of random loss with the same rate; 1 for random loss.
  package var burstRatio: Double = 1

  package init(codec: Codec, delayMilliseconds: Double = 0, lossPercent: Double = 0, burstRatio: Double = 1) {
    self.codec = codec
    self.delayMilliseconds = delayMilliseconds
    self.lossPercent = lossPercent
    self.burstRatio = burstRatio
  }

  /// Of G.107 for a connection without delay and loss: basic signal to noise less simultaneous impairments.
  private static var best: Double { 94.769 - 1.414 }

  /// R, 0…93.2; for wideband codecs 0…100, G.107.1's rating brought to this scale by 1/1.29 as it does for scores.
  package var rating: Double {
    let loss = min(max(lossPercent, 0), 100)
    // Ie,eff (G.107 §7.5, G.107.1 §7.5).
    let equipment =
      codec.impairment + (95 - codec.impairment) * loss / (loss / max(burstRatio, 1) + codec.robustness)
    let impairments = delayImpairment + equipment
    let rating = codec.isWideband ? (129 - impairments) / 1.29 : Self.best - impairments
    return min(max(rating, 0), 100)
  }

  /// The mean opinion score of a conversation, 1…4.5 (G.107 annex B).
  package var opinion: Double { Self.opinion(of: rating) }

  package static func opinion(of rating: Double) -> Double {
    guard rating > 0 else { return 1 }
    guard rating < 100 else { return 4.5 }
    return max(1, 1 + 0.035 * rating + rating * (rating - 60) * (100 - rating) * 7e-6)
  }

  /// Id: echo to talker and listener, and too long a delay without echo (G.107 §7.4).
  private var delayImpairment: Double {
    let delay = min(max(delayMilliseconds, 0), 10_000)
    return talkerEcho(delay) + listenerEcho(delay) + absoluteDelay(delay)
  }

  private func talkerEcho(_ delay: Double) -> Double {
    guard delay >= 1 else { return 0 }
    let loudness = 65 - 40 * log10((1 + delay / 10) / (1 + delay / 150)) + 6 * exp(-0.3 * delay * delay)
    // Roe is −1.5 (No − RLR) = 94.77 with the default noise.
    let difference = 94.769 - (80 + 2.5 * (loudness - 14))
    return (difference / 2 + (difference * difference / 4 + 100).squareRoot() - 1) * (1 - exp(-delay))
  }

  private func listenerEcho(_ delay: Double) -> Double {
    let difference = 94.769 - 10.5 * (110 + 7) * pow(2 * delay + 1, -0.25)
    return difference / 2 + (difference * difference / 4 + 169).squareRoot()
  }

  private func absoluteDelay(_ delay: Double) -> Double {
    guard delay > 100 else { return 0 }
    let doublings = log2(delay / 100)
    return 25 * (pow(1 + pow(doublings, 6), 1 / 6) - 3 * pow(1 + pow(doublings / 3, 6), 1 / 6) + 2)
  }
}

extension AudioCodec {
  /// This codec in the E-model.
  package var quality: EModel.Codec {
    switch self {
    case .opus: .opus
    case .g722: .g722
    case .pcmu, .pcma: .g711
    }
  }
}
