/* SPDX-License-Identifier: MIT */
/* The consumer of the floor's rings. */
#include "floor.h"

#include <stdlib.h>

#define POLL_US 2 /* between two looks: one that never rested would slow the producers down */

static void
read_record(struct floor *f, const unsigned char *record, uint64_t size)
{
    uint64_t word;
    for (uint64_t i = 8; i < 16 + size; i += 8) {
        memcpy(&word, record + i, 8);
        f->sum += word;
    }
    f->records++;
    f->bytes += size;
}

static bool
consume(struct floor *f, struct floor_ring *r)
{
    /* relaxed: the consumer reads what it wrote itself */
    uint64_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
    uint64_t tail = atomic_load_explicit(&r->tail, memory_order_acquire); /* floor_push() */
    uint64_t size;
    if (head == tail)
        return false;
    while (head < tail) {
        uint64_t at = head & (FLOOR_RING_BYTES - 1);
        size = 0;
        if (at + 8 <= FLOOR_RING_BYTES)
            memcpy(&size, r->bytes + at, 8);
        if (size == 0) {
            head += FLOOR_RING_BYTES - at;
            continue;
        }
        read_record(f, r->bytes + at, size);
        head += 16 + size;
    }
    atomic_store_explicit(&r->head, head, memory_order_release); /* pairs with floor_push() */
    return true;
}

static void *
run_consumer(void *arg)
{
    struct floor *f = arg;
    bool busy, last;
    bench_pin(bench_cores() - 1);
    do {
        last = atomic_load_explicit(&f->stop, memory_order_acquire); /* floor_stop() */
        busy = false;
        for (unsigned i = 0; i < f->n; i++)
            busy |= consume(f, &f->ring[i]);
        if (!busy && !last)
            bench_pause_us(POLL_US);
    } while (busy || !last);
    return NULL;
}

void
floor_start(struct floor *f, unsigned rings)
{
    memset(f, 0, sizeof(*f));
    f->n = rings;
    f->ring = aligned_alloc(4096, (sizeof(*f->ring) * rings + 4095) & ~(size_t)4095);
    if (!f->ring)
        bench_die("no memory for the floor's rings");
    memset(f->ring, 0, sizeof(*f->ring) * rings);
    if (pthread_create(&f->consumer, NULL, run_consumer, f) != 0)
        bench_die("no thread for the floor's consumer");
}

void
floor_stop(struct floor *f, uint64_t records)
{
    atomic_store_explicit(&f->stop, 1, memory_order_release); /* pairs with run_consumer() */
    pthread_join(f->consumer, NULL);
    if (f->records != records)
        bench_die("the floor pushed %llu records and read %llu", (unsigned long long)records,
                  (unsigned long long)f->records);
    free(f->ring);
}
