//  XMLNamespace.swift: the namespaces of the documents Parley reads and writes.

public enum XMLNamespace {
  /// C3P.
  public static let cccp = "urn:ietf:params:xml:ns:cccp"
  public static let cccpExtensions = "http://schemas.microsoft.com/rtc/2005/08/cccpextensions"
  /// RFC 4575.
  public static let conferenceInfo = "urn:ietf:params:xml:ns:conference-info"
  public static let conferenceInfoSeparator = "urn:ietf:params:xml:ns:conference-info-separator"
  public static let conferenceInfoExtensions = "http://schemas.microsoft.com/rtc/2005/08/confinfoextensions"
  /// RFC 6917.
  public static let mrbPublish = "urn:ietf:params:xml:ns:mrb-publish"
  /// Our numbers about a media host's load.
  public static let load = "urn:example:mcu-load:1"
  /// What a media host tells its Focus beyond RFC 4575 and `msci`: active speakers, size, digits.
  public static let parley = "urn:example:parley-conference:1"

  /// The prefix by which a namespace is written when it is not the default one.
  static func prefix(_ namespace: String) -> String? {
    switch namespace {
    case cccp: "cccp"
    case cccpExtensions: "mscp"
    case conferenceInfo: "ci"
    case conferenceInfoSeparator: "cis"
    case conferenceInfoExtensions: "msci"
    case mrbPublish: "mrb"
    case load: "x"
    case parley: "pc"
    case "http://www.w3.org/XML/1998/namespace": "xml"
    default: nil
    }
  }
}
