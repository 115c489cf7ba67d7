/* SPDX-License-Identifier: MIT */
/* Local time's offset. */
#include "zone.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>

#include "thread.h"

#define STACK_BYTES (256 * 1024) /* libc reads a file on it */

static _Atomic int32_t offset; /* relaxed: a number by itself */
static _Atomic bool asking;    /* a thread is, or hangs there: no second one */
static bool forked;            /* written before this process has other threads */

static void
ask(void)
{
    struct tm local;
    time_t now = time(NULL);
    tzset();
    if (localtime_r(&now, &local))
        atomic_store_explicit(&offset, (int32_t)local.tm_gmtoff, memory_order_relaxed);
}

static void *
run(void *arg)
{
    ask();
    atomic_store_explicit(&asking, false, memory_order_release); /* pairs with the exchange */
    return arg;
}

/* Without a thread the offset stays as it is. */
static void
ask_aside(void)
{
    pthread_t thread;
    pthread_attr_t attr;
    if (atomic_exchange_explicit(&asking, true, memory_order_acquire))
        return;
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    if (thl_thread_create(&thread, &attr, "thole:zone", run, NULL) != 0)
        atomic_store_explicit(&asking, false, memory_order_relaxed); /* nobody else looks now */
    pthread_attr_destroy(&attr);
}

void
thl_zone_refresh(void)
{
    if (forked)
        ask_aside();
    else
        ask();
}

int32_t
thl_zone_offset(void)
{
    return atomic_load_explicit(&offset, memory_order_relaxed);
}

void
thl_zone_after_fork(void)
{
    forked = true;
    atomic_store_explicit(&asking, false, memory_order_relaxed); /* alone here */
}
