/* SPDX-License-Identifier: MIT */
/* The thread between queues and outboxes. */
#include "writer.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bell.h"
#include "compiler.h"
#include "emit.h"
#include "flood.h"
#include "last_thread.h"
#include "lock.h"
#include "merge.h"
#include "news.h"
#include "notice.h"
#include "observe.h"
#include "producer.h"
#include "thread.h"

/* Records, and their bytes, between two releases of the outboxes' locks: a tenth of a millisecond,
 * and batches that are worth a system call. */
#define HANDFUL 512
#define HANDFUL_BYTES (128u * 1024)
#define MANY 256 /* records of a round after which the next follows at once */
#define NAP_MIN_MS 1
#define NAP_MAX_MS 5
#define SLEEP_AFTER_MS 100
#define LATE_MS 150
#define FORK_WAIT_MS 100 /* a writer that a sink holds up is not waited for */

static struct {
    struct thl_dispatch *dispatch; /* the writer's while it runs */
    pthread_t thread;
    _Atomic bool has_membarrier; /* false once it failed: then naps only */
    _Atomic uint64_t flush_want; /* tickets: relaxed but for the wake-up that follows */
    _Atomic bool stop;

    pthread_mutex_t lock;    /* those below */
    pthread_cond_t progress; /* flush_done, ended or left_alone changed */
    uint64_t flush_done;
    bool ended, left_alone, has_progress; /* left_alone: inside a sink that hangs, at a stop */

    pthread_mutex_t round;    /* held but between two handfuls, where fork comes in */
    _Atomic uint32_t forkers; /* that wait for it, or fork */
    bool round_is_ours;       /* by the thread that forks */
    _Atomic int64_t moved_ms; /* when the writer last let a fork in, or could have */
    struct thl_merge merge;   /* the writer's, as is the next */
    bool main_left;
} writer = {.lock = THL_LOCK_INITIALIZER, .round = PTHREAD_MUTEX_INITIALIZER};

static int
membarrier(int command)
{
    return (int)syscall(SYS_membarrier, command, 0, 0);
}

static bool
has_membarrier(void)
{
    return atomic_load_explicit(&writer.has_membarrier, memory_order_relaxed); /* a hint */
}

/* False where the kernel has none, or where a filter that the daemon put on after its start refuses
 * it: then nothing may be concluded from what memory shows. */
static bool
fence_producers(void)
{
    if (has_membarrier() && membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED) == 0)
        return true;
    atomic_store_explicit(&writer.has_membarrier, false, memory_order_relaxed); /* as above */
    return false;
}

/* ---- draining ---- */

static void
note_move(void)
{
    /* relaxed: a time by itself */
    atomic_store_explicit(&writer.moved_ms, thl_clock_mono_ms(), memory_order_relaxed);
}

/* Called with `round` and no other lock held, so that a fork never waits for long, nor for locks
 * that are taken in another order. Whoever forks holds `round` while it lasts. */
static void
let_fork(void)
{
    struct timespec pause = {0, 50000};
    note_move();
    if (THL_LIKELY(atomic_load_explicit(&writer.forkers, memory_order_relaxed) == 0)) /* a hint */
        return;
    pthread_mutex_unlock(&writer.round);
    while (atomic_load_explicit(&writer.forkers, memory_order_relaxed) > 0)
        clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
    pthread_mutex_lock(&writer.round);
}

/* Everything that was queued when it began; dropped, not written, past the end's deadline. How many
 * records that were. */
static size_t
drain(struct thl_dispatch *d)
{
    struct thl_merge *m = &writer.merge;
    thl_merge_begin(m);
    size_t records = 0, bytes = 0, all = 0;
    for (; m->n > 0; all++) {
        struct thl_merge_source *s = thl_merge_oldest(m);
        if (THL_UNLIKELY(thl_dispatch_is_hurried(d))) {
            thl_merge_discard(m, s);
            continue;
        }
        bytes += s->size;
        thl_dispatch_record(d, s->record, s->size, &s->ring->last_ns);
        thl_merge_pop(m, s);
        if (++records == HANDFUL || bytes >= HANDFUL_BYTES) {
            records = bytes = 0;
            thl_dispatch_release(d);
            let_fork();
        }
    }
    thl_dispatch_release(d);
    return all;
}

static void
acknowledge(uint64_t ticket)
{
    pthread_mutex_lock(&writer.lock);
    if (writer.flush_done < ticket) {
        writer.flush_done = ticket;
        pthread_cond_broadcast(&writer.progress);
    }
    pthread_mutex_unlock(&writer.lock);
}

