/* SPDX-License-Identifier: MIT */
/* Losses and health, put into words. */
#include "news.h"

#include <string.h>

#include "console.h"
#include "emit.h"
#include "errname.h"
#include "flood.h"
#include "format_value.h"
#include "logger.h"
#include "notice.h"
#include "number.h"

#define SAY_EVERY_MS 1000
#define SUPPRESSED_EVERY_MS 10000
#define SINCE_BYTES 40
#define SUPPRESSED_SITES 16 /* named; the others are summed */

/* A notice, and the one target that it is not for: a target in trouble is not told of its own. */
struct saying {
    struct thl_dispatch *d;
    const struct thl_outbox *except;
};

/* The notice that the dispatcher's view holds, as a line of stderr's. */
static void
print_view(const struct thl_dispatch *d)
{
    char fields[2048];
    struct thl_buf b;
    thl_buf_init(&b, fields, sizeof(fields));
    thl_format_fields_logfmt(&b, &d->view);
    thl_console_print("thole: %.*s%.*s\n", (int)d->view.msg_size, d->view.msg, (int)b.size, fields);
}

static void
say(void *arg, const struct thl_notice *n)
{
    struct saying *s = arg;
    if ((unsigned)n->level < thl_logger_notice_threshold())
        return;
    size_t told = thl_dispatch_notice(s->d, n, s->except);
    if (told == 0 && s->except && !thl_outbox_target(s->except)->is_stderr)
        print_view(s->d);
}

/* ---- losses ---- */

/* The field "since"; its text lies in `text`, of SINCE_BYTES. */
static thole_field
put_since(char *text, int64_t unix_ns)
{
    struct thl_buf b;
    thl_buf_init(&b, text, SINCE_BYTES - 1);
    thl_number_put_rfc3339(&b, unix_ns);
    text[b.size] = '\0';
    return thl_notice_text("since", text);
}

/* `sink` is NULL for drops of the process's own queue. */
static void
say_drops(struct saying *s, const char *sink, const char *cause, const uint64_t *by_level,
          int64_t since_ns)
{
    thole_field fields[4 + THL_LEVELS];
    char since[SINCE_BYTES];
    size_t n = 0;
    uint64_t count = 0;
    for (unsigned l = 0; l < THL_LEVELS; l++)
        count += by_level[l];
    if (sink)
        fields[n++] = thl_notice_text("sink", sink);
    fields[n++] = thl_notice_text("cause", cause);
    fields[n++] = thl_notice_uint("count", count);
    for (unsigned l = 0; l < THL_LEVELS; l++)
        if (by_level[l])
            fields[n++] = thl_notice_uint(thl_level_word((enum thole_level)l), by_level[l]);
    fields[n++] = put_since(since, since_ns);
    say(s, &(struct thl_notice){THOLE_WARN, "records dropped", fields, n, false});
}

/* What the rate= of a sink's held back. */
static void
say_rate(struct saying *s, const char *sink, const struct thl_outbox_news *news)
{
    char since[SINCE_BYTES];
    thole_field fields[] = {thl_notice_text("sink", sink),
                            thl_notice_uint("count", news->suppressed),
                            put_since(since, news->suppressed_since_ns)};
    say(s, &(struct thl_notice){THOLE_WARN, "records suppressed", fields, 3, false});
}

/* Drops of the process by one cause, and how many of them were announced. Of the one dispatcher
 * that a process has at a time. */
struct process_drops {
    _Atomic uint64_t *counted;
    const char *cause;
    uint64_t said[THL_LEVELS];
    int64_t said_ms, since_ns; /* since_ns: when there was none to announce */
};
static struct process_drops process_drops[] = {
    {.counted = thl_emit_ledger.full, .cause = "queue_full"},
    {.counted = thl_emit_ledger.stopped, .cause = "stopped"},
};
#define PROCESS_DROPS (sizeof(process_drops) / sizeof(process_drops[0]))

