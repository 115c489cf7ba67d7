/* SPDX-License-Identifier: MIT */
/* What a daemon does to all descriptors that it does not know: closefrom(3), where there is one. */
#ifndef CLOSE_FROM_H
#define CLOSE_FROM_H

#include <sys/syscall.h>
#include <unistd.h>

static inline void
close_from(int lowest)
{
#ifdef __GLIBC__
#if __GLIBC_PREREQ(2, 34)
    closefrom(lowest);
    return;
#endif
#endif
    long most = sysconf(_SC_OPEN_MAX);
#ifdef SYS_close_range
    if (syscall(SYS_close_range, (unsigned)lowest, ~0u, 0) == 0)
        return;
#endif
    for (int fd = lowest; fd < most; fd++)
        close(fd);
}

#endif
