/* SPDX-License-Identifier: MIT */
/*
 * Numbered records: what a thread and the signal handlers that interrupt it have logged, compared
 * with what reached the sink.
 *
 * A thread has two sources, its body and its handlers. Each numbers its records from 1 and says in
 * each how many records of the other it has seen finished (`seen`). The sink `numbered:` reads
 * every line back and ends the program unless
 *
 *   - the line is whole: it begins and ends as it should, and its check value is that of its
 * numbers;
 *   - its source's numbers only grow: nothing is written twice, nothing overtakes;
 *   - no record is written behind one that was called after it had returned ("records of one thread
 *     keep their order"): a number that the other source has already said to have seen comes late;
 *   - a context that was bound in one call is of one call ("a" equals "b").
 *
 * numbered_settle() then holds the sink's count against the ledger's: a gap is a drop.
 */
#ifndef THL_RACE_NUMBERED_H
#define THL_RACE_NUMBERED_H

#include "check.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <thole/sink.h>
#include <unistd.h>

enum { BODY, HANDLER, SOURCES };
enum { NUMBERED_MAX = 2048 }; /* threads in a program */

/* One thread's, written by it and its handlers alone; others read. */
struct numbered {
    int id;
    _Atomic uint64_t begun[SOURCES], done[SOURCES];
    _Atomic uint64_t stale; /* uses of a stale handle */
};

struct number {
    uint64_t n, seen, check;
};

static inline uint64_t
numbered_check(uint64_t id, uint64_t source, uint64_t n, uint64_t seen)
{
    uint64_t x = (n * 2 + source) * UINT64_C(0x9E3779B97F4A7C15) + id;
    return (x ^ x >> 29 ^ seen) * UINT64_C(0xBF58476D1CE4E5B9) >> 16;
}

/* relaxed, all of them: a handler sees what its own thread has stored. */
static inline struct number
numbered_begin(struct numbered *w, int source)
{
    struct number x;
    x.n = atomic_load_explicit(&w->begun[source], memory_order_relaxed) + 1;
    atomic_store_explicit(&w->begun[source], x.n, memory_order_relaxed);
    x.seen = atomic_load_explicit(&w->done[!source], memory_order_relaxed);
    x.check = numbered_check((uint64_t)w->id, (uint64_t)source, x.n, x.seen);
    return x;
}

static inline void
numbered_end(struct numbered *w, int source, struct number x)
{
    atomic_signal_fence(memory_order_seq_cst);
    atomic_store_explicit(&w->done[source], x.n, memory_order_relaxed);
}

#define NUMBERED_LOG(w, source, lg)                                                                \
    do {                                                                                           \
        const struct number x_ = numbered_begin((w), (source));                                    \
        thole_info((lg), "numbered", "thread", (w)->id, "source", (source), "n", x_.n, "seen",     \
                   x_.seen, "check", x_.check);                                                    \
        numbered_end((w), (source), x_);                                                           \
    } while (0)

/* The same with keys that are known only at run time. */
static inline void
numbered_log_fields(struct numbered *w, int source, thole_logger lg)
{
    const struct number x = numbered_begin(w, source);
    const thole_field fields[] = {{"thread", THOLE_FIELD_INT, 0, {.i = w->id}},
                                  {"source", THOLE_FIELD_INT, 0, {.i = source}},
                                  {"n", THOLE_FIELD_UINT, 0, {.u = x.n}},
                                  {"seen", THOLE_FIELD_UINT, 0, {.u = x.seen}},
                                  {"check", THOLE_FIELD_UINT, 0, {.u = x.check}}};
    thole_log_fields(lg, THOLE_INFO, "numbered", fields, sizeof(fields) / sizeof(*fields));
    numbered_end(w, source, x);
}

