//  SRTPVectorTests.swift: the published vectors of RFC 3711, RFC 6188 and RFC 7714.

import MediaTransport
import Primitives
import Testing

@Suite("SRTP: published vectors")
struct SRTPVectorTests {
  private func derive(_ label: SRTPKeyDerivation.Label, _ key: String, _ salt: String, count: Int) throws -> [UInt8] {
    var output = [UInt8](repeating: 0xff, count: count)
    var span = output.mutableSpan
    var raw = span.mutableBytes
    try SRTPKeyDerivation.derive(label, key: bytes(key), salt: bytes(salt), count: count, into: &raw)
    return output
  }

  @Test(
    "AES-CM key stream (RFC 3711 B.2)",
    arguments: [
      ("0000", "E03EAD0935C95E80E166B16DD92B4EB4 D23513162B02D0F72A43A2FE4A5F97AB 41E95B3BB0A2E8DD477901E4FCA894C0"),
      ("FEFF", "EC8CDF7398607CB0F2D21675EA9EA1E4 362B7C3C6773516318A077D7FC5073AE 6A2CC3787889374FBEB4C81B17BA6C44"),
    ])
  func keyStream(last: String, expected: String) throws {
    let start = bytes("F0F1F2F3F4F5F6F7F8F9FAFBFCFD" + last)
    var counter = InlineArray<16, UInt8>(repeating: 0)
    for index in 0..<16 { counter[index] = start[index] }
    var output = [UInt8](repeating: 0xff, count: 48)
    var span = output.mutableSpan
    var raw = span.mutableBytes

    try SRTPKeyDerivation.keyStream(
      key: bytes("2B7E151628AED2A6ABF7158809CF4F3C"), counter: counter, count: 48, into: &raw)

    #expect(output == bytes(expected))
  }

  @Test("session keys from a 128-bit master key (RFC 3711 B.3)")
  func derivation() throws {
    let key = "E1F97A0D3E018BE0D64FA32C06DE4139"
    let salt = "0EC675AD498AFEEBB6960B3AABE6"

    #expect(try derive(.rtpEncryption, key, salt, count: 16) == bytes("C61E7A93744F39EE10734AFE3FF7A087"))
    #expect(try derive(.rtpSalt, key, salt, count: 14) == bytes("30CBBC08863D8C85D49DB34A9AE1"))
    #expect(
      try derive(.rtpAuthentication, key, salt, count: 40)
        == bytes("CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4 8F0A0ACF3C34E2359E6CDBCEE049646C43D9327A"))
  }

  @Test("session keys from a 256-bit master key (RFC 6188 §7.4)")
  func derivation256() throws {
    let key = "f0f04914b513f2763a1b1fa130f10e2998f6f6e43e4309d1e622a0e332b9f1b6"
    let salt = "3b04803de51ee7c96423ab5b78d2"

    #expect(
      try derive(.rtpEncryption, key, salt, count: 32)
        == bytes("5ba1064e30ec51613cad926c5a28ef731ec7fb397f70a960653caf06554cd8c4"))
    #expect(try derive(.rtpSalt, key, salt, count: 14) == bytes("fa31791685ca444a9e07c6c64e93"))
    #expect(
      try derive(.rtpAuthentication, key, salt, count: 20) == bytes("fd9c32d39ed5fbb5a9dc96b30818454d1313dc05"))
  }

  private static let key128 = "000102030405060708090a0b0c0d0e0f"
  private static let key256 = key128 + "101112131415161718191a1b1c1d1e1f"
  private static let salt = "517569642070726f2071756f"
  private static let rtp =
    "8040f17b8041f8d35501a0b2 47616c6c696120657374206f6d6e69732064697669736120696e207061727465732074726573"
  private static let rtcp =
    "81c8000d4d617273 4e5450314e545032525450200000042a0000e9304c756e61deadbeefdeadbeefdeadbeefdeadbeefdeadbeef"

  @Test(
    "AEAD_AES_128_GCM and _256 on RTP (RFC 7714 §16.1, §16.2)",
    arguments: [
      (
        SRTPSuite.aeadAES128GCM, key128,
        "f24de3a3fb34de6cacba861c9d7e4bcabe633bd50d294e6f42a5f47a51c7d19b36de3adf8833899d7f27beb16a9152cf765ee4390cce"
      ),
      (
        SRTPSuite.aeadAES256GCM, key256,
        "32b1de78a822fe12ef9f78fa332e33aab18012389a58e2f3b50b2a0276ffae0f1ba63799b87b7aa3db36dfffd6b0f9bb7878d7a76c13"
      ),
    ], SRTPReferenceTests.own)
  func gcmRTP(_ vector: (SRTPSuite, String, String), _ backend: SRTPBackend) throws {
    let (suite, key, expected) = vector
    let peer = try Peer(suite: suite, sessionKey: bytes(key), sessionSalt: bytes(Self.salt), backend: backend)

    let sent = try peer.protect(bytes(Self.rtp))

    #expect(sent == Array(bytes(Self.rtp)[..<12]) + bytes(expected))
    #expect(peer.authenticates(sent))
    #expect(try peer.unprotect(sent) == bytes(Self.rtp))
  }

  @Test(
    "AEAD_AES_128_GCM and _256 on RTCP, index 0x5d4 (RFC 7714 §17.1, §17.2)",
    arguments: [
      (
        SRTPSuite.aeadAES128GCM, key128,
        "63e94885dcdab67ca727d7662f6b7e997ff5c0f76c06f32dc676a5f1730d6fda4ce09b4686303ded0bb9275bc84aa458"
          + "96cf4d2fc5abf87245d9eade800005d4"
      ),
      (
        SRTPSuite.aeadAES256GCM, key256,
        "d50ae4d1f5ce5d304ba297e47d470c282c3ece5dbffe0a50a2eaa5c1110555be8415f658c61de0476f1b6fad1d1eb30c"
          + "4446839f57ff6f6cb26ac3be800005d4"
      ),
    ], SRTPReferenceTests.own)
  func gcmRTCP(_ vector: (SRTPSuite, String, String), _ backend: SRTPBackend) throws {
    let (suite, key, expected) = vector
    let peer = try Peer(suite: suite, sessionKey: bytes(key), sessionSalt: bytes(Self.salt), backend: backend)
    peer.seed(.send, ssrc: 0x4d61_7273, rtcpIndex: 0x5d3)

    let sent = try peer.protect(bytes(Self.rtcp), control: true)

    #expect(sent == Array(bytes(Self.rtcp)[..<8]) + bytes(expected))
    #expect(peer.authenticates(sent, control: true))
    #expect(try peer.unprotect(sent, control: true) == bytes(Self.rtcp))
  }

  @Test("SRTCP that is authentic but not encrypted, E = 0 (RFC 7714 §17.3)", arguments: SRTPReferenceTests.own)
  func gcmTagOnly(_ backend: SRTPBackend) throws {
    let peer = try Peer(
      suite: .aeadAES128GCM, sessionKey: bytes(Self.key128), sessionSalt: bytes(Self.salt), backend: backend)
    let tagged = bytes(Self.rtcp) + bytes("841dd9683dd78ec92ae58790125f62b3 000005d4")
    var encrypted = tagged
    encrypted[encrypted.count - 4] |= 0x80

    #expect(throws: DropReason.authenticationFailed) { try peer.unprotect(encrypted, control: true) }
    #expect(peer.authenticates(tagged, control: true) && !peer.authenticates(encrypted, control: true))
    #expect(try peer.unprotect(tagged, control: true) == bytes(Self.rtcp))
  }
}
