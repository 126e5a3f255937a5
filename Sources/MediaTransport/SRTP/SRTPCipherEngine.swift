//  SRTPCipherEngine.swift: what one thread needs to run batches of ciphers.
//  Walk: SRTPBatch → SRTPCipherEngine → SRTPTransform

/// The cipher library's state of one worker: one per thread, made once, passed to each batch.
public struct SRTPCipherEngine: ~Copyable {
  public let backend: SRTPBackend

  /// - Parameter backend: as for the sessions of the same worker; sessions of another backend work too, one by one.
  public init(_ backend: SRTPBackend) {
    self.backend = backend
  }
}
