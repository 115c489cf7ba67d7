/* SPDX-License-Identifier: MIT */
/* Futexes, one or two at a time. */
#include "bell.h"

#include <errno.h>
#include <linux/futex.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "emit.h"

#define MAIL_LOOK_MS 500 /* where the kernel cannot wait for two words (Linux before 5.16) */

int
thl_bell_shorter(int a_ms, int b_ms)
{
    return b_ms < 0 || (a_ms >= 0 && a_ms < b_ms) ? a_ms : b_ms;
}

void
thl_bell_wait(uint32_t state, int timeout_ms)
{
    struct timespec timeout = {timeout_ms / 1000, timeout_ms % 1000 * 1000000L};
    syscall(SYS_futex, &thl_emit_queues.bell, FUTEX_WAIT_PRIVATE, state,
            timeout_ms < 0 ? NULL : &timeout, NULL, 0);
}

#if defined(SYS_futex_waitv) && defined(FUTEX_32)

/* False when the kernel does not know it, or a filter of the daemon's refuses it. */
static bool
wait_for_both(uint32_t state, const _Atomic uint32_t *mail, uint32_t seen, int timeout_ms)
{
    static _Atomic bool refused;
    struct futex_waitv words[2] = {
        {state, (uintptr_t)&thl_emit_queues.bell, FUTEX_32 | FUTEX_PRIVATE_FLAG, 0},
        {seen, (uintptr_t)mail, FUTEX_32, 0},
    };
    struct timespec until = thl_clock_deadline(timeout_ms);
    if (atomic_load_explicit(&refused, memory_order_relaxed)) /* a hint */
        return false;
    long rc =
        syscall(SYS_futex_waitv, words, 2, 0, timeout_ms < 0 ? NULL : &until, CLOCK_MONOTONIC);
    if (rc >= 0 || errno == EAGAIN || errno == EINTR || errno == ETIMEDOUT)
        return true;
    if (errno == ENOSYS || errno == EPERM || errno == EINVAL)        /* not for lack of memory */
        atomic_store_explicit(&refused, true, memory_order_relaxed); /* a hint */
    return false;
}

#else

static bool
wait_for_both(uint32_t state, const _Atomic uint32_t *mail, uint32_t seen, int timeout_ms)
{
    (void)state;
    (void)mail;
    (void)seen;
    (void)timeout_ms;
    return false;
}

#endif

void
thl_bell_wait_for_two(uint32_t state, const _Atomic uint32_t *mail, uint32_t seen, int timeout_ms)
{
    if (!wait_for_both(state, mail, seen, timeout_ms))
        thl_bell_wait(state, thl_bell_shorter(timeout_ms, MAIL_LOOK_MS));
}
