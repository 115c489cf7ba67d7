/* SPDX-License-Identifier: MIT */
/* Slots at hand, taken and given back. */
#include "rack.h"

#include <errno.h>

#include "block.h"
#include "pool.h"
#include "quota.h"
#include "rack_lock.h"
#include "site.h"
#include "slab.h"

#define BATCH (THL_RACK_SLOTS / 2)
#define ROUNDS 100 /* of recalls for one child, or 1.5 s: see rack.h */
#define AT_HAND_MOST (THL_RACKS * THL_RACK_CELLS * THL_RACK_SLOTS)
#define TRIES 100 /* at reading counts that are being moved */

static struct {
    _Alignas(2 * THL_CACHE_LINE) struct thl_quota quota; /* all children's */
    _Atomic uint32_t limit;
} all = {.limit = 65536};

/* Without a rack, and what a forked process differs by. */
static _Atomic uint64_t others_ended;

static struct {
    _Atomic uint32_t begun, ended;
} folds;

/* ---- cells; under the rack's lock ---- */

static uint64_t
bit_of(const struct thl_rack *rack)
{
    return UINT64_C(1) << (rack - thl_racks);
}

static void
count(_Atomic uint64_t *counter)
{
    /* relaxed: one writer at a time */
    atomic_store_explicit(counter, 1 + atomic_load_explicit(counter, memory_order_relaxed),
                          memory_order_relaxed);
}

/* Both bits, before anything is at hand. */
static void
list(struct thl_rack *rack, struct thl_rack_cell *cell, uint32_t site)
{
    if (!cell->listed)
        thl_quota_set_bit(&thl_site_counts(site)->quota, bit_of(rack));
    cell->listed = true;
    if (!rack->listed)
        thl_quota_set_bit(&all.quota, bit_of(rack));
    rack->listed = true;
}

/* The last `n`, with their blocks, while the bits are set; then their credits. */
static void
return_last(struct thl_rack_cell *cell, uint32_t site, uint32_t n)
{
    uint32_t slots[THL_RACK_SLOTS];
    for (uint32_t i = 0; i < n; i++) {
        slots[i] = cell->slot[--cell->n];
        thl_slab_drop_block(slots[i]);
    }
    if (n == 0)
        return;
    thl_pool_give_back(&thl_slab_pool, slots, n);
    thl_quota_sub(&thl_site_counts(site)->quota, n);
    thl_quota_sub(&all.quota, n);
}

static void
empty(struct thl_rack *rack, struct thl_rack_cell *cell)
{
    uint32_t site = atomic_load_explicit(&cell->site, memory_order_relaxed) - 1; /* locked */
    return_last(cell, site, cell->n);
    if (cell->listed) {
        cell->listed = false;
        thl_quota_clear_bit(&thl_site_counts(site)->quota, bit_of(rack));
    }
}

/* relaxed: readers look at `folds` before and after */
static void
move_count(_Atomic uint64_t *from, _Atomic uint64_t *to)
{
    uint64_t n = atomic_load_explicit(from, memory_order_relaxed);
    atomic_store_explicit(from, 0, memory_order_relaxed);
    atomic_fetch_add_explicit(to, n, memory_order_relaxed);
}

/* The cell becomes the site's. */
static THL_COLD void
hand_over(struct thl_rack *rack, struct thl_rack_cell *cell, uint32_t site)
{
    uint32_t before = atomic_load_explicit(&cell->site, memory_order_relaxed); /* locked */
    if (before != 0) {
        struct thl_site_counts *to = thl_site_counts(before - 1);
        empty(rack, cell);
        atomic_fetch_add_explicit(&folds.begun, 1, memory_order_seq_cst); /* thl_rack_count_site */
        move_count(&cell->made, &to->made);
        move_count(&cell->ended, &to->ended);
    }
    atomic_store_explicit(&cell->site, site + 1, memory_order_relaxed); /* as above */
    if (before != 0)
        atomic_fetch_add_explicit(&folds.ended, 1, memory_order_seq_cst); /* the same */
}

