//  clinux.c: thin wrappers; each returns the call's result, or -errno.
#include "clinux.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <stdio.h>
#include <inttypes.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

_Static_assert(sizeof(cl_message) == sizeof(struct mmsghdr), "cl_message is struct mmsghdr");
_Static_assert(offsetof(cl_message, count) == offsetof(struct mmsghdr, msg_len), "cl_message is struct mmsghdr");

static int result(int value) { return value < 0 ? -errno : value; }

int cl_datagram_socket(int ipv6) {
  int fd = socket(ipv6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  int off = 0;
  if (ipv6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  return fd;
}

int cl_bind(int fd, const cl_address *address, socklen_t size) { return result(bind(fd, &address->generic, size)); }

int cl_local_address(int fd, cl_address *address, socklen_t *size) {
  *size = sizeof *address;
  return result(getsockname(fd, &address->generic, size));
}

int cl_set_buffer(int fd, int receive, int bytes) {
  // The FORCE variants pass the system's maximum and need CAP_NET_ADMIN; the plain ones are cut to it.
  if (setsockopt(fd, SOL_SOCKET, receive ? SO_RCVBUFFORCE : SO_SNDBUFFORCE, &bytes, sizeof bytes) < 0)
    setsockopt(fd, SOL_SOCKET, receive ? SO_RCVBUF : SO_SNDBUF, &bytes, sizeof bytes);
  int granted = 0;
  socklen_t size = sizeof granted;
  if (getsockopt(fd, SOL_SOCKET, receive ? SO_RCVBUF : SO_SNDBUF, &granted, &size) < 0) return -errno;
  return granted / 2;  // the kernel doubles the figure for its own bookkeeping
}

int cl_set_traffic_class(int fd, int ipv6, int value) {
  if (ipv6) setsockopt(fd, IPPROTO_IPV6, IPV6_TCLASS, &value, sizeof value);
  return result(setsockopt(fd, IPPROTO_IP, IP_TOS, &value, sizeof value));
}

int cl_recvmmsg(int fd, cl_message *messages, unsigned count) {
  return result(recvmmsg(fd, (struct mmsghdr *)messages, count, MSG_DONTWAIT, NULL));
}

int cl_sendmmsg(int fd, cl_message *messages, unsigned count) {
  return result(sendmmsg(fd, (struct mmsghdr *)messages, count, MSG_DONTWAIT));
}

int cl_discard(int fd) {
  char byte;
  return result((int)recv(fd, &byte, 1, MSG_DONTWAIT | MSG_TRUNC));
}

int cl_close(int fd) { return result(close(fd)); }

int cl_duplicate(int fd) { return result(fcntl(fd, F_DUPFD_CLOEXEC, 0)); }

int cl_notify(const uint8_t *path, size_t path_size, const uint8_t *message, size_t size) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (path_size == 0 || path_size >= sizeof address.sun_path) return -EINVAL;
  memcpy(address.sun_path, path, path_size);
  if (path[0] == '@') address.sun_path[0] = 0;
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path_size);
  ssize_t sent = sendto(fd, message, size, MSG_NOSIGNAL, (struct sockaddr *)&address, length);
  int status = sent < 0 ? -errno : 0;
  close(fd);
  return status;
}

int cl_epoll_create(void) { return result(epoll_create1(EPOLL_CLOEXEC)); }

int cl_epoll_set(int epoll, int operation, int fd, uint32_t events, uint64_t token) {
  struct epoll_event event = {.events = events, .data = {.u64 = token}};
  return result(epoll_ctl(epoll, operation, fd, &event));
}

static struct timespec timespec_of(int64_t nanoseconds) {
  return (struct timespec){.tv_sec = nanoseconds / 1000000000, .tv_nsec = nanoseconds % 1000000000};
}

int cl_epoll_wait(int epoll, struct epoll_event *events, int count, int64_t nanoseconds) {
  struct timespec timeout = timespec_of(nanoseconds);
  int ready = epoll_pwait2(epoll, events, count, nanoseconds < 0 ? NULL : &timeout, NULL);
  if (ready >= 0 || errno != ENOSYS) return result(ready);
  struct pollfd readable = {.fd = epoll, .events = POLLIN};
  ready = ppoll(&readable, 1, nanoseconds < 0 ? NULL : &timeout, NULL);
  return ready <= 0 ? result(ready) : result(epoll_wait(epoll, events, count, 0));
}

int cl_event_create(void) { return result(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)); }

int cl_event_signal(int fd) { return result(eventfd_write(fd, 1)); }

int cl_event_clear(int fd) {
  eventfd_t count = 0;
  return result(eventfd_read(fd, &count));
}

