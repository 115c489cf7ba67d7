/* SPDX-License-Identifier: MIT */
/* What the benches share. */
#include "bench.h"

#include <dirent.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NAME_BYTES 64
#define CALIBRATION_NS INT64_C(5000000)

static const char *question, *case_name;
static uint64_t began_ticks;
static int64_t began_ns;

/* ---- output ---- */

void
bench_die(const char *format, ...)
{
    va_list args;
    fflush(stdout);
    fprintf(stderr, "%s %s: ", question ? question : "bench", case_name ? case_name : "");
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    _exit(1);
}

void
bench_row(const char *subject, const char *metric, double value, const char *unit)
{
    printf("%s\t%s\t%s\t%s\t%.10g\t%s\n", question, case_name, subject, metric, value, unit);
}

void
bench_row_percentiles(const char *subject, struct hist *h)
{
    bench_row(subject, "p50", hist_percentile(h, 500), "ns");
    bench_row(subject, "p99", hist_percentile(h, 990), "ns");
    bench_row(subject, "p99.9", hist_percentile(h, 999), "ns");
}

/* ---- cases ---- */

static const char *
find_part(const char *name, unsigned n)
{
    for (; n > 0 && name; n--) {
        name = strchr(name, '.');
        name = name ? name + 1 : NULL;
    }
    if (!name)
        bench_die("no such case");
    return name;
}

bool
bench_part_is(const char *name, unsigned n, const char *part)
{
    const char *at = find_part(name, n);
    size_t size = strcspn(at, ".");
    return strlen(part) == size && memcmp(at, part, size) == 0;
}

unsigned
bench_part_number(const char *name, unsigned n)
{
    const char *at = find_part(name, n);
    return (unsigned)strtoul(at + strcspn(at, "0123456789"), NULL, 10);
}

static void
begin(const struct bench *b, const char *name)
{
    question = b->question;
    case_name = name;
    began_ns = bench_now_ns();
    began_ticks = bench_ticks();
}

/* Each case has a process of its own: limits hold for a process's life, and so does its memory. */
static int
run_apart(const struct bench *b, const char *name)
{
    int status = 1;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        begin(b, name);
        b->run(name);
        _exit(fflush(stdout) == 0 ? 0 : 1);
    }
    if (pid < 0 || waitpid(pid, &status, 0) < 0)
        return 1;
    return status == 0 ? 0 : 1;
}

static bool
is_repeated(const unsigned counts[BENCH_COUNTS], unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (counts[i] == counts[n])
            return true;
    return counts[n] == 0;
}

/* Calls visit(b, name) for each case; what they returned, added up. */
static int
each_case(const struct bench *b, int (*visit)(const struct bench *b, const char *name))
{
    char name[NAME_BYTES];
    int sum = 0;
    for (const char *const *c = b->cases; *c; c++) {
        size_t at = strcspn(*c, "#");
        if ((*c)[at] == '\0')
            sum += visit(b, *c);
        for (unsigned i = 0; (*c)[at] && i < BENCH_COUNTS; i++) {
            snprintf(name, sizeof(name), "%.*s%u%s", (int)at, *c, b->counts[i], *c + at + 1);
            if (!is_repeated(b->counts, i))
                sum += visit(b, name);
        }
    }
    return sum;
}

static int
list(const struct bench *b, const char *name)
{
    (void)b;
    return puts(name) < 0;
}

int
bench_main(int argc, char **argv, const struct bench *b)
{
    if (argc > 1 && strcmp(argv[1], "--list") == 0)
        return each_case(b, list) ? 1 : 0;
    if (argc < 2)
        return each_case(b, run_apart) ? 1 : 0;
    begin(b, argv[1]);
    b->run(argv[1]);
    return fflush(stdout) == 0 ? 0 : 1;
}

/* ---- the machine ---- */

int64_t
bench_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

unsigned
bench_cores(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n > 0 ? (unsigned)n : 1;
}

