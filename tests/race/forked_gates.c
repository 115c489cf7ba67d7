/* SPDX-License-Identifier: MIT */
/*
 * Claim: while 3 threads bind children and give them levels, and rules have conditions, a process
 * that is forked (fork, _Fork) at any moment has no gate left behind: each answers what the rules,
 * asked again, say. A thread in the middle of a bind did not come along to write it.
 *
 * usage: forked_gates [MILLISECONDS]
 */
#include "check.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "logger.h"

#define BINDERS 3
#define SHARED 4

static thole_logger shared[SHARED];
static _Atomic bool over;
static _Atomic uint64_t binds;

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
        binds++;
    }
    return NULL;
}

/* 0, or the number of the child that was left behind. */
static int
look(void)
{
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
    start_with("null:", "queue=256K");
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
