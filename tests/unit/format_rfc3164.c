/* SPDX-License-Identifier: MIT */
/* rfc3164, byte for byte: glibc's wire form, then logger and fields as logfmt. */
#include "format_kit.h"

#define AT NOON

static struct thl_format_options options = {.format = THL_FORMAT_RFC3164,
                                            .facility = 3,
                                            .app = "echod",
                                            .host = "h",
                                            .pid = 77,
                                            .src = true};

static void
expect(const struct thl_view *v, const char *want)
{
    expect_format(&options, v, want);
}

THL_TEST(format_rfc3164, wire_form_has_no_host_and_no_last_byte)
{
    const struct thl_view v = {AT, .level = THOLE_INFO, TEXT(msg, "request done")};
    expect(&v, "<30>Nov 22 12:54:01 echod[77]: request done");
}

THL_TEST(format_rfc3164, logger_source_and_fields_follow_the_message)
{
    const struct thl_view v = {
        AT,
        .level = THOLE_ERROR,
        TEXT(logger, "echod.conn"),
        TEXT(msg, "request done"),
        TEXT(file, "src/f.c"),
        .line = 12,
        .seq = 9,
        .nfields = 2,
        .field = {{KEY("conn"), {THOLE_FIELD_UINT, 0, {.u = 42}}}, {KEY("a b"), STR("c d")}}};
    expect(&v, "<27>Nov 22 12:54:01 echod[77]: request done logger=echod.conn src=f.c:12 conn=42 "
               "a_b=\"c d\" thole.seq=9");
}

THL_TEST(format_rfc3164, empty_message_leaves_one_blank)
{
    const struct thl_view v = {AT, .level = THOLE_INFO, .nfields = 1,
                               .field = {{KEY("k"), STR("v")}}};
    expect(&v, "<30>Nov 22 12:54:01 echod[77]: k=v");
}

THL_TEST(format_rfc3164, time_is_local_and_the_day_padded_with_a_blank)
{
    struct thl_view v = {.unix_ns = 1793580841000000000, .level = THOLE_INFO, TEXT(msg, "m")};
    expect(&v, "<30>Nov  2 00:54:01 echod[77]: m");
    options.utc_offset = -3600;
    expect(&v, "<30>Nov  1 23:54:01 echod[77]: m");
    options.utc_offset = 19800;
    expect(&v, "<30>Nov  2 06:24:01 echod[77]: m");
    v.unix_ns = 1798761599999999999; /* 2026-12-31T23:59:59 UTC */
    expect(&v, "<30>Jan  1 05:29:59 echod[77]: m");
    options.utc_offset = 0;
    expect(&v, "<30>Dec 31 23:59:59 echod[77]: m");
}

THL_TEST(format_rfc3164, tag_is_cut_and_sanitised)
{
    const struct thl_view v = {AT, .level = THOLE_INFO, TEXT(msg, "m")};
    options.app = "my app[1]:\n\xC3\xA9/x.y-z_";
    expect(&v, "<30>Nov 22 12:54:01 my_app_1______x.y-z_[77]: m");
    options.app = "abcdefghijklmnopqrstuvwxyz0123456789";
    expect(&v, "<30>Nov 22 12:54:01 abcdefghijklmnopqrstuvwxyz012345[77]: m");
    options.app = "";
    expect(&v, "<30>Nov 22 12:54:01 -[77]: m");
}

THL_TEST(format_rfc3164, priority_is_facility_and_severity)
{
    struct thl_view v = {AT, .level = THOLE_EMERG, TEXT(msg, "m")};
    options.facility = 0;
    expect(&v, "<0>Nov 22 12:54:01 echod[77]: m");
    v.level = THOLE_TRACE;
    options.facility = 23;
    expect(&v, "<191>Nov 22 12:54:01 echod[77]: m");
}