static bool
is_left_alone(void)
{
    pthread_mutex_lock(&writer.lock);
    bool left_alone = writer.left_alone;
    pthread_mutex_unlock(&writer.lock);
    return left_alone;
}

enum found { NOTHING, LITTLE, MUCH };

static enum found
round_once(struct thl_dispatch *d)
{
    /* acquire: what was queued before the ticket was drawn is in this round */
    uint64_t ticket = atomic_load_explicit(&writer.flush_want, memory_order_acquire);
    note_move();
    pthread_mutex_lock(&writer.round);
    let_fork();
    if (atomic_exchange_explicit(&thl_dispatch_reopen, false, memory_order_relaxed)) /* a flag */
        thl_dispatch_reopen_all(d);
    size_t records = drain(d);
    bool any = false;
    if (!is_left_alone()) { /* else the next writer says it, to targets that are served */
        any |= thl_news_say(d, false);
        if (!atomic_load_explicit(&writer.stop, memory_order_relaxed)) /* a round late */
            any |= thl_observe_serve(d);
    }
    thl_dispatch_zone(d);
    pthread_mutex_unlock(&writer.round);
    acknowledge(ticket);
    return any || records >= MANY ? MUCH : records > 0 ? LITTLE : NOTHING;
}

/* ---- sleeping ---- */

static bool
is_asked(void)
{
    pthread_mutex_lock(&writer.lock);
    uint64_t done = writer.flush_done;
    pthread_mutex_unlock(&writer.lock);
    return atomic_load_explicit(&writer.flush_want, memory_order_seq_cst) != done ||
           atomic_load_explicit(&thl_dispatch_reopen, memory_order_seq_cst) ||
           atomic_load_explicit(&writer.stop, memory_order_seq_cst) || thl_observe_is_asked();
}

static bool
has_records(void)
{
    uint32_t used = atomic_load_explicit(&thl_emit_queues.used, memory_order_seq_cst);
    for (uint32_t i = 0; i < used; i++) {
        struct thl_ring *ring = thl_arena_ring(thl_emit_queues.arena, i);
        if (thl_ring_tail_consumer(ring) !=
            atomic_load_explicit(&ring->head, memory_order_relaxed)) /* our own */
            return true;
    }
    return false;
}

static bool
has_one_left(void)
{
    return atomic_load_explicit(&thl_producer_one_has_left, memory_order_seq_cst); /* leave_ring */
}

static void
wait_for_bell(uint32_t state, int nap_ms, const _Atomic uint32_t *mail, uint32_t seen)
{
    int timeout_ms = thl_bell_shorter(nap_ms ? nap_ms : -1, thl_observe_wait_ms());
    if (mail)
        thl_bell_wait_for_two(state, mail, seen, timeout_ms);
    else
        thl_bell_wait(state, timeout_ms);
    atomic_store_explicit(&thl_emit_queues.bell, THL_BELL_AWAKE,
                          memory_order_relaxed); /* only spares producers a wake-up */
}

static void
rest(uint32_t state, int nap_ms)
{
    uint32_t seen = 0;
    const _Atomic uint32_t *mail = thl_observe_bell(&seen); /* before the look at letters */
    /* seq_cst: pairs with thl_emit_wake, whose caller drew its ticket before it rang */
    atomic_store_explicit(&thl_emit_queues.bell, state, memory_order_seq_cst);
    if (state == THL_BELL_ASLEEP) {
        if (!fence_producers() || has_records() || (nap_ms == 0 && has_one_left())) {
            atomic_store_explicit(&thl_emit_queues.bell, THL_BELL_AWAKE, memory_order_relaxed);
            return;
        }
    }
    if (is_asked() || thl_notice_pending()) {
        atomic_store_explicit(&thl_emit_queues.bell, THL_BELL_AWAKE, memory_order_relaxed);
        return;
    }
    wait_for_bell(state, nap_ms, mail, seen);
}

/* Once: those who still log are dropped and counted meanwhile, and would be announced for ever. */
static void
say_last_words(struct thl_dispatch *d)
{
    pthread_mutex_lock(&writer.round);
    if (!is_left_alone())
        thl_news_say(d, true);
    pthread_mutex_unlock(&writer.round);
}

/* One that was left alone ends what it served: nobody else may. `ended` comes last: from then on a
 * start may free the dispatcher. */
static void
end(struct thl_dispatch *d)
{
    pthread_mutex_lock(&writer.lock);
    if (writer.left_alone) {
        pthread_mutex_unlock(&writer.lock);
        thl_dispatch_end_left(d);
        pthread_mutex_lock(&writer.lock);
    }
    writer.ended = true;
    pthread_cond_broadcast(&writer.progress);
    pthread_mutex_unlock(&writer.lock);
}

