//  fan.c: one UDP socket that speaks for many local addresses.
#include "clfan.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { batch = 64, control_bytes = CMSG_SPACE(sizeof(struct in_pktinfo)) };

int cl_fan_socket(uint16_t port, int buffer_bytes) {
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -errno;
  int on = 1;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer_bytes, sizeof buffer_bytes) < 0)
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer_bytes, sizeof buffer_bytes);
  if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &buffer_bytes, sizeof buffer_bytes) < 0)
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer_bytes, sizeof buffer_bytes);
  // With DF set the kernel needs no identification for each packet; nothing here is near an MTU.
  int probe = IP_PMTUDISC_PROBE;
  setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &probe, sizeof probe);
  if (setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof on) < 0 ||
      bind(fd, (struct sockaddr *)&address, sizeof address) < 0) {
    int error = errno;
    close(fd);
    return -error;
  }
  return fd;
}

int cl_fan_receive(int fd, cl_fan_datagram *datagrams, unsigned count, unsigned capacity) {
  struct mmsghdr messages[batch];
  struct iovec vectors[batch];
  struct sockaddr_in peers[batch];
  _Alignas(struct cmsghdr) char control[batch][control_bytes];
  if (count > batch) count = batch;
  memset(messages, 0, sizeof messages[0] * count);
  for (unsigned i = 0; i < count; i++) {
    vectors[i] = (struct iovec){.iov_base = datagrams[i].data, .iov_len = capacity};
    messages[i].msg_hdr = (struct msghdr){.msg_name = &peers[i],
                                          .msg_namelen = sizeof peers[i],
                                          .msg_iov = &vectors[i],
                                          .msg_iovlen = 1,
                                          .msg_control = control[i],
                                          .msg_controllen = control_bytes};
  }
  int got = recvmmsg(fd, messages, count, MSG_DONTWAIT, NULL);
  if (got < 0) return -errno;
  for (int i = 0; i < got; i++) {
    datagrams[i].count = messages[i].msg_len;
    datagrams[i].remote = ntohl(peers[i].sin_addr.s_addr);
    datagrams[i].remote_port = ntohs(peers[i].sin_port);
    datagrams[i].local = 0;
    struct cmsghdr *header = CMSG_FIRSTHDR(&messages[i].msg_hdr);
    if (header && header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_PKTINFO) {
      struct in_pktinfo info;
      memcpy(&info, CMSG_DATA(header), sizeof info);
      datagrams[i].local = ntohl(info.ipi_addr.s_addr);
    }
  }
  return got;
}

int cl_fan_send(int fd, const cl_fan_datagram *datagrams, unsigned count) {
  struct mmsghdr messages[batch];
  struct iovec vectors[batch];
  struct sockaddr_in peers[batch];
  _Alignas(struct cmsghdr) char control[batch][control_bytes];
  if (count > batch) count = batch;
  memset(messages, 0, sizeof messages[0] * count);
  memset(control, 0, sizeof control[0] * count);
  for (unsigned i = 0; i < count; i++) {
    vectors[i] = (struct iovec){.iov_base = datagrams[i].data, .iov_len = datagrams[i].count};
    peers[i] = (struct sockaddr_in){.sin_family = AF_INET,
                                    .sin_port = htons(datagrams[i].remote_port),
                                    .sin_addr.s_addr = htonl(datagrams[i].remote)};
    messages[i].msg_hdr = (struct msghdr){.msg_name = &peers[i],
                                          .msg_namelen = sizeof peers[i],
                                          .msg_iov = &vectors[i],
                                          .msg_iovlen = 1,
                                          .msg_control = control[i],
                                          .msg_controllen = control_bytes};
    struct cmsghdr *header = CMSG_FIRSTHDR(&messages[i].msg_hdr);
    header->cmsg_level = IPPROTO_IP;
    header->cmsg_type = IP_PKTINFO;
    header->cmsg_len = CMSG_LEN(sizeof(struct in_pktinfo));
    struct in_pktinfo info = {.ipi_spec_dst.s_addr = htonl(datagrams[i].local)};
    memcpy(CMSG_DATA(header), &info, sizeof info);
  }
  int sent = sendmmsg(fd, messages, count, MSG_DONTWAIT);
  return sent < 0 ? -errno : sent;
}

int cl_fan_drops(int fd, uint32_t *drops) {
  uint32_t figures[SK_MEMINFO_VARS];
  socklen_t size = sizeof figures;
  if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, figures, &size) < 0) return -errno;
  *drops = size > SK_MEMINFO_DROPS * sizeof figures[0] ? figures[SK_MEMINFO_DROPS] : 0;
  return 0;
}
