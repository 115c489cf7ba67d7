/* SPDX-License-Identifier: MIT */
/* Threads of thole's own, which take none of the daemon's signals. */
#ifndef THL_THREAD_H
#define THL_THREAD_H

#include <pthread.h>

/* pthread_create with all signals blocked but those that a fault raises on its own thread: were
 * they blocked, the kernel would end the process without the daemon's handler. The kernel shows the
 * first 15 bytes of its name (top -H, gdb). 0 or an errno. */
int thl_thread_create(pthread_t *thread, const pthread_attr_t *attr, const char *name,
                      void *(*run)(void *), void *arg);

/* How many there are now. */
unsigned thl_thread_count(void);

/* In a forked process, which has none. */
void thl_thread_after_fork(void);

#endif
