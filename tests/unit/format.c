/* SPDX-License-Identifier: MIT */
/* Formatters: exact bytes, hostile bytes, and records that are too long for their target. */
#include "test.h"

#include <arpa/inet.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "escape.h"
#include "format.h"

static struct thl_view view;
static struct thl_format_options options;
static char bytes[65536];

static void
reset(void)
{
    memset(&view, 0, sizeof(view));
    view.unix_ns = 1763816041123456789;
    view.level = THOLE_INFO;
    view.logger = "echod.conn";
    view.logger_size = 10;
    view.msg = "request done";
    view.msg_size = 12;
    options = (struct thl_format_options){
        .facility = 3, .app = "echod", .host = "h.example.org", .sdid = "thole@32473", .pid = 77};
}

static void
add(const char *key, struct thl_value value)
{
    view.field[view.nfields++] = (struct thl_view_field){key, (uint32_t)strlen(key), value};
}

#define UINT(x) ((struct thl_value){THOLE_FIELD_UINT, 0, {.u = (x)}})
#define TEXT(s) ((struct thl_value){THOLE_FIELD_STRING, sizeof(s) - 1, {.p = (s)}})
#define REAL(x) ((struct thl_value){THOLE_FIELD_DOUBLE, 0, {.d = (x)}})
#define PLAIN(type, x) ((struct thl_value){THOLE_FIELD_##type, 0, {.u = (x)}})

static const char *
format(enum thl_format f)
{
    struct thl_buf b;
    options.format = f;
    thl_buf_init(&b, bytes, sizeof(bytes) - 1);
    cr_assert_eq(thl_format_put(&b, &options, &view), 0);
    bytes[b.size] = '\0';
    return bytes;
}

THL_TEST(format, json)
{
    reset();
    add("conn", UINT(42));
    add("peer", TEXT("10.0.0.7:4123"));
    add("status", PLAIN(INT, (uint64_t)-1));
    cr_expect_str_eq(
        format(THL_FORMAT_JSON),
        "{\"time\":\"2025-11-22T12:54:01.123456Z\",\"level\":\"info\",\"logger\":"
        "\"echod.conn\",\"msg\":\"request done\",\"conn\":42,\"peer\":\"10.0.0.7:4123\","
        "\"status\":-1}");
}

THL_TEST(format, json_value_types)
{
    struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(80)};
    struct thl_value addr = {THOLE_FIELD_ADDR, sizeof(sa), {.p = (const char *)&sa}};
    struct thl_value raw = {THOLE_FIELD_BYTES, 2, {.p = "\x00\xff"}};
    reset();
    view.msg_size = view.logger_size = 0;
    add("t", PLAIN(BOOL, 1));
    add("n", PLAIN(NULL, 0));
    add("p", PLAIN(POINTER, 0));
    add("q", PLAIN(POINTER, 255));
    add("h", PLAIN(HEX, 42));
    add("d", PLAIN(DURATION, 1500000));
    add("s", PLAIN(SECRET, 0));
    add("x", REAL(NAN));
    add("y", REAL(-INFINITY));
    add("a", addr);
    add("b", raw);
    const char *json = format(THL_FORMAT_JSON);
    cr_expect_str_eq(strstr(json, "\"logger\""),
                     "\"logger\":\"\",\"msg\":\"\",\"t\":true,\"n\":null,\"p\":null,\"q\":\"0xff\","
                     "\"h\":\"0x2a\",\"d\":0.0015,\"s\":\"***\",\"x\":\"NaN\",\"y\":\"-Infinity\","
                     "\"a\":\"0.0.0.0:80\",\"b\":\"00ff\"}");
}

THL_TEST(format, logfmt_quotes_only_when_needed)
{
    reset();
    add("a", TEXT("plain"));
    add("b", TEXT(""));
    add("c", TEXT("two words"));
    add("d", TEXT("k=v\"\\\n"));
    add("bad key=\"\n", UINT(1));
    cr_expect_str_eq(format(THL_FORMAT_LOGFMT),
                     "time=2025-11-22T12:54:01.123456Z level=info logger=echod.conn "
                     "msg=\"request done\" a=plain b=\"\" c=\"two words\" d=\"k=v\\\"\\\\\\x0a\" "
                     "bad_key___=1");
}

