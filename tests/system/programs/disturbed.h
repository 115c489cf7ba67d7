/* SPDX-License-Identifier: MIT */
/*
 * write(2), send(2) and poll(2) of the whole program, the library included: by turns they come back
 * with EINTR, take a part only, or do what they should. One file of a program includes it.
 */
#ifndef DISTURBED_H
#define DISTURBED_H

#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHECK(claim)                                                                               \
    do {                                                                                           \
        if (!(claim)) {                                                                            \
            printf("%s:%d: does not hold: %s\n", __FILE__, __LINE__, #claim);                      \
            fflush(NULL);                                                                          \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)

static struct {
    _Atomic bool on;
    _Atomic unsigned calls, interrupted, shortened;
    int lowest; /* descriptors below it are left alone */
    ssize_t (*write)(int, const void *, size_t);
    ssize_t (*send)(int, const void *, size_t, int);
    int (*poll)(struct pollfd *, nfds_t, int);
} disturbed;

enum turn { WHOLE, INTERRUPTED, SHORT };

/* Never the same twice in a row but for WHOLE. */
static enum turn
next_turn(int fd)
{
    if (!atomic_load(&disturbed.on) || fd < disturbed.lowest)
        return WHOLE;
    switch (atomic_fetch_add(&disturbed.calls, 1) % 5) {
    case 0:
        atomic_fetch_add(&disturbed.interrupted, 1);
        return INTERRUPTED;
    case 1:
    case 3:
        atomic_fetch_add(&disturbed.shortened, 1);
        return SHORT;
    default:
        return WHOLE;
    }
}

/* From one byte to nearly all. */
static size_t
part_of(size_t n)
{
    return n < 2 ? n : 1 + atomic_load(&disturbed.calls) * 37 % (n - 1);
}

ssize_t write(int fd, const void *bytes, size_t n);
ssize_t send(int fd, const void *bytes, size_t n, int flags);
int poll(struct pollfd *fds, nfds_t n, int timeout_ms);

ssize_t
write(int fd, const void *bytes, size_t n)
{
    enum turn turn = next_turn(fd);

    if (turn == INTERRUPTED) {
        errno = EINTR;
        return -1;
    }
    return disturbed.write(fd, bytes, turn == SHORT ? part_of(n) : n);
}

/* A datagram goes whole or not at all. */
ssize_t
send(int fd, const void *bytes, size_t n, int flags)
{
    enum turn turn = next_turn(fd);
    int type = 0;
    socklen_t size = sizeof(type);

    if (turn == INTERRUPTED) {
        errno = EINTR;
        return -1;
    }
    if (turn == SHORT && getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 &&
        type == SOCK_STREAM)
        n = part_of(n);
    return disturbed.send(fd, bytes, n, flags);
}

int
poll(struct pollfd *fds, nfds_t n, int timeout_ms)
{
    struct pollfd *volatile first = fds; /* the compiler takes poll() for one that only writes it */

    if (n == 1 && next_turn(first->fd) == INTERRUPTED) {
        errno = EINTR;
        return -1;
    }
    return disturbed.poll(fds, n, timeout_ms);
}

static void
find_real(int lowest)
{
    disturbed.lowest = lowest;
    *(void **)&disturbed.write = dlsym(RTLD_NEXT, "write");
    *(void **)&disturbed.send = dlsym(RTLD_NEXT, "send");
    *(void **)&disturbed.poll = dlsym(RTLD_NEXT, "poll");
    CHECK(disturbed.write && disturbed.send && disturbed.poll);
}

#endif
