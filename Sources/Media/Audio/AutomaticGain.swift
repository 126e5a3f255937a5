//  AutomaticGain.swift: brings one talker's speech to the level of the others', slowly.
//  Walk: AudioReceiver.render → AutomaticGain → AudioMixer

/// The gain of one stream that is heard.
///
/// It follows the level of *speech*: frames well above the stream's own background. While nobody speaks the gain stays as it
/// is, so that the background does not come up in pauses, and a stream of nothing but noise is never raised. It moves by
/// at most 3 dB a second upwards and 10 dB a second downwards, which is not heard as pumping; a frame that would leave the
/// range is turned down at once. Levels in dBov (RFC 6464 §3).
@frozen public struct AutomaticGain: Sendable, BitwiseCopyable {
  /// Of speech, root mean square while it goes on.
  public static let target: Float = -23
  public static let mostGain: Float = 18
  public static let leastGain: Float = -12
  /// Speech stands so far above the background.
  static let prominence: Float = 9
  /// Softer is nobody's speech.
  static let softestSpeech: Float = -55
  /// Nothing is done for less: 1 dB.
  static let tolerance: Float = 1
  static let risePerTick: Float = 0.06
  static let fallPerTick: Float = 0.2
  /// No sample is raised above: −1 dBov.
  static let ceiling: Float = 29_204
  /// A fall that cannot wait happens within this: 1 ms.
  static let attackSamples = 48
  /// Ticks of speech before the gain moves: 400 ms.
  static let learningTicks: Int32 = 20
  /// Ticks over which the speech level is averaged: 3 s of speech.
  static let memoryTicks: Int32 = 150

  /// Decibels.
  public private(set) var gain: Float = 0
  /// Of the last sample, as a factor.
  private var factor: Float = 1
  private var background: Float = -127
  private var hasBackground = false
  /// Mean power of speech, full scale 1, and how many ticks it is of.
  private var power: Float = 0
  private var spoken: Int32 = 0

  public init() {}

  /// What the speech's level was found to be, −127…0 dBov; `nil` before there was enough.
  public var speechLevel: Float? { spoken >= Self.learningTicks ? Decibels.level(power: power) : nil }

  /// Starts anew: another source.
  public mutating func reset() { self = AutomaticGain() }

  /// One tick of the stream.
  ///
  /// - Parameters:
  ///   - level: of `samples`, −127…0 dBov.
  ///   - samples: 20 ms at 48 kHz, changed in place.
  public mutating func process(_ samples: inout MutableSpan<Int16>, level: Int) {
    follow(Float(max(-127, min(0, level))))
    let wanted = Decibels.factor(gain)
    guard abs(wanted - 1) > 0.001 || abs(factor - 1) > 0.001 else { return }
    let peak = Float(Self.peak(samples.span))
    // What came in as loud as that stays as loud.
    let end = wanted > 1 && peak * wanted > Self.ceiling ? max(1, Self.ceiling / max(1, peak)) : wanted
    if end < wanted {
      // What was too loud once may be so again: the gain starts from there.
      gain = max(Self.leastGain, Decibels.gain(end))
    }
    let isSudden = factor > 1 && peak * factor > Self.ceiling
    let ramp = isSudden ? Self.attackSamples : samples.count
    Self.scale(&samples, count: min(ramp, samples.count), from: factor, to: end)
    factor = end
  }

  private mutating func follow(_ level: Float) {
    if level <= -100 { return }  // digital silence tells nothing
    if !hasBackground {
      background = level
      hasBackground = true
    }
    // Falls to a softer tick at once by half, rises by 1 dB a second: a pause in each few seconds keeps it down.
    background = level < background ? (background + level) / 2 : min(level, background + 0.02)
    guard level >= Self.softestSpeech, level >= background + Self.prominence else { return }
    let now = Decibels.power(level: level)
    if spoken < Self.memoryTicks { spoken &+= 1 }
    power += (now - power) / Float(spoken)
    guard spoken >= Self.learningTicks else { return }
    let wanted = max(Self.leastGain, min(Self.mostGain, Self.target - Decibels.level(power: power)))
    let change = wanted - gain
    guard abs(change) > Self.tolerance else { return }
    gain += max(0 - Self.fallPerTick, min(Self.risePerTick, change))
  }

  private static func peak(_ samples: Span<Int16>) -> Int32 {
    var peak: Int32 = 0
    for i in 0..<samples.count { peak = max(peak, abs(Int32(samples[i]))) }
    return peak
  }

  /// The first `count` samples by a straight line of gain, the others by its end.
  private static func scale(_ samples: inout MutableSpan<Int16>, count: Int, from: Float, to: Float) {
    let step = (to - from) / Float(max(1, count))
    for i in 0..<count {
      let value = Float(samples[i]) * (from + step * Float(Int32(truncatingIfNeeded: i)))
      samples[i] = rounded(value)
    }
    for i in count..<samples.count { samples[i] = rounded(Float(samples[i]) * to) }
  }

  @inline(__always) private static func rounded(_ value: Float) -> Int16 {
    let bounded = max(-32_768, min(32_767, value))
    return Int16(truncatingIfNeeded: (bounded + 12_582_912).bitPattern)
  }
}

/// Decibels by the float's exponent and parabolas: within 0.1 dB, without libm.
enum Decibels {
  private static let perOctave: Float = 6.0206

  /// 10^(gain/20)
  static func factor(_ gain: Float) -> Float {
    let octaves = max(-20, min(20, gain / perOctave))
    let whole = octaves.rounded(.down)
    let fraction = octaves - whole
    // 2^x − 1 on 0…1
    let curve = fraction * (0.6565 + 0.3435 * fraction)
    return (1 + curve) * Float(sign: .plus, exponent: Int(whole), significand: 1)
  }

  /// 20·log₁₀
  static func gain(_ factor: Float) -> Float {
    guard factor > 1e-6 else { return -120 }
    let fraction = factor.significand - 1
    return (Float(factor.exponent) + fraction * (1.3465 - 0.3465 * fraction)) * perOctave
  }

  static func level(power: Float) -> Float { max(-127, gain(power) / 2) }
  static func power(level: Float) -> Float { factor(level * 2) }
}
