// swift-tools-version: 6.2
//  Package.swift: the jitter buffer scored against arrival patterns; nothing is fetched, only what is scored is built.
import PackageDescription

// `Modules` is a link into the product's sources: the same files and the same code generation.
#if arch(x86_64)
  let processor: [SwiftSetting] = [.unsafeFlags(["-Xcc", "-march=x86-64-v3"])]
#else
  let processor: [SwiftSetting] = []
#endif

func module(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .target(name: name, dependencies: dependencies, path: "Modules/\(name)", swiftSettings: processor)
}

let package = Package(
  name: "Jitter",
  targets: [
    .systemLibrary(name: "COpenSSL", path: "Modules/COpenSSL", pkgConfig: "libcrypto"),
    .systemLibrary(name: "CIPsecMB", path: "Modules/CIPsecMB"),
    .systemLibrary(name: "CSRTP", path: "Modules/CSRTP", pkgConfig: "libsrtp2"),
    .systemLibrary(name: "COpus", path: "Modules/COpus", pkgConfig: "opus"),
    module("Primitives", []),
    module("RTP", ["Primitives"]),
    module("MediaTransport", ["Primitives", "RTP", "COpenSSL", "CIPsecMB", "CSRTP"]),
    module("Codecs", ["Primitives", "COpus"]),
    module("Media", ["Primitives", "RTP", "MediaTransport", "Codecs"]),
    // `JitterSimulation.swift` is a link to the file that the tests use.
    .executableTarget(
      name: "Jitter", dependencies: ["Primitives", "Media"],
      swiftSettings: processor + [.treatAllWarnings(as: .error)]),
  ]
)
