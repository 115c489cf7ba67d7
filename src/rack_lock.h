/* SPDX-License-Identifier: MIT */
/* Which rack a thread uses, and its lock: for rack.c. */
#ifndef THL_RACK_LOCK_H
#define THL_RACK_LOCK_H

#include "rack.h"

extern struct thl_rack thl_racks[THL_RACKS];
extern _Atomic uint32_t thl_racks_used; /* racks in use, from the first on; only grows */

/* A rack for this thread, locked: its own, or the next that is free. NULL when all are held, which
 * takes as many threads, or the gone threads of another process. Never waits. */
struct thl_rack *thl_rack_try_own(void);

/* The same; waits, and gives up when all are held by those that do not come back. */
struct thl_rack *thl_rack_lock_own(void);

/* False when its holder does not come to run; after a hundred times that is not waited for. */
bool thl_rack_lock(struct thl_rack *rack);

/* The same, without waiting. */
bool thl_rack_try(struct thl_rack *rack);

#endif
