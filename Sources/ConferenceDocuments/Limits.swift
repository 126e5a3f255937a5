//  Limits.swift: the largest documents Parley reads.

/// Bounds on XML from the network; what exceeds one is refused whole.
public struct DocumentLimits: Hashable, Sendable {
  /// Checked before anything is read.
  public var bytes: Int
  public var elements: Int
  /// Of the whole document, namespace declarations included.
  public var attributes: Int
  /// The root has depth 1.
  public var depth: Int

  public init(bytes: Int, elements: Int, attributes: Int, depth: Int) {
    self.bytes = bytes
    self.elements = elements
    self.attributes = attributes
    self.depth = depth
  }

  /// For what anybody may send: commands, small documents.
  public static let untrusted = DocumentLimits(bytes: 65_536, elements: 4_096, attributes: 4_096, depth: 64)
  /// For the roster of a large meeting from one of our own servers.
  public static let roster = DocumentLimits(bytes: 2_097_152, elements: 65_536, attributes: 65_536, depth: 64)

  /// Attributes and namespace declarations of one element.
  public static let attributesPerElement = 64
}

/// Bounds on a multipart body.
public enum MultipartLimits {
  public static let bytes = 262_144
  /// Of all levels together.
  public static let parts = 16
  /// A multipart inside a multipart inside a multipart is the deepest.
  public static let depth = 3
  /// RFC 2046 §5.1.1.
  public static let boundaryBytes = 70
  public static let headerBytesPerPart = 4_096
  public static let headersPerPart = 32
}
