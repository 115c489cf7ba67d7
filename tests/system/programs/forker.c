/* SPDX-License-Identifier: MIT */
/* Becomes a daemon, and runs other programs in every way there is, while it logs. */
#include "observe.h"
#include "program.h"

#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>

enum { QUEUED = 100, ROUNDS = 50, THREADS = 3, PER_ROUND = 100 };

extern char **environ;

/* ---- daemons ---- */

/* The flush is answered by all of thole's threads: see fork.c on why. */
static void
start_and_queue(void)
{
    start_with(given_sinks, NULL);
    CHECK(thole_flush(20000) == 0);
    for (int i = 0; i < QUEUED; i++)
        thole_info(root, "before", "i", i);
}

static int
live_as_a_daemon(void)
{
    alarm(WATCHDOG_S); /* fork did not hand it on */
    for (int i = 0; i < QUEUED; i++)
        thole_info(root, "direct", "i", i);
    CHECK(thole_start(NULL) == 0);
    for (int i = 0; i < QUEUED; i++)
        thole_info(root, "started", "i", i);
    CHECK(thole_stop(10000) == 0);
    dprintf(STDOUT_FILENO, "daemon %ld\n", (long)getpid());
    return 0;
}

static int
become_a_daemon(void)
{
    start_and_queue();
    CHECK(daemon(1, 1) == 0); /* the parent leaves by _exit, at once */
    return live_as_a_daemon();
}

static int
fork_twice(void)
{
    start_and_queue();
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid > 0)
        _exit(0);
    alarm(WATCHDOG_S);
    CHECK(setsid() > 0);
    thole_info(root, "in between");
    pid = fork();
    CHECK(pid >= 0);
    if (pid > 0)
        _exit(0);
    return live_as_a_daemon();
}

/* ---- other programs ---- */

static void
await_success(pid_t pid)
{
    int status = -1;
    CHECK(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0);
}

static void
run_by_fork(const char *const *args)
{
    pid_t pid = fork();
    if (pid == 0) {
        execvp(args[0], (char *const *)args);
        _exit(127);
    }
    await_success(pid);
}

static void
run_by_vfork(const char *const *args)
{
    pid_t pid = vfork();
    if (pid == 0) {
        execvp(args[0], (char *const *)args);
        _exit(127);
    }
    await_success(pid);
}

static void
run_by_posix_spawn(const char *const *args)
{
    pid_t pid;
    CHECK(posix_spawnp(&pid, args[0], NULL, NULL, (char *const *)args, environ) == 0);
    await_success(pid);
}

static const char *
join_args(const char *const *args)
{
    static char text[256];
    text[0] = '\0';
    for (; *args; args++) {
        strncat(text, *args, sizeof(text) - strlen(text) - 1);
        strncat(text, " ", sizeof(text) - strlen(text) - 1);
    }
    return text;
}

static void
run_by_system(const char *const *args)
{
    CHECK(system(join_args(args)) == 0);
}

static void
run_by_popen(const char *const *args)
{
    char text[4096];
    FILE *pipe = popen(join_args(args), "re");
    CHECK(pipe);
    size_t n = fread(text, 1, sizeof(text), pipe);
    CHECK(pclose(pipe) == 0);
    dprintf(STDOUT_FILENO, "%.*s", (int)n, text);
}

static void (*const ways[])(const char *const *) = {run_by_vfork, run_by_posix_spawn, run_by_system,
                                                    run_by_popen, run_by_fork};
enum { WAYS = sizeof(ways) / sizeof(ways[0]), WAYS_WITHOUT_FORK = WAYS - 1 };

/* The round that the threads log beside, counted from 1. */
static atomic_int round_now, begun;

static void *
keep_in_each_round(void *arg)
{
    int source = *(int *)arg;
    begun++;
    for (int round = 1; round <= ROUNDS * WAYS_WITHOUT_FORK; round++) {
        while (round_now < round)
            sched_yield();
        for (int i = 0; i < PER_ROUND; i++)
            thole_info(root, "kept", "t", source, "i", (round - 1) * PER_ROUND + i);
    }
    return NULL;
}

static int
run_programs_beside_threads(void)
{
    static const char *const args[] = {"true", NULL};
    static int source[THREADS];
    pthread_t thread[THREADS];
    struct sampler sampler;
    start_with(given_sinks, "queue=4M");
    CHECK(thole_flush(20000) == 0);
    for (int i = 0; i < THREADS; i++) {
        source[i] = i;
        CHECK(pthread_create(&thread[i], NULL, keep_in_each_round, &source[i]) == 0);
    }
    while (begun < THREADS)
        sched_yield();
    CHECK(sampler_start(&sampler));
    for (int i = 0; i < ROUNDS * WAYS_WITHOUT_FORK; i++) {
        round_now++;
        ways[i % WAYS_WITHOUT_FORK](args);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    CHECK(sampler_stop(&sampler) > 100);
    CHECK(thole_stop(20000) == 0);
    struct thole_stats s = sampler_look();
    CHECK(s.called == THREADS * ROUNDS * WAYS_WITHOUT_FORK * PER_ROUND);
    CHECK(s.dropped == 0 && s.sink[0].written == s.called);
    return 31;
}

/* ---- descriptors ---- */

/* The lists that a program sees which was run in each way, one after the other. */
static int
list_descriptors_of_programs(void)
{
    static const char *const args[] = {"ls", "/proc/self/fd", NULL};
    int before = count_entries("/proc/self/fd");
    run_by_posix_spawn(args);
    start_with(given_sinks, NULL);
    keep(0, 1);
    CHECK(thole_flush(20000) == 0);
    CHECK(count_entries("/proc/self/fd") >= before + 4); /* file, udp, syslog, and the arena */
    for (size_t i = 0; i < WAYS; i++) {
        dprintf(STDOUT_FILENO, "==\n");
        ways[i](args);
    }
    CHECK(thole_stop(10000) == 0);
    return 32;
}

int
main(int argc, char **argv)
{
    static const struct mode modes[] = {
        {"become_a_daemon", become_a_daemon},
        {"fork_twice", fork_twice},
        {"run_programs_beside_threads", run_programs_beside_threads},
        {"list_descriptors_of_programs", list_descriptors_of_programs},
    };
    return run_mode(argc, argv, modes, sizeof(modes) / sizeof(modes[0]));
}
