/* SPDX-License-Identifier: MIT */
/* One record before it has a place: what a log call gathered, and how it becomes bytes. */
#ifndef THL_EMISSION_H
#define THL_EMISSION_H

#include <stdbool.h>
#include <thole/thole.h>

#include "record.h"
#include "slab.h"

#define THL_EMISSION_FIELDS 64 /* thole_log_fields */

struct thl_emission {
    thole_logger lg;
    uint64_t ticks;
    unsigned level, n;
    uint32_t site;
    uint32_t cut, line;
    uint32_t suppressed; /* announced by this record: see flood.h */
    uint8_t flags;
    const char *file, *msg; /* these five: inline */
    size_t file_size, msg_size;
    const struct thl_site_key *keys;
    struct thl_value *values;
};

/* Fields whose keys are known at run time only. Small enough for a signal handler's stack: only
 * keys that must change are copied. */
struct thl_emission_keys {
    struct thl_site_key keys[THL_EMISSION_FIELDS];
    struct thl_value values[THL_EMISSION_FIELDS];
    char text[4 * (THL_FIELD_KEY_MAX + 16)];
    size_t used;
};

/* n <= THL_EMISSION_FIELDS; `canonical`: keys as a user may not have them are renamed. How many
 * were taken; the bytes of the others are added to *cut. */
unsigned thl_emission_take_fields(struct thl_emission_keys *to, const thole_field *fields,
                                  unsigned n, bool canonical, uint32_t *cut);

/* The context to copy; NULL for a named logger. A stale handle becomes its named logger's. */
const struct thl_slab_ref *thl_emission_open(struct thl_emission *e, struct thl_slab_ref *ref);

/* The record's size with a context of context_size bytes, after cutting what is past the limit. */
size_t thl_emission_fit(struct thl_emission *e, size_t context_size);

/* Writes the record. False when the context changed while it was copied: nothing was promised yet,
 * begin again with thl_emission_open. */
bool thl_emission_put(void *place, const struct thl_emission *e, const struct thl_slab_ref *ref);

#endif
