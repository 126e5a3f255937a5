//  XMLElement+Parsing.swift: XML to a tree, by libxml2's streaming reader, bounded.

internal import CXML

extension XMLElement {
  /// Reads one document.
  ///
  /// No document type, no entities but the five of XML, no network, no files; UTF-8 only; refused as soon as a
  /// limit is passed. A refused document costs one pass over its bytes at most.
  public init(parsing bytes: some Collection<UInt8>, limits: DocumentLimits = .untrusted) throws(DocumentError) {
    guard bytes.count <= limits.bytes else { throw .tooLong }
    var document = Array(bytes)
    // A zero byte is legal UTF-8 but never legal XML; it is what UTF-16 and UTF-32 are full of.
    guard !document.contains(0), String(validating: document, as: UTF8.self) != nil else { throw .badEncoding }
    if document.starts(with: [0xef, 0xbb, 0xbf]) { document.removeFirst(3) }
    try XMLGate.check(document[...], limits: limits)
    self = try XMLTreeReader.read(document, limits: limits)
  }
}

/// Drives the reader and builds the tree without recursion.
private enum XMLTreeReader {
  /// libxml2's global tables, set up once: Swift initialises a global exactly once, whichever thread comes first.
  /// They are never torn down, since other users of the library in this process would lose them too.
  static let initialized: Bool = {
    xmlInitParser()
    return true
  }()

  struct Frame {
    var name: XMLName
    var attributes: [XMLAttribute]
    var children: [XMLElement] = []
    var text = ""

    var element: XMLElement {
      // White space between child elements is layout, not content.
      let isLayout = !children.isEmpty && text.utf8.allSatisfy(\.isXMLSpace)
      return XMLElement(name, attributes: attributes, children: children, text: isLayout ? "" : text)
    }
  }

  static func read(_ document: [UInt8], limits: DocumentLimits) throws(DocumentError) -> XMLElement {
    guard initialized, let count = Int32(exactly: document.count), count > 0 else { throw .malformed }
    var frames: [Frame] = []
    var root: XMLElement?
    var failure: DocumentError?
    // The reader borrows the bytes, so it lives and dies inside the closure.
    unsafe document.withUnsafeBufferPointer { buffer in
      let options = Int32(
        bitPattern: XML_PARSE_NONET.rawValue | XML_PARSE_NOERROR.rawValue | XML_PARSE_NOWARNING.rawValue)
      let start = unsafe UnsafeRawPointer(buffer.baseAddress)?.assumingMemoryBound(to: CChar.self)
      guard let reader = unsafe xmlReaderForMemory(start, count, nil, "UTF-8", options) else {
        failure = .malformed
        return
      }
      defer { unsafe xmlFreeTextReader(reader) }
      do throws(DocumentError) {
        while true {
          let more = unsafe xmlTextReaderRead(reader)
          if more == 0 { break }
          guard more == 1 else { throw .malformed }
          try unsafe take(reader, &frames, &root, limits)
        }
      } catch {
        failure = error
      }
    }
    if let failure { throw failure }
    guard let root, frames.isEmpty else { throw .malformed }
    return root
  }

  /// Takes the node the reader stands on.
  @unsafe private static func take(
    _ reader: xmlTextReaderPtr, _ frames: inout [Frame], _ root: inout XMLElement?, _ limits: DocumentLimits
  ) throws(DocumentError) {
    let kind = unsafe xmlReaderTypes(rawValue: UInt32(bitPattern: xmlTextReaderNodeType(reader)))
    switch kind {
    case XML_READER_TYPE_ELEMENT:
      guard frames.count < limits.depth else { throw .tooComplex }
      let isEmpty = unsafe xmlTextReaderIsEmptyElement(reader) == 1
      let frame = Frame(name: try unsafe name(reader), attributes: try unsafe attributes(reader))
      frames.append(frame)
      if isEmpty { close(&frames, &root) }
    case XML_READER_TYPE_END_ELEMENT:
      close(&frames, &root)
    case XML_READER_TYPE_TEXT, XML_READER_TYPE_CDATA, XML_READER_TYPE_WHITESPACE,
      XML_READER_TYPE_SIGNIFICANT_WHITESPACE:
      if let last = frames.indices.last { unsafe frames[last].text += string(xmlTextReaderConstValue(reader)) }
    case XML_READER_TYPE_COMMENT, XML_READER_TYPE_PROCESSING_INSTRUCTION, XML_READER_TYPE_XML_DECLARATION:
      break
    case XML_READER_TYPE_DOCUMENT_TYPE:
      throw .doctype
    default:
      throw .malformed
    }
  }

  private static func close(_ frames: inout [Frame], _ root: inout XMLElement?) {
    guard let frame = frames.popLast() else { return }
    if let parent = frames.indices.last {
      frames[parent].children.append(frame.element)
    } else {
      root = frame.element
    }
  }

  /// The name of the element or attribute the reader stands on. libxml2 lets an undeclared prefix pass as part
  /// of the local name; here that is an error, as Namespaces in XML says.
  @unsafe private static func name(_ reader: xmlTextReaderPtr) throws(DocumentError) -> XMLName {
    let local = unsafe string(xmlTextReaderConstLocalName(reader))
    guard !local.isEmpty, !local.utf8.contains(UInt8(ascii: ":")) else { throw .malformed }
    var namespace = unsafe string(xmlTextReaderConstNamespaceUri(reader))
    // libxml2 leaves an ampersand of a namespace declaration as a character reference.
    if namespace.utf8.contains(UInt8(ascii: "&")) { namespace = namespace.replacing("&#38;", with: "&") }
    return XMLName(namespace, local)
  }

  @unsafe private static func attributes(_ reader: xmlTextReaderPtr) throws(DocumentError) -> [XMLAttribute] {
    var attributes: [XMLAttribute] = []
    while unsafe xmlTextReaderMoveToNextAttribute(reader) == 1 {
      if unsafe xmlTextReaderIsNamespaceDecl(reader) == 1 { continue }
      guard attributes.count < DocumentLimits.attributesPerElement else { throw .tooComplex }
      attributes.append(XMLAttribute(try unsafe name(reader), unsafe string(xmlTextReaderConstValue(reader))))
    }
    unsafe xmlTextReaderMoveToElement(reader)
    return attributes
  }

  /// libxml2's strings end in a zero byte and are valid until the reader moves on.
  @unsafe private static func string(_ pointer: UnsafePointer<xmlChar>?) -> String {
    guard let pointer = unsafe pointer else { return "" }
    return unsafe String(cString: pointer)
  }
}