static uint64_t
count_unsaid(const struct process_drops *p, uint64_t *by_level)
{
    uint64_t count = 0;
    for (unsigned l = 0; l < THL_LEVELS; l++) {
        by_level[l] = atomic_load_explicit(&p->counted[l], memory_order_relaxed) - p->said[l];
        count += by_level[l];
    }
    return count;
}

static bool
say_process_drops(struct thl_dispatch *d, struct process_drops *p, bool last)
{
    uint64_t by_level[THL_LEVELS];
    struct saying s = {d, NULL};
    if (count_unsaid(p, by_level) == 0) {
        p->since_ns = thl_clock_unix_ns();
        return false;
    }
    int64_t now = thl_clock_mono_ms();
    if (!last && p->said_ms && now - p->said_ms < SAY_EVERY_MS)
        return false;
    for (unsigned l = 0; l < THL_LEVELS; l++)
        p->said[l] += by_level[l];
    say_drops(&s, NULL, p->cause, by_level, p->since_ns ? p->since_ns : thl_clock_unix_ns());
    p->since_ns = thl_clock_unix_ns();
    p->said_ms = now;
    return true;
}

/* ---- floods ---- */

struct suppressed {
    uint32_t site;
    uint64_t count;
};

/* The call sites of the most, in that order; their number. */
static size_t
find_worst(struct suppressed *worst, uint32_t nsites)
{
    size_t n = 0;
    for (uint32_t site = 0; site < nsites; site++) {
        uint64_t count = thl_flood_look(site);
        size_t at = n;
        while (at > 0 && worst[at - 1].count < count)
            at--;
        if (count == 0 || at == SUPPRESSED_SITES)
            continue;
        n += n < SUPPRESSED_SITES;
        memmove(&worst[at + 1], &worst[at], (n - at - 1) * sizeof(*worst));
        worst[at] = (struct suppressed){site, count};
    }
    return n;
}

static bool
say_suppressed_at(struct saying *s, const char *src, uint64_t count)
{
    thole_field fields[] = {thl_notice_text("src", src), thl_notice_uint("count", count)};
    if (count > 0)
        say(s, &(struct thl_notice){THOLE_WARN, "records suppressed", fields, 2, false});
    return count > 0;
}

/* What no record has announced: a flood has ended, its child too, or this is the last time. */
static bool
say_suppressed(struct thl_dispatch *d, bool last)
{
    static int64_t looked_ms; /* the dispatching thread's */
    struct suppressed worst[SUPPRESSED_SITES];
    struct saying s = {d, NULL};
    char src[96];
    bool said = false;
    uint64_t others = 0;
    if (!thl_flood_has_unsaid())
        return false;
    int64_t now = thl_clock_mono_ms();
    if (!last && now - looked_ms < SUPPRESSED_EVERY_MS)
        return false;
    looked_ms = now;
    thl_flood_collect(last);
    uint32_t nsites = thl_flood_sites();
    size_t n = find_worst(worst, nsites);
    for (size_t i = 0; i < n; i++)
        said |= say_suppressed_at(&s, thl_notice_src(src, sizeof(src), worst[i].site),
                                  thl_flood_take(worst[i].site));
    for (uint32_t site = 0; n == SUPPRESSED_SITES && site < nsites; site++)
        others += thl_flood_take(site);
    return say_suppressed_at(&s, "others", others) || said;
}

/* ---- targets ---- */

/* As thole_errno has it, with the sink's own words. */
static void
say_error(struct saying *s, const char *msg, const struct thl_target *t, int error)
{
    const thole_field fields[] = {thl_notice_text("sink", t->name),
                                  thl_notice_uint("err", (uint64_t)error),
                                  thl_notice_text("err_name", thl_errname_name(error)),
                                  thl_notice_text("err_text", thl_target_explain(t, error))};
    say(s, &(struct thl_notice){THOLE_WARN, msg, fields, 4, false});
}

