/* SPDX-License-Identifier: MIT */
/*
 * A daemon that logs steadily while its receivers fail:
 *
 *     daemon RATE THREADS [hang=PATH] [limits=TEXT] [flush=MS] [records=N]
 *
 * RATE records a second in all, from so many threads, to the sinks of THOLE_SINKS: "numbered" with
 * the thread's number t, the record's i and at, the nanoseconds of CLOCK_MONOTONIC just before the
 * call. Writes to PATH hang for ever, and so do operations of the scheme hang: (see hang.h). Prints
 * a line when it runs. Commands are bytes of stdin: "r" is thole_reopen(). At the end of stdin it
 * stops, and prints what happened as one line of JSON.
 *
 * A sampler thread looks at the ledger all the time: a broken identity ends the program (3). A call
 * that blocked is one in which its thread gave the processor away by itself; preemption is not
 * that.
 */
#include "calls.h"
#include "hang.h"
#include "sampler.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <thole/thole.h>

enum { THREADS_MAX = 8, TICK_MS = 2, STEP_NS = 100, STEPS = 20000, BLOCKED_NS = 1000000 };
enum { STOP_MS = 500 }; /* isolation.py knows it */

#define CHECK(claim)                                                                               \
    do {                                                                                           \
        if (!(claim)) {                                                                            \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #claim);             \
            _exit(99);                                                                             \
        }                                                                                          \
    } while (0)

static const thole_logger root = {0};

struct producer {
    pthread_t thread;
    int number, timer, end;
    unsigned each_tick;
    uint64_t most; /* records; 0: no end */
    uint64_t logged, blocked;
    int64_t worst_ns;
    uint32_t took[STEPS]; /* calls by their duration, in steps; the last: longer */
};

static struct producer producers[THREADS_MAX];

static long
give_ups(void)
{
    struct rusage use;
    CHECK(getrusage(RUSAGE_THREAD, &use) == 0);
    return use.ru_nvcsw;
}

static void
log_one(struct producer *p)
{
    long before = give_ups();
    int64_t at = calls_now_ns();
    thole_info(root, "numbered", "t", p->number, "i", p->logged, "at", at);
    int64_t took = calls_now_ns() - at;
    p->blocked += give_ups() != before && took > BLOCKED_NS;
    p->worst_ns = took > p->worst_ns ? took : p->worst_ns;
    p->took[took / STEP_NS < STEPS ? took / STEP_NS : STEPS - 1]++;
    p->logged++;
}

static void *
produce(void *arg)
{
    struct producer *p = arg;
    struct pollfd wait[] = {{p->end, POLLIN, 0}, {p->timer, POLLIN, 0}};
    uint64_t ticks;
    while (poll(wait, 2, -1) >= 0 && !wait[0].revents)
        if (read(p->timer, &ticks, sizeof(ticks)) == (ssize_t)sizeof(ticks))
            for (ticks *= p->each_tick; ticks > 0; ticks--) {
                log_one(p);
                if (p->logged == p->most)
                    return NULL;
            }
    return NULL;
}

static void
start_producers(unsigned n, unsigned rate, uint64_t most, int end)
{
    const struct itimerspec every = {{0, TICK_MS * 1000000}, {0, TICK_MS * 1000000}};
    for (unsigned i = 0; i < n; i++) {
        struct producer *p = &producers[i];
        p->number = (int)i;
        p->end = end;
        p->most = most / n;
        p->each_tick = rate * TICK_MS / 1000 / n;
        p->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
        CHECK(p->each_tick > 0 && p->timer >= 0);
        CHECK(timerfd_settime(p->timer, 0, &every, NULL) == 0);
        CHECK(pthread_create(&p->thread, NULL, produce, p) == 0);
    }
}

/* ---- the report ---- */

static long
median_ns(unsigned n)
{
    uint64_t all = 0, so_far = 0;
    for (unsigned i = 0; i < n; i++)
        all += producers[i].logged;
    for (long step = 0; step < STEPS; step++) {
        for (unsigned i = 0; i < n; i++)
            so_far += producers[i].took[step];
        if (2 * so_far >= all)
            return (step + 1) * STEP_NS; /* at most */
    }
    return STEPS * (long)STEP_NS;
}

static void
print_sink(const struct thole_sink_stats *k)
{
    static const char *const words[] = {"queue_full", "outbox_full", "would_block",
                                        "refused",    "too_big",     "no_space",
                                        "io_error",   "down",        "stopped"};
    printf("{\"name\":\"%s\",\"offered\":%llu,\"written\":%llu,\"dropped\":%llu,\"cause\":{",
           k->name, (unsigned long long)k->offered, (unsigned long long)k->written,
           (unsigned long long)k->dropped);
    for (size_t c = 0, n = 0; c < sizeof(words) / sizeof(*words); c++)
        if (k->cause[c] > 0)
            printf("%s\"%s\":%llu", n++ ? "," : "", words[c], (unsigned long long)k->cause[c]);
    printf("},\"pending\":%llu}", (unsigned long long)k->pending);
}