static struct thl_rack_cell *
find_cell(struct thl_rack *rack, uint32_t site)
{
    struct thl_rack_cell *cell = &rack->cell[site % THL_RACK_CELLS];
    /* relaxed: locked */
    if (THL_UNLIKELY(atomic_load_explicit(&cell->site, memory_order_relaxed) != site + 1))
        hand_over(rack, cell, site);
    return cell;
}

/* ---- credits, and slots from the pool ---- */

static uint32_t
find_room(struct thl_quota *of_site)
{
    uint32_t n = thl_quota_room(&all.quota), of_its = thl_quota_room(of_site);
    uint32_t least = n < of_its ? n : of_its;
    return least < BATCH ? least : BATCH;
}

static bool
has_any(const struct thl_rack *rack)
{
    for (uint32_t i = 0; i < THL_RACK_CELLS; i++)
        if (rack->cell[i].n > 0)
            return true;
    return false;
}

/* Of all, and of the site; what that does not get is given back to all. */
static int
add_credits(const struct thl_rack *rack, struct thl_quota *of_site, uint32_t want, bool force)
{
    uint64_t own_bit = bit_of(rack);
    int of_its,
        n = thl_quota_add(&all.quota, want, thl_rack_limit(), has_any(rack) ? 0 : own_bit, force);
    if (n < 0)
        return n;
    of_its =
        thl_quota_add(of_site, (uint32_t)n, UINT32_MAX, own_bit, force); /* its cell is empty */
    if (of_its < n)
        thl_quota_sub(&all.quota, (uint32_t)(of_its < 0 ? n : n - of_its));
    return of_its;
}

static void
note_first(uint32_t site)
{
    struct thl_site_counts *of_site = thl_site_counts(site);
    struct thl_rack_counts c;
    thl_rack_count(&c);
    atomic_store_explicit(&of_site->ended_before, c.ended, memory_order_relaxed); /* census */
    atomic_store_explicit(&of_site->first_ds, thl_slab_now_ds(), memory_order_relaxed);
}

/* One slot, and others into the cell where there is room for them. */
static THL_COLD int
refill(struct thl_rack *rack, struct thl_rack_cell *cell, uint32_t site, bool force, uint32_t *slot)
{
    struct thl_quota *of_site = &thl_site_counts(site)->quota;
    uint32_t slots[BATCH], room = find_room(of_site);
    bool is_first = atomic_load_explicit(&of_site->peak, memory_order_relaxed) == 0; /* a hint */
    if (room > 1)
        list(rack, cell, site);
    int n = add_credits(rack, of_site, room > 1 ? room : 1, force);
    if (n < 0)
        return n;
    uint32_t taken =
        thl_pool_take(&thl_slab_pool, THL_SLAB_SLOTS - THL_SLAB_NAMED, slots, (uint32_t)n);
    if (taken < (uint32_t)n) {
        thl_quota_sub(of_site, (uint32_t)n - taken);
        thl_quota_sub(&all.quota, (uint32_t)n - taken);
    }
    if (taken == 0)
        return -ENOMEM;
    for (uint32_t i = taken; i-- > 1;)
        cell->slot[cell->n++] = slots[i];
    *slot = slots[0];
    if (is_first)
        note_first(site);
    return 0;
}

/* What is at hand anywhere goes back to the pool. Far from the limit only a peak is at stake, and
 * no refusal: then nobody is waited for. */
static THL_COLD void
recall(bool waits)
{
    uint64_t stocked = atomic_load_explicit(&all.quota.stocked, memory_order_acquire); /* list */
    for (uint32_t i = 0; i < THL_RACKS; i++) {
        struct thl_rack *rack = &thl_racks[i];
        if ((stocked >> i & 1) == 0 || !(waits ? thl_rack_lock(rack) : thl_rack_try(rack)))
            continue;
        for (uint32_t c = 0; c < THL_RACK_CELLS; c++)
            if (atomic_load_explicit(&rack->cell[c].site, memory_order_relaxed) != 0) /* locked */
                empty(rack, &rack->cell[c]);
        rack->listed = false;
        thl_quota_clear_bit(&all.quota, bit_of(rack));
        thl_rack_unlock(rack);
    }
}

/* ---- slots ---- */

