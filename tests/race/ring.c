/* SPDX-License-Identifier: MIT */
/*
 * Claim: what one producer commits, one consumer takes whole, in order and once, over many laps of
 * a small ring and through an owner that changes; what finds no room is refused, never half
 * written.
 */
#include "check.h"

#include <sched.h>
#include <string.h>
#include <sys/mman.h>

#include "ring.h"

#define CAPACITY 4096u
#define RECORDS 200000u
#define OWNERS 4

static struct thl_ring *ring;
static uint64_t refused;

static uint32_t
size_of(uint64_t i)
{
    return 8 + (uint32_t)(i * 7919 % 300);
}

static void
fill(unsigned char *to, uint64_t i)
{
    memcpy(to, &i, 8);
    memset(to + 8, (int)(i & 0xFF), size_of(i) - 8);
}

/* Owners come one after the other, each a thread of its own. */
static void *
produce(void *arg)
{
    uint64_t first = *(uint64_t *)arg;
    CHECK(thl_ring_take(ring));
    for (uint64_t i = first; i < first + RECORDS / OWNERS;) {
        void *place = thl_ring_reserve(ring, size_of(i), 0);
        if (!place) {
            refused++;
            sched_yield();
            continue;
        }
        fill(place, i);
        thl_ring_commit(ring, size_of(i));
        i++;
    }
    thl_ring_give_back(ring);
    return NULL;
}

static void *
consume(void *arg)
{
    unsigned char want[512];
    (void)arg;
    for (uint64_t i = 0; i < RECORDS;) {
        uint32_t size;
        const void *record = thl_ring_peek_consumer(ring, thl_ring_tail_consumer(ring), &size);
        if (!record) {
            sched_yield();
            continue;
        }
        fill(want, i);
        CHECK(size == size_of(i) && memcmp(record, want, size) == 0);
        thl_ring_pop_consumer(ring, size);
        i++;
    }
    return NULL;
}

int
main(void)
{
    pthread_t consumer, producer;
    ring = mmap(NULL, THL_RING_BYTES_OFFSET + CAPACITY, PROT_READ | PROT_WRITE,
                MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(ring != MAP_FAILED);
    thl_ring_init(ring, CAPACITY);
    CHECK(pthread_create(&consumer, NULL, consume, NULL) == 0);
    for (uint64_t o = 0; o < OWNERS; o++) {
        uint64_t first = o * (RECORDS / OWNERS);
        CHECK(pthread_create(&producer, NULL, produce, &first) == 0);
        pthread_join(producer, NULL);
    }
    pthread_join(consumer, NULL);
    CHECK(ring->pushed == RECORDS && ring->popped == RECORDS);
    printf("%u records, %llu laps, refused %llu times and tried again\n", RECORDS,
           (unsigned long long)(ring->tail / CAPACITY), (unsigned long long)refused);
    return 0;
}
