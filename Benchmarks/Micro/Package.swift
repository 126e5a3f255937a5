// swift-tools-version: 6.2
//  Package.swift: benchmarks apart from the product, single steps and the jitter buffer's score: nothing is fetched.
import PackageDescription

// `Modules` and `AllocationCounter` are links into the product's sources: the same files and the same code generation.
#if arch(x86_64)
  let processor: [SwiftSetting] = [.unsafeFlags(["-Xcc", "-march=x86-64-v3"])]
#else
  let processor: [SwiftSetting] = []
#endif

func module(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .target(name: name, dependencies: dependencies, path: "Modules/\(name)", swiftSettings: processor)
}

let package = Package(
  name: "Micro",
  targets: [
    .target(name: "CLinux", path: "Modules/CLinux", cSettings: [.define("_GNU_SOURCE")]),
    .systemLibrary(name: "COpenSSL", path: "Modules/COpenSSL", pkgConfig: "libcrypto"),
    .systemLibrary(name: "CIPsecMB", path: "Modules/CIPsecMB"),
    .systemLibrary(name: "CSRTP", path: "Modules/CSRTP", pkgConfig: "libsrtp2"),
    .systemLibrary(name: "COpus", path: "Modules/COpus", pkgConfig: "opus"),
    .systemLibrary(name: "CNUMA", path: "Modules/CNUMA", pkgConfig: "numa"),
    module("Primitives", []),
    module("RTP", ["Primitives"]),
    module("SIP", ["Primitives"]),
    module("LinuxIO", ["Primitives", "CLinux", "CNUMA"]),
    module("MediaTransport", ["Primitives", "RTP", "COpenSSL", "CIPsecMB", "CSRTP"]),
    module("Codecs", ["Primitives", "COpus"]),
    module("Media", ["Primitives", "RTP", "MediaTransport", "Codecs"]),
    .target(name: "AllocationCounter", path: "AllocationCounter"),
    .target(name: "Callgrind"),
    .executableTarget(
      name: "Micro",
      dependencies: [
        "Primitives", "RTP", "SIP", "LinuxIO", "MediaTransport", "Codecs", "Media", "AllocationCounter", "Callgrind",
      ], swiftSettings: processor + [.treatAllWarnings(as: .error)]),
    // `JitterSimulation.swift` is a link to the file that the tests use.
    .executableTarget(
      name: "Jitter", dependencies: ["Primitives", "Media"],
      swiftSettings: processor + [.treatAllWarnings(as: .error)]),
  ]
)
