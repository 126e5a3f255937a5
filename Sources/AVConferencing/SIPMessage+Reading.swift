//  SIPMessage+Reading.swift: the few things this host wants to know of a message, bounded.

import SIP

extension SIPMessage {
  /// User part of the Request-URI; empty when there is none.
  var targetUser: String { (try? requestURI)?.user ?? "" }

  /// For logs: at most 256 characters.
  var callIDText: String { String(callID.prefix(256)) }

  /// The From URI without parameters: who calls, where no `addUser` says it.
  var fromText: String {
    guard var uri = (try? from)?.uri else { return "sip:anonymous@anonymous.invalid" }
    uri.parameters = SIPParameters()
    uri.headers = SIPParameters()
    return String(uri.text.prefix(Limits.entityCharacters))
  }

  /// `expires` of the first Contact; a registrar that holds one binding of ours lists that one.
  var contactExpires: Int? {
    guard let contact = (try? contacts)?.first, let text = contact.parameters["expires"] else { return nil }
    return Int(text).flatMap { (0...3_600_000).contains($0) ? $0 : nil }
  }
}
