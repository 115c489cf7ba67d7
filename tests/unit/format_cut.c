/* SPDX-License-Identifier: MIT */
/* Records of random content at random bounds in the rfc formats: what a cut may leave, and what it
 * may not. */
#include "format_kit.h"

#include <stdio.h>
#include <stdlib.h>

#include "../fuzz/random.h"
#include "escape.h"

#define VIEWS 2000
#define FIELDS 12
#define KEPT 16 /* bytes of the message that stay while a parameter does */

static char pool[16 * 1024]; /* texts of the view */
static size_t pooled;
static char keys[FIELDS][8];
static struct thl_view view;
static struct thl_format_options options = {
    .app = "app", .host = "host", .sdid = "thole@32473", .pid = 7};

static size_t
below(size_t n)
{
    return next_random() % n;
}

/* Letters, and now and then what a format must escape, or what is no UTF-8. */
static const char *
make_text(size_t n)
{
    static const char *const odd[] = {
        "\"", "]", "\\", "\n", "\xE2\x82\xAC", " ", "\0", "\xF0\x9F\x98\x80", "\xff", "\xC2\x85"};
    char *text = pool + pooled;
    for (size_t i = 0; i < n; i++) {
        const char *s = odd[below(sizeof(odd) / sizeof(odd[0]))];
        size_t size = *s ? strlen(s) : 1;
        if (below(5) > 0 || size > n - i) {
            text[i] = (char)('a' + below(26));
            continue;
        }
        memcpy(text + i, s, size);
        i += size - 1;
    }
    pooled += n;
    return text;
}

static struct thl_value
make_value(void)
{
    const size_t n = below(3) == 0 ? below(600) : below(40);
    switch (below(4)) {
    case 0:
        return (struct thl_value){THOLE_FIELD_UINT, 0, {.u = next_random() >> below(64)}};
    case 1:
        return (struct thl_value){THOLE_FIELD_BYTES, (uint32_t)n, {.p = make_text(n)}};
    default:
        return (struct thl_value){THOLE_FIELD_STRING, (uint32_t)n, {.p = make_text(n)}};
    }
}

static void
make_view(void)
{
    pooled = 0;
    view = (struct thl_view){NOON, .level = THOLE_INFO, TEXT(logger, "net.http"),
                             .msg_size = below(4) == 0 ? below(2000) : below(80)};
    view.msg = make_text(view.msg_size);
    view.nfields = below(FIELDS + 1);
    for (size_t i = 0; i < view.nfields; i++) {
        snprintf(keys[i], sizeof(keys[i]), "k%u", (unsigned)(i % 1000));
        view.field[i] = (struct thl_view_field){keys[i], (uint32_t)strlen(keys[i]), make_value()};
    }
}

static size_t
render(char *out, size_t room, const struct thl_view *v, size_t max_bytes)
{
    struct thl_buf b;
    thl_buf_init(&b, out, room - 1);
    options.max_bytes = max_bytes;
    const size_t cut = thl_format_put(&b, &options, v);
    out[b.size] = '\0';
    cr_assert_eq(strlen(out), b.size);
    for (size_t i = 0, step; i < b.size; i += step) {
        step = thl_escape_utf8(out + i, b.size - i);
        cr_assert(step > 0 && (unsigned char)out[i] >= ' ', "byte %zu of %s", i, out);
    }
    return cut;
}

/* Field i of the view as it stands in a record, whole, with the blank before it. */
static const char *
rendered_field(size_t i)
{
    static char out[FIELDS][4096];
    struct thl_view *v = calloc(1, sizeof(*v));
    const bool rfc5424 = options.format == THL_FORMAT_RFC5424;
    cr_assert_not_null(v);
    *v = (struct thl_view){NOON, .level = THOLE_INFO, .nfields = 1};
    v->field[0] = view.field[i];
    cr_assert_eq(render(out[i], sizeof(out[i]), v, 0), 0);
    free(v);
    char *begin = strstr(out[i], rfc5424 ? "thole@32473" : "]:");
    begin += rfc5424 ? strlen("thole@32473") : 2;
    if (rfc5424) /* "]" */
        begin[strlen(begin) - 1] = '\0';
    return begin;
}

/* What was found in a record. */
struct found {
    size_t stayed, shortest_gone; /* fields; bytes */
    size_t msg_size;              /* as written, without "..." */
    bool msg_cut;
    unsigned long mark;
};

