/* SPDX-License-Identifier: MIT */
/*
 * What a sink saw of records that bear "thread" and "i": whole lines, each record of a thread at
 * most once and in order. What is missing must then be what the ledger counts as dropped.
 *
 *     kept.look = seen_look;      (support/kept_sink.h; calls of one sink never overlap)
 *     thole_info(lg, "...", "thread", id, "i", i);
 *     thole_flush(...)            (after which `seen` may be read)
 */
#ifndef THL_RACE_SEEN_H
#define THL_RACE_SEEN_H

#include "check.h"

#include <string.h>

#include "kept_sink.h"

#define SEEN_THREADS 16384

static struct {
    uint64_t next[SEEN_THREADS];  /* one past the last "i" of the thread */
    uint64_t count[SEEN_THREADS]; /* its records */
    uint64_t records, notices;
    uint64_t strange, disorder; /* lines that are not what was logged; repeated or out of order */
} seen;

/* The number after `key`, or UINT64_MAX. */
static inline uint64_t
seen_number(const char *line, size_t size, const char *key)
{
    const char *at = memmem(line, size, key, strlen(key)), *end = line + size;
    uint64_t n = 0;
    if (!at || at + strlen(key) >= end)
        return UINT64_MAX;
    for (at += strlen(key); at < end && *at >= '0' && *at <= '9'; at++)
        n = n * 10 + (uint64_t)(*at - '0');
    return n;
}

static inline bool
seen_is_whole(const char *line, size_t size)
{
    static const char begin[] = "{\"time\":\"";
    return size > sizeof(begin) && memcmp(line, begin, sizeof(begin) - 1) == 0 &&
           memcmp(line + size - 2, "}\n", 2) == 0 && memchr(line, '\n', size) == line + size - 1;
}

static inline void
seen_complain(uint64_t *count, const char *what, const char *line, size_t size)
{
    if ((*count)++ == 0)
        fprintf(stderr, "%s: %.*s", what, (int)size, line);
}

static inline void
seen_look(const char *line, size_t size)
{
    static const char own[] = "\"logger\":\"thole\"";
    uint64_t thread = seen_number(line, size, "\"thread\":"), i = seen_number(line, size, "\"i\":");
    if (seen_is_whole(line, size) && memmem(line, size, own, sizeof(own) - 1)) {
        seen.notices++;
        return;
    }
    seen.records++;
    if (!seen_is_whole(line, size) || thread >= SEEN_THREADS || i == UINT64_MAX) {
        seen_complain(&seen.strange, "a strange line", line, size);
        return;
    }
    if (i < seen.next[thread])
        seen_complain(&seen.disorder, "twice or out of order", line, size);
    seen.next[thread] = i + 1;
    seen.count[thread]++;
}

/* Once nobody logs any more and all was flushed or stopped: `logged` calls, of which what was not
 * seen was dropped and counted, and notices are all that came on top. The sink is the first one. */
static inline struct thole_stats
seen_check_all(uint64_t logged)
{
    struct thole_stats s = check_identities();
    if (seen.records + s.dropped != logged || s.called != logged + seen.notices)
        fprintf(stderr, "logged %llu, seen %llu, dropped %llu; called %llu, notices %llu\n",
                (unsigned long long)logged, (unsigned long long)seen.records,
                (unsigned long long)s.dropped, (unsigned long long)s.called,
                (unsigned long long)seen.notices);
    CHECK(seen.strange == 0 && seen.disorder == 0);
    CHECK(s.queued == 0 && s.sink[0].pending == 0 && s.sink[0].dropped == 0);
    CHECK(s.sink[0].written == seen.records + seen.notices);
    CHECK(seen.records + s.dropped == logged);
    CHECK(s.called == logged + seen.notices);
    return s;
}

#endif
