//  MediaWorker.swift: one share-nothing data plane: datagrams and commands in, datagrams and events out.
//  Walk: WorkerThread → MediaWorker.receive → DatagramRouter … AudioMixer → SendStream → DatagramBatch

import MediaTransport
import Primitives

/// All media of the meetings that one thread owns. A core: no clock, no I/O, no lock.
///
/// The shell fills a batch with buffers of `pool` and hands it to `receive`; every buffer in it then belongs to the
/// worker. What comes back in `egress` belongs to the shell, which gives the buffers back to `pool` once sent.
public struct MediaWorker: ~Copyable {
  public let configuration: MediaWorkerConfiguration
  /// Where all packets of this worker live.
  public var pool: PacketPool

  /// - Parameters:
  ///   - now: the origin of the worker's ticks.
  ///   - packetMemory: as in `PacketPool.init`: `configuration.limits.packets * PacketPool.bufferSize` bytes, or `nil`.
  public init(configuration: MediaWorkerConfiguration, now: Instant, packetMemory: UnsafeMutableRawPointer? = nil) {
    self.configuration = configuration
    pool = unsafe PacketPool(capacity: configuration.limits.packets, memory: packetMemory)
  }

  /// Takes every datagram of `batch`, and empties it. Never stops half-way: what cannot be used is dropped and counted.
  public mutating func receive(_ batch: inout DatagramBatch, now: Instant, into egress: inout DatagramBatch) {
    for index in 0..<batch.count { pool.give(batch[index].buffer) }
    batch.removeAll()
  }

  /// Performs one command of the control core. Call only while `acceptsCommand`.
  public mutating func handle(_ command: MediaCommand, now: Instant, into egress: inout DatagramBatch) {}

  /// Does everything that is due at `now`. Stops early when `egress` is full; `nextDeadline` is then still ≤ `now`:
  /// send what is in it and call again.
  public mutating func advance(to now: Instant, into egress: inout DatagramBatch) {}

  /// When `advance` next has something to do.
  public var nextDeadline: Instant { .never }

  /// Whether the event ring has room for all that one command may cause. The shell leaves commands queued meanwhile.
  public var acceptsCommand: Bool { true }

  /// The oldest event not yet taken; then reports, of which only the newest is kept.
  public mutating func takeEvent() -> MediaEvent? { nil }

  /// Tells the worker when what it put into `egress` since the last call had been handed to the kernel: the end of its
  /// ticks, which it cannot know itself. Feeds the slack and residence histograms.
  public mutating func departed(at now: Instant) {}

  /// Adds to the time that the shell waited for work, for the report's `busy`.
  public mutating func waited(_ interval: Interval) {}
}