int
thl_rack_take(uint32_t site, uint32_t *slot, struct thl_rack **out)
{
    for (unsigned round = 0;; round++) {
        struct thl_rack *rack = thl_rack_lock_own();
        if (THL_UNLIKELY(!rack))
            return -ENOMEM;
        struct thl_rack_cell *cell = find_cell(rack, site);
        bool far = false;
        int rc = 0;
        if (THL_LIKELY(cell->n > 0)) {
            *slot = cell->slot[--cell->n];
        } else {
            far = thl_quota_credits(&all.quota) + AT_HAND_MOST < thl_rack_limit();
            rc = refill(rack, cell, site, round >= (far ? 1 : ROUNDS), slot);
        }
        if (THL_LIKELY(rc == 0)) {
            atomic_signal_fence(memory_order_seq_cst); /* a fork in a handler: rack.h */
            count(&rack->made);
            count(&cell->made);
            *out = rack;
            return 0;
        }
        thl_rack_unlock(rack);
        if (rc != -EAGAIN)
            return rc;
        recall(!far);
    }
}

/* Without a rack. */
static THL_COLD void
give_to_pool(uint32_t site, uint32_t slot, bool reuse)
{
    thl_slab_drop_block(slot);
    if (reuse)
        thl_pool_give_back(&thl_slab_pool, &slot, 1);
    thl_quota_sub(&thl_site_counts(site)->quota, 1);
    thl_quota_sub(&all.quota, 1);
}

static void
put(struct thl_rack *rack, struct thl_rack_cell *cell, uint32_t site, uint32_t slot)
{
    if (THL_UNLIKELY(cell->n == THL_RACK_SLOTS))
        return_last(cell, site, BATCH);
    if (THL_UNLIKELY(!cell->listed || !rack->listed))
        list(rack, cell, site);
    cell->slot[cell->n] = slot;
    atomic_signal_fence(memory_order_seq_cst); /* whole before it counts: as above */
    cell->n++;
}

void
thl_rack_cancel(struct thl_rack *rack, uint32_t site, uint32_t slot)
{
    struct thl_rack_cell *cell = find_cell(rack, site);
    atomic_fetch_sub_explicit(&rack->made, 1, memory_order_relaxed);
    atomic_fetch_sub_explicit(&cell->made, 1, memory_order_relaxed); /* both: locked */
    put(rack, cell, site, slot);
    thl_rack_unlock(rack);
}

void
thl_rack_give(uint32_t site, uint32_t slot, bool reuse)
{
    struct thl_rack *rack = thl_rack_try_own();
    if (THL_UNLIKELY(!rack)) {
        atomic_fetch_add_explicit(&thl_site_counts(site)->ended, 1,
                                  memory_order_relaxed); /* counters, both */
        atomic_fetch_add_explicit(&others_ended, 1, memory_order_relaxed);
        give_to_pool(site, slot, reuse);
        return;
    }
    struct thl_rack_cell *cell = find_cell(rack, site);
    count(&cell->ended);
    count(&rack->ended);
    if (THL_LIKELY(reuse) && THL_LIKELY(thl_quota_credits(&all.quota) <= thl_rack_limit()))
        put(rack, cell, site, slot);
    else
        give_to_pool(site, slot, reuse);
    thl_rack_unlock(rack);
}

/* ---- limit and counts ---- */

void
thl_rack_set_limit(uint32_t limit)
{
    atomic_store_explicit(&all.limit, limit, memory_order_relaxed); /* read by itself */
    if (thl_quota_credits(&all.quota) > limit)
        recall(true);
}

uint32_t
thl_rack_limit(void)
{
    return atomic_load_explicit(&all.limit, memory_order_relaxed); /* as above */
}

/* Ended first, so that made is never less. relaxed: see rack.h, counts. */
static void
add_up(struct thl_rack_counts *out, uint32_t peak)
{
    out->peak = peak;
    uint64_t live = out->made > out->ended ? out->made - out->ended : 0;
    out->live = live < peak ? (uint32_t)live : peak;
}

