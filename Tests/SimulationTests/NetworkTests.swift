//  NetworkTests.swift: the simulated network does what its options say, and the same for the same seed.

import Primitives
import Simulation
import Testing

@Suite("The simulated network")
struct NetworkTests {
  private static let here = SimulatedNode.phone(0)
  private static let there = SimulatedNode.host(0)

  private func network(seed: UInt64 = 1, _ change: (inout NetworkOptions) -> Void) -> SimulatedNetwork {
    var options = NetworkOptions()
    change(&options)
    return SimulatedNetwork(options: options, random: RandomSource(seed: seed))
  }

  private func arrivals(_ network: inout SimulatedNetwork, _ count: Int) -> [Instant] {
    (0..<count).flatMap { index -> [Instant] in
      let now = Instant.zero + .milliseconds(20 * index)
      let fate = network.fate(.media, from: Self.here, to: Self.there, now: now)
      return [fate.first, fate.second].compactMap { $0 }
    }
  }

  @Test("without faults everything arrives once and in order")
  func faithful() {
    var network = network { $0.media.jitter = 50_000 }
    let arrived = arrivals(&network, 1_000)

    #expect(arrived.count == 1_000)
    #expect(zip(arrived, arrived.dropFirst()).allSatisfy { $0 <= $1 })
  }

  @Test("loss, duplication and reordering in their shares")
  func faults() {
    var network = network {
      $0.media.loss = 100
      $0.media.duplication = 50
      $0.media.reordering = 50
    }
    let arrived = arrivals(&network, 10_000)

    #expect((800...1_200).contains(network.lost))
    #expect((350...550).contains(network.duplicated))
    #expect((350...550).contains(network.reordered))
    #expect(arrived.count == 10_000 - network.lost + network.duplicated)
    #expect(zip(arrived, arrived.dropFirst()).contains { $0 > $1 })
  }

  @Test("bursts lose packets in a row")
  func bursts() {
    var network = network {
      $0.media.burstStart = 10
      $0.media.burstEnd = 250
    }
    var run = 0
    var longest = 0
    for index in 0..<10_000 {
      let fate = network.fate(
        .media, from: Self.here, to: Self.there, now: .zero + .milliseconds(20 * index))
      run = fate.first == nil ? run + 1 : 0
      longest = max(longest, run)
    }

    #expect(longest >= 8)
  }

  @Test("a partition is one way, of one class, and passes")
  func partition() {
    var network = network { _ in }
    network.add(Partition(from: Self.here, to: nil, path: .media, until: .zero + .seconds(1)))

    #expect(network.fate(.media, from: Self.here, to: Self.there, now: .zero).first == nil)
    #expect(network.fate(.media, from: Self.there, to: Self.here, now: .zero).first != nil)
    #expect(network.fate(.signalling, from: Self.here, to: Self.there, now: .zero).first != nil)
    #expect(network.fate(.media, from: Self.here, to: Self.there, now: .zero + .seconds(1)).first != nil)
  }

  @Test("a stream waits for a short partition and breaks in a long one")
  func streams() {
    var network = network { _ in }
    network.add(Partition(from: Self.here, to: nil, path: nil, until: .zero + .seconds(1)))

    guard case .arrives(let at) = network.streamFate(from: Self.here, to: Self.there, after: .zero, now: .zero) else {
      Issue.record("a short partition breaks a stream")
      return
    }
    #expect(at > .zero + .seconds(1))

    network.add(Partition(from: Self.here, to: nil, path: nil, until: .zero + .seconds(60)))
    let fate = network.streamFate(from: Self.here, to: Self.there, after: .zero, now: .zero)
    #expect(fate == .breaks(.zero + .seconds(4)))
  }

  @Test("a healed network is faithful")
  func heal() {
    var network = network {
      $0.media.loss = 500
      $0.signalling.duplication = 500
    }
    network.add(Partition(from: nil, to: nil, path: nil, until: .never))
    network.heal()

    #expect(network.options.isFaithful)
    #expect(arrivals(&network, 500).count == 500)
  }

  @Test("the same seed, the same fates")
  func repeatable() {
    var random = RandomSource(seed: UInt64(9))
    let options = NetworkOptions.faulty(from: &random)
    var first = network(seed: 4) { $0 = options }
    var second = network(seed: 4) { $0 = options }
    var other = network(seed: 5) { $0 = options }
    let fates = arrivals(&first, 500)

    #expect(fates == arrivals(&second, 500))
    #expect(fates != arrivals(&other, 500))
  }
}
