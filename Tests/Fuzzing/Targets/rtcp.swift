//  rtcp.swift: fuzz target: RTCP compounds and every packet in them.

import Primitives
import RTP

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let buffer = UnsafeRawBufferPointer(start: start, count: count)
  for reducedSize in [false, true] {
    guard let compound = try? RTCPCompound(parsing: buffer.bytes, reducedSize: reducedSize) else { continue }
    let packets = walk(compound, buffer)
    precondition(packets >= 1 && packets <= RTPLimits.compoundPackets)
    // A walk over other bytes than those parsed finds less; it never leaves them.
    _ = walk(compound, UnsafeRawBufferPointer(rebasing: buffer[..<(count / 2)]))
  }
  return 0
}

private func walk(_ compound: RTCPCompound, _ buffer: UnsafeRawBufferPointer) -> Int {
  let input = buffer.bytes
  var compound = compound
  var packets = 0
  while let packet = compound.next(in: input) {
    packets += 1
    switch packet {
    case .senderReport(let ssrc, _, let blocks), .receiverReport(let ssrc, let blocks):
      for index in 0..<blocks.count {
        guard let block = blocks.block(index, in: input) else { preconditionFailure("a block outside the packet") }
        _ = RoundTrip.time(of: block, arrival: UInt64(ssrc) << 16)
      }
    case .sourceDescription(let description):
      let ssrc = input.uint32(at: 12) ?? 0
      if let name = description.canonicalName(of: ssrc, in: input) { precondition(name.upperBound <= input.byteCount) }
    case .bye(let bye):
      precondition(bye.reason.upperBound <= input.byteCount)
      for index in 0..<bye.sourceCount { precondition(bye.source(index, in: input) != nil) }
    case .extendedReport(var report):
      var blocks = 0
      while let block = report.next(in: input) {
        blocks += 1
        guard case .receiverDelays(let delays) = block else { continue }
        if let delay = delays.delay(about: report.ssrc, in: input) { _ = RoundTrip.time(of: delay, arrival: 1 << 40) }
      }
      precondition(blocks <= RTPLimits.extendedBlocks)
    case .other(_, _, let body):
      precondition(body.upperBound <= input.byteCount)
    }
  }
  return packets
}
