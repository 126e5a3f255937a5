//  ArchitectureRules.swift: the layers and what each may use, and the reader that holds sources against them.

/// What may not happen, found in one line of one file.
struct Violation: Equatable, CustomStringConvertible {
  var file: String
  var line: Int
  var complaint: String
  var description: String { "\(file):\(line): \(complaint)" }
}

enum ArchitectureRules {
  /// Every target with its layer; a target imports only targets of lower layers.
  static let layers: [String: Int] = [
    "CLinux": 0, "COpenSSL": 0, "CIPsecMB": 0, "CSRTP": 0, "COpus": 0, "CNUMA": 0, "CXML": 0,
    "Primitives": 1,
    "RTP": 2, "SDP": 2, "SIP": 2, "ConferenceDocuments": 2, "LinuxIO": 2,
    "MediaTransport": 3, "Codecs": 3,
    "Media": 4, "Conferencing": 4,
    "AVConferencing": 5, "SIPEdge": 5,
    "Deployment": 6, "ConferenceStore": 6, "Simulation": 6,
    "MediaHost": 7, "FrontEnd": 7, "LoadGenerator": 7, "Parley": 7,
  ]

  /// Media knows nothing of SIP, SDP or people; Conferencing knows nothing of packets; workers know no NIO.
  static let strangers: [String: Set<String>] = [
    "Media": ["SIP", "SDP", "ConferenceDocuments", "LinuxIO"],
    "Conferencing": ["RTP", "MediaTransport", "Codecs", "Media", "LinuxIO"],
    "AVConferencing": ["LinuxIO", "RTP", "Codecs"],
    "Simulation": ["LinuxIO", "SIPEdge"],
  ]

  /// The C libraries and who alone may import them.
  static let libraryOwners: [String: Set<String>] = [
    "COpenSSL": ["MediaTransport"], "CIPsecMB": ["MediaTransport"], "CSRTP": ["MediaTransport"], "COpus": ["Codecs"],
    "CXML": ["ConferenceDocuments"],
    "CNUMA": ["LinuxIO"], "CLinux": ["LinuxIO"],
  ]

  /// Layers 1–6 decide; these shells act.
  static func isCore(_ target: String) -> Bool {
    guard let layer = layers[target] else { return false }
    return (1...6).contains(layer) && !["SIPEdge", "LinuxIO", "Deployment", "ConferenceStore"].contains(target)
  }

  /// Words that mean an effect, and why a core has none.
  static let forbiddenInCores: [(word: String, reason: String)] = [
    ("async", "a core is synchronous"), ("await", "a core is synchronous"), ("actor", "a core is a value"),
    ("Task", "a core starts nothing"), ("Mutex", "a core is owned by one thread"),
    ("NSLock", "a core is owned by one thread"), ("pthread_mutex_t", "a core is owned by one thread"),
    ("print", "a core has outputs"), ("debugPrint", "a core has outputs"), ("Logger", "a core has outputs"),
    ("ContinuousClock", "time is an argument"), ("SuspendingClock", "time is an argument"),
    ("clock_gettime", "time is an argument"), ("gettimeofday", "time is an argument"),
    ("SystemRandomNumberGenerator", "randomness is an argument"), ("arc4random", "randomness is an argument"),
    ("fatalError", "our own bug is a precondition; input is an error"),
  ]
  static let importsForbiddenInCores: Set<String> = [
    "Foundation", "FoundationEssentials", "Glibc", "Dispatch", "Logging", "NIOCore", "NIOPosix", "NIO", "GRDB",
  ]
  /// C's own mathematics is no effect; these cores need more of it than the standard library has.
  static let mathematicsAllowed: Set<String> = ["Codecs", "Media", "Simulation"]

  static func violations(in source: String, file: String, target: String) -> [Violation] {
    var found: [Violation] = []
    let layer = layers[target] ?? .max
    for (index, code) in codeLines(of: source).enumerated() {
      func complain(_ complaint: String) { found.append(Violation(file: file, line: index + 1, complaint: complaint)) }
      if let module = importedModule(code) {
        if let other = layers[module], other >= layer, module != target {
          complain("\(target) (layer \(layer)) imports \(module) (layer \(other))")
        }
        if strangers[target]?.contains(module) == true { complain("\(target) must know nothing of \(module)") }
        if let owners = libraryOwners[module], !owners.contains(target) {
          complain("only \(owners.sorted().joined(separator: ", ")) may import \(module)")
        }
        if isCore(target), importsForbiddenInCores.contains(module),
          !(module == "Glibc" && mathematicsAllowed.contains(target))
        {
          complain("a core does not import \(module)")
        }
        continue
      }
      guard isCore(target) else { continue }
      let words = words(of: code)
      for (word, reason) in forbiddenInCores where words.contains(word[...]) { complain("\(word): \(reason)") }
      if code.contains(".random("), !code.contains("using:") {
        complain(".random without using: randomness is an argument")
      }
    }
    return found
  }

  private static func importedModule(_ code: String) -> String? {
    let parts = code.split(separator: " ")
    guard let position = parts.firstIndex(of: "import"), position + 1 < parts.count,
      parts[..<position].allSatisfy({ $0.hasPrefix("@") || ["public", "package", "internal", "private"].contains($0) })
    else { return nil }
    return String(parts[position + 1].split(separator: ".")[0])
  }

  private static func words(of code: String) -> Set<Substring> {
    Set(code.split { !($0.isLetter || $0.isNumber || $0 == "_") })
  }

  /// The source line by line without comments and without the text of string literals.
  static func codeLines(of source: String) -> [String] {
    var inBlockComment = false
    var inMultilineString = false
    return source.split(separator: "\n", omittingEmptySubsequences: false).map { line in
      var code = ""
      var rest = line[...]
      var inString = false
      while let character = rest.first {
        if inBlockComment {
          if rest.hasPrefix("*/") {
            inBlockComment = false
            rest = rest.dropFirst(2)
          } else {
            rest = rest.dropFirst()
          }
        } else if inMultilineString {
          if rest.hasPrefix("\"\"\"") {
            inMultilineString = false
            rest = rest.dropFirst(3)
          } else {
            rest = rest.dropFirst()
          }
        } else if inString {
          rest = rest.dropFirst(character == "\\" ? 2 : 1)
          if character == "\"" { inString = false }
        } else if rest.hasPrefix("//") {
          break
        } else if rest.hasPrefix("/*") {
          inBlockComment = true
          rest = rest.dropFirst(2)
        } else if rest.hasPrefix("\"\"\"") {
          inMultilineString = true
          rest = rest.dropFirst(3)
        } else {
          if character == "\"" { inString = true } else { code.append(character) }
          rest = rest.dropFirst()
        }
      }
      return code
    }
  }
}
