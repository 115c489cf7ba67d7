/* SPDX-License-Identifier: MIT */
/* JSON, byte for byte: the envelope, every type, hostile text. */
#include "format_kit.h"

#include <math.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#define AT NOON, .level = THOLE_INFO
#define TIME "{\"time\":\"2026-11-22T12:54:01.123456Z\",\"level\":\"info\","

static const struct thl_format_options plain = {.format = THL_FORMAT_JSON, .src = true};

static void
expect(const struct thl_view *v, const char *want)
{
    expect_format(&plain, v, want);
}

/* One field of key "k". */
static void
expect_value(struct thl_value value, const char *want)
{
    char line[512];
    struct thl_view v = {AT, TEXT(logger, ""), TEXT(msg, "m"), .nfields = 1};
    v.field[0] = (struct thl_view_field){KEY("k"), value};
    snprintf(line, sizeof(line), TIME "\"logger\":\"\",\"msg\":\"m\",\"k\":%s}", want);
    expect(&v, line);
}

THL_TEST(format_json, record_of_the_design)
{
    struct sockaddr_in peer = {.sin_family = AF_INET, .sin_port = htons(4123)};
    peer.sin_addr.s_addr = htonl(0x0A000007);
    const struct thl_view v = {
        AT,
        TEXT(logger, "echod.conn"),
        TEXT(msg, "request done"),
        .nfields = 3,
        .ncontext = 2,
        .field = {{KEY("conn"), {THOLE_FIELD_UINT, 0, {.u = 42}}},
                  {KEY("peer"), {THOLE_FIELD_ADDR, sizeof(peer), {.p = (const char *)&peer}}},
                  {KEY("status"), {THOLE_FIELD_INT, 0, {.i = 200}}}},
    };
    expect(&v, TIME "\"logger\":\"echod.conn\",\"msg\":\"request done\","
                    "\"conn\":42,\"peer\":\"10.0.0.7:4123\",\"status\":200}");
}

THL_TEST(format_json, source_follows_the_message_and_sequence_is_last)
{
    struct thl_view v = {
        AT,         TEXT(logger, "a"), TEXT(msg, "m"), TEXT(file, "../src/f.c"),
        .line = 12, .seq = 7,          .nfields = 1,   .field = {{KEY("k"), STR("v")}}};
    expect(&v,
           TIME "\"logger\":\"a\",\"msg\":\"m\",\"src\":\"f.c:12\",\"k\":\"v\",\"thole.seq\":7}");
    v.field[0].key = "src", v.field[0].key_size = 3;
    expect(&v, TIME "\"logger\":\"a\",\"msg\":\"m\",\"src\":\"v\",\"thole.seq\":7}");
}

THL_TEST(format_json, every_type_has_its_form)
{
    expect_value((struct thl_value){.type = THOLE_FIELD_NULL}, "null");
    expect_value((struct thl_value){.type = THOLE_FIELD_BOOL, .v.u = 1}, "true");
    expect_value((struct thl_value){.type = THOLE_FIELD_BOOL}, "false");
    expect_value((struct thl_value){.type = THOLE_FIELD_INT, .v.i = INT64_MIN},
                 "-9223372036854775808");
    expect_value((struct thl_value){.type = THOLE_FIELD_UINT, .v.u = UINT64_MAX},
                 "18446744073709551615");
    expect_value((struct thl_value){.type = THOLE_FIELD_DURATION, .v.i = 1500000}, "0.0015");
    expect_value((struct thl_value){.type = THOLE_FIELD_HEX, .v.u = 42}, "\"0x2a\"");
    expect_value((struct thl_value){.type = THOLE_FIELD_HEX}, "\"0x0\"");
    expect_value((struct thl_value){.type = THOLE_FIELD_POINTER, .v.u = 42}, "\"0x2a\"");
    expect_value((struct thl_value){.type = THOLE_FIELD_POINTER}, "null");
    expect_value((struct thl_value){.type = THOLE_FIELD_SECRET}, "\"***\"");
    expect_value((struct thl_value){THOLE_FIELD_BYTES, 3, {.p = "\x00\xff\n"}}, "\"00ff0a\"");
    expect_value((struct thl_value){THOLE_FIELD_STRING, 0, {.p = ""}}, "\"\"");
    expect_value((struct thl_value){.type = 99}, "null");
}

