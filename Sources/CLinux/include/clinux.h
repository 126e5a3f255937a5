//  clinux.h: the Linux calls, structs and macros that Swift's Glibc module does not import.
//  Only neutral headers here: _GNU_SOURCE would change the signatures that Glibc gives to Swift.
#ifndef CLINUX_H
#define CLINUX_H
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

// struct mmsghdr; its layout is asserted in clinux.c.
typedef struct {
  struct msghdr header;
  unsigned int count;
} cl_message;

// An IPv4 or IPv6 socket address, large enough for both.
typedef union {
  struct sockaddr generic;
  struct sockaddr_in v4;
  struct sockaddr_in6 v6;
} cl_address;

// Every call below returns its result, or -errno.

int cl_datagram_socket(int ipv6);
int cl_bind(int fd, const cl_address *address, socklen_t size);
int cl_local_address(int fd, cl_address *address, socklen_t *size);
// Sets SO_RCVBUF (receive != 0) or SO_SNDBUF, by force when permitted; returns what the kernel granted, in bytes.
int cl_set_buffer(int fd, int receive, int bytes);
int cl_set_traffic_class(int fd, int ipv6, int value);
int cl_recvmmsg(int fd, cl_message *messages, unsigned count);
int cl_sendmmsg(int fd, cl_message *messages, unsigned count);
// Takes one datagram out of the socket's queue and forgets it.
int cl_discard(int fd);
int cl_close(int fd);
// A second descriptor of the same socket.
int cl_duplicate(int fd);

// Sends one datagram to a Unix socket; a name that begins with @ is one of the abstract namespace.
int cl_notify(const uint8_t *path, size_t path_size, const uint8_t *message, size_t size);

int cl_epoll_create(void);
int cl_epoll_set(int epoll, int operation, int fd, uint32_t events, uint64_t token);
// timeout in ns, < 0 for none. Where the kernel has no epoll_pwait2, ppoll on the epoll descriptor.
int cl_epoll_wait(int epoll, struct epoll_event *events, int count, int64_t nanoseconds);

int cl_event_create(void);
int cl_event_signal(int fd);
int cl_event_clear(int fd);
int cl_poll_readable(int fd, int64_t nanoseconds);

int64_t cl_monotonic_nanoseconds(void);
int64_t cl_wall_microseconds(void);
int64_t cl_thread_cpu_nanoseconds(void);
int cl_random(void *bytes, size_t count);

// CPUs that this process may run on, at most count of them, ascending.
int cl_available_cpus(int *cpus, int count);
int cl_current_cpu(void);
// The lowest CPU of the core that `cpu` is a hardware thread of: the same for its siblings. -errno where unknown.
int cl_core_of(int cpu);
// SCHED_FIFO for the calling thread.
int cl_realtime_self(int priority);
// Confines the calling thread, and whatever it starts from now on, to these CPUs.
int cl_confine(const int *cpus, int count);

typedef void (*cl_thread_body)(void *context);
typedef struct cl_thread cl_thread;
// cpu < 0: not pinned. name: at most 15 bytes. On success *thread is to be joined exactly once.
int cl_thread_start(cl_thread **thread, cl_thread_body body, void *context, int cpu, const char *name, size_t stack);
int cl_thread_join(cl_thread *thread);

int cl_map(void **memory, size_t bytes);
int cl_unmap(void *memory, size_t bytes);
int cl_advise_huge(void *memory, size_t bytes);
int cl_lock_memory(void *memory, size_t bytes);
// Bytes in huge pages of the mapping that holds `memory`, as the kernel says now; 0 where it does not say.
size_t cl_huge_bytes(const void *memory);

static inline socklen_t cl_address_from(cl_address *address, int ipv6, uint64_t high, uint64_t low, uint16_t port) {
  if (ipv6) {
    uint64_t halves[2] = {__builtin_bswap64(high), __builtin_bswap64(low)};
    *address = (cl_address){.v6 = {.sin6_family = AF_INET6, .sin6_port = __builtin_bswap16(port)}};
    __builtin_memcpy(&address->v6.sin6_addr, halves, 16);
    return sizeof(struct sockaddr_in6);
  }
  address->v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = __builtin_bswap16(port)};
  address->v4.sin_addr.s_addr = __builtin_bswap32((uint32_t)low);
  return sizeof(struct sockaddr_in);
}

static inline int cl_address_is_ipv6(const cl_address *address) { return address->generic.sa_family == AF_INET6; }

static inline void cl_address_to(const cl_address *address, uint64_t *high, uint64_t *low, uint16_t *port) {
  if (address->generic.sa_family == AF_INET6) {
    uint64_t halves[2];
    __builtin_memcpy(halves, &address->v6.sin6_addr, 16);
    *high = __builtin_bswap64(halves[0]);
    *low = __builtin_bswap64(halves[1]);
    *port = __builtin_bswap16(address->v6.sin6_port);
  } else {
    *high = 0;
    *low = 0xffff00000000ULL | __builtin_bswap32(address->v4.sin_addr.s_addr);
    *port = __builtin_bswap16(address->v4.sin_port);
  }
}

static const int CL_MSG_TRUNC = MSG_TRUNC;
static const uint32_t CL_EPOLLIN = EPOLLIN, CL_EPOLLOUT = EPOLLOUT;
static const int CL_EPOLL_ADD = EPOLL_CTL_ADD, CL_EPOLL_MODIFY = EPOLL_CTL_MOD, CL_EPOLL_DELETE = EPOLL_CTL_DEL;
#endif
