/* SPDX-License-Identifier: MIT */
/*
 * send(2), sendmmsg(2), connect(2) and write(2) of the test's own thread, failing on a script in
 * front of the real ones: the sinks are linked into the test, and what a program defines wins over
 * libc. One file of a program includes it.
 *
 *     scripted_fail(SEND, ECONNREFUSED, 1);
 *     ... one send fails, the others go through ...
 *     cr_expect_eq(scripted_count(SEND), 2u);
 */
#ifndef SCRIPTED_H
#define SCRIPTED_H

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "send_each.h"

enum scripted_call { SEND, CONNECT, WRITE, SCRIPTED };

enum { FOR_EVER = 1 << 30 };

static _Thread_local struct {
    int error;
    unsigned times, made;
    size_t most; /* bytes that a write takes before the script's failures; 0: all */
} scripted[SCRIPTED];

static inline void
scripted_fail(enum scripted_call call, int error, unsigned times)
{
    scripted[call].error = error;
    scripted[call].times = times;
    scripted[call].made = 0;
    scripted[call].most = 0;
}

/* The first write takes so many bytes and no more; then the script begins. */
static inline void
scripted_fail_after(size_t bytes, int error, unsigned times)
{
    scripted_fail(WRITE, error, times);
    scripted[WRITE].most = bytes;
}

/* The calls made since; from now on all goes through. */
static inline unsigned
scripted_count(enum scripted_call call)
{
    unsigned made = scripted[call].made;

    scripted_fail(call, 0, 0);
    return made;
}

static inline bool
scripted_fails(enum scripted_call call)
{
    scripted[call].made++;
    if (scripted[call].times == 0)
        return false;
    scripted[call].times--;
    errno = scripted[call].error;
    return true;
}

ssize_t send(int fd, const void *bytes, size_t n, int flags);
int connect(int fd, __CONST_SOCKADDR_ARG address, socklen_t size); /* glibc: a union */
ssize_t write(int fd, const void *bytes, size_t n);

ssize_t
send(int fd, const void *bytes, size_t n, int flags)
{
    if (scripted_fails(SEND))
        return -1;
    return syscall(SYS_sendto, fd, bytes, n, flags, NULL, 0);
}

int
connect(int fd, __CONST_SOCKADDR_ARG address, socklen_t size)
{
    if (scripted_fails(CONNECT))
        return -1;
    return (int)syscall(SYS_connect, fd, address.__sockaddr__, size);
}

ssize_t
write(int fd, const void *bytes, size_t n)
{
    size_t most = scripted[WRITE].most;

    if (most > 0) {
        scripted[WRITE].most = 0;
        return syscall(SYS_write, fd, bytes, n < most ? n : most);
    }
    if (scripted_fails(WRITE))
        return -1;
    return syscall(SYS_write, fd, bytes, n);
}

#endif
