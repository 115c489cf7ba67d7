/* SPDX-License-Identifier: MIT */
/*
 * The offset of local time from UTC, for rfc3164, which has no other time.
 *
 * localtime_r takes a lock of libc that a fork may leave held for ever in the child process, and
 * may read files. So it is asked at starts and in the writer's housekeeping, never on a logging
 * path; and in a forked process by a thread of its own, which may hang there without harm, while
 * the offset that the parent knew holds.
 */
#ifndef THL_ZONE_H
#define THL_ZONE_H

#include <stdint.h>

/* Asks the C library again. One caller at a time. */
void thl_zone_refresh(void);

/* Seconds east of UTC, as far as is known. Any thread. */
int32_t thl_zone_offset(void);

/* In a forked process. */
void thl_zone_after_fork(void);

#endif
