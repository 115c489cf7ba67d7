/* SPDX-License-Identifier: MIT */
/* logfmt, byte for byte: bare and quoted values, mapped keys, hostile text. */
#include "format_kit.h"

#include <math.h>
#include <stdio.h>

#define AT NOON, .level = THOLE_WARN
#define TIME "time=2026-11-22T12:54:01.123456Z level=warn "

static const struct thl_format_options plain = {.format = THL_FORMAT_LOGFMT, .src = true};

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
    struct thl_view v = {AT, TEXT(logger, "a"), TEXT(msg, "m"), .nfields = 1};
    v.field[0] = (struct thl_view_field){KEY("k"), value};
    snprintf(line, sizeof(line), TIME "logger=a msg=m k=%s", want);
    expect(&v, line);
}

THL_TEST(format_logfmt, envelope_has_the_keys_of_json)
{
    struct thl_view v = {AT,
                         TEXT(logger, ""),
                         TEXT(msg, "request done"),
                         TEXT(file, "src/f.c"),
                         .line = 12,
                         .seq = 7,
                         .nfields = 2,
                         .field = {{KEY("conn"), {THOLE_FIELD_UINT, 0, {.u = 42}}},
                                   {KEY("thole.stale"), {THOLE_FIELD_BOOL, 0, {.u = 1}}}}};
    expect(&v, TIME "logger=\"\" msg=\"request done\" src=f.c:12 conn=42 thole.stale=true "
                    "thole.seq=7");
    v.msg_size = v.file_size = v.seq = v.nfields = 0;
    v.file = NULL;
    expect(&v, TIME "logger=\"\" msg=\"\"");
}

THL_TEST(format_logfmt, every_type_has_its_form)
{
    expect_value((struct thl_value){.type = THOLE_FIELD_NULL}, "null");
    expect_value((struct thl_value){.type = THOLE_FIELD_BOOL}, "false");
    expect_value((struct thl_value){.type = THOLE_FIELD_INT, .v.i = -5}, "-5");
    expect_value((struct thl_value){.type = THOLE_FIELD_UINT, .v.u = 5}, "5");
    expect_value((struct thl_value){.type = THOLE_FIELD_DOUBLE, .v.d = 0.5}, "0.5");
    expect_value((struct thl_value){.type = THOLE_FIELD_FLOAT, .v.d = NAN}, "NaN");
    expect_value((struct thl_value){.type = THOLE_FIELD_DURATION, .v.i = -1}, "-0.000000001");
    expect_value((struct thl_value){.type = THOLE_FIELD_HEX, .v.u = 42}, "0x2a");
    expect_value((struct thl_value){.type = THOLE_FIELD_POINTER}, "null");
    expect_value((struct thl_value){.type = THOLE_FIELD_SECRET}, "***");
    expect_value((struct thl_value){THOLE_FIELD_BYTES, 2, {.p = "\x00\xff"}}, "00ff");
    expect_value((struct thl_value){THOLE_FIELD_BYTES, 0, {.p = ""}}, "\"\"");
    expect_value((struct thl_value){THOLE_FIELD_ADDR, 6, {.p = "\x01\0/a b"}}, "\"/a b\"");
}

THL_TEST(format_logfmt, values_are_quoted_when_they_must_be)
{
    expect_value((struct thl_value)STR("/index.html?a;b&[c]"), "/index.html?a;b&[c]");
    expect_value((struct thl_value)STR("true"), "true");
    expect_value((struct thl_value)STR(""), "\"\"");
    expect_value((struct thl_value)STR("a b"), "\"a b\"");
    expect_value((struct thl_value)STR("a=b"), "\"a=b\"");
    expect_value((struct thl_value)STR("a\"b"), "\"a\\\"b\"");
    expect_value((struct thl_value)STR("a\\b"), "\"a\\\\b\"");
}

THL_TEST(format_logfmt, hostile_values_stay_inside_their_quotes)
{
    expect_value((struct thl_value)STR("x\nlevel=info msg=forged"),
                 "\"x\\x0alevel=info msg=forged\"");
    expect_value((struct thl_value)STR("\" level=info"), "\"\\\" level=info\"");
    expect_value((struct thl_value)STR("\0\x1b[31m\x7f\r"), "\"\\x00\\x1b[31m\\x7f\\x0d\"");
    expect_value((struct thl_value)STR("\xC2\x85\xE2\x80\xA8"), "\"\\x85\\u2028\"");
    expect_value((struct thl_value)STR("\xE0\x80\x8A"), "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"");
}

THL_TEST(format_logfmt, unsafe_bytes_of_keys_become_underscores)
{
    const struct thl_view v = {AT, TEXT(logger, "a"), TEXT(msg, "m"), .nfields = 6,
                               .field = {{KEY(""), STR("1")},
                                         {KEY("a b=c\"d"), STR("2")},
                                         {KEY("\n\x1b"), STR("3")},
                                         {KEY("x\xC2\x85y\xE2\x80\xA8z"), STR("4")},
                                         {KEY("\xff.\xC0\xAF"), STR("5")},
                                         {KEY("gr\xC3\xB6\xC3\x9F"
                                              "e"),
                                          STR("6")}}};
    expect(&v, TIME "logger=a msg=m _=1 a_b_c_d=2 __=3 x_y_z=4 _.__=5 gr\xC3\xB6\xC3\x9F"
                    "e=6");
}

THL_TEST(format_logfmt, first_of_keys_that_became_equal_stays)
{
    const struct thl_view v = {AT, TEXT(logger, "a"), TEXT(msg, "m"), .nfields = 6,
                               .field = {{KEY("a b"), STR("1")},
                                         {KEY("a_b"), STR("2")},
                                         {KEY("a=b"), STR("3")},
                                         {KEY("_"), STR("4")},
                                         {KEY(""), STR("5")},
                                         {KEY("a_c"), STR("6")}}};
    expect(&v, TIME "logger=a msg=m a_b=1 _=4 a_c=6");
}

THL_TEST(format_logfmt, hostile_message_is_one_value)
{
    const struct thl_view v = {AT, TEXT(logger, "a"), TEXT(msg, "m\" level=info\r\n\0\xff")};
    expect(&v, TIME "logger=a msg=\"m\\\" level=info\\x0d\\x0a\\x00\xEF\xBF\xBD\"");
}
