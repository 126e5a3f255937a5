//  shim.h: libnuma, for packet memory on the node of the worker that uses it.
#include <numa.h>
