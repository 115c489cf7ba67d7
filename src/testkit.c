/* SPDX-License-Identifier: MIT */
/* <thole/test.h>: the clock that a test sets, and the children that it has left behind, in words.
 * (The lines and the faults are sinks: sinks/memory.c, sinks/fault.c.) */
#include <thole/test.h>

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "buf.h"
#include "census.h"
#include "clock.h"
#include "compiler.h"
#include "console.h"
#include "lifecycle_state.h"
#include "outbox.h"
#include "writer.h"

#define SETTLE_MS 10000
#define SITES 16 /* call sites that a text can name */
#define TEXT_BYTES 2048

/* ---- the clock ---- */

/* What was logged before is rendered, and has its time. Its sinks may have it later: one that
 * stalls does not hold up the clock. */
static void
settle(void)
{
    struct timespec deadline = thl_clock_deadline(SETTLE_MS);
    int state;
    thl_life_notice_fork();
    if (thl_life_state() != THL_LIFE_RUNNING || thl_outbox_in_sink() || thl_life_is_forking())
        return;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
    thl_writer_flush(&deadline);
    pthread_setcancelstate(state, NULL);
}

THL_EXPORT void
thole_test_set_clock(int64_t unix_ns)
{
    settle();
    thl_clock_set(unix_ns);
}

/* The flush only rings: the writer and the sinks look at their clocks again. */
THL_EXPORT void
thole_test_advance_clock(int64_t ns)
{
    settle();
    thl_clock_advance(ns);
    thole_flush(0);
}

THL_EXPORT void
thole_test_release_clock(void)
{
    settle();
    thl_clock_release();
}

/* ---- children left behind ---- */

/* "conn.c:12 holds 2 (conn=17 peer=10.0.0.7:4123)" */
static void
put_site(struct thl_buf *out, const struct thl_arena_site *row, bool first)
{
    char text[sizeof(row->src) + sizeof(row->sample) + 32];
    const size_t end = out->size;
    snprintf(text, sizeof(text), row->sample[0] ? "%s%s holds %u (%s)" : "%s%s holds %u",
             first ? "" : ", ", row->src, row->live, row->sample);
    thl_buf_puts(out, text);
    if (out->overflow)
        thl_buf_rewind(out, end);
}

static void
describe_leaks(struct thl_buf *out, const struct thl_census *c, uint64_t all)
{
    char head[64];
    struct thl_arena_site row;
    unsigned n = 0;
    snprintf(head, sizeof(head), "%llu child logger%s leaked: ", (unsigned long long)all,
             all == 1 ? "" : "s");
    thl_buf_puts(out, head);
    for (uint32_t i = 0; i < c->nsites && n < SITES; i++)
        if (c->tally[i].live && thl_census_row(c, i, &row))
            put_site(out, &row, n++ == 0);
}

THL_EXPORT const char *
thole_test_leaks(void)
{
    static char text[TEXT_BYTES];
    const int saved = errno;
    uint64_t all = thole_test_live_children();
    struct thl_census c;
    struct thl_buf out;
    thl_buf_init(&out, text, sizeof(text) - 1);
    if (all > 0 && thl_census_take(&c, false) == 0) {
        describe_leaks(&out, &c, all);
        thl_census_free(&c);
    } else if (all > 0) {
        thl_buf_lit(&out, "child loggers leaked (no memory to say where)");
    }
    text[out.size] = '\0';
    errno = saved;
    return text;
}

THL_EXPORT void
thole_test_fail_(const char *file, unsigned line, const char *text)
{
    thl_console_print("%s:%u: %s\n", file, line, text);
    abort();
}
