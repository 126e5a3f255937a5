//  allocation_counter.h: how often this thread has allocated, for tests that promise zero.
#pragma once
#include <stdbool.h>

/// malloc, calloc, realloc and aligned allocations of this thread since it started.
unsigned long allocation_count(void);
/// False in sanitizer builds, which have allocators of their own: counts are then always 0.
bool allocation_counter_works(void);
