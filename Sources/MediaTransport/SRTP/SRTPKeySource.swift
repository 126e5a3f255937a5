//  SRTPKeySource.swift: where a transform's session keys come from.

import Primitives

/// Yields the session keys of one direction.
enum SRTPKeySource {
  /// Derived by RFC 3711 §4.3.
  case master(SRTPMasterKey)
  /// Given: the published vectors of RFC 7714 start from session keys. The same for RTP and RTCP, AEAD only.
  case session(suite: SRTPSuite, key: [UInt8], salt: [UInt8])

  var suite: SRTPSuite {
    switch self {
    case .master(let master): master.suite
    case .session(let suite, _, _): suite
    }
  }

  var mki: [UInt8] {
    switch self {
    case .master(let master): master.mki
    case .session: []
    }
  }

  /// Key and salt have the suite's sizes.
  var isValid: Bool {
    switch self {
    case .master(let master): master.key.count == suite.keyCount && master.salt.count == suite.saltCount
    case .session(_, let key, let salt):
      key.count == suite.keyCount && salt.count == suite.saltCount && suite.saltCount == 12
    }
  }

  /// Writes the key for `label` to the start of `span`, which has room for `count` bytes.
  func fill(_ span: inout MutableSpan<UInt8>, _ label: SRTPKeyDerivation.Label, count: Int) throws(SRTPError) {
    switch self {
    case .master(let master):
      var bytes = unsafe span.mutableBytes
      try SRTPKeyDerivation.derive(label, key: master.key, salt: master.salt, count: count, into: &bytes)
    case .session(_, let key, let salt):
      let given = label == .rtpSalt || label == .rtcpSalt ? salt : key
      guard given.count == count else { throw .invalidKey }
      for index in given.indices { span[index] = given[index] }
    }
  }
}
