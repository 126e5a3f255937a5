//  TransactionMachineTests.swift: the four state machines as tables.
import Primitives
import SIP
import Testing

private let t1 = Interval.milliseconds(500)
private let t2 = Interval.seconds(4)
private let t4 = Interval.seconds(5)
private let long = Interval.seconds(32)

@Suite("INVITE client transaction (RFC 3261 §17.1.1, RFC 6026)")
struct TransactionInviteClientTests {
  typealias Row = ([ClientTransactionInput], ClientTransactionInput, [TransactionAction], InviteClientTransaction.State)

  static let unreliable: [Row] = [
    ([], .begin, [.transmitRequest, .start(.b, long), .start(.a, t1)], .calling(interval: t1)),
    ([.begin], .timer(.a), [.transmitRequest, .start(.a, t1 * 2)], .calling(interval: t1 * 2)),
    ([.begin, .timer(.a)], .timer(.a), [.transmitRequest, .start(.a, t1 * 4)], .calling(interval: t1 * 4)),
    ([.begin], .timer(.b), [.failed(.timedOut), .terminated], .terminated),
    ([.begin], .provisional, [.stop(.a), .stop(.b), .deliver], .proceeding),
    ([.begin], .success, [.stop(.a), .deliver, .start(.m, long)], .accepted),
    ([.begin], .failure, [.stop(.a), .transmitACK, .deliver, .start(.d, long)], .completed),
    ([.begin], .transportFailed, [.failed(.transport), .terminated], .terminated),
    ([.begin], .cancelled, [], .calling(interval: t1)),
    ([.begin, .provisional], .provisional, [.deliver], .proceeding),
    ([.begin, .provisional], .success, [.stop(.a), .deliver, .start(.m, long)], .accepted),
    ([.begin, .provisional], .failure, [.stop(.a), .transmitACK, .deliver, .start(.d, long)], .completed),
    ([.begin, .provisional], .timer(.a), [], .proceeding),
    ([.begin, .provisional], .timer(.b), [], .proceeding),
    ([.begin, .provisional], .cancelled, [.start(.b, long)], .cancelling),
    ([.begin, .provisional, .cancelled], .timer(.b), [.failed(.timedOut), .terminated], .terminated),
    ([.begin, .provisional, .cancelled], .success, [.stop(.a), .deliver, .start(.m, long)], .accepted),
    ([.begin, .success], .success, [.deliver], .accepted),
    ([.begin, .success], .provisional, [], .accepted),
    ([.begin, .success], .failure, [], .accepted),
    ([.begin, .success], .transportFailed, [], .accepted),
    ([.begin, .success], .timer(.m), [.terminated], .terminated),
    ([.begin, .failure], .failure, [.transmitACK], .completed),
    ([.begin, .failure], .success, [], .completed),
    ([.begin, .failure], .transportFailed, [.failed(.transport), .terminated], .terminated),
    ([.begin, .failure], .timer(.d), [.terminated], .terminated),
    ([.begin, .timer(.b)], .success, [], .terminated),
  ]
  static let reliable: [Row] = [
    ([], .begin, [.transmitRequest, .start(.b, long)], .calling(interval: t1)),
    ([.begin], .failure, [.stop(.a), .transmitACK, .deliver, .terminated], .terminated),
    ([.begin, .provisional], .transportFailed, [.failed(.transport), .terminated], .terminated),
    ([.begin], .success, [.stop(.a), .deliver, .start(.m, long)], .accepted),
  ]

  @Test("transitions over UDP", arguments: unreliable)
  func overDatagrams(row: Row) { check(row, isReliable: false) }
  @Test("transitions over TCP", arguments: reliable)
  func overStreams(row: Row) { check(row, isReliable: true) }

  private func check(_ row: Row, isReliable: Bool) {
    var machine = InviteClientTransaction(isReliable: isReliable)
    var actions: [TransactionAction] = []
    for input in row.0 { machine.handle(input, into: &actions) }
    actions = []

    machine.handle(row.1, into: &actions)

    #expect(actions == row.2 && machine.state == row.3, "\(row.0) then \(row.1)")
  }
}

