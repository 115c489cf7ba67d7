/* SPDX-License-Identifier: MIT */
/*
 * What the outbox does about each errno that a sink's write can end with, by schedules of fault:,
 * one test each: which records are kept and which are dropped and counted, as what; when it tries
 * again; what the log says. Where the errno policy asks for more (connecting anew, another type of
 * socket, a name looked up) that is the sinks' own: socket_errno.c.
 */
#include "test.h"
#include "observe.h"

#include "captured.h"
#include "folder.h"

#include <errno.h>
#include <sched.h>
#include <thole/test.h>
#include <thole/thole.h>

#define SECOND INT64_C(1000000000)

enum { MANY = 6000, HANDFUL = 50, TRIES = 500 };

/* Least times of a back-off that begins with 100 ms and doubles, a quarter less each. */
enum { TWO_FAILURES_MS = 75 + 150, EIGHT_FAILURES_MS = 75 * (1 + 2 + 4 + 8) + 4 * 750 };

static const thole_logger root = {0};

static char sinks[512];
static char log_text[1 << 20];

struct policy {
    const char *name;
    int error;
    enum thole_cause cause;
    const char *word;
};

/* The sink that fails on `script`, and a file that hears of it. */
static void
start_failing(const char *operation, const char *script)
{
    const struct thole_options opt = {
        .size = sizeof(opt), .sinks = sinks, .limits = "queue=64K,record=512"};

    snprintf(sinks, sizeof(sinks), "fault:?%s=%s file:%s", operation, script, folder_path("log"));
    cr_assert_eq(thole_start(&opt), 0);
}

/* In handfuls, so that the process's own queue drops none. */
static void
log_numbers(int from, int to)
{
    for (int i = from; i < to; i++) {
        thole_info(root, "n", "i", i);
        while (i % HANDFUL == HANDFUL - 1 && take_stats().queued > 0)
            sched_yield();
    }
}

/* Of fault:; both identities hold. */
static struct thole_sink_stats
take_sink_stats(void)
{
    struct thole_stats s = take_stats();
    const struct thole_sink_stats *k = &s.sink[0];
    uint64_t by_cause = 0;

    cr_assert_eq(s.nsinks, 2u);
    cr_expect_eq(s.called, s.routed + s.dropped + s.suppressed + s.queued);
    cr_expect_eq(s.dropped, 0u, "not the process's");
    for (int i = 0; i < 16; i++)
        by_cause += k->cause[i];
    cr_expect_eq(by_cause, k->dropped);
    cr_expect_eq(k->offered, k->written + k->dropped + k->suppressed + k->pending);
    return *k;
}

/* What came: the numbers rise, each is there once at most. Their count. */
static uint64_t
count_numbers(void)
{
    static const char key[] = "\"msg\":\"n\",\"i\":";
    const char *text = thole_test_lines();
    const char *end = text + strlen(text), *at = text;
    uint64_t n = 0;
    long last = -1;

    for (; (at = memmem(at, (size_t)(end - at), key, sizeof(key) - 1)) != NULL; n++) {
        at += sizeof(key) - 1;
        long i = strtol(at, NULL, 10);
        cr_assert_gt(i, last);
        last = i;
    }
    return n;
}

static void
read_log(void)
{
    char *text = folder_read("log");

    snprintf(log_text, sizeof(log_text), "%s", text);
    free(text);
}

static size_t
count_in_log(const char *part)
{
    return captured_count(log_text, part);
}

/* The sum of the log's "records dropped" with that cause. */
static uint64_t
count_announced(const char *word)
{
    char part[128];
    uint64_t sum = 0;

    snprintf(part, sizeof(part), "\"msg\":\"records dropped\",\"sink\":\"%.63s\",\"cause\":\"%s\"",
             take_sink_stats().name, word);
    for (const char *at = log_text; (at = strstr(at, part)) != NULL; at++) {
        const char *count = strstr(at, "\"count\":");
        sum += strtoull(count + sizeof("\"count\":") - 1, NULL, 10);
    }
    return sum;
}

static uint64_t
count_cause(const struct thole_sink_stats *k, const struct policy *p)
{
    return k->cause[p->cause];
}

/* ---- records are kept, new ones without room are dropped ---- */

/* Until the first write has failed: an outage is said, a target without room is given a while. */
static void
await_trouble(const struct policy *p)
{
    log_numbers(0, 1);
    cr_assert_eq(thole_flush(10000), 0);
    log_numbers(1, 2);
    for (int i = 0; i < TRIES; i++) {
        cr_expect_eq(thole_flush(20), -ETIMEDOUT);
        read_log();
        if (p->cause == THOLE_WOULD_BLOCK || count_in_log("\"msg\":\"sink down\"") > 0)
            return;
    }
    cr_expect_fail("%s: no outage was said", p->name);
}

