//  shim.h: the parts of Intel's ipsec-mb that MediaTransport uses.
// Its macros do not import; the function pointers of the manager do.
#include <intel-ipsec-mb.h>
