/* SPDX-License-Identifier: MIT */
/*
 * Call sites, interned by content into a bounded private table.
 *
 * A plug-in may be unloaded while its records are queued, so records name a site by its number and
 * the table holds a copy. Two sites of equal content are one; a plug-in that comes back at another
 * address finds its numbers again. Past the bound (sites=) a record carries its site's text itself.
 *
 * The word of a call site, in the .bss of whoever logs, holds the number, and which of its values
 * are bytes, so that a log call need not look at their tags:
 *
 *   word = 0:16 | bytes:16 | number:32     number 0: not asked yet; THL_SITE_NONE: no room
 *
 * Ordering: an entry is written before its number is stored with release in the word; that pairs
 * with the acquire load in thl_site_intern of whoever puts the number into a queue; the queue's own
 * release and acquire carry it to the writer. Entries never change afterwards.
 */
#ifndef THL_SITE_H
#define THL_SITE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <thole/field.h>

#include "compiler.h"
#include "quota.h"
#include "record.h"

#define THL_SITE_NONE UINT32_MAX
#define THL_SITE_DEFAULT 16384
#define THL_SITE_PAIRS 16 /* at most, of one site */

/* Keys read from the call site itself, where the table has no room for it. */
struct thl_site_keys {
    struct thl_site_key key[THL_SITE_PAIRS];
    char text[THL_SITE_PAIRS][THL_FIELD_KEY_MAX + 16];
};

/* Makes the table before the first log call needs it; later calls keep what is there. 0 or -ENOMEM:
 * then records carry their text. */
int thl_site_init(uint32_t limit);

/* The slow half: looks the site up or adds it. Async-signal-safe once the table is made. */
uint32_t thl_site_intern_slow(const thole_site_ *site, uint64_t *word);

/* The number of a site, waiting for whoever is adding another: not for signal handlers. 0 when the
 * table has no room. */
uint32_t thl_site_intern_waiting(const thole_site_ *site, uint64_t *word);

/* The canonical keys of a site. */
void thl_site_read_keys(struct thl_site_keys *keys, const thole_site_ *site);

/* The text of a number from thl_site_intern; NULL for 0, THL_SITE_NONE and numbers never given. */
const struct thl_site_text *thl_site_find(uint32_t id);

/* The parts of a call site's constant object. */
static inline const unsigned char *
thl_site_tags(const thole_site_ *site)
{
    return (const unsigned char *)(site + 1);
}
const char *thl_site_blob(const thole_site_ *site);

uint32_t thl_site_count(void);

/* What happened at a site. Counters: relaxed, ordering nothing. Private memory: a forked process
 * has its own. Of a site of children: quota, first_ds and ended_before by whoever finds none of it
 * at hand (rack.c), made and ended, without what racks count, by whoever takes a rack's count away,
 * longest_ds by whoever ends one. Of a site of log calls: records and suppressed by whoever
 * dispatches. */
struct thl_site_counts {
    _Alignas(THL_CACHE_LINE) struct thl_quota quota;
    _Atomic uint32_t longest_ds; /* life of any that ended */
    _Atomic uint32_t first_ds;   /* when it made its first: thl_slab_now_ds */
    _Atomic uint64_t made, ended;
    _Atomic uint64_t ended_before; /* children of all sites that had ended when it made its first */
    _Alignas(THL_CACHE_LINE) _Atomic uint64_t records;
    _Atomic uint64_t suppressed;
};

/* A child has ended that lived so long; in a forked process. */
void thl_site_note_life(uint32_t id, uint32_t life_ds);
void thl_site_forget_counts(uint32_t id);

/* Those of a number; of numbers never given, 0 among them, one for all. Never NULL. */
struct thl_site_counts *thl_site_counts(uint32_t id);

/* In the child process: a thread that held the table's lock is not there any more. */
void thl_site_after_fork(void);

static inline uint64_t
thl_site_look(const uint64_t *word)
{
    return __atomic_load_n(word, __ATOMIC_ACQUIRE); /* pairs with intern_slow */
}

static inline bool
thl_site_has_number(uint64_t word)
{
    return (uint32_t)word - 1u < THL_SITE_NONE - 1u;
}

/* Bit i: of value i. */
static inline uint32_t
thl_site_bytes(uint64_t word)
{
    return (uint32_t)(word >> 32);
}

static inline uint32_t
thl_site_intern(const thole_site_ *site, uint64_t *word)
{
    uint32_t id = (uint32_t)thl_site_look(word);
    return id ? id : thl_site_intern_slow(site, word);
}

#endif
