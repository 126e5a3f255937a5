//  rtp.swift: fuzz target: RTP headers, header extensions, telephone events, reception statistics.

import Primitives
import RTP

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let input = UnsafeRawBufferPointer(start: start, count: count).bytes
  _ = PacketKind(of: input)
  header(input)
  statistics(input)
  return 0
}

private func header(_ input: RawSpan) {
  guard let header = try? RTPHeader(parsing: input) else { return }
  precondition(header.payload.upperBound + Int(header.paddingCount) == input.byteCount)
  precondition(Int(header.extensionOffset) + Int(header.extensionCount) <= Int(header.payloadOffset))
  for index in 0..<Int(header.contributorCount) { precondition(header.contributor(index, in: input) != nil) }
  for id in 0...255 as ClosedRange<UInt8> {
    guard let element = header.extensionElement(id, in: input) else { continue }
    precondition(element.lowerBound >= Int(header.extensionOffset))
    precondition(element.upperBound <= Int(header.payloadOffset))
    _ = header.audioLevel(id, in: input)
  }
  if let event = try? TelephoneEvent(parsing: input, at: Int(header.payloadOffset), count: Int(header.payloadCount)) {
    precondition(header.payloadCount >= 4 && event.attenuation < 64)
    _ = event.digit
  }
}

/// The input as a source's history: sequence number, timestamp and pace of arrival in each eight bytes.
private func statistics(_ input: RawSpan) {
  guard let first = input.uint8(at: 0) else { return }
  var source = ReceptionStatistics(clockRate: 48_000, minimumSequential: first & 3)
  var now = Instant.zero
  var offset = 1
  while let sequence = input.uint16(at: offset), let timestamp = input.uint32(at: offset + 2),
    let pace = input.uint16(at: offset + 6)
  {
    offset += 8
    now += .microseconds(Int(pace) * 16)
    let highest = source.extendedHighest
    if let extended = try? source.receive(sequence: sequence, timestamp: timestamp, arrival: now) {
      precondition(UInt16(truncatingIfNeeded: extended) == sequence)
      precondition(extended <= source.extendedHighest && (source.received <= 1 || source.extendedHighest >= highest))
    }
    if pace & 15 == 0 {
      let block = source.reportBlock(ssrc: 1, now: now)
      precondition(block.cumulativeLost >= -0x80_0000 && block.cumulativeLost <= 0x7f_ffff)
    }
  }
}