static void
overflow(const struct policy *p)
{
    await_trouble(p);
    log_numbers(2, MANY);
    struct thole_sink_stats k = take_sink_stats();
    cr_expect_eq(k.written, 1u);
    cr_expect_gt(k.pending, 100u);
    cr_expect_gt(k.dropped, MANY / 3u);
    cr_expect_gt(count_cause(&k, p), 0u);
    if (p->cause != THOLE_WOULD_BLOCK) /* else some may have come before the first write */
        cr_expect_eq(count_cause(&k, p), k.dropped);
    else
        cr_expect_eq(count_cause(&k, p) + k.cause[THOLE_OUTBOX_FULL], k.dropped);
}

/* That it has recovered may find the sink's own queue still full: that notice is counted, and not
 * announced in its turn. */
static void
expect_books(const struct policy *p)
{
    cr_expect_eq(thole_stop(10000), 0);
    struct thole_sink_stats k = take_sink_stats();
    uint64_t came = count_numbers(), missed = came + k.dropped - MANY;

    cr_expect_eq(k.pending, 0u);
    cr_expect_leq(missed, 1u, "%llu came, %llu dropped", (unsigned long long)came,
                  (unsigned long long)k.dropped);
    read_log();
    cr_expect_eq(count_announced(p->word), count_cause(&k, p), "%s", p->word);
    cr_expect_eq(count_announced("outbox_full") + missed, k.cause[THOLE_OUTBOX_FULL]);
    thole_test_clear();
}

static void
expect_said_down(const struct policy *p)
{
    char part[128];

    snprintf(part, sizeof(part), "\"err\":%d,\"err_name\":\"%s\"", p->error, p->name);
    cr_expect_eq(count_in_log("\"msg\":\"sink down\""), 1u);
    cr_expect_eq(count_in_log(part), 1u, "%s", part);
    cr_expect_eq(count_in_log("\"msg\":\"sink recovered\""), 1u);
    cr_expect_eq(count_in_log("\"after\":"), 1u);
}

static void
expect_held_off(const struct policy *p)
{
    char script[64];

    folder_make();
    snprintf(script, sizeof(script), "ok,%s*8", p->name);
    start_failing("write", script);
    overflow(p);
    for (int i = 0; i < TRIES && thole_flush(20) != 0; i++)
        thole_test_advance_clock(2 * SECOND); /* past any back-off */
    expect_books(p);
    expect_said_down(p);
    folder_remove();
}

static void
expect_soon(const struct policy *p)
{
    char script[64];

    folder_make();
    snprintf(script, sizeof(script), "ok,%s*20", p->name);
    start_failing("write", script);
    overflow(p);
    cr_expect_eq(thole_flush(20000), 0);
    expect_books(p);
    folder_remove();
}

/* ---- when it tries again ---- */

static int64_t
time_failures(const struct policy *p, int failures)
{
    char script[64];
    int64_t begin;

    snprintf(script, sizeof(script), "ok,%s*%d", p->name, failures);
    start_failing("write", script);
    log_numbers(0, 1);
    cr_assert_eq(thole_flush(10000), 0);
    begin = now_ms();
    log_numbers(1, 2);
    cr_expect_eq(thole_flush(30000), 0);
    begin = now_ms() - begin;
    cr_expect_eq(count_numbers(), 2u);
    cr_expect_eq(take_sink_stats().dropped, 0u);
    cr_expect_eq(thole_stop(10000), 0);
    thole_test_clear();
    return begin;
}

static void
expect_two_back_offs(const struct policy *p)
{
    folder_make();
    int64_t took_ms = time_failures(p, 2);
    cr_expect_geq(took_ms, TWO_FAILURES_MS, "%lld ms", (long long)took_ms);
    folder_remove();
}

static void
expect_no_back_off(const struct policy *p)
{
    folder_make();
    int64_t took_ms = time_failures(p, 8);
    cr_expect_lt(took_ms, EIGHT_FAILURES_MS, "%lld ms", (long long)took_ms);
    read_log();
    if (took_ms < 1000) {
        cr_expect_eq(count_in_log("sink down"), 0u);
        cr_expect_eq(count_in_log("sink recovered"), 0u);
    }
    folder_remove();
}

/* ---- one test each ---- */

#define SCHEDULE(claim, name, error, cause, word, records, tries)                                  \
    THL_TEST(schedule, claim)                                                                      \
    {                                                                                              \
        static const struct policy policy = {name, error, cause, word};                            \
        records(&policy);                                                                          \
        tries(&policy);                                                                            \
    }

#define SOON(claim, error)                                                                         \
    SCHEDULE(claim, #error, error, THOLE_WOULD_BLOCK, "would_block", expect_soon,                  \
             expect_no_back_off)
