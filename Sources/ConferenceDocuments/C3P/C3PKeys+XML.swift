//  C3PKeys+XML.swift: the keys of C3P commands, read and written.

private let cccp = XMLNamespace.cccp

extension ConferenceKeys {
  init(in command: XMLElement) throws(DocumentError) {
    self.init(conference: try command.requiredChild("conferenceKeys").required("confEntity"))
  }

  var element: XMLElement {
    var builder = ElementBuilder(cccp, "conferenceKeys")
    builder.attribute("confEntity", conference)
    return builder.element
  }
}

extension UserKeys {
  init(in command: XMLElement) throws(DocumentError) {
    let keys = try command.requiredChild("userKeys")
    self.init(conference: try keys.required("confEntity"), user: try keys.required("userEntity"))
  }

  var element: XMLElement {
    var builder = ElementBuilder(cccp, "userKeys")
    builder.attribute("confEntity", conference)
    builder.attribute("userEntity", user)
    return builder.element
  }
}

extension MediaKeys {
  init(in command: XMLElement) throws(DocumentError) {
    let keys = try command.requiredChild("mediaKeys")
    self.init(
      conference: try keys.required("confEntity"), user: try keys.required("userEntity"),
      endpoint: try keys.required("endpointEntity"), media: try keys.required("mediaId"))
  }

  var element: XMLElement {
    var builder = ElementBuilder(cccp, "mediaKeys")
    builder.attribute("confEntity", conference)
    builder.attribute("userEntity", user)
    builder.attribute("endpointEntity", endpoint)
    builder.attribute("mediaId", media)
    return builder.element
  }
}
