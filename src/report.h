/* SPDX-License-Identifier: MIT */
/* The ledger and the registry, counted and as text. */
#ifndef THL_REPORT_H
#define THL_REPORT_H

#include <thole/thole.h>

#include "arena.h"

/* The process's part of a snapshot; `arena` is NULL where there are no queues. */
void thl_report_process(struct thole_stats *out, const struct thl_arena *arena);

/* The registry as text. 0 or a negative errno. */
int thl_report_write(int fd);

#endif