static void
print_calls(_Atomic unsigned counts[][CALLS_TENTHS], int64_t ended_ns)
{
    int64_t tenths = (ended_ns - calls.began_ns) / 100000000 + 1;
    for (int target = 0; target < CALLS_TARGETS; target++) {
        printf("%s\"%s\":[", target ? "," : "", calls_names[target]);
        for (int i = 0; i < CALLS_TENTHS && i < tenths; i++)
            printf("%s%u", i ? "," : "", counts[target][i]);
        printf("]");
    }
}

struct ends {
    int flushed, stopped;
    int64_t stop_ns; /* how long it took */
    uint64_t samples;
};

static void
print_report(const struct ends *e, unsigned n)
{
    struct thole_stats s = {.size = sizeof(s)};
    uint64_t logged = 0, blocked = 0;
    int64_t worst = 0;
    thole_stats(&s);
    for (unsigned i = 0; i < n; i++) {
        logged += producers[i].logged;
        blocked += producers[i].blocked;
        worst = producers[i].worst_ns > worst ? producers[i].worst_ns : worst;
    }
    printf(
        "{\"logged\":%llu,\"blocked\":%llu,\"worst_ns\":%lld,\"median_ns\":%ld,\"samples\":%llu,",
        (unsigned long long)logged, (unsigned long long)blocked, (long long)worst, median_ns(n),
        (unsigned long long)e->samples);
    printf("\"flushed\":%d,\"stopped\":%d,\"stop_ns\":%lld,\"queue_dropped\":%llu,\"sinks\":[",
           e->flushed, e->stopped, (long long)e->stop_ns, (unsigned long long)s.dropped);
    for (unsigned i = 0; i < s.nsinks; i++) {
        printf("%s", i ? "," : "");
        print_sink(&s.sink[i]);
    }
    printf("],\"began_ns\":%lld,\"calls\":{", (long long)calls.began_ns);
    print_calls(calls.made, calls_now_ns());
    printf("},\"waits\":{");
    print_calls(calls.waits, calls_now_ns());
    printf("}}\n");
}

/* ---- the run ---- */

static const char *
find_argument(int argc, char **argv, const char *name)
{
    for (int i = 3; i < argc; i++)
        if (strncmp(argv[i], name, strlen(name)) == 0)
            return argv[i] + strlen(name);
    return NULL;
}

static void
obey(void)
{
    char command;
    ssize_t n;
    while ((n = read(STDIN_FILENO, &command, 1)) > 0 || (n < 0 && errno == EINTR))
        if (n > 0 && command == 'r')
            thole_reopen();
}

int
main(int argc, char **argv)
{
    struct thole_options opt = {.size = sizeof(opt), .app = "outage", .flags = THOLE_STRICT};
    struct sampler sampler;
    struct ends e;
    if (argc < 3)
        return 2;
    unsigned rate = (unsigned)strtoul(argv[1], NULL, 10);
    unsigned n = (unsigned)strtoul(argv[2], NULL, 10);
    int end = eventfd(0, EFD_CLOEXEC), never = eventfd(0, EFD_CLOEXEC);
    CHECK(n > 0 && n <= THREADS_MAX && end >= 0 && never >= 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves nobody behind */
    calls.never = hang_never = never;
    calls.hung_path = find_argument(argc, argv, "hang=");
    opt.limits = find_argument(argc, argv, "limits=");
    const char *flush = find_argument(argc, argv, "flush=");
    calls.began_ns = calls_now_ns();
    CHECK(hang_register());
    CHECK(thole_start(&opt) == 0);
    CHECK(sampler_start(&sampler));
    const char *most = find_argument(argc, argv, "records=");
    start_producers(n, rate, most ? strtoull(most, NULL, 10) : 0, end);
    printf("runs\n");
    fflush(stdout);

    obey();
    CHECK(most || eventfd_write(end, 1) == 0);
    for (unsigned i = 0; i < n; i++)
        CHECK(pthread_join(producers[i].thread, NULL) == 0);
    e.flushed = thole_flush(flush ? (int)strtol(flush, NULL, 10) : 5000);
    int64_t before = calls_now_ns();
    e.stopped = thole_stop(STOP_MS);
    e.stop_ns = calls_now_ns() - before;
    e.samples = sampler_stop(&sampler);
    print_report(&e, n);
    CHECK(eventfd_write(never, 1) == 0);
    return 0;
}