/* Walks over the fields, in order and each whole, and over the mark; to what follows them. */
static const char *
walk_fields(const char *s, struct found *f)
{
    const char *mark =
        options.format == THL_FORMAT_RFC5424 ? " thole_truncated=\"" : " thole.truncated=";
    f->shortest_gone = SIZE_MAX;
    for (size_t i = 0; i < view.nfields; i++) {
        const char *whole = rendered_field(i);
        const size_t n = strlen(whole);
        if (strncmp(s, whole, n) == 0) {
            s += n;
            f->stayed++;
        } else if (n < f->shortest_gone) {
            f->shortest_gone = n;
        }
    }
    if (strncmp(s, mark, strlen(mark)) == 0) {
        char *end;
        f->mark = strtoul(s + strlen(mark), &end, 10);
        s = end + (options.format == THL_FORMAT_RFC5424 && *end == '"');
    }
    return s;
}

/* The message as far as it goes, n bytes of the record. */
static void
read_message(const char *s, size_t n, struct found *f)
{
    static char escaped[32 * 1024];
    struct thl_buf b;
    thl_buf_init(&b, escaped, sizeof(escaped));
    thl_escape_put(&b, THL_ESCAPE_TEXT, view.msg, view.msg_size);
    f->msg_cut = n != b.size || memcmp(s, escaped, n) != 0;
    if (f->msg_cut && n > 0) {
        cr_assert(n > 3 && memcmp(s + n - 3, "...", 3) == 0, "unmarked: %.*s", (int)n, s);
        n -= 3;
    }
    cr_assert(n <= b.size && memcmp(s, escaped, n) == 0, "no prefix: %.*s", (int)n, s);
    f->msg_size = n;
}

static struct found
read_rfc5424(const char *record)
{
    struct found f = {0};
    const char *s = strstr(record, " net.http ");
    cr_assert_not_null(s);
    s += strlen(" net.http ");
    if (*s == '-') {
        s++;
    } else {
        cr_assert_eq(strncmp(s, "[thole@32473 ", 13), 0, "%s", record);
        s = walk_fields(s + 12, &f);
        cr_assert_eq(*s++, ']', "%s", record);
    }
    cr_assert(*s == '\0' || *s == ' ', "%s", record);
    read_message(s + (*s == ' '), strlen(s) - (*s == ' '), &f);
    return f;
}

static struct found
read_rfc3164(const char *record)
{
    struct found f = {0};
    const char *begin = strstr(record, "]:"), *end = strstr(record, " logger=net.http");
    cr_assert(begin && end);
    begin += 2;
    const char *s = walk_fields(end + strlen(" logger=net.http"), &f);
    cr_assert_eq(*s, '\0', "%s", record);
    read_message(begin + (begin < end), (size_t)(end - begin) - (begin < end), &f);
    return f;
}

static size_t
kept_size(void)
{
    char escaped[256];
    struct thl_buf b;
    thl_buf_init(&b, escaped, sizeof(escaped));
    thl_escape_put(&b, THL_ESCAPE_TEXT, view.msg, thl_escape_cut(view.msg, view.msg_size, KEPT));
    return b.size;
}

/* A parameter goes only when the message has given what it may, and when all that is left over
 * would not hold it (the mark may grow by a digit or two, and "..." by itself). */
static void
expect_fewest_gone(const struct found *f, size_t size, size_t max)
{
    const size_t kept = kept_size();
    if (f->stayed == view.nfields)
        return;
    cr_assert(f->stayed == 0 || f->msg_size >= kept, "the message gave more than it may");
    if (f->msg_size >= kept)
        cr_assert_gt(size - (f->msg_size - kept) + f->shortest_gone + 6, max);
}

static void
expect_claims(enum thl_format format)
{
    static char record[16 * 1024];
    unsigned gone = 0, only_msg = 0;
    options.format = format;
    for (unsigned i = 0; i < VIEWS; i++) {
        const size_t max = 480 + below(1521);
        make_view();
        const size_t cut = render(record, sizeof(record), &view, max), size = strlen(record);
        cr_assert(size > 0 && size <= max, "%zu of %zu", size, max);
        const struct found f =
            format == THL_FORMAT_RFC5424 ? read_rfc5424(record) : read_rfc3164(record);
        cr_assert_eq(f.mark, cut, "%s", record);
        cr_assert_eq(cut == 0, f.stayed == view.nfields && !f.msg_cut, "%s", record);
        expect_fewest_gone(&f, size, max);
        gone += f.stayed < view.nfields;
        only_msg += f.stayed == view.nfields && f.msg_cut;
    }
    cr_expect(gone > VIEWS / 20 && only_msg > VIEWS / 20, "%u and %u: no test", gone, only_msg);
}

THL_TEST(format_cut, rfc5424_keeps_parameters_whole_and_a_prefix_of_the_message)
{
    expect_claims(THL_FORMAT_RFC5424);
}

THL_TEST(format_cut, rfc3164_keeps_fields_whole_and_a_prefix_of_the_message)
{
    expect_claims(THL_FORMAT_RFC3164);
}
