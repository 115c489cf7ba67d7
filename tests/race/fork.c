/* SPDX-License-Identifier: MIT */
/*
 * Claim: while 4 threads log, one is in localtime_r, whose lock no fork takes, and one allocates,
 * whose lock fork alone takes (so not where a start follows a _Fork), forked processes come and go,
 * half of them with a writer of their own. Every record of all of them stands in the file exactly
 * once, in order for each thread, with the context and the process id that it was logged with;
 * nobody hangs.
 *
 * usage: fork [fork|_Fork|clone [ROUNDS]]. After a raw clone libc promises no threads; the thread
 * sanitizer has none after any fork from threads, and the address sanitizer's allocator may be
 * locked after a _Fork, which it does not know: there, all stay in direct mode.
 */
#include "check.h"

#include <fcntl.h>
#include <malloc.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define THREADS 4
#define BURST 50     /* records of a thread in each round */
#define OFFSPRING 12 /* records of a forked process */
#define AT_ONCE 8    /* forked processes */
#define WATCHDOG_S 150

static char path[64];
static long rounds = 1000;
static _Atomic long round_now;
static _Atomic int begun;
static _Atomic bool over;

/* What the file shows of one source: a thread of ours, or the process forked in one round. */
struct seen {
    long next, pid;
};
static struct seen threads_seen[THREADS], *rounds_seen;

/* ---- those who log ---- */

static void *
log_in_each_round(void *arg)
{
    thole_logger conn;
    int id = *(int *)arg;
    long n = 0;
    thole_child(&conn, thole_get("storm.thread"), "thread", id);
    begun++;
    for (long round = 1; round <= rounds; round++) {
        while (round_now < round)
            sched_yield();
        for (int i = 0; i < BURST; i++)
            thole_info(conn, "of a thread", "n", n++);
    }
    while (!over) /* each forked process finds all of these children alive */
        sched_yield();
    thole_unref(&conn);
    return NULL;
}

static void *
ask_for_local_time(void *arg)
{
    struct tm local;
    time_t now = time(NULL);
    begun++;
    while (!over)
        CHECK(localtime_r(&now, &local));
    return arg;
}

static void *
allocate(void *arg)
{
    begun++;
    while (!over) {
        void *some[64];
        for (size_t i = 0; i < 64; i++)
            some[i] = malloc(2000 + 64 * i); /* more than a thread's own cache holds */
        for (size_t i = 0; i < 64; i++)
            free(some[i]);
    }
    return arg;
}

/* The parent gives its copy of `conn` back at once; this one is the child process's own. */
static int
offspring(thole_logger conn, long round, bool starts)
{
    alarm(60);
    if (starts && thole_start(NULL) != 0)
        return 10;
    for (int n = 0; n < OFFSPRING; n++) {
        if (n == OFFSPRING / 2)
            thole_bind(&conn, "bound", round);
        thole_info(conn, "of a process", "n", n);
    }
    thole_unref(&conn);
    if (starts && thole_stop(20000) != 0)
        return 11;
    struct thole_stats s = sampler_look();
    if (s.called != OFFSPRING || s.routed != OFFSPRING || s.sink[0].written != OFFSPRING)
        return 12;
    return s.children == THREADS ? 0 : 13; /* those of the threads, as they were */
}

