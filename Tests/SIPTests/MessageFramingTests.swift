//  MessageFramingTests.swift: messages out of a byte stream, however it is cut.
import SIP
import Testing

@Suite("SIP stream framing (RFC 3261 §18.3, RFC 5626 §3.5.1)")
struct MessageFramingTests {
  private func items(_ chunks: [[UInt8]]) throws -> [StreamFramer.Item] {
    var framer = StreamFramer()
    var items: [StreamFramer.Item] = []
    for chunk in chunks {
      framer.append(chunk)
      while let item = try framer.next() { items.append(item) }
    }
    return items
  }

  private var first: [UInt8] { wire(Sample.invite) }
  private var second: [UInt8] { wire(Sample.request("BYE", branch: "z9hG4bK2")) }

  @Test("any cut of two messages with a keep-alive between gives the same items")
  func everyCut() throws {
    let stream = first + [13, 10, 13, 10] + second
    let expected: [StreamFramer.Item] = [.message(first), .keepAlive, .message(second)]

    #expect(try items([stream]) == expected)
    #expect(try items(stream.map { [$0] }) == expected)
    for cut in 0...stream.count {
      #expect(try items([Array(stream[..<cut]), Array(stream[cut...])]) == expected, "cut at \(cut)")
    }
  }

  @Test("single line ends before a message are skipped")
  func lineEnds() throws {
    #expect(try items([[13, 10] + second]) == [.message(second)])
    #expect(try items([[13, 10], second]) == [.message(second)])
    #expect(try items([second + [13, 10]]) == [.message(second)])
  }

  @Test("a framing fault is final, and what was whole before it comes out")
  func faults() throws {
    let bad: [(String, (StreamFramingError) -> Bool)] = [
      ("OPTIONS sip:a@b SIP/2.0\nTo: x\n\n", { if case .missingContentLength = $0 { true } else { false } }),
      ("OPTIONS sip:a@b SIP/2.0\nl: x\n\n", { if case .badContentLength = $0 { true } else { false } }),
      (
        "OPTIONS sip:a@b SIP/2.0\nl: 1\nContent-Length: 2\n\n",
        { if case .badContentLength = $0 { true } else { false } }
      ),
      ("OPTIONS sip:a@b SIP/2.0\nl: 65536\n\n", { if case .messageTooLarge = $0 { true } else { false } }),
    ]
    for (text, isExpected) in bad {
      var framer = StreamFramer()
      framer.append(second + wire(text))

      #expect(try framer.next() == .message(second))
      for _ in 0..<2 {
        do throws(StreamFramingError) {
          _ = try framer.next()
          Issue.record("no error for \(text)")
        } catch {
          #expect(isExpected(error) && error.head == wire(text))
        }
      }
      framer.append(second)
      #expect(framer.bufferedByteCount == 0)
    }
  }

  @Test("a head over the limit and a flood that nobody takes are errors; memory stays bounded")
  func oversize() throws {
    var endless = StreamFramer()
    let chunk = [UInt8](repeating: 65, count: 4_096)
    var error: StreamFramingError?
    for _ in 0..<40 where error == nil {
      endless.append(chunk)
      do throws(StreamFramingError) { _ = try endless.next() } catch let thrown { error = thrown }
    }
    #expect(error == .headTooLarge)

    var flood = StreamFramer()
    for _ in 0..<80 {
      flood.append(chunk)
      #expect(flood.bufferedByteCount <= SIPLimits.streamBufferBytes)
    }
    #expect(throws: StreamFramingError.overflow) { try flood.next() }
  }

  @Test("a message of exactly 64 KiB passes")
  func atTheLimit() throws {
    let head = wire("OPTIONS sip:a@b SIP/2.0\nl: 65500\nX: \n\n")
    let length = SIPLimits.messageBytes - head.count
    let text = wire("OPTIONS sip:a@b SIP/2.0\nl: \(length)\nX: \n\n") + [UInt8](repeating: 66, count: length)

    #expect(text.count == SIPLimits.messageBytes)
    #expect(try items([text]) == [.message(text)])
  }

  @Test("the framer and the parser agree on a folded Content-Length and on one that only looks like it")
  func agreement() throws {
    let text = wire("OPTIONS sip:a@b SIP/2.0\nX: y\n Content-Length: 9\nContent-Length :\n 2\nCall-ID: l: 7\n\nab")

    #expect(try items([text + second]) == [.message(text), .message(second)])
    #expect(try SIPMessage(parsing: text).body.count == 2)
  }
}