/* True when main has left. */
static bool
look_after_main(void)
{
    if (atomic_exchange_explicit(&thl_producer_one_has_left, false, memory_order_seq_cst))
        writer.main_left = thl_last_thread_look();
    else if (THL_UNLIKELY(writer.main_left))
        thl_last_thread_look();
    return writer.main_left;
}

/* How long nothing came: first naps, then sleep. */
struct idleness {
    int64_t since_ms;
    int nap_ms;
};

static void
idle(struct thl_dispatch *d, struct idleness *i)
{
    bool main_left = look_after_main();
    if (thl_clock_mono_ms() - i->since_ms < SLEEP_AFTER_MS || !has_membarrier() ||
        thl_news_is_waiting(d)) {
        rest(THL_BELL_NAPPING, i->nap_ms);
        i->nap_ms = i->nap_ms < NAP_MAX_MS ? i->nap_ms + 1 : NAP_MAX_MS;
    } else {
        rest(THL_BELL_ASLEEP, main_left ? THL_LAST_THREAD_LOOK_MS : 0);
        i->since_ms = thl_clock_mono_ms();
    }
}

static void *
run(void *arg)
{
    struct thl_dispatch *d = arg;
    struct idleness idleness = {thl_clock_mono_ms(), NAP_MIN_MS};
    thl_emit_never_wait();
    for (;;) {
        bool stop = atomic_load_explicit(&writer.stop, memory_order_seq_cst);
        enum found found = round_once(d);
        if (found == NOTHING && stop)
            break;
        if (found == NOTHING)
            idle(d, &idleness);
        else
            idleness = (struct idleness){thl_clock_mono_ms(), NAP_MIN_MS};
        if (found == LITTLE && !stop)
            rest(THL_BELL_NAPPING, NAP_MIN_MS);
    }
    say_last_words(d);
    end(d);
    return NULL;
}

/* ---- life ---- */

bool
thl_writer_is_left_alone(void)
{
    pthread_mutex_lock(&writer.lock);
    bool hangs = writer.left_alone && !writer.ended;
    pthread_mutex_unlock(&writer.lock);
    return hangs;
}

int
thl_writer_start(struct thl_dispatch *dispatch)
{
    writer.dispatch = dispatch;
    dispatch->between = let_fork;
    atomic_store_explicit(&writer.has_membarrier,
                          membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) == 0,
                          memory_order_relaxed);                      /* before the thread */
    atomic_store_explicit(&writer.stop, false, memory_order_relaxed); /* before the thread */
    atomic_store_explicit(&thl_emit_queues.bell, THL_BELL_AWAKE, memory_order_relaxed);
    pthread_mutex_lock(&writer.lock); /* a flush from before the last stop may be on its way */
    if (!writer.has_progress)
        thl_lock_init_cond(&writer.progress);
    writer.has_progress = true;
    writer.ended = writer.left_alone = false;
    writer.flush_done = atomic_load_explicit(&writer.flush_want, memory_order_relaxed);
    pthread_mutex_unlock(&writer.lock);
    return -thl_thread_create(&writer.thread, NULL, "thole", run, dispatch);
}

int
thl_writer_flush(const struct timespec *deadline)
{
    int rc = 0;
    uint64_t ticket = 1 + atomic_fetch_add_explicit(&writer.flush_want, 1, memory_order_seq_cst);
    thl_emit_wake_surely();
    pthread_mutex_lock(&writer.lock);
    while (rc == 0 && writer.flush_done < ticket && !writer.ended && !writer.left_alone)
        rc = pthread_cond_timedwait(&writer.progress, &writer.lock, deadline);
    bool served = writer.flush_done >= ticket || writer.ended;
    pthread_mutex_unlock(&writer.lock);
    return served ? 0 : -ETIMEDOUT;
}

static bool
is_past(const struct timespec *deadline)
{
    struct timespec now = thl_clock_deadline(0);
    return now.tv_sec > deadline->tv_sec ||
           (now.tv_sec == deadline->tv_sec && now.tv_nsec >= deadline->tv_nsec);
}

/* After this nobody is inside a ring, and nobody enters one: see emit.h. -ETIMEDOUT when somebody
 * still is: a producer that was interrupted in the middle of its copy. */
