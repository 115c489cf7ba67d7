/* SPDX-License-Identifier: MIT */
/* Receivers for the tests of sinks that send: on loopback and at paths, non-blocking. */
#ifndef THL_TEST_SOCKET_KIT_H
#define THL_TEST_SOCKET_KIT_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "sink_kit.h"

/* A receiver on loopback, non-blocking; port 0: any, and *port says which. -1 without that family.
 */
static inline int
listen_on(int family, uint16_t *port)
{
    struct sockaddr_in a4 = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct sockaddr_in6 a6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    struct sockaddr *a = family == AF_INET ? (struct sockaddr *)&a4 : (struct sockaddr *)&a6;
    socklen_t size = family == AF_INET ? sizeof(a4) : sizeof(a6);
    int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    a4.sin_port = a6.sin6_port = htons(*port);
    if (fd < 0 || bind(fd, a, size) != 0) {
        if (fd >= 0)
            close(fd);
        return -1;
    }
    cr_assert_eq(getsockname(fd, a, &size), 0);
    *port = ntohs(family == AF_INET ? a4.sin_port : a6.sin6_port);
    return fd;
}

/* A receiver of `type` at the path, non-blocking. */
static inline int
listen_at(const char *path, int type)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    cr_assert_lt(strlen(path), sizeof(a.sun_path));
    memcpy(a.sun_path, path, strlen(path));
    unlink(path);
    cr_assert_eq(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0, "%s", strerror(errno));
    if (type == SOCK_STREAM)
        cr_assert_eq(listen(fd, 8), 0);
    return fd;
}

/* The next datagram as text, or "" when there is none. */
static inline const char *
receive(int fd)
{
    static char text[64 * 1024];
    ssize_t n = recv(fd, text, sizeof(text) - 1, 0);
    text[n < 0 ? 0 : n] = '\0';
    return text;
}

/* No descriptor is to be had until the limit is put back. */
static inline struct rlimit
take_all_descriptors(void)
{
    struct rlimit before, none;
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = 0;
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    return before;
}

#endif
