//  ConferenceRecorder.swift: carries records from the control thread to the store, so that a slow disk delays no call.

import Dispatch
import Synchronization

/// Queues records and writes them in batches on a thread of its own. When the store fails, records wait and are tried
/// again; past `ConferenceStoreLimits.recordsWaiting` the oldest are lost, and counted.
public final class ConferenceRecorder: Sendable {
  private struct State {
    var waiting: [DatedRecord] = []
    /// How many have ever left the front of `waiting`, written or lost.
    var departed: UInt64 = 0
    var isWriting = false
    var lost: UInt64 = 0
  }
  private let store: any ConferenceStore
  private let state = Mutex(State())
  private let queue = DispatchQueue(label: "parley.store")
  private let onFailure: @Sendable (any Error) -> Void

  /// - Parameter onFailure: called on the recorder's thread for each failed attempt.
  public init(store: any ConferenceStore, onFailure: @escaping @Sendable (any Error) -> Void) {
    self.store = store
    self.onFailure = onFailure
  }

  /// Records that the store never got.
  public var lost: UInt64 { state.withLock { $0.lost } }

  public func record(_ record: DatedRecord) {
    let mustStart = state.withLock { state in
      if state.waiting.count >= ConferenceStoreLimits.recordsWaiting {
        state.waiting.removeFirst(ConferenceStoreLimits.recordsPerWrite)
        state.departed += UInt64(ConferenceStoreLimits.recordsPerWrite)
        state.lost += UInt64(ConferenceStoreLimits.recordsPerWrite)
      }
      state.waiting.append(record)
      defer { state.isWriting = true }
      return !state.isWriting
    }
    if mustStart { queue.async { self.writeWaiting() } }
  }

  /// Returns when everything recorded before was written, or could not be.
  public func flush() {
    queue.sync {
      while state.withLock({ !$0.waiting.isEmpty }) {
        guard writeBatch() else { return }
      }
    }
  }

  private func writeWaiting() {
    while true {
      let isDone = state.withLock { state in
        if state.waiting.isEmpty { state.isWriting = false }
        return state.waiting.isEmpty
      }
      if isDone { return }
      if !writeBatch() {
        queue.asyncAfter(deadline: .now() + .seconds(1)) { self.writeWaiting() }
        return
      }
    }
  }

  private func writeBatch() -> Bool {
    let (batch, first) = state.withLock {
      (Array($0.waiting.prefix(ConferenceStoreLimits.recordsPerWrite)), $0.departed)
    }
    do {
      try store.write(batch)
      state.withLock { state in
        // Some of the batch may have been given up meanwhile, to make room.
        let written = Int(first) + batch.count - Int(state.departed)
        guard written > 0 else { return }
        state.waiting.removeFirst(written)
        state.departed += UInt64(written)
      }
      return true
    } catch {
      onFailure(error)
      return false
    }
  }
}