THL_TEST(format, keys_made_equal_by_a_mapping_appear_once)
{
    reset();
    add("a b", UINT(1));
    add("a=b", UINT(2));
    add("a_b", UINT(3));
    cr_expect(strstr(format(THL_FORMAT_LOGFMT), "a_b=1") && !strstr(bytes, "a_b=2") &&
              !strstr(bytes, "a_b=3"));
    cr_expect(strstr(format(THL_FORMAT_RFC5424), "a_b=\"1\"]"));
}

THL_TEST(format, pretty)
{
    reset();
    add("conn", UINT(42));
    cr_expect_str_eq(
        format(THL_FORMAT_PRETTY),
        "12:54:01.123 info   echod.conn  request done                             conn=42");
    options.color = true;
    cr_expect(strstr(format(THL_FORMAT_PRETTY), "\x1b[32minfo\x1b[0m"));
}

THL_TEST(format, rfc5424)
{
    reset();
    add("a.b", TEXT("q\"b\\s]\n"));
    add("a-very-long-key-of-more-than-thirty-two", UINT(1));
    view.seq = 2147483648u;
    cr_expect_str_eq(format(THL_FORMAT_RFC5424),
                     "<30>1 2025-11-22T12:54:01.123456Z h.example.org echod 77 echod.conn "
                     "[thole@32473 a_b=\"q\\\"b\\\\s\\]\\x0a\" "
                     "a-very-long-key-of-more-than-thi=\"1\"][meta sequenceId=\"1\"] request done");
}

THL_TEST(format, rfc5424_has_no_empty_header)
{
    reset();
    options.app = "my app";
    options.host = "";
    view.logger_size = view.msg_size = 0;
    cr_expect_str_eq(format(THL_FORMAT_RFC5424),
                     "<30>1 2025-11-22T12:54:01.123456Z - my_app 77 - -");
}

THL_TEST(format, rfc3164_is_glibcs_wire_form)
{
    reset();
    view.unix_ns = 1762041241000000000; /* 1 November, 23:54:01 UTC */
    view.level = THOLE_ERROR;
    options.utc_offset = 3600;
    options.app = "my app[1]";
    add("k", TEXT("v w"));
    cr_expect_str_eq(format(THL_FORMAT_RFC3164),
                     "<27>Nov  2 00:54:01 my_app_1_[77]: request done logger=echod.conn k=\"v w\"");
}

THL_TEST(format, src_yields_to_a_field_of_that_name)
{
    reset();
    options.src = true;
    view.file = "../dir/f.c";
    view.file_size = 10;
    view.line = 12;
    cr_expect(strstr(format(THL_FORMAT_JSON), "\"src\":\"f.c:12\""));
    add("src", TEXT("mine"));
    cr_expect(strstr(format(THL_FORMAT_JSON), "\"src\":\"mine\"") && !strstr(bytes, "f.c"));
}

static const char hostile[] =
    "\n<0>1 - forged\r\0\x1b[31m\x7f\xC2\x9B\xE2\x80\xA8\xFF\xC0\xAF\"]\\ =";

/* One record, no control byte, valid UTF-8 (colours are switched off). */
static void
expect_clean(const char *s, size_t n)
{
    for (size_t i = 0, step; i < n; i += step) {
        step = thl_escape_utf8(s + i, n - i);
        cr_assert(step > 0 && (unsigned char)s[i] >= 0x20 && s[i] != 0x7F, "byte %zu of %s", i, s);
        cr_assert(!(step == 2 && (unsigned char)s[i] == 0xC2 && (unsigned char)s[i + 1] < 0xA0));
    }
}

