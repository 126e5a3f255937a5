//  StreamFramer.swift: cuts a TCP or TLS byte stream into messages (RFC 3261 §7.5, §18.3, RFC 5626 §3.5.1).
//  Walk: SIPEdge connection → StreamFramer → SIPParser
import Primitives

/// Whole messages from a stream that comes in any pieces.
///
/// Append what was read, then call `next` until it returns `nil`. Work is linear in the bytes however they are split.
public struct StreamFramer: Sendable {
  public enum Item: Hashable, Sendable {
    case message([UInt8])
    /// CRLF CRLF between messages: answer with one CRLF.
    case keepAlive
  }

  private var buffer: [UInt8] = []
  /// Bytes before this are taken.
  private var start = 0
  /// Bytes before this hold no end of a head.
  private var scanned = 0
  /// Length of the message that begins at `start`, once its head is there.
  private var expected: Int?
  private var failure: StreamFramingError?

  public init() {}

  /// Bytes kept for a message that is not complete.
  public var bufferedByteCount: Int { buffer.count - start }

  public mutating func append(_ bytes: [UInt8]) {
    guard failure == nil else { return }
    guard bufferedByteCount + bytes.count <= SIPLimits.streamBufferBytes else {
      fail(.overflow)
      return
    }
    compact()
    if buffer.isEmpty {
      buffer = bytes  // mostly one whole message: it is neither copied here nor by `next`
    } else {
      buffer += bytes
    }
  }

  /// - Returns: `nil` when more bytes are needed.
  /// - Throws: the same error from then on; what was whole before the fault has been returned.
  public mutating func next() throws(StreamFramingError) -> Item? {
    if let failure { throw failure }
    if expected == nil {
      if takeEmptyLines() { return .keepAlive }
      guard let headEnd = findHeadEnd() else {
        guard bufferedByteCount < SIPLimits.messageBytes else { throw fail(.headTooLarge) }
        return nil
      }
      expected = try measure(headEnd)
    }
    guard let count = expected, bufferedByteCount >= count else { return nil }
    expected = nil
    if start == 0, buffer.count == count {
      scanned = 0
      let message = buffer
      buffer = []
      return .message(message)
    }
    let message = Array(buffer[start..<(start + count)])
    start += count
    scanned = start
    return .message(message)
  }

  @discardableResult
  private mutating func fail(_ error: StreamFramingError) -> StreamFramingError {
    failure = error
    buffer = []
    start = 0
    return error
  }

  /// Moves what is left to the front once it is the smaller part, so that moving costs no more than appending.
  private mutating func compact() {
    guard start > 0, start >= buffer.count / 2 else { return }
    buffer.removeSubrange(..<start)
    scanned -= start
    start = 0
    // A large message must not hold its memory for the connection's life.
    if buffer.isEmpty, buffer.capacity > 16_384 { buffer = [] }
  }

  /// Skips line ends between messages.
  /// - Returns: true when two were skipped: a keep-alive.
  private mutating func takeEmptyLines() -> Bool {
    while buffer.count - start >= 2, buffer[start] == 13, buffer[start + 1] == 10 {
      if buffer.count - start >= 4, buffer[start + 2] == 13, buffer[start + 3] == 10 {
        start += 4
        scanned = start
        return true
      }
      // One line end may be the first half of a keep-alive.
      if buffer.count - start < 4, buffer.count - start == 2 || buffer[start + 2] == 13 { return false }
      start += 2
      scanned = start
    }
    return false
  }

  /// The index after the empty line.
  private mutating func findHeadEnd() -> Int? {
    let buffer = self.buffer
    let bytes = buffer.span
    var position = scanned
    while true {
      position = ASCII.firstControl(bytes, from: position)
      guard position < bytes.count else { break }
      if bytes.uint8(at: position) == 13 {
        if position &+ 3 >= bytes.count { break }
        if bytes.uint8(at: position &+ 1) == 10, bytes.uint8(at: position &+ 2) == 13,
          bytes.uint8(at: position &+ 3) == 10
        {
          return position &+ 4
        }
      }
      position &+= 1
    }
    scanned = position
    return nil
  }

  /// The length of the message whose head ends at `headEnd`.
  private mutating func measure(_ headEnd: Int) throws(StreamFramingError) -> Int {
    let headCount = headEnd - start
    guard headCount <= SIPLimits.messageBytes else { throw fail(.headTooLarge) }
    let buffer = self.buffer
    switch SIPParser.contentLength(buffer.span, start, headEnd) {
    case .none: throw fail(.missingContentLength(head: Array(buffer[start..<headEnd])))
    case .bad: throw fail(.badContentLength(head: Array(buffer[start..<headEnd])))
    case .value(let length):
      guard length <= SIPLimits.messageBytes - headCount else {
        throw fail(.messageTooLarge(head: Array(buffer[start..<headEnd])))
      }
      return headCount + length
    }
  }
}