#define HELD_OFF(claim, error, cause, word)                                                        \
    SCHEDULE(claim, #error, error, cause, word, expect_held_off, expect_two_back_offs)

SOON(eintr_is_kept_and_tried_soon, EINTR)
SOON(eagain_is_kept_and_tried_soon, EAGAIN)
SOON(enobufs_is_kept_and_tried_soon, ENOBUFS)
SOON(enomem_is_kept_and_tried_soon, ENOMEM)

HELD_OFF(econnrefused_is_refused, ECONNREFUSED, THOLE_REFUSED, "refused")
HELD_OFF(enotconn_is_down, ENOTCONN, THOLE_DOWN, "down")
HELD_OFF(enoent_is_down, ENOENT, THOLE_DOWN, "down")
HELD_OFF(epipe_is_down, EPIPE, THOLE_DOWN, "down")
HELD_OFF(econnreset_is_down, ECONNRESET, THOLE_DOWN, "down")
HELD_OFF(edestaddrreq_is_down, EDESTADDRREQ, THOLE_DOWN, "down")
HELD_OFF(enetunreach_is_down, ENETUNREACH, THOLE_DOWN, "down")
HELD_OFF(ehostunreach_is_down, EHOSTUNREACH, THOLE_DOWN, "down")
HELD_OFF(enetdown_is_down, ENETDOWN, THOLE_DOWN, "down")
HELD_OFF(eaddrnotavail_is_down, EADDRNOTAVAIL, THOLE_DOWN, "down")
HELD_OFF(eperm_is_down, EPERM, THOLE_DOWN, "down")
HELD_OFF(eprototype_is_down, EPROTOTYPE, THOLE_DOWN, "down")
HELD_OFF(eacces_is_down, EACCES, THOLE_DOWN, "down")

HELD_OFF(enospc_is_no_space, ENOSPC, THOLE_NO_SPACE, "no_space")
HELD_OFF(edquot_is_no_space, EDQUOT, THOLE_NO_SPACE, "no_space")
HELD_OFF(efbig_is_no_space, EFBIG, THOLE_NO_SPACE, "no_space")
HELD_OFF(eio_is_an_io_error, EIO, THOLE_IO_ERROR, "io_error")
HELD_OFF(erofs_is_an_io_error, EROFS, THOLE_IO_ERROR, "io_error")
HELD_OFF(ebadf_is_an_io_error, EBADF, THOLE_IO_ERROR, "io_error")

THL_TEST(schedule, emsgsize_costs_its_record_and_is_no_outage)
{
    folder_make();
    start_failing("write", "ok,EMSGSIZE*3,ok*2,EMSGSIZE");
    for (int i = 0; i < MANY; i += HANDFUL) {
        log_numbers(i, i + HANDFUL);
        cr_assert_eq(thole_flush(10000), 0);
    }
    struct thole_sink_stats k = take_sink_stats();
    cr_expect_eq(k.cause[THOLE_TOO_BIG], 4u);
    cr_expect_eq(k.dropped, 4u);
    size_t lost = MANY - count_numbers(); /* thole's own word of them may be the one that is lost */
    cr_expect(lost >= 1 && lost <= 4, "%zu", lost);
    cr_expect_eq(thole_stop(10000), 0);
    read_log();
    cr_expect_eq(count_announced("too_big"), lost);
    cr_expect_eq(count_in_log("sink down"), 0u);
    folder_remove();
}

/* ---- reopen: what fails there is no outage ---- */

static void
expect_reopen_failure(const char *name)
{
    char script[64], part[64];

    folder_make();
    snprintf(script, sizeof(script), "%s,%s", name, name);
    start_failing("reopen", script);
    for (int i = 0; i < 4; i++) {
        log_numbers(i, i + 1);
        cr_expect_eq(thole_flush(10000), 0);
        thole_reopen(); /* the third time it succeeds */
    }
    cr_expect_eq(thole_flush(10000), 0);
    cr_expect_eq(count_numbers(), 4u, "%s", name);
    cr_expect_eq(take_sink_stats().dropped, 0u);
    cr_expect_eq(thole_stop(10000), 0);
    read_log();
    snprintf(part, sizeof(part), "\"err_name\":\"%s\"", name);
    size_t said = count_in_log("\"msg\":\"sink reopen failed\""); /* two at once are one */
    cr_expect(said == 1 || said == 2, "%s: %s", name, log_text);
    cr_expect_eq(count_in_log(part), said);
    cr_expect_eq(count_in_log("\"msg\":\"sink reopened\""), 1u, "%s: %s", name, log_text);
    cr_expect_eq(count_in_log("sink down"), 0u);
    thole_test_clear();
    folder_remove();
}

THL_TEST(schedule, each_errno_of_a_reopen_is_said_and_is_no_outage)
{
    static const char *const names[] = {
        "EINTR",  "EAGAIN",      "ENOBUFS",      "ENOMEM",   "EMSGSIZE",      "ECONNREFUSED",
        "EACCES", "ENOTCONN",    "ENOENT",       "EPIPE",    "ECONNRESET",    "EDESTADDRREQ",
        "EPERM",  "ENETUNREACH", "EHOSTUNREACH", "ENETDOWN", "EADDRNOTAVAIL", "EPROTOTYPE",
        "ENOSPC", "EDQUOT",      "EFBIG",        "EIO",      "EROFS",         "EBADF"};

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        expect_reopen_failure(names[i]);
}
