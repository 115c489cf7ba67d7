/* SPDX-License-Identifier: MIT */
/* send(2) and sendmmsg(2) that fail by a script, for the sinks that are linked into a test. */
#ifndef THL_TEST_SCRIPTED_SEND_H
#define THL_TEST_SCRIPTED_SEND_H

#include <errno.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "send_each.h"

/* What the next calls do: fail with that errno, or send (0). Past the end they send. */
static const int *send_script;
static size_t send_left;
static unsigned sends; /* calls */

#define SEND_SCRIPT(...) set_send_script((const int[]){__VA_ARGS__}, sizeof((int[]){__VA_ARGS__}))

static inline void
set_send_script(const int *script, size_t size)
{
    send_script = script;
    send_left = size / sizeof(*script);
    sends = 0;
}

ssize_t
send(int fd, const void *bytes, size_t n, int flags)
{
    int error = send_left > 0 ? send_script[0] : 0;

    sends++;
    if (send_left > 0) {
        send_script++;
        send_left--;
    }
    if (error == 0)
        return syscall(SYS_sendto, fd, bytes, n, flags, NULL, 0);
    errno = error;
    return -1;
}

#endif