THL_TEST(format, hostile_bytes_stay_inside_their_record)
{
    reset();
    options.app = options.host = "a\nb c";
    view.msg = hostile;
    view.msg_size = sizeof(hostile) - 1;
    view.field[view.nfields++] =
        (struct thl_view_field){hostile, sizeof(hostile) - 1, TEXT(hostile)};
    for (int f = 0; f < THL_FORMATS; f++) {
        const char *record = format((enum thl_format)f);
        expect_clean(record, strlen(record));
    }
}

/* Every bound that the envelope fits into gives a whole record of at most so many bytes. */
THL_TEST(format, a_record_is_cut_to_any_bound)
{
    static char big[2000];
    memset(big, 'x', sizeof(big));
    for (size_t i = 1; i + 1 < sizeof(big); i += 9)
        memcpy(big + i, "\xC3\xBC", 2);
    for (int f = 0; f < THL_FORMATS; f++)
        for (size_t max = 100; max < 2600; max += 7) {
            struct thl_buf b;
            reset();
            add("first", UINT(1));
            add("big", ((struct thl_value){THOLE_FIELD_STRING, sizeof(big), {.p = big}}));
            options.format = (enum thl_format)f;
            options.max_bytes = max;
            thl_buf_init(&b, bytes, sizeof(bytes));
            size_t cut = thl_format_put(&b, &options, &view);
            if (cut == SIZE_MAX) {
                cr_assert_lt(max, 180, "format %d, bound %zu", f, max);
                cr_assert_eq(b.size, 0);
                continue;
            }
            cr_assert_leq(b.size, max, "format %d, bound %zu", f, max);
            expect_clean(bytes, b.size);
            bytes[b.size] = '\0';
            cr_assert(cut == 0 || strstr(bytes, "truncated"), "format %d, bound %zu", f, max);
            if (f == THL_FORMAT_JSON)
                cr_assert_eq(bytes[b.size - 1], '}');
        }
}

/* ---- what a cut leaves, byte for byte ---- */

#define STR(s)                                                                                     \
    {                                                                                              \
        THOLE_FIELD_STRING, sizeof(s) - 1,                                                         \
        {                                                                                          \
            .p = s                                                                                 \
        }                                                                                          \
    }
#define KEY(k) k, sizeof(k) - 1
#define SPAN(member, s) .member = s, .member##_size = sizeof(s) - 1
#define AT .unix_ns = 1795352041123456789, .level = THOLE_INFO
#define EURO "\xE2\x82\xAC"

static char record[1 << 17];

/* The record, terminated; *cut is what thl_format_put() returned. */
static const char *
render(enum thl_format format, size_t max_bytes, const struct thl_view *v, size_t *cut)
{
    const struct thl_format_options o = {.format = format,
                                         .max_bytes = max_bytes,
                                         .app = "app",
                                         .host = "host",
                                         .sdid = "thole@32473",
                                         .pid = 7};
    struct thl_buf b;
    thl_buf_init(&b, record, sizeof(record) - 1);
    *cut = thl_format_put(&b, &o, v);
    record[b.size] = '\0';
    cr_expect_not(b.overflow);
    cr_expect_eq(strlen(record), b.size, "a NUL came through");
    return record;
}

/* ---- small readers, one a format: NULL when the record is not valid, else where they stopped ----
 */

static const char *
read_quoted(const char *s, const char *must_be_escaped)
{
    if (*s++ != '"')
        return NULL;
    for (; *s != '"'; s++) {
        if (*s == '\0' || strchr(must_be_escaped, *s))
            return NULL;
        if (*s == '\\' && *++s == '\0')
            return NULL;
    }
    return s + 1;
}

static const char *
read_json_value(const char *s)
{
    char *end;
    if (*s == '"')
        return read_quoted(s, "");
    if (strncmp(s, "true", 4) == 0 || strncmp(s, "null", 4) == 0)
        return s + 4;
    if (strncmp(s, "false", 5) == 0)
        return s + 5;
    strtod(s, &end);
    return end == s ? NULL : end;
}

