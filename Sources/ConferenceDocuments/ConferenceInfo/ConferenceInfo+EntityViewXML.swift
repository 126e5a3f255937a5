//  ConferenceInfo+EntityViewXML.swift: msci:entity-view, read and written.

private let ci = XMLNamespace.conferenceInfo
private let msci = XMLNamespace.conferenceInfoExtensions
private let parley = XMLNamespace.parley

extension ConferenceInfo.EntityView {
  init(element: XMLElement) throws(DocumentError) {
    self.init(entity: try element.required("entity"))
    state = try ConferenceInfo.ElementState(of: element)
    for child in element.children {
      if child.name == XMLName(msci, "entity-state") {
        entityState = try ConferenceInfo.EntityState(element: child)
      } else {
        extensions.append(child)
      }
    }
  }

  var element: XMLElement {
    var builder = ElementBuilder(msci, "entity-view")
    builder.attribute("entity", entity)
    if state != .full { builder.attribute("state", state.rawValue, namespace: ci) }
    builder.child(entityState?.element)
    builder.children(extensions)
    return builder.element
  }
}

extension ConferenceInfo.EntityState {
  /// Clients write the children in several namespaces, so they are told apart by local name.
  init(element: XMLElement) throws(DocumentError) {
    self.init()
    for child in element.children {
      switch child.name.local {
      case "locked": locked = try child.boolean()
      case "video-layout": videoLayout = child.trimmedText
      case "size": size = try child.unsigned()
      case "active-speaker":
        activeSpeakers = (activeSpeakers ?? []) + (child.trimmedText.map { [$0] } ?? [])
      case "media":
        for entry in child.anyChildren("entry") {
          media.append(
            ConferenceInfo.MediaEntry(
              label: try entry.required("label"), type: entry.anyChild("type")?.trimmedText))
        }
      case "mediaFiltersRules": filterRules = try ConferenceInfo.FilterRules(element: child)
      default: extensions.append(child)
      }
    }
  }

  var element: XMLElement {
    var builder = ElementBuilder(msci, "entity-state")
    builder.child("locked", locked.map { "\($0)" })
    if !media.isEmpty {
      builder.child(
        XMLElement(
          XMLName(msci, "media"),
          children: media.map { entry in
            var line = ElementBuilder(ci, "entry")
            line.attribute("label", entry.label)
            line.child("type", entry.type)
            return line.element
          }))
    }
    builder.child("video-layout", videoLayout)
    builder.child(filterRules?.element)
    builder.child("size", size.map { "\($0)" }, namespace: parley)
    if let activeSpeakers {
      // One empty element: nobody speaks, which is not the same as nothing said about it.
      builder.children(
        (activeSpeakers.isEmpty ? [""] : activeSpeakers).map { XMLElement(parley, "active-speaker", text: $0) })
    }
    builder.children(extensions)
    return builder.element
  }
}

extension ConferenceInfo.FilterRules {
  init(element: XMLElement) throws(DocumentError) {
    self.init()
    for child in element.children {
      guard let role = child.anyChild("role")?.trimmedText else { continue }
      switch child.name.local {
      case "mayModifyOwnFilters":
        mayModifyOwnFilters.append(.init(role: role, allowed: try child.requiredChild("value").boolean()))
      case "initialFilters":
        var filter = ConferenceInfo.InitialFilter(role: role)
        filter.ingress = child.anyChild("ingressFilter")?.trimmedText.flatMap { .init(rawValue: $0) }
        filter.egress = child.anyChild("egressFilter")?.trimmedText.flatMap { .init(rawValue: $0) }
        initialFilters.append(filter)
      default: break
      }
    }
  }

  var element: XMLElement {
    var builder = ElementBuilder(msci, "mediaFiltersRules")
    for rule in mayModifyOwnFilters {
      var line = ElementBuilder(msci, "mayModifyOwnFilters")
      line.child("role", rule.role)
      line.child("value", "\(rule.allowed)")
      builder.child(line.element)
    }
    for filter in initialFilters {
      var line = ElementBuilder(msci, "initialFilters")
      line.child("role", filter.role)
      line.child("ingressFilter", filter.ingress?.rawValue)
      line.child("egressFilter", filter.egress?.rawValue)
      builder.child(line.element)
    }
    return builder.element
  }
}
