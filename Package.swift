// swift-tools-version: 6.2
//  Package.swift: Parley's targets in layer order; a target depends only on lower layers, so the manifest is the map.
import PackageDescription

// Swift's code generation follows clang's -march. x86-64-v3 (AVX2) is checked for when a program starts.
#if arch(x86_64)
  let processor: [SwiftSetting] = [.unsafeFlags(["-Xcc", "-march=x86-64-v3"])]
#else
  let processor: [SwiftSetting] = []
#endif

let strict: [SwiftSetting] = processor + [.treatAllWarnings(as: .error), .strictMemorySafety()]
let tested: [SwiftSetting] = processor + [.treatAllWarnings(as: .error)]

let package = Package(
  name: "Parley",
  products: [
    .executable(name: "parley", targets: ["Parley"]),
    .executable(name: "parley-front-end", targets: ["FrontEnd"]),
    .executable(name: "parley-media-host", targets: ["MediaHost"]),
    .executable(name: "parley-load", targets: ["LoadGenerator"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
  ],
  targets: [
    // Layer 0: what Swift cannot import by itself.
    .target(name: "CLinux", cSettings: [.define("_GNU_SOURCE")]),
    .systemLibrary(name: "COpenSSL", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
    .systemLibrary(name: "CIPsecMB", providers: [.apt(["libipsec-mb-dev"])]),
    .systemLibrary(name: "CSRTP", pkgConfig: "libsrtp2", providers: [.apt(["libsrtp2-dev"])]),
    .systemLibrary(name: "COpus", pkgConfig: "opus", providers: [.apt(["libopus-dev"])]),
    .systemLibrary(name: "CNUMA", pkgConfig: "numa", providers: [.apt(["libnuma-dev"])]),
    .systemLibrary(name: "CXML", pkgConfig: "libxml-2.0", providers: [.apt(["libxml2-dev"])]),

    // Layer 1
    .target(name: "Primitives", swiftSettings: strict),

    // Layer 2: bytes and values of one protocol each; system calls.
    .target(name: "RTP", dependencies: ["Primitives"], swiftSettings: strict),
    .target(name: "SDP", dependencies: ["Primitives"], swiftSettings: strict),
    .target(name: "SIP", dependencies: ["Primitives"], swiftSettings: strict),
    .target(name: "ConferenceDocuments", dependencies: ["Primitives", "CXML"], swiftSettings: strict),
    .target(name: "LinuxIO", dependencies: ["Primitives", "CLinux", "CNUMA"], swiftSettings: strict),

    // Layer 3
    .target(
      name: "MediaTransport", dependencies: ["Primitives", "RTP", "COpenSSL", "CIPsecMB", "CSRTP"],
      swiftSettings: strict),
    .target(name: "Codecs", dependencies: ["Primitives", "COpus"], swiftSettings: strict),

    // Layer 4
    .target(name: "Media", dependencies: ["Primitives", "RTP", "MediaTransport", "Codecs"], swiftSettings: strict),
    .target(
      name: "Conferencing", dependencies: ["Primitives", "SIP", "SDP", "ConferenceDocuments"], swiftSettings: strict),

    // Layer 5
    .target(
      name: "AVConferencing",
      dependencies: ["Primitives", "SIP", "SDP", "ConferenceDocuments", "MediaTransport", "Media"],
      swiftSettings: strict),
    .target(
      name: "SIPEdge",
      dependencies: [
        "Primitives", "SIP",
        .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
      ], swiftSettings: strict),

    // Layer 6
    .target(name: "Deployment", dependencies: ["Primitives", "Yams"], swiftSettings: strict),

    .target(
      name: "ConferenceStore",
      dependencies: ["Primitives", "Conferencing", .product(name: "GRDB", package: "GRDB.swift")],
      swiftSettings: strict),

    .target(
      name: "Simulation",
      dependencies: [
        "Primitives", "RTP", "SDP", "SIP", "MediaTransport", "Codecs", "Media", "Conferencing", "AVConferencing",
      ], swiftSettings: strict),

    // Layer 7: the programs.
    .executableTarget(
      name: "MediaHost",
      dependencies: [
        "Primitives", "LinuxIO", "SIP", "SIPEdge", "MediaTransport", "Media", "AVConferencing", "Deployment",
        .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ], swiftSettings: strict),
    .executableTarget(
      name: "LoadGenerator",
      dependencies: [
        "Primitives", "LinuxIO", "RTP", "SDP", "SIP", "SIPEdge", "MediaTransport", "Media", "Simulation",
        .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ], swiftSettings: strict),
    .executableTarget(
      name: "FrontEnd",
      dependencies: [
        "Primitives", "SIP", "SIPEdge", "Conferencing", "ConferenceStore", "Deployment",
        .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "Logging", package: "swift-log"),
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ], swiftSettings: strict),
    .executableTarget(
      name: "Parley",
      dependencies: [
        "Primitives", "Deployment", "ConferenceStore",
        .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
        .product(name: "NIOHTTP1", package: "swift-nio"),
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ], swiftSettings: strict),

    // Tests
    .target(name: "AllocationCounter", path: "Tests/AllocationCounter"),
    .testTarget(name: "ArchitectureTests", swiftSettings: tested),
    .testTarget(name: "PrimitivesTests", dependencies: ["Primitives"], swiftSettings: tested),
    .testTarget(name: "RTPTests", dependencies: ["Primitives", "RTP"], swiftSettings: tested),
    .testTarget(name: "SDPTests", dependencies: ["Primitives", "SDP"], swiftSettings: tested),
    .testTarget(name: "SIPTests", dependencies: ["Primitives", "SIP"], swiftSettings: tested),
    .testTarget(
      name: "ConferenceDocumentsTests", dependencies: ["Primitives", "ConferenceDocuments"], swiftSettings: tested),
    .testTarget(name: "LinuxIOTests", dependencies: ["Primitives", "LinuxIO"], swiftSettings: tested),
    .testTarget(
      name: "MediaTransportTests", dependencies: ["Primitives", "RTP", "MediaTransport", "AllocationCounter"],
      swiftSettings: tested),
    .testTarget(name: "CodecsTests", dependencies: ["Primitives", "Codecs"], swiftSettings: tested),
    .testTarget(
      name: "MediaTests",
      dependencies: ["Primitives", "RTP", "MediaTransport", "Codecs", "Media", "AllocationCounter"],
      swiftSettings: tested),
    .testTarget(
      name: "ConferencingTests", dependencies: ["Primitives", "SIP", "SDP", "ConferenceDocuments", "Conferencing"],
      swiftSettings: tested),
    .testTarget(
      name: "AVConferencingTests",
      dependencies: [
        "Primitives", "SIP", "SDP", "ConferenceDocuments", "MediaTransport", "Media", "AVConferencing",
      ], swiftSettings: tested),
    .testTarget(
      name: "SIPEdgeTests",
      dependencies: [
        "Primitives", "SIP", "SIPEdge",
        .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
      ], swiftSettings: tested),
    .testTarget(
      name: "MediaHostTests", dependencies: ["Primitives", "RTP", "LinuxIO", "Media", "MediaHost"],
      swiftSettings: tested),
    .testTarget(name: "DeploymentTests", dependencies: ["Primitives", "Deployment"], swiftSettings: tested),
    .testTarget(
      name: "ConferenceStoreTests", dependencies: ["Primitives", "Conferencing", "ConferenceStore"],
      swiftSettings: tested),
    .testTarget(
      name: "SimulationTests",
      dependencies: [
        "Primitives", "SDP", "SIP", "MediaTransport", "Media", "Conferencing", "AVConferencing", "Simulation",
      ], swiftSettings: tested),
    .testTarget(
      name: "LoadGeneratorTests", dependencies: ["Primitives", "Media", "Simulation", "LoadGenerator"],
      swiftSettings: tested),
    .testTarget(
      name: "SystemTests", dependencies: ["Primitives", "SIP", "SDP", "ConferenceDocuments"], exclude: ["Scenarios"],
      swiftSettings: tested),
  ]
)
