//  DeploymentConfigurationTests.swift: every error names the key and what was expected.

import Deployment
import Primitives
import Testing

@Suite("Configuration file")
struct DeploymentConfigurationTests {
  @Test("an empty file and no file are the defaults")
  func defaults() throws {
    #expect(try DeploymentConfiguration(yaml: nil, environment: [:]) == DeploymentConfiguration())
    #expect(try DeploymentConfiguration(yaml: "", environment: [:]) == DeploymentConfiguration())
    #expect(try DeploymentConfiguration(yaml: "front-end:\n", environment: [:]) == DeploymentConfiguration())
  }

  @Test("keys are read, the environment overrides")
  func keys() throws {
    let configuration = try DeploymentConfiguration(
      yaml: """
        front-end:
          listen: 192.0.2.1:5080
          domains: [Example.com, conf.example.com]
          open-meetings: false
          grace-period: 5m
        media-host:
          workers: [1, 2]
          media-port: 30000
          split-legs: 400
          split-busy: 45
        """,
      environment: ["PARLEY_FRONT_END_LISTEN": "[::1]:5061", "PARLEY_MEDIA_HOST_WORKERS": "3, 4", "HOME": "/"])

    #expect(configuration.frontEnd.listen == SocketAddress("[::1]:5061"))
    #expect(configuration.frontEnd.domains == ["example.com", "conf.example.com"])
    #expect(!configuration.frontEnd.openMeetings)
    #expect(configuration.frontEnd.gracePeriod == .seconds(300))
    #expect(configuration.mediaHost.workers == [3, 4])
    #expect(configuration.mediaHost.mediaPort == 30_000)
    #expect(configuration.mediaHost.splitLegs == 400 && configuration.mediaHost.splitBusy == 45)
  }

  @Test(
    "what is wrong is named with its key",
    arguments: [
      ("front-end:\n  listen: here", "front-end.listen (line 2): expected an address and port"),
      ("front-end:\n  listen: 0.0.0.0:5060", "front-end.listen (line 2): expected an address and port"),
      (
        "media-host:\n  media-address: \"::\"", "media-host.media-address (line 2): expected an IP address, not 0.0.0.0"
      ),
      ("front-end:\n  lissten: 1.2.3.4:5", "front-end.lissten (line 2): expected one of"),
      ("frontend:\n  listen: 1.2.3.4:5", "frontend (line 1): expected a section front-end or media-host"),
      ("front-end: 5", "front-end (line 1): expected a section of keys, found «5»"),
      ("front-end:\n  open-meetings: maybe", "front-end.open-meetings (line 2): expected true or false, found «maybe»"),
      ("front-end:\n  grace-period: 10", "front-end.grace-period (line 2): expected a time such as"),
      ("front-end:\n  listen: [1, 2]", "front-end.listen (line 2): expected an address and port"),
      ("media-host:\n  split-busy: 101", "media-host.split-busy (line 2): expected a number from 1 to 100"),
      ("media-host:\n  media-port: 40001", "media-host.media-port (line 2): expected an even port"),
      ("media-host:\n  workers: [1, x]", "media-host.workers (line 2): expected a CPU number, found «x»"),
      ("media-host:\n  name: a b", "media-host.name (line 2)"),
      (
        "media-host:\n  srtp: none", "media-host.srtp (line 2): expected auto, ipsec-mb, evp or reference, found «none»"
      ),
      ("- a\n- b", "file: expected sections"), ("a: [", "file: expected YAML"),
      ("front-end:\n  maximum-participants: 0", "a number from 1 to 100000, found «0»"),
      ("front-end:\n  maximum-participants: 99999999999999999999", "a number from 1 to 100000"),
    ])
  func complaints(yaml: String, complaint: String) {
    do {
      _ = try DeploymentConfiguration(yaml: yaml, environment: [:])
      Issue.record("accepted: \(yaml)")
    } catch {
      #expect(error.description.contains(complaint), "\(error.description)")
    }
  }

  @Test("the address of the figures: given, switched off in file and environment, wrong")
  func metrics() throws {
    let given = try DeploymentConfiguration(yaml: "media-host:\n  metrics: 0.0.0.0:9200", environment: [:])
    let off = try DeploymentConfiguration(yaml: "media-host:\n  metrics: \"\"", environment: [:])
    let offToo = try DeploymentConfiguration(yaml: nil, environment: ["PARLEY_MEDIA_HOST_METRICS": ""])

    #expect(DeploymentConfiguration().mediaHost.metrics == SocketAddress("127.0.0.1:9108"))
    #expect(given.mediaHost.metrics == SocketAddress("0.0.0.0:9200"))
    #expect(off.mediaHost.metrics == nil && offToo.mediaHost.metrics == nil)
    #expect(try DeploymentConfiguration(yaml: off.description, environment: [:]) == off)
    #expect(throws: ConfigurationError.self) {
      try DeploymentConfiguration(yaml: "media-host:\n  metrics: here", environment: [:])
    }
  }

  @Test("what is printed is a file that says the same")
  func printed() throws {
    var configuration = DeploymentConfiguration()
    configuration.frontEnd.domains = ["example.com", "10.0.0.1"]
    configuration.mediaHost.workers = [2, 3]
    configuration.mediaHost.srtp = "reference"
    configuration.mediaHost.automaticGain = true

    #expect(try DeploymentConfiguration(yaml: configuration.description, environment: [:]) == configuration)
  }

  @Test("all complaints come at once")
  func all() {
    #expect {
      try DeploymentConfiguration(
        yaml: "front-end:\n  listen: x\nmedia-host:\n  srtp: y\n", environment: ["PARLEY_MEDIA_HOST_NAME": ""])
    } throws: { ($0 as? ConfigurationError)?.complaints.count == 3 }
  }
}

@Suite("Processor check")
struct ProcessorCheckTests {
  private let modern = "flags\t\t: fpu avx avx2 bmi1 bmi2 f16c fma abm movbe xsave\n"

  @Test("a processor with all of x86-64-v3 is accepted, one without AVX2 is named what it lacks")
  func features() {
    #expect(ProcessorCheck.complaint(about: "processor : 0\n" + modern) == nil)
    #expect(
      ProcessorCheck.complaint(about: "flags : fpu avx xsave abm bmi1 bmi2 f16c movbe fma")?.contains("lacks avx2,")
        == true)
    #expect(ProcessorCheck.complaint(about: "no flags here") == nil)
  }
}
