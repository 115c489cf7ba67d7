/* SPDX-License-Identifier: MIT */
/* The table of call sites. */
#include "site.h"

#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

#include "compiler.h"

#define HEAP_BEHIND 8       /* keys are read by eight bytes: child.c */
#define TEXT_BYTES_EACH 512 /* on average; a site that finds no room is carried by its records */

/* One entry: what the writer needs, and the raw object for comparison by content. */
struct entry {
    struct thl_site_text text;
    const unsigned char *raw;      /* thole_site_, tags, blob as they stood at the call site */
    uint32_t raw_size, hash, next; /* next: number of the next entry of the bucket */
};

/* Guarded by `lock`, but for entries themselves, which are read-only once their number is known. */
static struct {
    _Atomic uint32_t lock;
    _Atomic(struct entry *) entries; /* number - 1; NULL: not made yet */
    uint32_t *bucket;
    uint32_t limit, nbuckets;
    _Atomic uint32_t n;
    unsigned char *heap;
    size_t heap_size, heap_used;
    struct thl_site_counts *counts; /* number - 1; set before `entries` */
} table;

static struct thl_site_counts unknown; /* of sites that have no number */

int
thl_site_init(uint32_t limit)
{
    uint32_t nbuckets = 64;
    if (atomic_load_explicit(&table.entries, memory_order_acquire)) /* pairs with the end */
        return 0;
    while (nbuckets < limit)
        nbuckets *= 2;
    size_t entries = (size_t)limit * sizeof(struct entry);
    size_t buckets = (size_t)nbuckets * sizeof(uint32_t);
    size_t heap = (size_t)limit * TEXT_BYTES_EACH;
    size_t counts = (size_t)limit * sizeof(struct thl_site_counts);
    unsigned char *p =
        mmap(NULL, counts + entries + buckets + heap + HEAP_BEHIND, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        return -ENOMEM;
    table.counts = (struct thl_site_counts *)(void *)p;
    p += counts;
    table.limit = limit;
    table.nbuckets = nbuckets;
    table.bucket = (uint32_t *)(void *)(p + entries);
    table.heap = p + entries + buckets;
    table.heap_size = heap;
    atomic_store_explicit(&table.entries, (struct entry *)(void *)p,
                          memory_order_release); /* pairs with every look at it */
    return 0;
}

const char *
thl_site_blob(const thole_site_ *site)
{
    return (const char *)thl_site_tags(site) + site->nfields + 1;
}

static uint32_t
raw_size(const thole_site_ *site)
{
    return (uint32_t)sizeof(*site) + site->nfields + 1u + site->blob_len;
}

/* FNV-1a. */
static uint32_t
hash_bytes(const void *p, size_t n)
{
    const unsigned char *s = p;
    uint32_t h = 2166136261u;
    while (n-- > 0)
        h = (h ^ *s++) * 16777619u;
    return h;
}

static void *
allocate(size_t n)
{
    n = (n + 7u) & ~(size_t)7u;
    if (n > table.heap_size - table.heap_used)
        return NULL;
    void *p = table.heap + table.heap_used;
    table.heap_used += n;
    return p;
}

static bool
are_distinct(const struct thl_site_key *keys, unsigned n)
{
    for (unsigned i = 1; i < n; i++)
        for (unsigned k = 0; k < i; k++)
            if (keys[i].size == keys[k].size &&
                memcmp(keys[i].text, keys[k].text, keys[i].size) == 0)
                return false;
    return true;
}

/* What a context begins each of the site's fields with: child.c. */
static bool
make_heads(struct thl_site_text *text)
{
    uint64_t *head = allocate(text->nfields * sizeof(*head));
    if (text->nfields && !head)
        return false;
    text->head = head;
    text->plain_size = 0;
    for (unsigned i = 0; i < text->nfields; i++) {
        const struct thl_site_key *key = &text->key[i];
        const bool sized = thl_field_is_bytes(text->tags[i]);
        const uint32_t size = sized || text->tags[i] == THOLE_FIELD_SECRET ? 0 : 8;
        uint32_t first = 0;
        memcpy(&first, key->text, key->size < 4 ? key->size : 4);
        head[i] = text->tags[i] | key->size << 8 | size << 16 | (uint64_t)first << 32;
        text->plain_size += THL_FIELD_TAG_BYTES + key->size + size;
    }
    return true;
}

/* The keys of a site as they leave thole; false when the heap is full. */
static bool
make_keys(struct thl_site_text *text, const char *key)
{
    struct thl_site_key *keys = allocate(text->nfields * sizeof(*keys));
    char canonical[THL_FIELD_KEY_MAX + 16];
    if (text->nfields && !keys)
        return false;
    for (unsigned i = 0; i < text->nfields; i++) {
        size_t n = strlen(key), size = thl_field_canonical(canonical, key, n);
        const char *kept = key;
        if (size != n || memcmp(key, canonical, n) != 0) {
            char *copy = allocate(size);
            if (!copy)
                return false;
            kept = memcpy(copy, canonical, size);
        }
        keys[i].text = kept;
        keys[i].size = (uint32_t)size;
        key += n + 1;
    }
    text->key = keys;
    if (!make_heads(text))
        return false;
    text->distinct = are_distinct(keys, text->nfields);
    return true;
}

static bool
fill_entry(struct entry *e, const thole_site_ *site, uint32_t hash)
{
    uint32_t size = raw_size(site);
    unsigned char *raw = allocate(size);
    if (!raw)
        return false;
    const thole_site_ *copy = memcpy(raw, site, size);
    const char *blob = thl_site_blob(copy);
    e->raw = raw;
    e->raw_size = size;
    e->hash = hash;
    e->text.file = blob;
    e->text.file_size = (uint32_t)strlen(blob);
    e->text.msg = blob + e->text.file_size + 1;
    e->text.msg_size = (uint32_t)strlen(e->text.msg);
    e->text.line = site->line;
    e->text.level = site->level;
    e->text.nfields = site->nfields;
    e->text.tags = thl_site_tags(copy);
    return make_keys(&e->text, e->text.msg + e->text.msg_size + 1);
}

static uint32_t
find_or_add_locked(struct entry *entries, const thole_site_ *site)
{
    uint32_t size = raw_size(site), hash = hash_bytes(site, size);
    uint32_t *bucket = &table.bucket[hash & (table.nbuckets - 1)];
    uint32_t n = atomic_load_explicit(&table.n, memory_order_relaxed); /* under the lock */
    for (uint32_t id = *bucket; id != 0; id = entries[id - 1].next) {
        struct entry *e = &entries[id - 1];
        if (e->hash == hash && e->raw_size == size && memcmp(e->raw, site, size) == 0)
            return id;
    }
    if (n >= table.limit || !fill_entry(&entries[n], site, hash))
        return THL_SITE_NONE;
    entries[n].next = *bucket;
    atomic_store_explicit(&table.n, n + 1, memory_order_release); /* pairs with thl_site_find */
    *bucket = n + 1; /* last: a fork in between leaves an entry that nobody finds, never a loop */
    return n + 1;
}

static bool
try_lock(void)
{
    uint32_t unlocked = 0;
    return atomic_compare_exchange_strong_explicit(&table.lock, &unlocked, 1,
                                                   memory_order_acquire, /* pairs with unlock */
                                                   memory_order_relaxed);
}

static uint64_t
word_of(const thole_site_ *site, uint32_t id)
{
    const unsigned char *tags = thl_site_tags(site);
    uint64_t word = id;
    for (unsigned i = 0; i < site->nfields && i < THL_SITE_PAIRS; i++) {
        if (thl_field_is_bytes(tags[i]))
            word |= UINT64_C(1) << (32 + i);
    }
    return word;
}

static uint32_t
intern_and_unlock(const thole_site_ *site, uint64_t *word)
{
    struct entry *entries = atomic_load_explicit(&table.entries, memory_order_relaxed);
    uint32_t id = find_or_add_locked(entries, site);
    atomic_store_explicit(&table.lock, 0, memory_order_release); /* pairs with try_lock */
    __atomic_store_n(word, word_of(site, id), __ATOMIC_RELEASE); /* pairs with thl_site_look */
    return id;
}

/* Refused rather than waited for: the holder may be what this signal handler interrupted. The
 * record then carries its text, and the next call asks again. */
THL_COLD uint32_t
thl_site_intern_slow(const thole_site_ *site, uint64_t *word)
{
    if (thl_site_init(THL_SITE_DEFAULT) < 0 || !try_lock())
        return THL_SITE_NONE;
    return intern_and_unlock(site, word);
}

/* A child is counted under its site for as long as it lives, so this one asks until it is told. */
uint32_t
thl_site_intern_waiting(const thole_site_ *site, uint64_t *word)
{
    uint32_t id = (uint32_t)thl_site_look(word);
    if (THL_UNLIKELY(id == 0) && thl_site_init(THL_SITE_DEFAULT) == 0) {
        while (!try_lock())
            sched_yield(); /* held for one copy only */
        id = intern_and_unlock(site, word);
    }
    return id == THL_SITE_NONE ? 0 : id;
}

void
thl_site_read_keys(struct thl_site_keys *keys, const thole_site_ *site)
{
    const char *at = thl_site_blob(site);
    at += strlen(at) + 1; /* the file */
    at += strlen(at) + 1; /* the message */
    for (unsigned i = 0; i < site->nfields; i++) {
        size_t n = strlen(at);
        keys->key[i].text = keys->text[i];
        keys->key[i].size = (uint32_t)thl_field_canonical(keys->text[i], at, n);
        at += n + 1;
    }
}

const struct thl_site_text *
thl_site_find(uint32_t id)
{
    struct entry *entries = atomic_load_explicit(&table.entries, memory_order_acquire);
    if (id == 0 || !entries || id > atomic_load_explicit(&table.n, memory_order_acquire))
        return NULL;
    return &entries[id - 1].text;
}

struct thl_site_counts *
thl_site_counts(uint32_t id)
{
    /* acquire: pairs with the end of thl_site_init */
    bool made = atomic_load_explicit(&table.entries, memory_order_acquire) != NULL;
    return made && id - 1 < table.limit ? &table.counts[id - 1] : &unknown;
}

/* relaxed: see struct thl_site_counts */
void
thl_site_note_life(uint32_t id, uint32_t life_ds)
{
    _Atomic uint32_t *longest = &thl_site_counts(id)->longest_ds;
    uint32_t old = atomic_load_explicit(longest, memory_order_relaxed);
    while (THL_UNLIKELY(old < life_ds) &&
           !atomic_compare_exchange_weak_explicit(longest, &old, life_ds, memory_order_relaxed,
                                                  memory_order_relaxed))
        ;
}

/* Alone here. When it made its first stays: those children came along. */
void
thl_site_forget_counts(uint32_t id)
{
    struct thl_site_counts *c = thl_site_counts(id);
    thl_quota_reset(&c->quota, 0, 0);
    atomic_store_explicit(&c->made, 0, memory_order_relaxed);
    atomic_store_explicit(&c->ended, 0, memory_order_relaxed);
    atomic_store_explicit(&c->longest_ds, 0, memory_order_relaxed);
    atomic_store_explicit(&c->records, 0, memory_order_relaxed);
    atomic_store_explicit(&c->suppressed, 0, memory_order_relaxed);
}

uint32_t
thl_site_count(void)
{
    return atomic_load_explicit(&table.n, memory_order_relaxed); /* a counter */
}

void
thl_site_after_fork(void)
{
    atomic_store_explicit(&table.lock, 0, memory_order_release); /* pairs with intern_slow */
}