static int
close_gate(const struct timespec *deadline)
{
    struct thl_emit_run *run_page = atomic_load_explicit(&thl_emit_run, memory_order_acquire);
    atomic_store_explicit(&run_page->epoch, 0, memory_order_seq_cst); /* pairs with push_own */
    if (!fence_producers()) { /* no proof, but a store is not held back for so long */
        struct timespec pause = {0, 20000000};
        clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
    }
    /* after the barrier: a ring that is taken later finds the gate closed */
    uint32_t used = atomic_load_explicit(&thl_emit_queues.used, memory_order_seq_cst);
    for (uint32_t i = 0; i < used; i++) {
        struct thl_ring *ring = thl_arena_ring(thl_emit_queues.arena, i);
        while (atomic_load_explicit(&ring->busy, memory_order_acquire)) { /* set_busy */
            if (is_past(deadline))
                return -ETIMEDOUT;
            sched_yield();
        }
    }
    return 0;
}

static bool
await_end(const struct timespec *deadline)
{
    int rc = 0;
    pthread_mutex_lock(&writer.lock);
    while (rc == 0 && !writer.ended)
        rc = pthread_cond_timedwait(&writer.progress, &writer.lock, deadline);
    bool ended = writer.ended;
    pthread_mutex_unlock(&writer.lock);
    return ended;
}

/* One that is in no sink does not hang: it has long queues to drop, on a busy machine. */
static bool
await_slow_end(const struct timespec *deadline)
{
    struct timespec later = *deadline;
    later.tv_nsec += LATE_MS * 1000000L;
    later.tv_sec += later.tv_nsec / 1000000000;
    later.tv_nsec %= 1000000000;
    return !thl_dispatch_is_serving(writer.dispatch) && await_end(&later);
}

/* True when it ended after all. */
static bool
leave_alone(void)
{
    pthread_mutex_lock(&writer.lock);
    bool ended = writer.ended;
    writer.left_alone = !ended;
    pthread_cond_broadcast(&writer.progress); /* for flushes: it serves no more */
    pthread_mutex_unlock(&writer.lock);
    if (!ended)
        pthread_detach(writer.thread);
    return ended;
}

int
thl_writer_stop(const struct timespec *soft, const struct timespec *deadline)
{
    int rc = close_gate(soft);
    thl_flood_end(); /* what is called from now on is dropped as stopped */
    atomic_store_explicit(&writer.stop, true, memory_order_seq_cst);
    thl_emit_wake_surely();
    if (pthread_equal(pthread_self(), writer.thread)) { /* exit() inside a sink that it serves */
        leave_alone();
        return -ESRCH;
    }
    bool ended = await_end(soft);
    if (!ended) { /* what is queued still, and what does not fit now, is dropped and counted */
        rc = -ETIMEDOUT;
        thl_dispatch_hurry(writer.dispatch);
        ended = await_end(deadline) || await_slow_end(deadline) || leave_alone();
    }
    if (!ended)
        return -ESRCH;
    pthread_join(writer.thread, NULL);
    return rc;
}

bool
thl_writer_serves_one(void)
{
    uint32_t used = atomic_load_explicit(&thl_emit_queues.used, memory_order_relaxed), owned = 0;
    for (uint32_t i = 0; i < used; i++) {
        struct thl_ring *ring = thl_arena_ring(thl_emit_queues.arena, i);
        /* relaxed: a number for a guess */
        owned += atomic_load_explicit(&ring->owner, memory_order_relaxed) > THL_RING_RECLAIMED;
    }
    return owned <= 1 && used < thl_emit_queues.nrings;
}

void
thl_writer_before_fork(void)
{
    int64_t still_ms =
        thl_clock_mono_ms() - atomic_load_explicit(&writer.moved_ms, memory_order_relaxed);
    /* one that a sink holds up delays one fork, not each */
    struct timespec until = thl_clock_realtime_deadline(still_ms < FORK_WAIT_MS ? FORK_WAIT_MS : 0);
    atomic_fetch_add_explicit(&writer.forkers, 1, memory_order_relaxed); /* see let_fork */
    writer.round_is_ours = pthread_mutex_timedlock(&writer.round, &until) == 0;
}

void
thl_writer_after_fork(bool in_child)
{
    if (!in_child) {
        if (writer.round_is_ours)
            pthread_mutex_unlock(&writer.round);
        atomic_fetch_sub_explicit(&writer.forkers, 1, memory_order_relaxed); /* as above */
        return;
    }
    atomic_store_explicit(&writer.forkers, 0, memory_order_relaxed); /* alone here */
    writer.left_alone = false;
    writer.ended = true;
    pthread_mutex_init(&writer.round, NULL);
    thl_lock_init(&writer.lock);
    thl_lock_init_cond(&writer.progress);
}
