/* SPDX-License-Identifier: MIT */
/* A timer whose signal comes to the thread that made it, and to no other. */
#ifndef THL_RACE_THREAD_TIMER_H
#define THL_RACE_THREAD_TIMER_H

#include "check.h"

#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifndef sigev_notify_thread_id /* glibc before 2.39 */
#define sigev_notify_thread_id _sigev_un._tid
#endif

/* After `first_ns`, then every `period_ns`; 0: once. */
static inline timer_t
thread_timer_arm(int signal, long first_ns, long period_ns)
{
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = signal};
    struct itimerspec when = {{0, period_ns}, {0, first_ns}};
    timer_t timer;
    event.sigev_notify_thread_id = (pid_t)syscall(SYS_gettid);
    CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
    CHECK(timer_settime(timer, 0, &when, NULL) == 0);
    return timer;
}

/* Leaves the signal blocked: one that is on its way still would find a thread at its end. */
static inline void
thread_timer_disarm(timer_t timer, int signal)
{
    static const struct timespec at_once = {0, 0};
    sigset_t own;
    sigemptyset(&own);
    sigaddset(&own, signal);
    CHECK(pthread_sigmask(SIG_BLOCK, &own, NULL) == 0);
    CHECK(timer_delete(timer) == 0);
    while (sigtimedwait(&own, NULL, &at_once) == signal)
        continue;
}

#endif