static bool
is_json(const char *s)
{
    do {
        if (!(s = read_quoted(s + 1, "")) || *s != ':' || !(s = read_json_value(s + 1)))
            return false;
    } while (*s == ',');
    return strcmp(s, "}") == 0;
}

/* key=value pairs with one blank between, to the end. */
static bool
is_logfmt(const char *s)
{
    for (;;) {
        size_t key = strcspn(s, " =\"");
        if (key == 0 || s[key] != '=')
            return false;
        s += key + 1;
        s = *s == '"' ? read_quoted(s, "") : s + strcspn(s, " =\"\\");
        if (!s || *s == '\0')
            return s != NULL;
        if (*s++ != ' ')
            return false;
    }
}

/* "[id name="value" ...]" or "-", then the end or a blank and a message. */
static bool
is_rfc5424(const char *s)
{
    for (int i = 0; i < 6; i++)
        if (!(s = strchr(s, ' ')) || *++s == ' ')
            return false;
    if (*s == '-') {
        s++;
    } else {
        s += strcspn(s, " ]");
        while (*s == ' ') {
            s += strcspn(s, "=");
            if (*s != '=' || !(s = read_quoted(s + 1, "]")))
                return false;
        }
        if (*s++ != ']')
            return false;
    }
    return *s == '\0' || (s[0] == ' ' && s[1] != '\0');
}

static bool
is_valid(enum thl_format format, const char *s)
{
    const char *fields = strstr(s, " conn=");
    expect_clean(s, strlen(s));
    switch (format) {
    case THL_FORMAT_JSON:
        return s[0] == '{' && is_json(s);
    case THL_FORMAT_LOGFMT:
        return is_logfmt(s);
    case THL_FORMAT_RFC5424:
        return is_rfc5424(s);
    default:
        return !fields || is_logfmt(fields + 1);
    }
}

static void
expect_all_sizes_valid(enum thl_format format, const struct thl_view *v)
{
    size_t cut, last = 0;
    const size_t full = strlen(render(format, 0, v, &cut));
    cr_assert_eq(cut, 0u);
    for (size_t max = 1; max <= full; max++) {
        const char *s = render(format, max, v, &cut);
        const size_t size = strlen(s);
        const char *mark = format == THL_FORMAT_RFC5424 ? "thole_truncated" : "thole.truncated";
        cr_assert(size <= max && (cut == SIZE_MAX ? size == 0 : size > 0), "max %zu: %s", max, s);
        cr_assert((cut > 0 && cut < SIZE_MAX) == (strstr(s, mark) != NULL), "max %zu: %s", max, s);
        cr_assert(size == 0 || is_valid(format, s), "max %zu: %s", max, s);
        cr_assert(cut != SIZE_MAX || last == 0, "max %zu fits less than a smaller one", max);
        last = size;
    }
    cr_expect_eq(cut, 0u, "the whole record fits exactly");
}

static const struct thl_view awkward = {
    AT,
    SPAN(logger, "net.http"),
    SPAN(msg,
         "request \"" EURO EURO "\"\n\x1b[31m\\ done \xff\xff with quite some words behind it"),
    SPAN(file, "f.c"),
    .line = 1,
    .nfields = 6,
    .field = {{KEY("conn"), {THOLE_FIELD_UINT, 0, {.u = 42}}},
              {KEY("path"),
               STR("/\"]\\\n" EURO EURO EURO EURO EURO "\xff\xfe/long/enough/to/be/cut")},
              {KEY("body"), {THOLE_FIELD_BYTES, 24, {.p = "0123456789abcdefghijklmn"}}},
              {KEY("k y\n"), STR("")},
              {KEY("agent"), STR("curl/7.88 (\xF0\x9F\x98\x80\xF0\x9F\x98\x80\xF0\x9F\x98\x80)")},
              {KEY("took"), {THOLE_FIELD_DURATION, 0, {.i = 1500000}}}},
};