/* Over the whole run so far: the longer it was, the better. */
double
bench_ns_per_tick(void)
{
    while (bench_now_ns() - began_ns < CALIBRATION_NS)
        ;
    return (double)(bench_now_ns() - began_ns) / (double)(bench_ticks() - began_ticks);
}

void
bench_pause_us(unsigned us)
{
    int64_t until = bench_now_ns() + (int64_t)us * 1000;
    while (bench_now_ns() < until)
        ;
}

int64_t
bench_others_ns(void)
{
    struct timespec all, own;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &all);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &own);
    return (int64_t)(all.tv_sec - own.tv_sec) * 1000000000 + all.tv_nsec - own.tv_nsec;
}

void
bench_begin_hists(struct hist *each, unsigned threads, size_t samples)
{
    for (unsigned i = 0; i < threads; i++)
        if (hist_init(&each[i], samples) < 0)
            bench_die("no memory");
}

void
bench_end_hists(struct hist *all, struct hist *each, unsigned threads, size_t samples)
{
    if (hist_init(all, samples * threads) < 0)
        bench_die("no memory");
    for (unsigned i = 0; i < threads; i++) {
        hist_add_all(all, &each[i]);
        hist_fini(&each[i]);
    }
}

static bool
may_pin(void)
{
    const char *pin = secure_getenv("BENCH_PIN");
    return !pin || strcmp(pin, "0") != 0;
}

void
bench_pin(unsigned core)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(core % bench_cores(), &set);
    if (may_pin())
        (void)sched_setaffinity(0, sizeof(set), &set); /* a wish: containers may refuse it */
}

void
bench_unpin(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    for (unsigned i = 0; i < bench_cores(); i++)
        CPU_SET(i, &set);
    if (may_pin())
        (void)sched_setaffinity(0, sizeof(set), &set);
}

/* By the names that they have: "thole:SCHEME". */
void
bench_pin_targets(unsigned core)
{
    cpu_set_t set;
    struct dirent *entry;
    DIR *tasks = opendir("/proc/self/task");
    CPU_ZERO(&set);
    CPU_SET(core % bench_cores(), &set);
    while (tasks && may_pin() && (entry = readdir(tasks)) != NULL) {
        char path[64], name[32] = "";
        snprintf(path, sizeof(path), "/proc/self/task/%.20s/comm", entry->d_name);
        FILE *f = fopen(path, "r");
        if (f && fgets(name, sizeof(name), f) && strncmp(name, "thole:", 6) == 0)
            (void)sched_setaffinity((pid_t)strtol(entry->d_name, NULL, 10), sizeof(set), &set);
        if (f)
            fclose(f);
    }
    if (tasks)
        closedir(tasks);
}

int64_t
bench_read_number(const char *path, const char *key)
{
    char line[256];
    int64_t found = -1;
    FILE *f = fopen(path, "r");
    while (f && found < 0 && fgets(line, sizeof(line), f))
        if (strncmp(line, key, strlen(key)) == 0)
            found = (int64_t)strtoll(line + strlen(key), NULL, 10);
    if (f)
        fclose(f);
    return found;
}

int64_t
bench_bytes_written(void)
{
    return bench_read_number("/proc/self/io", "wchar:");
}

/* smaps_rollup is exact; the counters of statm may lag behind by some hundred KiB. */
int64_t
bench_resident_now(void)
{
    int64_t kib = bench_read_number("/proc/self/smaps_rollup", "Rss:");
    return (kib >= 0 ? kib : bench_read_number("/proc/self/status", "VmRSS:")) * 1024;
}

int64_t
bench_resident_peak(void)
{
    return bench_read_number("/proc/self/status", "VmHWM:") * 1024;
}

int64_t
bench_address_space(void)
{
    return bench_read_number("/proc/self/status", "VmSize:") * 1024;
}

/* ---- threads ---- */

