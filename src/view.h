/* SPDX-License-Identifier: MIT */
/*
 * A record taken apart for the formatters: everything borrowed, nothing left to look up.
 *
 * Keys are canonical and unique already (thole.h, envelope keys have their trailing '_'), errno
 * fields are already three fields, "thole.stale", "thole.suppressed" and "thole.truncated" are
 * ordinary fields at the end. Bytes of keys, values, message and file are NOT escaped yet.
 */
#ifndef THL_VIEW_H
#define THL_VIEW_H

#include <stddef.h>
#include <stdint.h>
#include <thole/thole.h>

#define THL_VIEW_FIELDS 192
#define THL_VIEW_MARKS 3 /* of them, kept for thole's own at the end */

/* A value that is not there yet: formats print THL_VIEW_HOLE for it, a byte that no text of theirs
 * holds otherwise. See phrase.h. */
#define THL_VALUE_HOLE 255u
#define THL_VIEW_HOLE '\x01'

struct thl_value {
    uint32_t type; /* enum thole_field_type, but never CSTRING, ERRNO; or THL_VALUE_HOLE */
    uint32_t size; /* bytes at v.p: STRING, BYTES, ADDR */
    union {
        int64_t i;
        uint64_t u;
        double d;
        const char *p;
    } v;
};

struct thl_view_field {
    const char *key;
    uint32_t key_size;
    struct thl_value value;
};

struct thl_view {
    int64_t unix_ns;
    enum thole_level level;
    const char *logger; /* "" for the root */
    size_t logger_size;
    const char *msg;
    size_t msg_size;
    const char *file; /* NULL when not known */
    size_t file_size;
    uint32_t line;
    uint64_t seq;             /* position in the target's stream, from 1; 0: not asked for */
    size_t nfields, ncontext; /* the first ncontext are the child's context */
    struct thl_view_field field[THL_VIEW_FIELDS];
    size_t scratch_size; /* keys that the record does not hold: "err_name" */
    char scratch[1024];
};

#endif