@Suite("Non-INVITE client transaction (RFC 3261 §17.1.2)")
struct TransactionNonInviteClientTests {
  typealias Row = (
    [ClientTransactionInput], ClientTransactionInput, [TransactionAction], NonInviteClientTransaction.State
  )

  static let unreliable: [Row] = [
    ([], .begin, [.transmitRequest, .start(.f, long), .start(.e, t1)], .trying(interval: t1)),
    ([.begin], .timer(.e), [.transmitRequest, .start(.e, t1 * 2)], .trying(interval: t1 * 2)),
    (
      [.begin, .timer(.e), .timer(.e), .timer(.e)], .timer(.e), [.transmitRequest, .start(.e, t2)],
      .trying(interval: t2)
    ),
    ([.begin], .timer(.f), [.failed(.timedOut), .terminated], .terminated),
    ([.begin], .provisional, [.deliver], .proceeding),
    ([.begin], .success, [.stop(.e), .deliver, .start(.k, t4)], .completed),
    ([.begin], .failure, [.stop(.e), .deliver, .start(.k, t4)], .completed),
    ([.begin], .transportFailed, [.failed(.transport), .terminated], .terminated),
    ([.begin, .provisional], .timer(.e), [.transmitRequest, .start(.e, t2)], .proceeding),
    ([.begin, .provisional], .provisional, [.deliver], .proceeding),
    ([.begin, .provisional], .timer(.f), [.failed(.timedOut), .terminated], .terminated),
    ([.begin, .provisional], .success, [.stop(.e), .deliver, .start(.k, t4)], .completed),
    ([.begin, .success], .success, [], .completed),
    ([.begin, .success], .timer(.e), [], .completed),
    ([.begin, .success], .timer(.f), [], .completed),
    ([.begin, .success], .transportFailed, [], .completed),
    ([.begin, .success], .timer(.k), [.terminated], .terminated),
  ]
  static let reliable: [Row] = [
    ([], .begin, [.transmitRequest, .start(.f, long)], .trying(interval: t1)),
    ([.begin], .success, [.stop(.e), .deliver, .terminated], .terminated),
  ]

  @Test("transitions over UDP", arguments: unreliable)
  func overDatagrams(row: Row) { check(row, isReliable: false) }
  @Test("transitions over TCP", arguments: reliable)
  func overStreams(row: Row) { check(row, isReliable: true) }

  private func check(_ row: Row, isReliable: Bool) {
    var machine = NonInviteClientTransaction(isReliable: isReliable)
    var actions: [TransactionAction] = []
    for input in row.0 { machine.handle(input, into: &actions) }
    actions = []

    machine.handle(row.1, into: &actions)

    #expect(actions == row.2 && machine.state == row.3, "\(row.0) then \(row.1)")
  }
}

@Suite("INVITE server transaction (RFC 3261 §17.2.1, RFC 6026)")
struct TransactionInviteServerTests {
  typealias Row = ([ServerTransactionInput], ServerTransactionInput, [TransactionAction], InviteServerTransaction.State)

