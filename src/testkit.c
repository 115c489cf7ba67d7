/* SPDX-License-Identifier: MIT */
/* <thole/test.h>: the clock that a test sets, and the children that it has left behind, in words.
 * (The lines and the faults are sinks: sinks/memory.c, sinks/fault.c.) */
#include <thole/test.h>

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "child.h"
#include "clock.h"
#include "compiler.h"
#include "console.h"
#include "field.h"
#include "format_value.h"
#include "lifecycle_state.h"
#include "notice.h"
#include "outbox.h"
#include "slab.h"
#include "writer.h"

#define SETTLE_MS 10000
#define SITES 16         /* call sites that a text can name */
#define SAMPLE_BYTES 200 /* of one child's context */
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

struct leaks {
    uint64_t all;
    size_t n;
    struct {
        uint32_t site, live;
        thole_logger sample;
    } site[SITES];
};

static void
count_leak(void *arg, thole_logger child, struct thl_slot *slot)
{
    struct leaks *l = arg;
    size_t i = 0;
    uint32_t site = atomic_load_explicit(&slot->site, memory_order_relaxed); /* constant */
    l->all++;
    while (i < l->n && l->site[i].site != site)
        i++;
    if (i == SITES)
        return;
    if (i == l->n) {
        l->n++;
        l->site[i].site = site;
        l->site[i].live = 0;
        l->site[i].sample = child;
    }
    l->site[i].live++;
}

/* Fewer of its fields where not all fit; false when none does, or when the child has ended. */
static bool
put_context(struct thl_buf *out, thole_logger child)
{
    _Alignas(8) unsigned char bytes[THL_CHILD_CONTEXT_MAX];
    struct thl_slab_ref ref;
    struct thl_view view;
    const size_t begin = out->size;
    do
        if (!thl_slab_open(&ref, child))
            return false;
    while (!thl_slab_copy(&ref, bytes));
    view.nfields = 0;
    for (size_t at = 0, eaten; at < ref.size && view.nfields < THL_VIEW_FIELDS; at += eaten) {
        eaten = thl_field_tagged_get(&view.field[view.nfields], bytes + at, ref.size - at);
        if (eaten == 0)
            break;
        view.nfields++;
    }
    for (; view.nfields > 0; view.nfields--) {
        thl_format_fields_logfmt(out, &view);
        if (!out->overflow)
            return true;
        thl_buf_rewind(out, begin);
    }
    return false;
}

/* "conn.c:12 holds 2 (conn=17 peer=10.0.0.7:4123)" */
static void
put_site(struct thl_buf *out, uint32_t site, uint32_t live, thole_logger sample)
{
    char src[96], head[128], context[SAMPLE_BYTES];
    struct thl_buf c;
    thl_notice_src(src, sizeof(src), site);
    snprintf(head, sizeof(head), "%s holds %u", src, live);
    thl_buf_puts(out, head);
    thl_buf_init(&c, context, sizeof(context));
    if (!put_context(&c, sample))
        return;
    thl_buf_lit(out, " (");
    thl_buf_put(out, context + 1, c.size - 1); /* each field begins with a blank */
    thl_buf_putc(out, ')');
}

/* The text; the sites in the order in which they were found. */
static void
describe_leaks(struct thl_buf *out, const struct leaks *l)
{
    char head[64];
    snprintf(head, sizeof(head), "%llu child logger%s leaked: ", (unsigned long long)l->all,
             l->all == 1 ? "" : "s");
    thl_buf_puts(out, head);
    for (size_t i = 0; i < l->n; i++) {
        size_t end = out->size;
        if (i > 0)
            thl_buf_lit(out, ", ");
        put_site(out, l->site[i].site, l->site[i].live, l->site[i].sample);
        if (out->overflow) {
            thl_buf_rewind(out, end);
            return;
        }
    }
}

THL_EXPORT const char *
thole_test_leaks(void)
{
    static char text[TEXT_BYTES];
    const int saved = errno;
    struct leaks l = {0};
    struct thl_buf out;
    thl_slab_each(count_leak, &l);
    thl_buf_init(&out, text, sizeof(text) - 1);
    if (l.all > 0)
        describe_leaks(&out, &l);
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
