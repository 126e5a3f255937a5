//  clfan.h: one UDP socket that speaks for many local IPv4 addresses at once, by IP_PKTINFO.
#ifndef CLFAN_H
#define CLFAN_H
#include <stdint.h>

typedef struct {
  // Both in host order.
  uint32_t local;
  uint32_t remote;
  uint16_t remote_port;
  // Bytes at `data`: on receive the datagram's, on send how many to send.
  uint16_t count;
  void *data;
} cl_fan_datagram;

// Bound to 0.0.0.0:port, non-blocking. Returns the descriptor, or -errno.
int cl_fan_socket(uint16_t port, int buffer_bytes);
// Fills `count` (at most 64) entries whose `data` has room for `capacity` bytes. Returns how many, or -errno.
int cl_fan_receive(int fd, cl_fan_datagram *datagrams, unsigned count, unsigned capacity);
// Sends in order, each from its `local` address. Returns how many were sent, or -errno when the first could not be.
int cl_fan_send(int fd, const cl_fan_datagram *datagrams, unsigned count);

// Datagrams that found the socket's receive buffer full since it was made. Returns 0, or -errno.
int cl_fan_drops(int fd, uint32_t *drops);

#endif
