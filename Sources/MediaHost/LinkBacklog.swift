//  LinkBacklog.swift: messages for other workers that must not be lost, while the queue to one of them is full.
//  Walk: MediaWorker.takeLinkMessage → LinkBacklog → WorkerLinks.send ⇢ the other worker

import Media
import Primitives

/// Sends a worker's messages, those that are ordered (`LinkMessage.isOrdered`) in their order and without loss, as far as
/// `maximum` for each receiver allows. Allocates only while a queue is full.
struct LinkBacklog {
  /// 8 MiB for each receiver; more is given back to the worker as failed.
  static let maximum = 4096

  private let links: WorkerLinks?
  private let own: Int
  private var waiting: [[LinkMessage]]

  init(_ links: WorkerLinks?, own: Int) {
    self.links = links
    self.own = own
    waiting = Array(repeating: [], count: links?.workers ?? 0)
  }

  private(set) var isEmpty = true

  /// Sends what waits, then what the worker has written since.
  mutating func send(_ worker: inout MediaWorker) {
    if !isEmpty { retry() }
    while let (receiver, message) = worker.takeLinkMessage() {
      guard let links, waiting.indices.contains(receiver), !links.isRetired(receiver) else {
        worker.linkFailed(message, to: receiver)
        continue
      }
      if message.isOrdered, !waiting[receiver].isEmpty {
        keep(message, for: receiver, &worker)
      } else if !links.send(message, from: own, to: receiver) {
        if message.isOrdered { keep(message, for: receiver, &worker) } else { worker.linkFailed(message, to: receiver) }
      }
    }
  }

  private mutating func keep(_ message: LinkMessage, for receiver: Int, _ worker: inout MediaWorker) {
    guard waiting[receiver].count < Self.maximum else { return worker.linkFailed(message, to: receiver) }
    waiting[receiver].append(message)
    isEmpty = false
  }

  private mutating func retry() {
    isEmpty = true
    guard let links else { return }
    for receiver in waiting.indices where !waiting[receiver].isEmpty {
      var sent = 0
      while sent < waiting[receiver].count {
        guard links.isRetired(receiver) || links.send(waiting[receiver][sent], from: own, to: receiver) else { break }
        sent += 1
      }
      waiting[receiver].removeFirst(sent)
      if !waiting[receiver].isEmpty { isEmpty = false }
    }
  }
}