THL_TEST(format, words_and_formats_name_each_other)
{
    for (int i = 0; i < THL_FORMATS; i++) {
        const char *word = thl_format_word((enum thl_format)i);
        cr_expect_eq(thl_format_parse(word, strlen(word)), i);
    }
    cr_expect_eq(thl_format_parse("JSON", 4), -1);
    cr_expect_eq(thl_format_parse("json5", 5), -1);
    cr_expect_eq(thl_format_parse("", 0), -1);
}

THL_TEST(format, json_is_valid_at_every_size)
{
    expect_all_sizes_valid(THL_FORMAT_JSON, &awkward);
}

THL_TEST(format, logfmt_is_valid_at_every_size)
{
    expect_all_sizes_valid(THL_FORMAT_LOGFMT, &awkward);
}

THL_TEST(format, pretty_is_valid_at_every_size)
{
    expect_all_sizes_valid(THL_FORMAT_PRETTY, &awkward);
}

THL_TEST(format, rfc5424_is_valid_at_every_size)
{
    expect_all_sizes_valid(THL_FORMAT_RFC5424, &awkward);
}

THL_TEST(format, rfc3164_is_valid_at_every_size)
{
    expect_all_sizes_valid(THL_FORMAT_RFC3164, &awkward);
}

THL_TEST(format, record_is_appended_to_what_is_there)
{
    char room_bytes[512];
    struct thl_buf b;
    const struct thl_format_options o = {.format = THL_FORMAT_LOGFMT, .max_bytes = 70};
    const struct thl_view v = {AT, SPAN(msg, "m")};
    thl_buf_init(&b, room_bytes, sizeof(room_bytes));
    thl_buf_lit(&b, "before|");
    cr_expect_eq(thl_format_put(&b, &o, &v), 0u, "max_bytes counts the record alone");
    cr_expect_eq(memcmp(room_bytes, "before|time=", 12), 0);
}

THL_TEST(format, what_cannot_hold_the_envelope_is_left_alone)
{
    char room_bytes[64] = "before";
    struct thl_buf b;
    struct thl_format_options o = {.app = "app", .host = "host", .sdid = "thole@32473"};
    for (int f = 0; f < THL_FORMATS; f++) {
        thl_buf_init(&b, room_bytes, 30);
        b.size = 6;
        o.format = (enum thl_format)f;
        cr_expect_eq(thl_format_put(&b, &o, &awkward), SIZE_MAX);
        cr_expect(b.size == 6 && !b.overflow && memcmp(room_bytes, "before", 6) == 0);
    }
}

THL_TEST(format, room_of_the_buffer_cuts_like_max_bytes)
{
    char room_bytes[512];
    struct thl_buf b;
    size_t cut;
    const struct thl_format_options o = {.format = THL_FORMAT_JSON};
    for (size_t room = 130; room < 300; room += 17) {
        const char *want = render(THL_FORMAT_JSON, room, &awkward, &cut);
        thl_buf_init(&b, room_bytes, room);
        cr_expect_eq(thl_format_put(&b, &o, &awkward), cut);
        cr_expect(b.size == strlen(want) && memcmp(room_bytes, want, b.size) == 0);
    }
}

THL_TEST(format, fields_go_from_the_end_when_nothing_else_is_left)
{
    struct thl_view v = {AT, SPAN(msg, "m"), .nfields = 0};
    static char keys[THL_VIEW_FIELDS][4];
    size_t cut;
    for (size_t i = 0; i < THL_VIEW_FIELDS; i++) {
        snprintf(keys[i], sizeof(keys[i]), "%03zu", i);
        v.field[v.nfields++] = (struct thl_view_field){keys[i], 3, {THOLE_FIELD_INT, 0, {.i = 1}}};
    }
    for (int f = 0; f < THL_FORMATS; f++) {
        const char *s = render((enum thl_format)f, 300, &v, &cut);
        cr_expect(cut > 100 && cut < THL_VIEW_FIELDS, "%zu: %s", cut, s);
        cr_expect_not_null(strstr(s, "000"));
        cr_expect_null(strstr(s, "191"));
    }
}
