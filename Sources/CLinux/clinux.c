//  clinux.c: thin wrappers; each returns the call's result, or -errno.
#include "clinux.h"
