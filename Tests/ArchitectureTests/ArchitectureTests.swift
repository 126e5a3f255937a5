//  ArchitectureTests.swift: an architecture that nothing checks does not last.

import Foundation
import Testing

@Suite("Architecture: layers and cores")
struct ArchitectureTests {
  static let sources = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath().deletingLastPathComponent()
    .deletingLastPathComponent()
    .deletingLastPathComponent().appendingPathComponent("Sources")

  static func swiftFiles() throws -> [(target: String, path: String, source: String)] {
    let names = FileManager.default.enumerator(atPath: sources.path)?.compactMap { $0 as? String } ?? []
    return try names.filter { $0.hasSuffix(".swift") }.map {
      (
        String($0.split(separator: "/")[0]), $0,
        try String(contentsOf: sources.appendingPathComponent($0), encoding: .utf8)
      )
    }
  }

  @Test("no source breaks a layer or lets an effect into a core")
  func sourcesObeyTheLayers() throws {
    let files = try Self.swiftFiles()
    #expect(files.count > 20, "the sources were not found")

    let violations = files.flatMap { ArchitectureRules.violations(in: $0.source, file: $0.path, target: $0.target) }

    #expect(violations.isEmpty, "\(violations.map(\.description).joined(separator: "\n"))")
  }

  @Test("every folder of Sources is a target with a layer, or the decisions")
  func everyTargetHasALayer() throws {
    let folders = try FileManager.default.contentsOfDirectory(atPath: Self.sources.path).filter { !$0.contains(".") }

    let unknown = Set(folders).subtracting(ArchitectureRules.layers.keys).subtracting(["Decisions"])

    #expect(unknown.isEmpty)
  }

  @Test("the first line of every file says what it is")
  func filesIntroduceThemselves() throws {
    let silent = try Self.swiftFiles().filter { file in
      let name = file.path.split(separator: "/").last.map(String.init) ?? ""
      return !file.source.hasPrefix("//  \(name): ")
    }

    #expect(silent.isEmpty, "\(silent.map(\.path).joined(separator: "\n"))")
  }

  @Test(
    "the checker sees what it must",
    arguments: [
      ("SIP", "import Conferencing", true), ("SIP", "import Primitives", false), ("Media", "import SIP", true),
      ("Media", "import Foundation", true), ("Media", "import Glibc", false), ("SIP", "import Glibc", true),
      ("SIPEdge", "import Foundation", false), ("Conferencing", "public import Media", true),
      ("Focus", "import Anything", false), ("SIP", "func f() async {}", true), ("SIP", "// async", false),
      ("SIP", "let a = \"async\"", false), ("SIP", "let asynchronous = 1", false), ("SIP", "print(1)", true),
      ("RTP", "let x = Int.random(in: 0..<3)", true), ("RTP", "let x = Int.random(in: 0..<3, using: &source)", false),
      ("SDP", "import COpenSSL", true), ("MediaTransport", "import COpenSSL", false), ("SIP", "/* await */", false),
      ("FrontEnd", "await f()", false), ("Primitives", "import RTP", true), ("RTP", "import RTP", false),
    ])
  func checkerSees(target: String, source: String, isViolation: Bool) {
    #expect(ArchitectureRules.violations(in: source, file: "x", target: target).isEmpty == !isViolation)
  }
}
