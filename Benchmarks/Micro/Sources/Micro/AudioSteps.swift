//  AudioSteps.swift: jitter buffer, Opus, resampler and the kernels of the mix; 20 ms each.

import Codecs
import LinuxIO
import Media
import Primitives

/// Something that is as much work as speech: low-passed noise whose loudness rises and falls four times a second.
func speechLike(seed: UInt64, seconds: Int) -> [Int16] {
  var random = RandomSource(seed: seed)
  var state = 0.0
  return (0..<seconds * 48_000).map { index in
    let syllable = abs(Double(index % 12_000) / 6_000 - 1)
    state = state * 0.9 + (Double(random.nextWord()) / 4_294_967_296 - 0.5) * 3_000 * syllable
    return Int16(clamping: Int(state))
  }
}

/// Opus packets of `samples`, 20 ms each.
func opusPackets(_ samples: [Int16]) throws -> [[UInt8]] {
  var encoder = try OpusEncoder()
  encoder.setBitRate(32_000)
  encoder.setComplexity(5)
  var payload = [UInt8](repeating: 0, count: 1_276)
  return try stride(from: 0, to: samples.count, by: 960).map { start in
    var span = payload.mutableSpan
    var bytes = span.mutableBytes
    let count = try encoder.encode(samples[start..<start + 960].span, into: &bytes)
    return Array(payload[..<count])
  }
}

func audioSteps() throws {
  let speech = speechLike(seed: 1, seconds: 2)
  let packets = try opusPackets(speech)
  var payload = [UInt8](repeating: 0, count: 1_276)
  for (complexity, application) in [(5, OpusEncoder.Application.voice), (5, .lowDelay)] {
    var encoder = try OpusEncoder(application: application)
    encoder.setBitRate(32_000)
    encoder.setComplexity(complexity)
    let kind = application == .voice ? "voice" : "CELT only"
    try measure("Opus encode, \(kind), complexity \(complexity), 32 kbit/s", count: 200) { number in
      var span = payload.mutableSpan
      var bytes = span.mutableBytes
      let start = number % 100 * 960
      _ = try encoder.encode(speech[start..<start + 960].span, into: &bytes)
    }
  }
  var frame = [Int16](repeating: 0, count: 5_760)
  var decoder = try OpusDecoder()
  try measure("Opus decode", count: 500) { number in
    var output = frame.mutableSpan
    let packet = packets[number % packets.count]
    _ = try decoder.decode(packet.span.bytes, into: &output)
  }

  if !countsInstructions { try restedEncoder(speech) }

  var tick = [Int16](repeating: 0, count: 960)
  let format = AudioFormat(codec: .opus, payloadType: 111)
  for heard in [false, true] {
    var pool = PacketPool(capacity: 64)
    var receiver = AudioReceiver(formats: [format])
    var now = Instant(nanoseconds: 1_000_000_000)
    let name =
      heard
      ? "jitter buffer: a packet in, 20 ms rendered (decode included)" : "jitter buffer: a packet in, a tick skipped"
    try measure(name, count: heard ? 500 : 50_000) { number in
      guard let buffer = pool.take() else { throw DropReason.poolExhausted }
      let bytes = packets[number % packets.count]
      pool.withMutableBytes(of: buffer) { (span: inout MutableRawSpan) in
        for index in 0..<bytes.count { span.storeBytes(of: bytes[index], toByteOffset: index, as: UInt8.self) }
      }
      let packet = AudioPacket(
        buffer: buffer, payloadOffset: 0, payloadCount: UInt16(bytes.count),
        sequence: UInt16(truncatingIfNeeded: number), timestamp: UInt32(truncatingIfNeeded: number &* 960),
        payloadType: 111)
      try receiver.insert(packet, now: now, pool: &pool)
      if heard {
        var output = tick.mutableSpan
        _ = receiver.render(into: &output, now: now, pool: &pool)
      } else {
        receiver.skip(now: now, pool: &pool)
      }
      now = now + .milliseconds(20)
    }
    receiver.reset(pool: &pool)
  }

  var up = Resampler(.from8To48)
  let narrow = Array(speech[..<160])
  measure("resampler, 8 to 48 kHz", count: 5_000) { _ in
    var output = tick.mutableSpan
    up.process(narrow.span, into: &output)
  }
  var down = Resampler(.from48To8)
  let wide = Array(speech[..<960])
  var small = [Int16](repeating: 0, count: 160)
  measure("resampler, 48 to 8 kHz", count: 5_000) { _ in
    var output = small.mutableSpan
    down.process(wide.span, into: &output)
  }
}

/// As in a meeting: nothing for most of 20 ms, and the core's caches and clock not as a loop leaves them.
private func restedEncoder(_ speech: [Int16]) throws {
  var payload = [UInt8](repeating: 0, count: 1_276)
  var encoder = try OpusEncoder()
  encoder.setBitRate(32_000)
  encoder.setComplexity(5)
  var poll = try EventPoll()
  var rested = Stopwatch()
  for number in 0..<100 {
    _ = poll.wait(timeout: .milliseconds(20))
    var span = payload.mutableSpan
    var bytes = span.mutableBytes
    let start = number % 100 * 960
    rested.start()
    _ = try encoder.encode(speech[start..<start + 960].span, into: &bytes)
    rested.stop()
  }
  report(
    Measurement(
      name: "Opus encode, voice, complexity 5, 32 kbit/s, after 20 ms of sleep",
      nanoseconds: Double(rested.nanoseconds) / 100, allocations: Double(rested.allocations) / 100,
      steps: 0))
}

func kernelSteps() throws {
  let speech = speechLike(seed: 2, seconds: 1)
  let own = Array(speech[..<960])
  var total = [Int32](repeating: 0, count: 960)
  var output = [Int16](repeating: 0, count: 960)
  var limiter = Limiter()
  measure("mix: one talker added to the total", count: 50_000) { number in
    var span = total.mutableSpan
    if number % 8 == 0 { MixKernels.clear(&span) }
    MixKernels.add(own.span, to: &span)
  }
  measure("mix: total minus one's own, saturated", count: 50_000) { _ in
    var span = output.mutableSpan
    MixKernels.mixMinus(&span, total: total.span, own: own.span)
  }
  measure("limiter over one mix", count: 20_000) { _ in
    var span = output.mutableSpan
    limiter.process(total.span, into: &span)
  }
  var sum = 0
  measure("level of a frame", count: 50_000) { _ in sum &+= LevelKernels.level(own.span) }
  precondition(sum != 0)
}