/* For a handler, where stdio is no option. */
#define HANDLER_CHECK(claim)                                                                       \
    do {                                                                                           \
        static const char text_[] = "in a handler, does not hold: " #claim "\n";                   \
        if (!(claim)) {                                                                            \
            (void)!write(STDERR_FILENO, text_, sizeof(text_) - 1);                                 \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)

/* ---- the sink; its counts are the sink's thread's until thole_stop ---- */

static struct {
    uint64_t lines, of[SOURCES], stale, notices, announced, bound, reopened;
    uint64_t last[NUMBERED_MAX][SOURCES]; /* the last number written */
    uint64_t told[NUMBERED_MAX][SOURCES]; /* the highest number that the other source had seen */
} seen;

static inline uint64_t
seen_number(const char *line, const char *key)
{
    const char *at = strstr(line, key);
    if (!at)
        fprintf(stderr, "no %s in %s\n", key, line);
    CHECK(at);
    return strtoull(at + strlen(key), NULL, 10);
}

static inline void
seen_notice(const char *line)
{
    seen.notices++;
    if (strstr(line, "\"msg\":\"records dropped\""))
        seen.announced += seen_number(line, "\"count\":");
}

static inline void
seen_context(const char *line)
{
    if (!strstr(line, "\"a\":"))
        return;
    seen.bound++;
    CHECK(seen_number(line, "\"a\":") == seen_number(line, "\"b\":"));
    CHECK(!strstr(line, "\"thole.stale\":true"));
}

static inline void
seen_record(const char *line)
{
    uint64_t id = seen_number(line, "\"thread\":"), source = seen_number(line, "\"source\":");
    uint64_t n = seen_number(line, "\"n\":"), other = seen_number(line, "\"seen\":");
    CHECK(id < NUMBERED_MAX && source < SOURCES);
    CHECK(seen_number(line, "\"check\":") == numbered_check(id, source, n, other));
    if (n <= seen.last[id][source] || n <= seen.told[id][source])
        fprintf(stderr, "behind %" PRIu64 " and %" PRIu64 ": %s", seen.last[id][source],
                seen.told[id][source], line);
    CHECK(n > seen.last[id][source]);
    CHECK(n > seen.told[id][source]);
    seen.last[id][source] = n;
    if (other > seen.told[id][!source])
        seen.told[id][!source] = other;
    seen.of[source]++;
    seen.stale += strstr(line, "\"thole.stale\":true") != NULL;
    seen_context(line);
}

static inline void
seen_line(const char *bytes, size_t size)
{
    char line[2048];
    CHECK(size < sizeof(line) && size > 2 && memcmp(bytes + size - 2, "}\n", 2) == 0);
    CHECK(memcmp(bytes, "{\"time\":\"", 9) == 0 && !memchr(bytes, '\n', size - 1));
    memcpy(line, bytes, size);
    line[size] = '\0';
    seen.lines++;
    if (strstr(line, "\"logger\":\"thole\""))
        seen_notice(line);
    else
        seen_record(line);
}

static inline int
seen_open(const struct thole_sink_uri *uri, void **sink)
{
    (void)uri;
    *sink = &seen;
    return 0;
}

static inline int
seen_write(void *sink, const struct thole_sink_record *records, size_t n, size_t *done)
{
    (void)sink;
    for (size_t i = 0; i < n; i++)
        seen_line(records[i].bytes, records[i].size);
    *done = n;
    return 0;
}

static inline int
seen_reopen(void *sink)
{
    (void)sink;
    seen.reopened++;
    return 0;
}

static inline void
seen_close(void *sink)
{
    (void)sink;
}

/* Starts with that sink alone. */
static inline void
numbered_start(const char *limits)
{
    static const struct thole_sink_ops ops = {.size = sizeof(ops),
                                              .flags = THOLE_SINK_MAY_BLOCK | THOLE_SINK_LINES,
                                              .format = "json",
                                              .open = seen_open,
                                              .write = seen_write,
                                              .reopen = seen_reopen,
                                              .close = seen_close};
    CHECK(thole_sink_register("numbered", &ops) == 0);
    start_with("numbered:", limits);
}

/* After the threads' end: what all of them have called. */
static inline uint64_t
numbered_called(const struct numbered *const *workers, size_t n)
{
    uint64_t called = 0;
    for (size_t i = 0; i < n; i++)
        for (int s = 0; s < SOURCES; s++) {
            CHECK(atomic_load(&workers[i]->begun[s]) == atomic_load(&workers[i]->done[s]));
            called += atomic_load(&workers[i]->done[s]);
        }
    return called;
}

/* Stops thole, for the last time of perhaps many: what must hold then. */
static inline struct thole_stats
numbered_stop(const struct numbered *const *workers, size_t n)
{
    uint64_t called = numbered_called(workers, n), stale = 0;
    for (size_t i = 0; i < n; i++)
        stale += atomic_load(&workers[i]->stale);
    CHECK(thole_flush(20000) == 0);
    CHECK(thole_stop(20000) == 0);
    struct thole_stats st = check_identities();
    CHECK(st.nsinks == 1 && st.queued == 0 && st.sink[0].pending == 0);
    CHECK(st.called >= called + seen.notices);
    if (st.stale != stale)
        fprintf(stderr, "%" PRIu64 " stale uses, %" PRIu64 " counted\n", stale, st.stale);
    CHECK(st.children == 0 && st.stale == stale);
    return st;
}

/* The same where it was started once, and the sink's ledger is of all that was ever called. A
 * notice that the sink's queue had no room for is called and dropped, and seen by nobody. */
static inline struct thole_stats
numbered_settle(const struct numbered *const *workers, size_t n)
{
    struct thole_stats st = numbered_stop(workers, n);
    const struct thole_sink_stats *k = &st.sink[0];
    uint64_t called = numbered_called(workers, n), written = seen.of[BODY] + seen.of[HANDLER];
    uint64_t unseen = st.called - called - seen.notices;
    CHECK(k->written == seen.lines && unseen <= k->dropped);
    CHECK(called - written == st.dropped + k->dropped - unseen);
    CHECK(unseen > 0 || seen.announced == st.dropped + k->dropped);
    return st;
}

/* Limits hold for the life of a process, so each part of a program has one of its own. */
static inline void
numbered_apart(const char *limits, int (*part)(const void *), const void *arg)
{
    int status;
    fflush(NULL);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* one that fails leaves nobody behind */
        exit(part(arg));
    }
    CHECK(waitpid(pid, &status, 0) == pid);
    if (WIFSIGNALED(status))
        fprintf(stderr, "%s: ended by signal %d\n", limits, WTERMSIG(status));
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

#endif
