//  IPsecMB.swift: Intel's ipsec-mb as this process found it: whether it is worth using, and its functions without state.

import CIPsecMB

/// The functions of ipsec-mb that need no manager: they read the keys they are given and write what they are told.
///
/// The library chooses among AVX-512, AVX2, AVX and SSE code when a manager is made; without AES instructions it emulates
/// them, slower than OpenSSL, so that it counts as unusable then. Sendable because these are addresses of code.
@safe struct IPsecMB: @unchecked Sendable {
  /// AES-GCM for one size of key.
  @safe struct GCM {
    let prepare: aes_gcm_pre_t
    let seal: aes_gcm_enc_dec_t
    let open: aes_gcm_enc_dec_t
    let begin: aes_gcm_init_t
    let update: aes_gcm_enc_dec_update_t
    let finish: aes_gcm_enc_dec_finalize_t

    fileprivate init?(
      _ prepare: aes_gcm_pre_t?, _ seal: aes_gcm_enc_dec_t?, _ open: aes_gcm_enc_dec_t?, _ begin: aes_gcm_init_t?,
      _ update: aes_gcm_enc_dec_update_t?, _ finish: aes_gcm_enc_dec_finalize_t?
    ) {
      guard let prepare = unsafe prepare, let seal = unsafe seal, let open = unsafe open,
        let begin = unsafe begin, let update = unsafe update, let finish = unsafe finish
      else { return nil }
      unsafe self.prepare = prepare
      unsafe self.seal = seal
      unsafe self.open = open
      unsafe self.begin = begin
      unsafe self.update = update
      unsafe self.finish = finish
    }
  }

  /// `nil` where the library has no AES instructions to use, or failed its own test.
  static let shared = IPsecMB()

  /// What the library chose, for the log.
  let architecture: String
  /// The packets that it hashes at a time.
  let lanes: Int
  /// For keys of 16 bytes and, next to it, of 32; never freed.
  let gcm: UnsafePointer<GCM>
  /// Round keys of AES-128, for encryption and for decryption: 176 bytes each, at addresses divisible by 16.
  let expandKey: keyexp_t

  private init?() {
    guard let manager = unsafe Self.makeManager() else { return nil }
    defer { unsafe free_mb_mgr(manager) }
    guard
      let gcm128 = unsafe GCM(
        manager.pointee.gcm128_pre, manager.pointee.gcm128_enc, manager.pointee.gcm128_dec,
        manager.pointee.gcm128_init, manager.pointee.gcm128_dec_update, manager.pointee.gcm128_dec_finalize),
      let gcm256 = unsafe GCM(
        manager.pointee.gcm256_pre, manager.pointee.gcm256_enc, manager.pointee.gcm256_dec,
        manager.pointee.gcm256_init, manager.pointee.gcm256_dec_update, manager.pointee.gcm256_dec_finalize),
      let expandKey = unsafe manager.pointee.keyexp_128
    else { return nil }
    let table = UnsafeMutablePointer<GCM>.allocate(capacity: 2)
    unsafe table.initialize(to: gcm128)
    unsafe (table + 1).initialize(to: gcm256)
    unsafe gcm = UnsafePointer(table)
    unsafe self.expandKey = expandKey
    switch unsafe IMB_ARCH(rawValue: manager.pointee.used_arch) {
    case IMB_ARCH_AVX512: (architecture, lanes) = ("AVX-512", 16)
    case IMB_ARCH_AVX2: (architecture, lanes) = ("AVX2", 8)
    case IMB_ARCH_AVX: (architecture, lanes) = ("AVX", 4)
    default: (architecture, lanes) = ("SSE", 4)
    }
  }

  /// A manager of one thread; `nil` when it cannot be had or would be slow. Freed by `free_mb_mgr`.
  static func makeManager() -> UnsafeMutablePointer<IMB_MGR>? {
    guard let manager = unsafe alloc_mb_mgr(0) else { return nil }
    var architecture = IMB_ARCH_NONE
    unsafe init_mb_mgr_auto(manager, &architecture)
    let features = unsafe manager.pointee.features
    let wanted = cipsecmb_feature_aesni | cipsecmb_feature_pclmul
    let isFast = features & wanted == wanted && features & cipsecmb_feature_aesni_emulated == 0
    let isSound =
      features & cipsecmb_feature_self_test == 0 || features & cipsecmb_feature_self_test_pass != 0
    guard isFast, isSound, unsafe manager.pointee.imb_errno == 0 else {
      unsafe free_mb_mgr(manager)
      return nil
    }
    return unsafe manager
  }
}
