//  shim.h: the parts of OpenSSL's libcrypto that MediaTransport uses.
// SHA1_Update on a kept state is "deprecated" since 3.0, yet the only HMAC without an allocation or a key schedule per packet.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
