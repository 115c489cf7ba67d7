/* SPDX-License-Identifier: MIT */
/* sendmmsg(2) made of the program's own send(2), for tests that script the latter: one after the
 * other, as the kernel does. An error ends it, and is told only of the first. One file of a program
 * includes it. */
#ifndef SEND_EACH_H
#define SEND_EACH_H

#include <sys/socket.h>

int sendmmsg(int fd, struct mmsghdr *messages, unsigned n, int flags);

int
sendmmsg(int fd, struct mmsghdr *messages, unsigned n, int flags)
{
    for (unsigned i = 0; i < n; i++) {
        const struct iovec *v = messages[i].msg_hdr.msg_iov;
        if (send(fd, v->iov_base, v->iov_len, flags) < 0)
            return i > 0 ? (int)i : -1;
    }
    return (int)n;
}

#endif
