#include "callgrind_requests.h"
