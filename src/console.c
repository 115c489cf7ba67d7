/* SPDX-License-Identifier: MIT */
/* Words to stderr. */
#include "console.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"

#define WAIT_MS 100
#define STALL_MS 1000

ssize_t
thl_console_write_to(int fd, const char *bytes, size_t n)
{
    static const struct timespec now = {0, 0};
    sigset_t ours, old, before;
    sigemptyset(&ours);
    sigaddset(&ours, SIGPIPE);
    sigaddset(&ours, SIGXFSZ);
    sigpending(&before);
    pthread_sigmask(SIG_BLOCK, &ours, &old);
    ssize_t rc;
    while ((rc = write(fd, bytes, n)) < 0 && errno == EINTR)
        ;
    int error = rc < 0 ? errno : 0;
    if (error == EPIPE || error == EFBIG) {
        int raised = error == EPIPE ? SIGPIPE : SIGXFSZ;
        sigemptyset(&ours);
        sigaddset(&ours, raised);
        if (!sigismember(&before, raised)) /* ours, not one that was waiting for the daemon */
            sigtimedwait(&ours, NULL, &now);
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return error ? -error : rc;
}

static _Atomic int64_t stalled_ms; /* when stderr took nothing for WAIT_MS: others do not wait */

/* A line that was begun is ended, within the time: EINTR and short writes are no end. */
void
thl_console_write(const char *bytes, size_t n)
{
    int64_t now_ms = thl_clock_real_ms();
    /* relaxed: a time by itself */
    bool stalled = now_ms - atomic_load_explicit(&stalled_ms, memory_order_relaxed) < STALL_MS;
    int64_t until_ms = now_ms + (stalled ? 0 : WAIT_MS);
    while (n > 0) {
        struct pollfd room = {STDERR_FILENO, POLLOUT, 0};
        int64_t left_ms = until_ms - thl_clock_real_ms();
        int rc = poll(&room, 1, left_ms > 0 ? (int)left_ms : 0);
        if (rc < 0 && errno == EINTR)
            continue;
        if (rc == 0)
            atomic_store_explicit(&stalled_ms, thl_clock_real_ms(), memory_order_relaxed);
        ssize_t written = rc > 0 ? thl_console_write_to(STDERR_FILENO, bytes, n) : -1;
        if (written <= 0)
            return;
        bytes += written;
        n -= (size_t)written;
    }
}

void
thl_console_print(const char *fmt, ...)
{
    char text[4096];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    if (n > 0)
        thl_console_write(text, (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1);
}