  static let unreliable: [Row] = [
    ([], .begin, [.start(.trying, .milliseconds(200)), .deliver], .proceeding(isAnswered: false)),
    ([.begin], .timer(.trying), [.stop(.trying), .transmitTrying], .proceeding(isAnswered: true)),
    ([.begin], .request, [.stop(.trying), .transmitTrying], .proceeding(isAnswered: true)),
    ([.begin], .provisional, [.stop(.trying), .transmitResponse], .proceeding(isAnswered: true)),
    ([.begin, .provisional], .request, [.transmitResponse], .proceeding(isAnswered: true)),
    ([.begin, .provisional], .timer(.trying), [], .proceeding(isAnswered: true)),
    ([.begin], .ack, [], .proceeding(isAnswered: false)),
    ([.begin], .success, [.stop(.trying), .transmitResponse, .start(.l, long)], .accepted),
    (
      [.begin], .failure, [.stop(.trying), .transmitResponse, .start(.h, long), .start(.g, t1)],
      .completed(interval: t1)
    ),
    ([.begin], .transportFailed, [.failed(.transport)], .proceeding(isAnswered: false)),
    ([.begin, .success], .request, [], .accepted),
    ([.begin, .success], .success, [.transmitResponse], .accepted),
    ([.begin, .success], .failure, [], .accepted),
    ([.begin, .success], .ack, [.deliver], .accepted),
    ([.begin, .success], .transportFailed, [.failed(.transport)], .accepted),
    ([.begin, .success], .timer(.l), [.terminated], .terminated),
    ([.begin, .failure], .request, [.transmitResponse], .completed(interval: t1)),
    ([.begin, .failure], .timer(.g), [.transmitResponse, .start(.g, t1 * 2)], .completed(interval: t1 * 2)),
    (
      [.begin, .failure, .timer(.g), .timer(.g), .timer(.g)], .timer(.g), [.transmitResponse, .start(.g, t2)],
      .completed(interval: t2)
    ),
    ([.begin, .failure], .failure, [], .completed(interval: t1)),
    ([.begin, .failure], .ack, [.stop(.g), .start(.i, t4)], .confirmed),
    ([.begin, .failure], .timer(.h), [.failed(.noACK), .terminated], .terminated),
    ([.begin, .failure, .ack], .ack, [], .confirmed),
    ([.begin, .failure, .ack], .request, [], .confirmed),
    ([.begin, .failure, .ack], .timer(.h), [], .confirmed),
    ([.begin, .failure, .ack], .timer(.g), [], .confirmed),
    ([.begin, .failure, .ack], .timer(.i), [.terminated], .terminated),
  ]
  static let reliable: [Row] = [
    ([.begin], .failure, [.stop(.trying), .transmitResponse, .start(.h, long)], .completed(interval: t1)),
    ([.begin, .failure], .ack, [.stop(.g), .terminated], .terminated),
  ]

  @Test("transitions over UDP", arguments: unreliable)
  func overDatagrams(row: Row) { check(row, isReliable: false) }
  @Test("transitions over TCP", arguments: reliable)
  func overStreams(row: Row) { check(row, isReliable: true) }

  private func check(_ row: Row, isReliable: Bool) {
    var machine = InviteServerTransaction(isReliable: isReliable)
    var actions: [TransactionAction] = []
    for input in row.0 { machine.handle(input, into: &actions) }
    actions = []

    machine.handle(row.1, into: &actions)

    #expect(actions == row.2 && machine.state == row.3, "\(row.0) then \(row.1)")
  }
}

@Suite("Non-INVITE server transaction (RFC 3261 §17.2.2)")
struct TransactionNonInviteServerTests {
  typealias Row = (
    [ServerTransactionInput], ServerTransactionInput, [TransactionAction], NonInviteServerTransaction.State
  )

  static let unreliable: [Row] = [
    ([], .begin, [.deliver], .trying),
    ([.begin], .request, [], .trying),
    ([.begin], .provisional, [.transmitResponse], .proceeding),
    ([.begin], .success, [.transmitResponse, .start(.j, long)], .completed),
    ([.begin], .failure, [.transmitResponse, .start(.j, long)], .completed),
    ([.begin], .transportFailed, [.failed(.transport), .terminated], .terminated),
    ([.begin, .provisional], .request, [.transmitResponse], .proceeding),
    ([.begin, .provisional], .provisional, [.transmitResponse], .proceeding),
    ([.begin, .provisional], .success, [.transmitResponse, .start(.j, long)], .completed),
    ([.begin, .success], .request, [.transmitResponse], .completed),
    ([.begin, .success], .failure, [], .completed),
    ([.begin, .success], .transportFailed, [.failed(.transport), .terminated], .terminated),
    ([.begin, .success], .timer(.j), [.terminated], .terminated),
  ]
  static let reliable: [Row] = [([.begin], .success, [.transmitResponse, .terminated], .terminated)]

  @Test("transitions over UDP", arguments: unreliable)
  func overDatagrams(row: Row) { check(row, isReliable: false) }
  @Test("transitions over TCP", arguments: reliable)
  func overStreams(row: Row) { check(row, isReliable: true) }

  private func check(_ row: Row, isReliable: Bool) {
    var machine = NonInviteServerTransaction(isReliable: isReliable)
    var actions: [TransactionAction] = []
    for input in row.0 { machine.handle(input, into: &actions) }
    actions = []

    machine.handle(row.1, into: &actions)

    #expect(actions == row.2 && machine.state == row.3, "\(row.0) then \(row.1)")
  }
}
