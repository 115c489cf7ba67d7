/* SPDX-License-Identifier: MIT */
/*
 * Claim: at whichever instruction of a log call its thread is torn away (what an asynchronous
 * cancellation can do), the record is written whole or not at all, the ledger adds up, and the ring
 * is good for the next thread; and when the writer slept and was about to be woken, it wakes all
 * the same. All of them are tried, one thread for each: the processor's single step leads there.
 */
#include "seen.h"

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "rings.h"

#define TRAP_FLAG 0x100u

#ifdef __x86_64__

static thole_logger net;
static int steps_to_live; /* of the thread that steps; there is one at a time */
static volatile sig_atomic_t steps;
static bool while_asleep; /* the writer, which takes 100 ms without records */

/* The kernel lets a handler run at full speed. */
static void
count_step(int signal)
{
    (void)signal;
    if (++steps == steps_to_live)
        pthread_exit(NULL);
}

static void
say(int id, int i)
{
    thole_info(net, "step by step", "thread", id, "i", i, "text", "copied");
}

/* The first record takes the ring and makes the call site known. */
static void *
log_step_by_step(void *arg)
{
    int id = *(int *)arg;
    say(id, 0);
    while (while_asleep && atomic_load(&thl_emit_queues.bell) != THL_BELL_ASLEEP)
        (void)poll(NULL, 0, 10); /* at the bell itself only the writer may wait */
    steps = 0;
    __builtin_ia32_writeeflags_u64(__builtin_ia32_readeflags_u64() | TRAP_FLAG);
    say(id, 1);
    __builtin_ia32_writeeflags_u64(__builtin_ia32_readeflags_u64() & ~(uint64_t)TRAP_FLAG);
    steps_to_live = 0;
    return NULL;
}

/* False once the call was over before its time. */
static bool
die_at(int step, int id)
{
    pthread_t thread;
    uint64_t shared = rings_shared_pushes();
    steps_to_live = step;
    CHECK(pthread_create(&thread, NULL, log_step_by_step, &id) == 0);
    pthread_join(thread, NULL);
    if (thole_flush(5000) < 0 || rings_owned() != 0 || check_identities().queued != 0 ||
        rings_shared_pushes() != shared) {
        fprintf(stderr, "torn away at instruction %d: flush %d, %u rings owned, %llu queued\n",
                step, thole_flush(0), rings_owned(), (unsigned long long)check_identities().queued);
        _exit(1); /* stop may hang as well */
    }
    return steps_to_live != 0;
}

/* Returns the number of instructions that were tried from `first` on. */
static int
die_at_each(int first, int *id, int *without)
{
    int step = first;
    while (die_at(step, *id)) {
        CHECK(seen.count[*id] >= 1 && *id < SEEN_THREADS - 1);
        if (seen.count[*id] == 1)
            CHECK(++*without == step); /* once the record can be written, it always is */
        step++;
        ++*id;
    }
    ++*id;
    return step - first;
}

int
main(void)
{
    struct sigaction sa = {.sa_handler = count_step};
    int id = 0, without = 0;
    CHECK(kept_register() && sigaction(SIGTRAP, &sa, NULL) == 0);
    kept.look = seen_look;
    alarm(100);
    start_with("kept:", "queues=4");
    net = thole_get("race.step");
    int all = die_at_each(1, &id, &without);
    if (all == 0 && steps == 0)
        return 77; /* an emulator without single steps */
    CHECK(without > 0 && without < all);
    while_asleep = true;
    int waking = die_at_each(without + 1, &id, &without);
    CHECK(thole_stop(5000) == 0);
    seen_check_all(seen.records);
    printf("%d instructions, written from the %dth on; %d more to wake the writer\n", all,
           without + 1, waking - (all - without));
    return 0;
}

#else

/* Elsewhere a step is another matter. */
int
main(void)
{
    return 77;
}

#endif