struct crew {
    pthread_barrier_t begun;
    void (*run)(unsigned i, void *arg);
    void *arg;
};

struct member {
    struct crew *crew;
    unsigned i;
    int64_t from_ns, to_ns;
    pthread_t thread;
};

static void *
run_member(void *arg)
{
    struct member *m = arg;
    bench_pin(m->i);
    pthread_barrier_wait(&m->crew->begun);
    m->from_ns = bench_now_ns();
    m->crew->run(m->i, m->crew->arg);
    m->to_ns = bench_now_ns();
    return NULL;
}

int64_t
bench_threads(unsigned n, void (*run)(unsigned i, void *arg), void *arg)
{
    struct crew crew = {.run = run, .arg = arg};
    struct member *member = calloc(n, sizeof(*member));
    if (!member || pthread_barrier_init(&crew.begun, NULL, n) != 0)
        bench_die("no memory for threads");
    for (unsigned i = 0; i < n; i++) {
        member[i].crew = &crew;
        member[i].i = i;
        if (pthread_create(&member[i].thread, NULL, run_member, &member[i]) != 0)
            bench_die("no thread");
    }
    int64_t from_ns = INT64_MAX, to_ns = 0;
    for (unsigned i = 0; i < n; i++) {
        pthread_join(member[i].thread, NULL);
        from_ns = member[i].from_ns < from_ns ? member[i].from_ns : from_ns;
        to_ns = member[i].to_ns > to_ns ? member[i].to_ns : to_ns;
    }
    pthread_barrier_destroy(&crew.begun);
    free(member);
    return to_ns - from_ns;
}

/* ---- thole ---- */

void
bench_start(const char *sinks, const char *limits)
{
    struct thole_options opt = {.size = sizeof(opt),
                                .app = "bench",
                                .sinks = sinks,
                                .limits = limits,
                                .flags = THOLE_NO_ENV | THOLE_STRICT};
    bench_pin(bench_cores() - 1); /* the writer inherits it */
    int rc = thole_start(&opt);
    bench_unpin();
    if (rc < 0)
        bench_die("thole_start: errno %d", -rc);
}

static void
check_identities(const struct thole_stats *s)
{
    if (s->called != s->routed + s->dropped + s->suppressed + s->queued)
        bench_die("the process's ledger does not add up");
    for (unsigned i = 0; i < s->nsinks; i++) {
        const struct thole_sink_stats *k = &s->sink[i];
        if (k->offered != k->written + k->dropped + k->suppressed + k->pending)
            bench_die("the ledger of %s does not add up", k->name);
    }
}

uint64_t
bench_check(uint64_t calls)
{
    struct thole_stats s = {.size = sizeof(s)};
    if (thole_flush(60000) < 0)
        bench_die("not everything was written within a minute");
    thole_stats(&s);
    check_identities(&s);
    uint64_t lost = s.dropped;
    for (unsigned i = 0; i < s.nsinks; i++)
        lost += s.sink[i].dropped;
    /* thole's own notices are called, too; without a loss there are none. */
    if (s.called < calls || (lost == 0 && s.called != calls))
        bench_die("%llu calls were made, %llu counted", (unsigned long long)calls,
                  (unsigned long long)s.called);
    for (unsigned i = 0; lost == 0 && i < s.nsinks; i++)
        if (s.sink[i].written != s.routed) /* each sink takes all */
            bench_die("%llu records were routed, %s wrote %llu", (unsigned long long)s.routed,
                      s.sink[i].name, (unsigned long long)s.sink[i].written);
    if (s.children != 0)
        bench_die("%llu children are left", (unsigned long long)s.children);
    bench_row("thole", "drops", (double)lost, "records");
    return lost;
}

uint64_t
bench_stop(uint64_t calls)
{
    uint64_t lost = bench_check(calls);
    if (thole_stop(10000) < 0)
        bench_die("thole_stop did not end in time");
    return lost;
}