int cl_poll_readable(int fd, int64_t nanoseconds) {
  struct timespec timeout = timespec_of(nanoseconds);
  struct pollfd readable = {.fd = fd, .events = POLLIN};
  return result(ppoll(&readable, 1, nanoseconds < 0 ? NULL : &timeout, NULL));
}

static int64_t clock_nanoseconds(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t cl_monotonic_nanoseconds(void) { return clock_nanoseconds(CLOCK_MONOTONIC); }
int64_t cl_wall_microseconds(void) { return clock_nanoseconds(CLOCK_REALTIME) / 1000; }
int64_t cl_thread_cpu_nanoseconds(void) { return clock_nanoseconds(CLOCK_THREAD_CPUTIME_ID); }

int cl_random(void *bytes, size_t count) {
  size_t done = 0;
  while (done < count) {
    ssize_t got = getrandom((char *)bytes + done, count - done, 0);
    if (got < 0 && errno != EINTR) return -errno;
    if (got > 0) done += (size_t)got;
  }
  return 0;
}

int cl_available_cpus(int *cpus, int count) {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) < 0) return -errno;
  int found = 0;
  for (int cpu = 0; cpu < CPU_SETSIZE && found < count; cpu++)
    if (CPU_ISSET(cpu, &set)) cpus[found++] = cpu;
  return found;
}

int cl_current_cpu(void) { return result(sched_getcpu()); }

int cl_core_of(int cpu) {
  char path[96];
  snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", cpu);
  FILE *file = fopen(path, "re");
  if (!file) return -errno;
  int first = -1;
  int got = fscanf(file, "%d", &first);
  fclose(file);
  return got == 1 && first >= 0 ? first : -EINVAL;
}

int cl_realtime_self(int priority) {
  struct sched_param parameters = {.sched_priority = priority};
  return -pthread_setschedparam(pthread_self(), SCHED_FIFO, &parameters);
}

int cl_confine(const int *cpus, int count) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (int i = 0; i < count; i++) {
    if (cpus[i] < 0 || cpus[i] >= CPU_SETSIZE) return -EINVAL;
    CPU_SET(cpus[i], &set);
  }
  return result(sched_setaffinity(0, sizeof set, &set));
}

struct cl_thread {
  pthread_t handle;
  cl_thread_body body;
  void *context;
  char name[16];
};

static void *thread_main(void *argument) {
  cl_thread *thread = argument;
  pthread_setname_np(pthread_self(), thread->name);
  prctl(PR_SET_TIMERSLACK, 1000UL, 0UL, 0UL, 0UL);  // ns; the default of 50 µs would blur every tick
  thread->body(thread->context);
  return NULL;
}

int cl_thread_start(cl_thread **out, cl_thread_body body, void *context, int cpu, const char *name, size_t stack) {
  pthread_attr_t attributes;
  cl_thread *thread = calloc(1, sizeof *thread);
  if (!thread) return -ENOMEM;
  thread->body = body;
  thread->context = context;
  strncpy(thread->name, name, sizeof thread->name - 1);
  pthread_attr_init(&attributes);
  int error = stack ? pthread_attr_setstacksize(&attributes, stack) : 0;
  if (!error && cpu >= 0) {
    cpu_set_t set;
    CPU_ZERO(&set);
    if (cpu < CPU_SETSIZE) CPU_SET(cpu, &set);
    error = pthread_attr_setaffinity_np(&attributes, sizeof set, &set);
  }
  if (!error) error = pthread_create(&thread->handle, &attributes, thread_main, thread);
  pthread_attr_destroy(&attributes);
  if (error) {
    free(thread);
    return -error;
  }
  *out = thread;
  return 0;
}

int cl_thread_join(cl_thread *thread) {
  int error = pthread_join(thread->handle, NULL);
  free(thread);
  return -error;
}

int cl_map(void **memory, size_t bytes) {
  *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return *memory == MAP_FAILED ? -errno : 0;
}

int cl_unmap(void *memory, size_t bytes) { return result(munmap(memory, bytes)); }
int cl_advise_huge(void *memory, size_t bytes) { return result(madvise(memory, bytes, MADV_HUGEPAGE)); }
int cl_lock_memory(void *memory, size_t bytes) { return result(mlock(memory, bytes)); }

size_t cl_huge_bytes(const void *memory) {
  FILE *file = fopen("/proc/self/smaps", "re");
  if (!file) return 0;
  char line[512];
  size_t kilobytes = 0;
  int inside = 0;
  while (fgets(line, sizeof line, file)) {
    uintptr_t from, to;
    if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " ", &from, &to) == 2) {
      if (inside) break;
      inside = (uintptr_t)memory >= from && (uintptr_t)memory < to;
    } else if (inside && sscanf(line, "AnonHugePages: %zu kB", &kilobytes) == 1) {
      break;
    }
  }
  fclose(file);
  return kilobytes * 1024;
}