void
thl_rack_count(struct thl_rack_counts *out)
{
    uint32_t n = atomic_load_explicit(&thl_racks_used, memory_order_relaxed); /* a bound */
    out->ended = atomic_load_explicit(&others_ended, memory_order_acquire);
    for (uint32_t i = 0; i < n; i++)
        out->ended += atomic_load_explicit(&thl_racks[i].ended, memory_order_acquire);
    out->made = 0;
    for (uint32_t i = 0; i < n; i++)
        out->made += atomic_load_explicit(&thl_racks[i].made, memory_order_relaxed);
    add_up(out, atomic_load_explicit(&all.quota.peak, memory_order_relaxed));
}

static uint64_t
sum_cells(uint32_t site, bool is_ended)
{
    uint64_t sum = 0;
    uint32_t n = atomic_load_explicit(&thl_racks_used, memory_order_relaxed); /* a bound */
    for (uint32_t i = 0; i < n; i++) {
        struct thl_rack_cell *cell = &thl_racks[i].cell[site % THL_RACK_CELLS];
        /* acquire: keeps what follows behind it; see rack.h, counts */
        if (atomic_load_explicit(&cell->site, memory_order_acquire) == site + 1)
            sum +=
                atomic_load_explicit(is_ended ? &cell->ended : &cell->made, memory_order_acquire);
    }
    return sum;
}

static void
sum_site(uint32_t site, struct thl_rack_counts *out)
{
    struct thl_site_counts *c = thl_site_counts(site);
    out->ended = atomic_load_explicit(&c->ended, memory_order_acquire); /* as above, both */
    out->ended += sum_cells(site, true);
    out->made = sum_cells(site, false);
    out->made += atomic_load_explicit(&c->made, memory_order_acquire);
}

/* After some tries as it is found: a thread in the middle of a move may be gone. */
void
thl_rack_count_site(uint32_t site, struct thl_rack_counts *out)
{
    for (unsigned i = 0; i < TRIES; i++) {
        uint32_t ended = atomic_load_explicit(&folds.ended, memory_order_seq_cst); /* hand_over */
        sum_site(site, out);
        if (atomic_load_explicit(&folds.begun, memory_order_seq_cst) == ended) /* the same */
            break;
    }
    add_up(out, atomic_load_explicit(&thl_site_counts(site)->quota.peak, memory_order_relaxed));
}

/* ---- fork ---- */

void
thl_rack_forget_holders(void)
{
    for (uint32_t i = 0; i < THL_RACKS; i++)
        thl_rack_unlock(&thl_racks[i]);
    atomic_store_explicit(&folds.ended, atomic_load_explicit(&folds.begun, memory_order_relaxed),
                          memory_order_relaxed); /* alone here */
}

/* Alone here. A thread that forked in a handler goes on in the middle of what it did: its counts
 * are not touched, others are set against them. */
static void
recount_cell(const struct thl_rack_cell *cell, uint32_t *at_hand)
{
    uint32_t site = atomic_load_explicit(&cell->site, memory_order_relaxed);
    if (site == 0)
        return;
    struct thl_site_counts *c = thl_site_counts(site - 1);
    uint64_t made = atomic_load_explicit(&cell->made, memory_order_relaxed);
    uint64_t ended = atomic_load_explicit(&cell->ended, memory_order_relaxed);
    atomic_fetch_sub_explicit(&c->made, made, memory_order_relaxed);
    atomic_fetch_sub_explicit(&c->ended, ended, memory_order_relaxed);
    atomic_fetch_add_explicit(&c->quota.credits, cell->n, memory_order_relaxed);
    *at_hand += cell->n;
}

void
thl_rack_after_fork(uint32_t live)
{
    uint64_t made = 0, ended = 0;
    uint32_t at_hand = 0, peak = atomic_load_explicit(&all.quota.peak, memory_order_relaxed);
    for (uint32_t i = 0; i < THL_RACKS; i++) {
        made += atomic_load_explicit(&thl_racks[i].made, memory_order_relaxed);
        ended += atomic_load_explicit(&thl_racks[i].ended, memory_order_relaxed);
        for (uint32_t c = 0; c < THL_RACK_CELLS; c++)
            recount_cell(&thl_racks[i].cell[c], &at_hand);
    }
    atomic_store_explicit(&others_ended, made - ended - live, memory_order_relaxed);
    thl_quota_reset(&all.quota, live + at_hand, live > peak ? live : peak);
}
