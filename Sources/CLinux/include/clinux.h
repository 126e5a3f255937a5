//  clinux.h: the Linux calls, structs and macros that Swift's Glibc module does not import.
#ifndef CLINUX_H
#define CLINUX_H
#include <sys/socket.h>
#endif
