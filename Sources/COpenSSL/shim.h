//  shim.h: the parts of OpenSSL's libcrypto that MediaTransport uses.
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
