//  shim.h: libsrtp2, the reference SRTP backend and the oracle of the tests.
#include <srtp2/srtp.h>
