/* SPDX-License-Identifier: MIT */
/* Credits. */
#include "quota.h"

#include <errno.h>

static uint64_t
changed(uint64_t old, uint32_t number)
{
    return ((old >> 32) + 1) << 32 | number;
}

static void
raise_peak(struct thl_quota *q, uint32_t to)
{
    uint32_t old = atomic_load_explicit(&q->peak, memory_order_relaxed); /* only grows */
    while (old < to && !atomic_compare_exchange_weak_explicit(&q->peak, &old, to,
                                                              memory_order_relaxed, /* as above */
                                                              memory_order_relaxed))
        ;
}

static uint32_t
least(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static bool
is_at_hand(struct thl_quota *q, uint64_t but)
{
    /* acquire: pairs with clear_bit; and the credits are looked at again after it */
    return (atomic_load_explicit(&q->stocked, memory_order_acquire) & ~but) != 0;
}

int
thl_quota_add(struct thl_quota *q, uint32_t want, uint32_t limit, uint64_t but, bool force)
{
    uint64_t old = atomic_load_explicit(&q->credits, memory_order_acquire); /* pairs with itself */
    for (;;) {
        uint32_t number = (uint32_t)old, n = 1;
        uint32_t peak = atomic_load_explicit(&q->peak, memory_order_relaxed); /* only grows */
        if (number < limit && number < peak)
            n = least(want, least(peak, limit) - number);
        else if (!force && is_at_hand(q, but))
            return -EAGAIN;
        if (number >= limit) {
            uint64_t now = atomic_load_explicit(&q->credits, memory_order_acquire); /* as above */
            if (now == old)
                return -ENOSPC;
            old = now;
        } else if (atomic_compare_exchange_weak_explicit(&q->credits, &old,
                                                         changed(old, number + n),
                                                         memory_order_acq_rel, /* with itself */
                                                         memory_order_acquire)) {
            raise_peak(q, number + n);
            return (int)n;
        }
    }
}

/* Never below nothing: a thread that forked in a handler, amid a birth or an end, was counted
 * without that child, and then goes on with it. */
void
thl_quota_sub(struct thl_quota *q, uint32_t n)
{
    uint64_t old = atomic_load_explicit(&q->credits, memory_order_relaxed); /* only compared */
    while (!atomic_compare_exchange_weak_explicit(
        &q->credits, &old, changed(old, (uint32_t)old - least(n, (uint32_t)old)),
        memory_order_acq_rel, /* pairs with add */
        memory_order_relaxed))
        ;
}

uint32_t
thl_quota_room(struct thl_quota *q)
{
    /* relaxed, both: a hint */
    uint32_t number = (uint32_t)atomic_load_explicit(&q->credits, memory_order_relaxed);
    uint32_t peak = atomic_load_explicit(&q->peak, memory_order_relaxed);
    return number < peak ? peak - number : 0;
}

void
thl_quota_set_bit(struct thl_quota *q, uint64_t bit)
{
    atomic_fetch_or_explicit(&q->stocked, bit, memory_order_acq_rel); /* pairs with add */
}

void
thl_quota_clear_bit(struct thl_quota *q, uint64_t bit)
{
    atomic_fetch_and_explicit(&q->stocked, ~bit, memory_order_acq_rel); /* pairs with add */
}

void
thl_quota_reset(struct thl_quota *q, uint32_t credits, uint32_t peak)
{
    atomic_store_explicit(&q->credits, credits, memory_order_relaxed); /* alone here, both */
    atomic_store_explicit(&q->peak, peak, memory_order_relaxed);
}
