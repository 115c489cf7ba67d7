/* SPDX-License-Identifier: MIT */
/*
 * Claim: while 3 threads bind children and give them levels, and rules have conditions, a process
 * that is forked (fork, _Fork) at any moment has no gate left behind: each answers what the rules,
 * asked again, say. A thread in the middle of a bind did not come along to write it. And while they
 * make and end children, the process finds room for its own, each in a slot that is nobody else's.
 *
 * usage: forked_gates [MILLISECONDS]
 */
#include "check.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "logger.h"
#include "slab.h"
#include "slab_context.h"

#define BINDERS 3
#define SHARED 4
#define LIMIT 200
#define BURST 40 /* of children, that come and go */

static thole_logger shared[SHARED];
static _Atomic bool over;
static _Atomic uint64_t binds;

static void
make_and_end(unsigned n)
{
    thole_logger child[BURST];
    for (unsigned i = 0; i < n; i++)
        thole_child(&child[i], thole_get("net"), "n", i);
    for (unsigned i = 0; i < n; i++)
        thole_unref(&child[i]);
}

static void *
bind_without_end(void *arg)
{
    unsigned seed = *(unsigned *)arg;
    while (!over) {
        seed = seed * 1664525u + 1013904223u;
        thole_logger copy = shared[(seed >> 16) % SHARED];
        if (seed >> 20 & 1)
            thole_bind(&copy, "state", (seed >> 24) % 3);
        else
            thole_set_level(shared[0], (enum thole_level)((seed >> 24) % 10));
        if (seed >> 21 & 1)
            make_and_end(1 + (seed >> 24) % BURST);
        binds++;
    }
    return NULL;
}

/* All that the bound leaves, and none more, each in a slot of its own and alive. */
static bool
has_room(void)
{
    static thole_logger child[LIMIT + 1];
    static bool taken[THL_SLAB_SLOTS];
    struct thole_stats s = {.size = sizeof(s)};
    for (int i = 0; i < SHARED; i++)
        taken[thl_slab_slot_of(shared[i])] = true;
    thole_stats(&s);
    for (uint64_t i = s.children; i <= LIMIT; i++) {
        thole_child(&child[i], thole_get("net"), "n", i);
        bool fits = thl_slab_find(child[i]) && !taken[thl_slab_slot_of(child[i])];
        if (fits != (i < LIMIT))
            return false;
        taken[thl_slab_slot_of(child[i])] = fits;
    }
    for (uint64_t i = s.children; i < LIMIT; i++)
        if (!thl_slab_unref(child[i]))
            return false;
    return true;
}

/* 0, or the number of the child that was left behind. */
static int
look(void)
{
    if (!has_room())
        return 100;
    for (int i = 0; i < SHARED; i++) {
        enum thole_level found = thole_get_level(shared[i]);
        thl_logger_open_gate(shared[i]);
        if (thole_get_level(shared[i]) != found)
            return i + 1;
    }
    return 0;
}

int
main(int argc, char **argv)
{
    pthread_t threads[BINDERS];
    unsigned seeds[BINDERS];
    unsigned forks = 0;
    int64_t until = mono_ms() + duration_ms(argc, argv, 3000);
    if (UNDER_TSAN) /* it has no forks from threads */
        return 77;
    start_with("null:", "queue=256K,children=200");
    CHECK(thole_configure("info,net{state=1}=trace,net{state=2}=error") == 0);
    for (int i = 0; i < SHARED; i++)
        thole_child(&shared[i], thole_get("net"), "slot", i, "state", 0);
    for (unsigned i = 0; i < BINDERS; i++) {
        seeds[i] = i + 1;
        CHECK(pthread_create(&threads[i], NULL, bind_without_end, &seeds[i]) == 0);
    }
    for (; mono_ms() < until; forks++) {
        int status;
        pid_t pid = forks % 2 && !UNDER_ASAN ? _Fork() : fork();
        CHECK(pid >= 0);
        if (pid == 0)
            _exit(look());
        CHECK(waitpid(pid, &status, 0) == pid);
        CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    over = true;
    for (unsigned i = 0; i < BINDERS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < SHARED; i++)
        thole_unref(&shared[i]);
    CHECK(forks > 10 && binds > forks && thole_stop(10000) == 0);
    printf("%u forks, %llu binds\n", forks, (unsigned long long)binds);
    return 0;
}
