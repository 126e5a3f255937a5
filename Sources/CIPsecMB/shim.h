//  shim.h: the parts of Intel's ipsec-mb that MediaTransport uses.
// Its macros do not import; the function pointers of the manager do, and what stands below in their stead.
#include <intel-ipsec-mb.h>

// The constants of `IMB_MGR.features` that decide whether the library is worth having.
static const uint64_t cipsecmb_feature_aesni = IMB_FEATURE_AESNI;
static const uint64_t cipsecmb_feature_pclmul = IMB_FEATURE_PCLMULQDQ;
static const uint64_t cipsecmb_feature_aesni_emulated = IMB_FEATURE_AESNI_EMU;
static const uint64_t cipsecmb_feature_self_test = IMB_FEATURE_SELF_TEST;
static const uint64_t cipsecmb_feature_self_test_pass = IMB_FEATURE_SELF_TEST_PASS;
