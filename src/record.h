/* SPDX-License-Identifier: MIT */
/*
 * The record as it travels from a log call to the writer: one header, then bytes, no pointers.
 *
 *   struct thl_record
 *   context      tagged fields, context_size bytes, padded to 8
 *   with a site  one site value for each of the site's keys
 *   inline       file, message, padded to 8 together, then nfields tagged fields
 *
 * A record is inline when its keys are known only at run time (thole_log_fields, the printf bridge,
 * thole's own notices) and when the table of call sites is full.
 */
#ifndef THL_RECORD_H
#define THL_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "field.h"
#include "view.h"

enum {
    THL_RECORD_STALE = 1,  /* logged through a handle kept past its child's end */
    THL_RECORD_NOTICE = 2, /* thole's own: its logger is named "thole" */
};

struct thl_record {
    uint64_t ticks;   /* thl_clock_ticks() */
    uint64_t handle;  /* bits of the logger: slot:20, named logger:12, generation:32 */
    uint32_t site;    /* 0: inline */
    uint32_t version; /* of the child's context: with slot and generation a key for caches */
    uint32_t cut;     /* bytes that were cut from values */
    uint32_t line;    /* inline */
    uint16_t context_size, nfields, msg_size, file_size; /* the last three: inline */
    uint8_t level, flags;
    uint8_t pad[2];
    uint32_t suppressed; /* records of this call site and logger before it: flood.h */
};

/* A call site's constant text, as the table keeps it; keys are canonical. */
struct thl_site_key {
    const char *text;
    uint32_t size;
};
struct thl_site_text {
    const char *file, *msg;
    uint32_t file_size, msg_size, line;
    uint8_t level, nfields;
    bool distinct;        /* no key comes twice */
    uint32_t plain_size;  /* of the fields as tagged ones, without the bytes of values */
    const uint64_t *head; /* of each: its tag, without a size of bytes, and the key's first four */
    const unsigned char *tags;
    const struct thl_site_key *key;
};

/* Takes a record of `size` bytes apart; `site` is NULL for an inline one. Fields of the event win
 * over the context's, later over earlier; errno fields become three; "thole.stale",
 * "thole.suppressed" and "thole.truncated" come last. Leaves unix_ns, logger and seq alone. Safe
 * for any bytes: what cannot be decoded is left out. */
void thl_record_view(struct thl_view *view, const struct thl_record *record, size_t size,
                     const struct thl_site_text *site);

/* The fields of a context alone. False when it is not just a few fields with values of their own:
 * it was cut, or holds what becomes several fields. */
bool thl_record_view_context(struct thl_view *view, const void *context, size_t size);

/* Of keys whose bits differ, none are equal. */
static inline uint64_t
thl_record_key_bit(const char *key, size_t n)
{
    unsigned first = n ? (unsigned char)key[0] : 0, last = n ? (unsigned char)key[n - 1] : 0;
    return UINT64_C(1) << ((n * 7 + first * 3 + last) & 63);
}

static inline unsigned
thl_record_logger(const struct thl_record *record)
{
    return (unsigned)(record->handle >> 20) & 0xFFFu;
}

#endif
