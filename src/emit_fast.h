/* SPDX-License-Identifier: MIT */
/*
 * The usual log call: a call site that has its number, a thread that has its ring, no rate, no cut.
 *
 * It does what emit.c and emission.c do for every call, by the same protocol (emit.h), without
 * looking at what cannot be the case. Whatever is out of the ordinary is left to emit.c, which
 * begins again: nothing was counted, and a reservation that is not committed is forgotten.
 */
#ifndef THL_EMIT_FAST_H
#define THL_EMIT_FAST_H

#include <stdbool.h>
#include <thole/thole.h>

/* False when the record is not in the ring: the general way has to take the call. */
bool thl_emit_fast(thole_logger lg, unsigned level, const thole_site_ *site, const uint64_t *word,
                   const void *values);

#endif
