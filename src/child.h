/* SPDX-License-Identifier: MIT */
/*
 * Child loggers as the public calls see them: contexts are built here, slab.h keeps them.
 *
 * A context is its ancestors' and its own, flattened: tagged fields, each key once, at most
 * context= bytes. A key bound again replaces the old value where it stood. One that does not fit is
 * cut in its longest values, and its last field is then "thole.truncated": the bytes that are lost.
 */
#ifndef THL_CHILD_H
#define THL_CHILD_H

#include <stdatomic.h>
#include <thole/thole.h>

#include "record.h"

extern _Atomic uint32_t thl_child_context_limit; /* context=; set by the configuration */
extern _Atomic uint64_t thl_child_truncated;     /* contexts that were cut to it */

#define THL_CHILD_CONTEXT_MAX 8192

/* A child of `parent` (any handle) with the site's keys and these values. Past the bound *out is
 * the parent's named logger, counted and noted. */
void thl_child_make(thole_logger *out, thole_logger parent, uint32_t site,
                    const struct thl_site_key *keys, const struct thl_value *values, unsigned n);

/* The same for a named logger and a call site in the table, straight from its block of values.
 * False when there is more to it (a value to be cut, say): nothing is made, thl_child_make has to.
 */
bool thl_child_make_plain(thole_logger *out, thole_logger parent, uint32_t site,
                          const struct thl_site_text *text, const void *values);

/* Amends a child in place; makes one of a named logger; counts a stale handle. */
void thl_child_bind(thole_logger *lg, uint32_t site, const struct thl_site_key *keys,
                    const struct thl_value *values, unsigned n);

/* 0, -ESTALE, -ENOMEM. */
int thl_child_set_level(thole_logger lg, enum thole_level level);

/* A use of a handle kept past its child's end. */
void thl_child_count_stale(void);

#endif