static pid_t
divide(const char *how)
{
    if (strcmp(how, "_Fork") == 0)
        return _Fork();
    if (strcmp(how, "clone") == 0)
        return (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
    return fork();
}

static void
reap_one(void)
{
    int status;
    CHECK(waitpid(-1, &status, 0) > 0);
    if (status != 0)
        fprintf(stderr, "a forked process ended with status %#x\n", (unsigned)status);
    CHECK(status == 0);
}

static void
storm(const char *how)
{
    bool may_start =
        !UNDER_TSAN && (strcmp(how, "fork") == 0 || (strcmp(how, "_Fork") == 0 && !UNDER_ASAN));
    int alive = 0;
    for (long round = 1; round <= rounds; round++) {
        thole_logger conn;
        thole_child(&conn, thole_get("storm.process"), "round", round);
        round_now = round;
        pid_t pid = divide(how);
        CHECK(pid >= 0);
        if (pid == 0)
            _exit(offspring(conn, round, may_start && round % 2 == 0));
        thole_unref(&conn);
        rounds_seen[round].pid = pid;
        if (++alive == AT_ONCE) {
            reap_one();
            alive--;
        }
    }
    while (alive-- > 0)
        reap_one();
}

/* ---- what the file shows ---- */

static long
number(const char *line, const char *key)
{
    char pattern[32];
    snprintf(pattern, sizeof(pattern), " %s=\"", key);
    const char *at = strstr(line, pattern);
    return at ? strtol(at + strlen(pattern), NULL, 10) : -1;
}

/* RFC 5424, 6: PRI and version, time, host, app, PROCID. */
static long
procid(const char *line)
{
    for (int blanks = 0; blanks < 4; blanks++) {
        line = strchr(line, ' ');
        CHECK(line);
        line++;
    }
    return strtol(line, NULL, 10);
}

static void
look_at(const char *line)
{
    long round = number(line, "round"), thread = number(line, "thread"), n = number(line, "n");
    bool known = (round >= 1 && round <= rounds) != (thread >= 0 && thread < THREADS);
    if (!known)
        fprintf(stderr, "nobody's: %s\n", line);
    CHECK(known);
    struct seen *s = round >= 1 ? &rounds_seen[round] : &threads_seen[thread];
    if (n != s->next || procid(line) != s->pid)
        fprintf(stderr, "expected n %ld of pid %ld: %s\n", s->next, s->pid, line);
    CHECK(n == s->next && procid(line) == s->pid);
    CHECK(number(line, "bound") == (round >= 1 && n >= OFFSPRING / 2 ? round : -1));
    s->next++;
}

static void
look_at_all(void)
{
    char line[1024];
    FILE *log = fopen(path, "r");
    CHECK(log);
    for (int i = 0; i < THREADS; i++)
        threads_seen[i].pid = getpid();
    while (fgets(line, sizeof(line), log))
        look_at(line);
    fclose(log);
    for (int i = 0; i < THREADS; i++)
        CHECK(threads_seen[i].next == BURST * rounds);
    for (long round = 1; round <= rounds; round++)
        CHECK(rounds_seen[round].next == OFFSPRING);
}

int
main(int argc, char **argv)
{
    const char *how = argc > 1 ? argv[1] : "fork";
    pthread_t threads[THREADS + 2];
    int ids[THREADS];
    struct sampler sampler;
    char sinks[128];
    int64_t since = mono_ms();
    alarm(WATCHDOG_S);
    rounds = argc > 2 ? strtol(argv[2], NULL, 10) : rounds;
    rounds_seen = calloc((size_t)rounds + 1, sizeof(*rounds_seen));
    snprintf(path, sizeof(path), "%s/thole-fork-XXXXXX", P_tmpdir);
    int fd = mkstemp(path);
    CHECK(rounds_seen && fd >= 0);
    close(fd);
    snprintf(sinks, sizeof(sinks), "file:%s?format=rfc5424", path);
    start_with(sinks, "overflow=block:30000");
    CHECK(sampler_start(&sampler));
    for (int i = 0; i < THREADS; i++) {
        ids[i] = i;
        CHECK(pthread_create(&threads[i], NULL, log_in_each_round, &ids[i]) == 0);
    }
    /* the address sanitizer's allocator has locks that no fork takes, malloc's own are taken */
    int others = strcmp(how, "_Fork") == 0 || UNDER_ASAN ? 1 : 2;
    mallopt(M_ARENA_MAX, 1); /* one lock for all */
    CHECK(pthread_create(&threads[THREADS], NULL, ask_for_local_time, NULL) == 0);
    CHECK(others == 1 || pthread_create(&threads[THREADS + 1], NULL, allocate, NULL) == 0);
    while (begun < THREADS + others)
        sched_yield();
    storm(how);
    over = true;
    for (int i = 0; i < THREADS + others; i++)
        pthread_join(threads[i], NULL);
    CHECK(thole_flush(30000) == 0);
    uint64_t samples = sampler_stop(&sampler);
    struct thole_stats s = check_identities();
    CHECK(s.called == (uint64_t)(THREADS * BURST * rounds) && s.routed == s.called);
    CHECK(s.children == 0 && thole_stop(10000) == 0);
    look_at_all();
    unlink(path);
    free(rounds_seen);
    printf("%ld times %s, %ld records of threads, %ld of forked processes, %llu samples, %lld ms\n",
           rounds, how, THREADS * BURST * rounds, OFFSPRING * rounds, (unsigned long long)samples,
           (long long)(mono_ms() - since));
    return 0;
}
