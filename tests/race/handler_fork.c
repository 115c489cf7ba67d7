/* SPDX-License-Identifier: MIT */
/*
 * Claim: a handler forks amid any step of a thread that makes and ends children, and the child
 * process goes on where the handler interrupted it: no count wraps, none of its children is refused
 * for that, and no two of them have one slot.
 *
 * usage: handler_fork [ROUNDS]
 */
#include "thread_timer.h"

#include <stdlib.h>
#include <sys/wait.h>

#include "site.h"
#include "slab.h"
#include "slab_context.h"

#define STEPS 1000
#define BURST 20 /* more than a rack keeps of one call site */

static volatile sig_atomic_t forked;
static volatile pid_t pid; /* of the process that the handler forked */

static void
fork_here(int signal)
{
    (void)signal;
    pid_t made = fork();
    if (made == 0)
        forked = 1;
    else
        pid = made;
}

static void
make_and_end(thole_logger net)
{
    thole_logger child;
    thole_child(&child, net, "n", 1);
    thole_unref(&child);
}

/* False when two are in one slot, or one is not alive. */
static bool
make_and_end_many(thole_logger net)
{
    thole_logger child[BURST];
    bool fine = true;
    for (unsigned i = 0; i < BURST; i++)
        thole_child(&child[i], net, "n", i, "text", "of some length, for a block of another size");
    for (unsigned i = 0; i < BURST; i++) {
        fine &= thl_slab_find(child[i]) != NULL;
        for (unsigned k = 0; k < i; k++)
            fine &= thl_slab_slot_of(child[k]) != thl_slab_slot_of(child[i]);
    }
    for (unsigned i = 0; i < BURST; i++)
        thole_unref(&child[i]);
    return fine;
}

/* 0, or what is wrong in the child process. */
static int
look(thole_logger net)
{
    make_and_end(net);
    if (!make_and_end_many(net) || !make_and_end_many(net))
        return 4;
    struct thole_stats s = {.size = sizeof(s)};
    thole_stats(&s);
    if (s.children != 0)
        return 1;
    if (s.children_refused != 0)
        return 2;
    for (uint32_t id = 1; id <= thl_site_count(); id++)
        if (atomic_load(&thl_site_counts(id)->quota.peak) >
            (thl_site_find(id)->nfields == 1 ? 2 : BURST + 1))
            return 3;
    return 0;
}

int
main(int argc, char **argv)
{
    long rounds = argc > 1 ? strtol(argv[1], NULL, 10) : 2000;
    const struct sigaction action = {.sa_handler = fork_here};
    unsigned seed = 1;
    if (UNDER_TSAN) /* it defers handlers to the end of calls */
        return 77;
    start_with("null:", "queue=256K");
    thole_logger net = thole_get("net");
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
    timer_t timer = thread_timer_arm(SIGUSR1, 900000000, 0);
    for (long round = 0; round < rounds; round++) {
        seed = seed * 1664525u + 1013904223u;
        struct itimerspec when = {{0, 0}, {0, 5000 + (long)(seed >> 8) % 40000}};
        int status;
        pid = 0;
        CHECK(timer_settime(timer, 0, &when, NULL) == 0);
        while (pid == 0 && !forked)
            for (int i = 0; i < STEPS && pid == 0 && !forked; i++)
                if (i % 8)
                    make_and_end(net);
                else
                    CHECK(make_and_end_many(net));
        if (forked)
            _exit(look(net));
        CHECK(waitpid(pid, &status, 0) == pid);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    thread_timer_disarm(timer, SIGUSR1);
    CHECK(thole_stop(10000) == 0);
    return 0;
}
