//  callgrind_requests.h: what a measured program tells callgrind; nothing happens outside of it, or without its header.
#pragma once
#include <stdbool.h>

#if __has_include(<valgrind/callgrind.h>)
  #include <valgrind/callgrind.h>
static inline bool callgrind_runs(void) { return RUNNING_ON_VALGRIND != 0; }
static inline void callgrind_toggle(void) { CALLGRIND_TOGGLE_COLLECT; }
/// What was collected since the last dump goes to a file of its own, under this name.
static inline void callgrind_dump(const char *name) { CALLGRIND_DUMP_STATS_AT(name); }
#else
static inline bool callgrind_runs(void) { return false; }
static inline void callgrind_toggle(void) {}
static inline void callgrind_dump(const char *name) { (void)name; }
#endif