THL_TEST(format_json, reals_are_shortest_and_never_invalid)
{
    expect_value((struct thl_value){.type = THOLE_FIELD_DOUBLE, .v.d = 0.1}, "0.1");
    expect_value((struct thl_value){.type = THOLE_FIELD_FLOAT, .v.d = (double)0.1f}, "0.1");
    expect_value((struct thl_value){.type = THOLE_FIELD_DOUBLE, .v.d = -0.0}, "-0");
    expect_value((struct thl_value){.type = THOLE_FIELD_DOUBLE, .v.d = 1e300}, "1e300");
    expect_value((struct thl_value){.type = THOLE_FIELD_DOUBLE, .v.d = NAN}, "\"NaN\"");
    expect_value((struct thl_value){.type = THOLE_FIELD_DOUBLE, .v.d = INFINITY}, "\"Infinity\"");
    expect_value((struct thl_value){.type = THOLE_FIELD_FLOAT, .v.d = -INFINITY}, "\"-Infinity\"");
    expect_value((struct thl_value){.type = THOLE_FIELD_FLOAT, .v.d = 1e300}, "\"Infinity\"");
}

THL_TEST(format_json, hostile_bytes_stay_inside_their_string)
{
    expect_value((struct thl_value)STR("a\"}\n{\"time\":\r\0z"),
                 "\"a\\\"}\\n{\\\"time\\\":\\r\\u0000z\"");
    expect_value((struct thl_value)STR("\\"), "\"\\\\\"");
    expect_value((struct thl_value)STR("\x1b[2J\x7f"), "\"\\u001b[2J\\u007f\"");
    expect_value((struct thl_value)STR("\xC2\x85\xE2\x80\xA8\xE2\x80\xA9"),
                 "\"\\u0085\\u2028\\u2029\"");
    expect_value((struct thl_value)STR("\xC0\xAF\xED\xA0\x80"),
                 "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"");
    expect_value((struct thl_value)STR("\xF0\x9F\x98\x80"), "\"\xF0\x9F\x98\x80\"");
    expect_value((struct thl_value){THOLE_FIELD_ADDR, 6, {.p = "\x01\0\n\"x\0"}}, "\"\\n\\\"x\"");
}

THL_TEST(format_json, hostile_message_key_and_file_are_escaped)
{
    const struct thl_view v = {
        AT,
        TEXT(logger, "a"),
        TEXT(msg, "m\n\"\xff"),
        TEXT(file, "d/\"f\".c"),
        .line = 1,
        .nfields = 3,
        .field = {{KEY(""), STR("e")}, {KEY("k\"\n"), STR("1")}, {KEY("k\"\\n"), STR("2")}}};
    expect(&v, TIME "\"logger\":\"a\",\"msg\":\"m\\n\\\"\xEF\xBF\xBD\",\"src\":\"\\\"f\\\".c:1\","
                    "\"\":\"e\",\"k\\\"\\n\":\"1\",\"k\\\"\\\\n\":\"2\"}");
}

/* ---- what a cut leaves ---- */

#define EURO4 "\xE2\x82\xAC\xE2\x82\xAC\xE2\x82\xAC\xE2\x82\xAC"
#define EURO "\xE2\x82\xAC"
#define FORTY "0123456789012345678901234567890123456789"

static char record[4096];

static const char *
render(size_t max_bytes, const struct thl_view *v, size_t *cut)
{
    struct thl_format_options o = plain;
    struct thl_buf b;
    o.max_bytes = max_bytes;
    thl_buf_init(&b, record, sizeof(record) - 1);
    *cut = thl_format_put(&b, &o, v);
    record[b.size] = '\0';
    return record;
}

THL_TEST(format_json, longest_value_gives_way_first_on_a_utf8_boundary)
{
    const struct thl_view v = {AT, TEXT(msg, FORTY), .nfields = 3,
                               .field = {{KEY("short"), STR("0123456789")},
                                         {KEY("long"), STR(EURO4 EURO4 EURO4 EURO4 EURO4)},
                                         {KEY("n"), {THOLE_FIELD_INT, 0, {.i = 1}}}}};
    size_t cut, full = strlen(render(0, &v, &cut));
    cr_expect_str_eq(render(full - 1, &v, &cut),
                     TIME "\"logger\":\"\",\"msg\":"
                          "\"" FORTY "\",\"short\":\"0123456789\",\"long\":\"" EURO4 EURO4 EURO4
                          "\",\"n\":1,\"thole.truncated\":24}");
    cr_expect_eq(cut, 24u);
    cr_expect_str_eq(
        render(full - 36, &v, &cut),
        TIME "\"logger\":\"\",\"msg\":"
             "\"0123456789012345678901234567\",\"short\":\"0123456789\",\"long\":\"" EURO4 EURO
             "\",\"n\":1,\"thole.truncated\":57}");
}

THL_TEST(format_json, mark_counts_the_bytes_that_were_cut)
{
    static char value[1001];
    struct thl_view v = {AT, TEXT(msg, "m"), .nfields = 1};
    size_t cut;
    memset(value, 'x', 1000);
    v.field[0] = (struct thl_view_field){KEY("k"), {THOLE_FIELD_STRING, 1000, {.p = value}}};
    const char *s = render(500, &v, &cut);
    size_t kept = strspn(strstr(s, "\"k\":\"") + 5, "x");
    cr_expect_eq(cut, 1000 - kept);
    cr_expect_eq(strtoul(strstr(s, "\"thole.truncated\":") + 18, NULL, 10), cut);
    cr_expect_eq(strlen(s), 500u, "the room is used");
}

THL_TEST(format_json, mark_of_the_view_is_added_to_and_stale_stays)
{
    struct thl_view v = {AT, TEXT(msg, "m"), .nfields = 4,
                         .field = {{KEY("a"), STR("0123456789012345678901234567890123456789")},
                                   {KEY("b"), STR("0123456789012345678901234567890123456789")},
                                   {KEY("thole.stale"), {THOLE_FIELD_BOOL, 0, {.u = 1}}},
                                   {KEY("thole.truncated"), {THOLE_FIELD_UINT, 0, {.u = 1000}}}}};
    size_t cut;
    char want[64];
    for (size_t max = 150; max < 200; max++) {
        const char *s = render(max, &v, &cut);
        snprintf(want, sizeof(want), ",\"thole.stale\":true,\"thole.truncated\":%zu}", 1000 + cut);
        cr_expect(cut > 0 && cut < SIZE_MAX && strstr(s, want), "max %zu: %s", max, s);
    }
}

THL_TEST(format_json, number_of_suppressed_records_stays_whatever_is_cut)
{
    struct thl_view v = {AT, TEXT(msg, "m"), .nfields = 3,
                         .field = {{KEY("a"), STR("0123456789012345678901234567890123456789")},
                                   {KEY("b"), STR("0123456789012345678901234567890123456789")},
                                   {KEY("thole.suppressed"), {THOLE_FIELD_UINT, 0, {.u = 77}}}}};
    size_t cut;
    for (size_t max = 150; max < 190; max++) {
        const char *s = render(max, &v, &cut);
        cr_expect(cut > 0 && strstr(s, ",\"thole.suppressed\":77,\"thole.truncated\":"),
                  "max %zu: %s", max, s);
    }
}

THL_TEST(format_json, empty_field_that_goes_is_a_loss_too)
{
    const struct thl_view v = {AT, TEXT(msg, "m"), .nfields = 1,
                               .field = {{KEY("a-key-that-is-long-enough-to-count"), STR("")}}};
    size_t cut, full = strlen(render(0, &v, &cut));
    cr_expect_str_eq(render(full - 1, &v, &cut), TIME "\"logger\":\"\",\"msg\":"
                                                      "\"m\",\"thole.truncated\":1}");
    cr_expect_eq(cut, 1u);
}
