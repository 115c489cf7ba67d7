/* SPDX-License-Identifier: MIT */
/*
 * The calls that thole's sinks make on sockets and files, defined in the program itself, which wins
 * over libc: counted by target and by tenth of a second, and, for one file, hung for ever. One file
 * of a program includes it.
 *
 * A target is known by the thread that serves it: by what that thread connects to, or by where its
 * first socket leads.
 */
#ifndef CALLS_H
#define CALLS_H

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { CALLS_UDP, CALLS_DGRAM, CALLS_STREAM, CALLS_TARGETS };
enum { CALLS_TENTHS = 1200 };

static const char *const calls_names[CALLS_TARGETS] = {"udp", "dgram", "stream"};

/* Atomic and relaxed: the counts are looked at when all threads have ended. The others are set
 * before thole starts. */
static struct {
    int64_t began_ns;
    _Atomic unsigned made[CALLS_TARGETS][CALLS_TENTHS];  /* send, connect, socket */
    _Atomic unsigned waits[CALLS_TARGETS][CALLS_TENTHS]; /* for room */
    const char *hung_path;                               /* whose writes hang; NULL: none's */
    int never;                                           /* readable at the end of the test alone */
} calls;
static _Thread_local int calls_target = -1;

static inline int64_t
calls_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static inline bool
calls_ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

static inline void
calls_know(const struct sockaddr *address)
{
    const struct sockaddr_un *path = (const void *)address;
    if (address->sa_family == AF_INET)
        calls_target = CALLS_UDP;
    else if (address->sa_family == AF_UNIX && calls_ends_with(path->sun_path, "dgram"))
        calls_target = CALLS_DGRAM;
    else if (address->sa_family == AF_UNIX && calls_ends_with(path->sun_path, "stream"))
        calls_target = CALLS_STREAM;
}

static inline void
calls_count(_Atomic unsigned counts[][CALLS_TENTHS])
{
    int64_t tenth = (calls_now_ns() - calls.began_ns) / 100000000;
    if (calls_target >= 0 && tenth < CALLS_TENTHS)
        atomic_fetch_add_explicit(&counts[calls_target][tenth], 1, memory_order_relaxed);
}

ssize_t send(int fd, const void *bytes, size_t n, int flags);
int connect(int fd, __CONST_SOCKADDR_ARG address, socklen_t size); /* glibc: a union */
int socket(int family, int type, int protocol);
int poll(struct pollfd *fds, nfds_t n, int timeout_ms);
ssize_t write(int fd, const void *bytes, size_t n);

ssize_t
send(int fd, const void *bytes, size_t n, int flags)
{
    struct sockaddr_storage peer = {0};
    socklen_t size = sizeof(peer);
    if (calls_target < 0 && getpeername(fd, (struct sockaddr *)&peer, &size) == 0)
        calls_know((const struct sockaddr *)&peer);
    calls_count(calls.made);
    return syscall(SYS_sendto, fd, bytes, n, flags, NULL, 0);
}

int
connect(int fd, __CONST_SOCKADDR_ARG address, socklen_t size)
{
    const struct sockaddr *to = address.__sockaddr__;
    calls_know(to);
    calls_count(calls.made);
    return (int)syscall(SYS_connect, fd, to, size);
}

int
socket(int family, int type, int protocol)
{
    calls_count(calls.made);
    return (int)syscall(SYS_socket, family, type, protocol);
}

/* A look that takes no time is part of another call's. */
int
poll(struct pollfd *fds, nfds_t n, int timeout_ms)
{
    struct pollfd *volatile first = fds; /* the compiler takes poll() for one that only writes it */
    const struct timespec timeout = {timeout_ms / 1000, timeout_ms % 1000 * 1000000L};
    if (n == 1 && timeout_ms > 0 && first->events == POLLOUT)
        calls_count(calls.waits);
    return (int)syscall(SYS_ppoll, fds, n, timeout_ms < 0 ? NULL : &timeout, NULL, 0);
}

static inline bool
calls_is_hung(int fd)
{
    struct stat a, b;
    return calls.hung_path && fstat(fd, &a) == 0 && stat(calls.hung_path, &b) == 0 &&
           a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static inline void
calls_hang(void)
{
    struct pollfd end = {calls.never, POLLIN, 0};
    (void)poll(&end, 1, -1);
}

ssize_t
write(int fd, const void *bytes, size_t n)
{
    if (calls_is_hung(fd))
        calls_hang();
    return syscall(SYS_write, fd, bytes, n);
}

#endif
