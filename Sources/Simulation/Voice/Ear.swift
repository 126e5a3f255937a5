//  Ear.swift: one virtual listener: what arrives is decoded, and whose voices are in it is found out.

import Glibc
import Media
import Primitives

/// Decodes one received stream in the order of its timestamps and names the pilots in each window of 200 ms.
///
/// It has no jitter buffer: loss and disorder show as they are. Allocates in `init` only.
public struct Ear: ~Copyable {
  public static let windowSamples = 9_600

  /// One window of 200 ms that was wholly received.
  public struct Window: Hashable, Sendable {
    /// Bit `i`: pilot `i` was heard.
    public var pilots: UInt32
    /// Arrival of the packet that ended it.
    public var arrival: Instant
    /// Root mean square of its samples, full scale 1.
    public var level: Float
  }

  private var decoder = EarDecoder()
  /// Twice a Hann window: its mean is 1, so that amplitudes stay what they are.
  private static let hann = (0..<windowSamples).map {
    Float(1 - cos(2 * Double.pi * Double($0) / Double(windowSamples)))
  }
  private static let pilots = ToneBank(frequencies: (0..<PilotTone.count).map { PilotTone.frequency($0) })
  private let mark = ToneDetector(frequency: DelayMark.frequency)
  private var samples: [Float]
  private var filled = 0
  private var narrow = [Int16](repeating: 0, count: 5_760)
  private var wide = [Int16](repeating: 0, count: 5_760)
  private var nextTimestamp: UInt32?
  private var step = [Float](repeating: 0, count: 240)
  /// Also before the first packet: whoever begins to listen in the middle of a mark has not heard it begin.
  private var markIsOn = true
  /// When the first sound of the last mark arrived, until it is taken.
  private var markArrival: Instant?
  private var window: Window?
  /// Packets whose payload could not be decoded.
  public private(set) var undecodable: UInt64 = 0

  public init() {
    samples = [Float](repeating: 0, count: Self.windowSamples)
  }

  /// - Parameters:
  ///   - timestamp: of the packet, in its codec's clock.
  ///   - arrival: when its datagram was read.
  public mutating func hear(_ payload: RawSpan, codec: AudioCodec, timestamp: UInt32, arrival: Instant) {
    let count = decoder.decode(payload, codec: codec, narrow: &narrow, wide: &wide)
    guard count > 0 else {
      undecodable &+= 1
      return
    }
    let duration = UInt32(count * codec.clockRate / 48_000)
    if let expected = nextTimestamp, expected != timestamp { startAnew() }
    nextTimestamp = timestamp &+ duration
    findMark(count, arrival)
    for index in 0..<count {
      samples[filled] = Float(wide[index]) / 32_768
      filled += 1
      if filled == Self.windowSamples { endWindow(arrival) }
    }
  }

  /// The last whole window, once.
  public mutating func takeWindow() -> Window? {
    defer { window = nil }
    return window
  }

  /// When the last mark began to arrive, once.
  public mutating func takeMark() -> Instant? {
    defer { markArrival = nil }
    return markArrival
  }

  /// A gap or a jump: a window must be whole to be judged.
  private mutating func startAnew() {
    filled = 0
    markIsOn = true  // a jump may look like one
  }

  /// Looks for the rising edge of a mark in steps of 5 ms.
  private mutating func findMark(_ count: Int, _ arrival: Instant) {
    for start in stride(from: 0, to: count - 239, by: 240) {
      for index in 0..<240 { step[index] = Float(wide[start + index]) / 32_768 }
      let isOn = mark.amplitude(in: step.span) >= Float(DelayMark.threshold)
      if isOn, !markIsOn { markArrival = arrival + .microseconds(start * 1_000 / 48) }
      markIsOn = isOn
    }
  }

  private mutating func endWindow(_ arrival: Instant) {
    let hann = Self.hann
    var energy: Float = 0
    for index in 0..<Self.windowSamples {
      energy += samples[index] * samples[index]
      samples[index] *= hann[index]
    }
    let amplitudes = Self.pilots.amplitudes(in: samples.span)
    var heard: UInt32 = 0
    for pilot in 0..<PilotTone.count where amplitudes[pilot] >= Float(PilotTone.threshold) {
      heard |= 1 << UInt32(pilot)
    }
    window = Window(
      pilots: heard, arrival: arrival, level: (energy / Float(Self.windowSamples)).squareRoot())
    filled = 0
  }
}
