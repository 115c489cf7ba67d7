/* SPDX-License-Identifier: MIT */
/*
 * A main that ends by pthread_exit() leaves the process to its other threads, and libc ends it, as
 * by exit(0), with the last of them. Ours never end by themselves, and block all signals: SIGTERM
 * would not end such a process either. So when main has left, the writer looks now and then whether
 * only ours remain, and does what libc would have done.
 */
#ifndef THL_LAST_THREAD_H
#define THL_LAST_THREAD_H

#include <stdbool.h>

#define THL_LAST_THREAD_LOOK_MS 250

/* Whether main has left. If so, looks, at most four times a second, for threads that are not
 * thole's; when there are none a thread of its own calls exit(0). The writer's. */
bool thl_last_thread_look(void);

#endif
