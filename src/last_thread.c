/* SPDX-License-Identifier: MIT */
/* The end of a process whose main has left. */
#include "last_thread.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "thread.h"

/* A thread of its own: exit() drains, and so waits for the others. */
static void *
leave(void *arg)
{
    (void)arg;
    exit(0); /* NOLINT(concurrency-mt-unsafe): the daemon has no other thread */
}

/* The folder has a link for itself, one for its name, and one for each thread: to ask for their
 * number opens no descriptor, which the daemon might close under us and take for itself. The thread
 * that was main counts for as long as the process lives. */
static bool
is_nobody_left(unsigned ours)
{
    struct stat task;
    return stat("/proc/self/task", &task) == 0 && task.st_nlink > 2 &&
           task.st_nlink - 2 <= ours + 1;
}

/* A thread that has ended executes nothing, main neither: asked without a descriptor as well. */
static bool
has_main_left(void)
{
    char path[8];
    struct stat task; /* not there in a jail without /proc, where nothing is known */
    return readlink("/proc/self/exe", path, sizeof(path)) < 0 && errno == ENOENT &&
           stat("/proc/self/task", &task) == 0;
}

bool
thl_last_thread_look(void)
{
    static int64_t looked_ms;
    static bool leaving;
    int64_t now = thl_clock_mono_ms();
    pthread_t thread;
    if (!has_main_left())
        return false;
    if (leaving || now - looked_ms < THL_LAST_THREAD_LOOK_MS)
        return true;
    looked_ms = now;
    leaving = is_nobody_left(thl_thread_count()) && pthread_create(&thread, NULL, leave, NULL) == 0;
    return true;
}