THL_TEST(format_rfc3164, hostile_bytes_cannot_begin_a_record)
{
    const struct thl_view v = {AT, .level = THOLE_INFO,
                               TEXT(msg, "m\n<0>Jan  1 x: forged\r\0\x1b\xff\\"), .nfields = 1,
                               .field = {{KEY("k\n<0>"), STR("\n<0>")}}};
    expect(
        &v,
        "<30>Nov 22 12:54:01 echod[77]: m\\x0a<0>Jan  1 x: forged\\x0d\\x00\\x1b\xEF\xBF\xBD\\\\ "
        "k_<0>=\"\\x0a<0>\"");
}

/* ---- what a cut leaves ---- */

#define EURO4 "\xE2\x82\xAC\xE2\x82\xAC\xE2\x82\xAC\xE2\x82\xAC"
#define FORTY "0123456789012345678901234567890123456789"

static char record[4096];

static const char *
render(size_t max_bytes, const struct thl_view *v, size_t *cut)
{
    struct thl_format_options o = options;
    struct thl_buf b;
    o.max_bytes = max_bytes;
    thl_buf_init(&b, record, sizeof(record) - 1);
    *cut = thl_format_put(&b, &o, v);
    record[b.size] = '\0';
    return record;
}

THL_TEST(format_rfc3164, message_is_cut_first_and_says_so)
{
    const struct thl_view v = {AT, .level = THOLE_INFO, TEXT(msg, EURO4 EURO4 EURO4 EURO4 EURO4),
                               .nfields = 2,
                               .field = {{KEY("a"), STR(FORTY)}, {KEY("b"), STR("1")}}};
    size_t cut, full = strlen(render(0, &v, &cut));
    cr_expect_str_eq(render(full - 1, &v, &cut), "<30>Nov 22 12:54:01 echod[77]: " EURO4 EURO4 EURO4
                                                 "... a=" FORTY " b=1 thole.truncated=24");
    cr_expect_eq(cut, 24u);
}

THL_TEST(format_rfc3164, longest_field_goes_whole_and_the_message_has_its_room)
{
    const struct thl_view v = {AT, .level = THOLE_INFO, TEXT(msg, FORTY FORTY), .nfields = 3,
                               .field = {{KEY("a"), STR("1")},
                                         {KEY("b"), STR(FORTY FORTY FORTY FORTY FORTY FORTY)},
                                         {KEY("c"), STR("2")}}};
    size_t cut;
    cr_expect_str_eq(render(182, &v, &cut),
                     "<30>Nov 22 12:54:01 echod[77]: " FORTY FORTY " a=1 c=2 thole.truncated=240");
    cr_expect_eq(cut, 240u);
}

THL_TEST(format_rfc3164, message_gets_the_room_of_fields_that_went)
{
    static const char key[] = "0123456789abcdef0123456789abcdef0123456789abcdef";
    struct thl_view v = {AT, .level = THOLE_INFO, TEXT(msg, FORTY FORTY), .nfields = 1,
                         .field = {{KEY("a"), STR("1")}}};
    size_t cut;
    for (int i = 0; i < 3; i++) /* numbers: nothing of them can be cut */
        v.field[v.nfields++] = (struct thl_view_field){key + i, 40, {THOLE_FIELD_INT, 0, {.i = 7}}};
    cr_expect_str_eq(render(143, &v, &cut),
                     "<30>Nov 22 12:54:01 echod[77]: " FORTY "012... a=1 "
                     "0123456789abcdef0123456789abcdef01234567=7 thole.truncated=39");
    cr_expect_eq(cut, 39u, "two fields and 37 bytes of the message");
}

/* A message longer than the copy that carries the "..." is cut to that copy. */
THL_TEST(format_rfc3164, message_of_any_length_is_cut)
{
    static char msg[60000], bytes[20001];
    const struct thl_view v = {AT, .level = THOLE_INFO, .msg = memset(msg, 'm', sizeof(msg)),
                               .msg_size = sizeof(msg)};
    struct thl_buf b;
    thl_buf_init(&b, bytes, sizeof(bytes) - 1);
    const size_t cut = thl_format_put(&b, &options, &v);
    bytes[b.size] = '\0';
    cr_expect_eq(strspn(strchr(bytes, 'm'), "m"), sizeof(msg) - cut);
    cr_expect(b.size > 8192 && strstr(bytes, "m... thole.truncated="));
}
