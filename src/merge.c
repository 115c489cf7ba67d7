/* SPDX-License-Identifier: MIT */
/* The merge of all queues. */
#include "merge.h"

#include "emit.h"
#include "flood.h"

/* How far ahead records are fetched into the cache: they come from another core's. Not past what is
 * there: those lines are their producer's. */
#define AHEAD 512

static bool
peek(struct thl_merge_source *s)
{
    s->record = thl_ring_peek_consumer(s->ring, s->until, &s->size);
    if (!s->record)
        return false;
    s->ticks = s->record->ticks;
    /* relaxed: our own */
    if (s->until - atomic_load_explicit(&s->ring->head, memory_order_relaxed) > 2 * AHEAD)
        __builtin_prefetch((const char *)s->record + AHEAD);
    return true;
}

/* The shared ring, the last, comes first: what a thread logged into its own ring before it went to
 * the shared one (at its end, in a handler) is then seen with what it logged there. The other way
 * round see thl_producer_take_ring. */
void
thl_merge_begin(struct thl_merge *m)
{
    uint32_t used =
        atomic_load_explicit(&thl_emit_queues.used, memory_order_seq_cst); /* note_used */
    m->n = 0;
    m->oldest = NULL;
    for (uint32_t i = used; i-- > 0;) {
        struct thl_merge_source *s = &m->source[m->n];
        s->ring = thl_arena_ring(thl_emit_queues.arena, i);
        s->until = thl_ring_tail_consumer(s->ring);
        m->n += peek(s);
    }
}

static void
look_for_oldest(struct thl_merge *m)
{
    m->oldest = &m->source[0];
    m->others_ticks = UINT64_MAX;
    for (size_t i = 1; i < m->n; i++) {
        struct thl_merge_source *s = &m->source[i];
        struct thl_merge_source *older = s->ticks < m->oldest->ticks ? s : m->oldest;
        struct thl_merge_source *younger = older == s ? m->oldest : s;
        if (younger->ticks < m->others_ticks)
            m->others_ticks = younger->ticks;
        m->oldest = older;
    }
}

struct thl_merge_source *
thl_merge_oldest(struct thl_merge *m)
{
    if (!m->oldest)
        look_for_oldest(m);
    return m->oldest;
}

void
thl_merge_pop(struct thl_merge *m, struct thl_merge_source *s)
{
    thl_ring_pop_consumer(s->ring, s->size);
    const bool more = peek(s);
    if (!more)
        *s = m->source[--m->n];
    if (!more || s->ticks > m->others_ticks)
        m->oldest = NULL;
}

void
thl_merge_discard(struct thl_merge *m, struct thl_merge_source *s)
{
    uint64_t by_level[THL_LEVELS] = {0};
    thl_emit_discard_begin();
    do {
        by_level[s->record->level < THL_LEVELS ? s->record->level : THL_LEVELS - 1]++;
        thl_flood_give_back_record(s->record);
        thl_ring_pop_consumer(s->ring, s->size);
    } while (peek(s));
    thl_emit_discard_end(by_level);
    *s = m->source[--m->n];
    m->oldest = NULL;
}