static void
say_health(struct saying *s, const struct thl_target *t, const struct thl_outbox_news *news)
{
    const char *sink = t->name;
    if (news->down)
        say_error(s, "sink down", t, news->error);
    if (news->reopen && news->reopen_error) {
        say_error(s, "sink reopen failed", t, news->reopen_error);
    } else if (news->reopen) {
        thole_field fields[] = {thl_notice_text("sink", sink)};
        say(s, &(struct thl_notice){THOLE_NOTICE, "sink reopened", fields, 1, false});
    }
    if (news->recovered) {
        thole_field fields[] = {
            thl_notice_text("sink", sink),
            {"after", THOLE_FIELD_DURATION, 0, {.i = news->outage_ms * 1000000}}};
        say(s, &(struct thl_notice){THOLE_NOTICE, "sink recovered", fields, 2, false});
    }
}

static bool
say_news(struct thl_dispatch *d, struct thl_outbox *o, bool last)
{
    struct thl_outbox_news news;
    struct saying s = {d, NULL};
    const struct thl_target *t = thl_outbox_target(o);
    const char *sink = t->name;
    bool said = false;
    while (thl_outbox_news(o, &news, last)) {
        s.except = thl_outbox_in_trouble(o) ? o : NULL;
        thl_dispatch_release_locks(d);
        say_health(&s, t, &news);
        if (news.count)
            say_drops(&s, sink, thl_outbox_cause_word(news.cause), news.level, news.since_ns);
        if (news.suppressed)
            say_rate(&s, sink, &news);
        said = true;
    }
    return said;
}

/* ---- all of it ---- */

bool
thl_news_say(struct thl_dispatch *d, bool last)
{
    struct saying s = {d, NULL};
    bool said = false;
    for (size_t i = 0; i < PROCESS_DROPS; i++)
        said |= say_process_drops(d, &process_drops[i], last);
    said |= say_suppressed(d, last);
    for (size_t i = 0; i < d->targets.n; i++)
        said |= say_news(d, d->outbox[i], last);
    if (thl_notice_pending()) {
        thl_notice_drain(say, &s);
        said = true;
    }
    if (said)
        thl_dispatch_release(d);
    else
        thl_dispatch_release_locks(d);
    return said;
}

void
thl_news_tell(struct thl_dispatch *d, const struct thl_notice *notice)
{
    say(&(struct saying){d, NULL}, notice);
    thl_dispatch_release(d);
}

bool
thl_news_is_waiting(struct thl_dispatch *d)
{
    uint64_t by_level[THL_LEVELS];
    bool waiting = false;
    for (size_t i = 0; i < PROCESS_DROPS; i++)
        waiting |= count_unsaid(&process_drops[i], by_level) > 0;
    for (size_t i = 0; i < d->targets.n; i++)
        waiting |= thl_outbox_is_waiting(d->outbox[i]);
    thl_dispatch_release_locks(d);
    return waiting;
}

static void
print_lost(const struct thl_target *t, const struct thl_outbox_news *news)
{
    if (news->down)
        thl_console_print("thole: sink down sink=%s err=%d err_name=%s err_text=\"%s\"\n", t->name,
                          news->error, thl_errname_name(news->error),
                          thl_target_explain(t, news->error));
    if (news->count)
        thl_console_print("thole: records dropped sink=%s cause=%s count=%llu\n", t->name,
                          thl_outbox_cause_word(news->cause), (unsigned long long)news->count);
    if (news->suppressed)
        thl_console_print("thole: records suppressed sink=%s count=%llu\n", t->name,
                          (unsigned long long)news->suppressed);
}

void
thl_news_print_lost(struct thl_dispatch *d)
{
    struct thl_outbox_news news;
    for (size_t i = 0; d && i < d->targets.n; i++) {
        struct thl_outbox *o = d->outbox[i];
        while (thl_outbox_news(o, &news, true)) {
            thl_outbox_release(o);
            if (!thl_outbox_target(o)->is_stderr)
                print_lost(thl_outbox_target(o), &news);
        }
        thl_outbox_release(o);
    }
}

void
thl_news_after_fork(void)
{
    for (size_t i = 0; i < PROCESS_DROPS; i++)
        memset(process_drops[i].said, 0, sizeof(process_drops[i].said));
}
