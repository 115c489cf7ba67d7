/* SPDX-License-Identifier: MIT */
/* rfc5424, byte for byte: header, structured data, names that no escape exists for. */
#include "format_kit.h"

#include <math.h>
#include <stdio.h>

#define AT NOON, .level = THOLE_INFO
#define HEAD "<30>1 2026-11-22T12:54:01.123456Z h.example echod 77 "

static struct thl_format_options options = {.format = THL_FORMAT_RFC5424,
                                            .facility = 3,
                                            .app = "echod",
                                            .host = "h.example",
                                            .sdid = "thole@32473",
                                            .pid = 77,
                                            .src = true};

static void
expect(const struct thl_view *v, const char *want)
{
    expect_format(&options, v, want);
}

static void
expect_value(struct thl_value value, const char *want)
{
    char line[512];
    struct thl_view v = {AT, TEXT(logger, "a"), TEXT(msg, "m"), .nfields = 1};
    v.field[0] = (struct thl_view_field){KEY("k"), value};
    snprintf(line, sizeof(line), HEAD "a [thole@32473 k=\"%s\"] m", want);
    expect(&v, line);
}

THL_TEST(format_rfc5424, plain_record)
{
    const struct thl_view v = {AT, TEXT(logger, "net.http"), TEXT(msg, "request done")};
    expect(&v, HEAD "net.http - request done");
}

THL_TEST(format_rfc5424, root_logger_and_empty_message)
{
    const struct thl_view v = {AT};
    expect(&v, HEAD "- -");
}

THL_TEST(format_rfc5424, fields_are_one_element_and_sequence_another)
{
    struct thl_view v = {AT,
                         TEXT(logger, "a"),
                         TEXT(msg, "m"),
                         TEXT(file, "src/f.c"),
                         .line = 12,
                         .seq = 1,
                         .nfields = 2,
                         .field = {{KEY("conn"), {THOLE_FIELD_UINT, 0, {.u = 42}}},
                                   {KEY("http.status"), {THOLE_FIELD_INT, 0, {.i = 200}}}}};
    expect(&v, HEAD "a [thole@32473 conn=\"42\" http_status=\"200\" src=\"f.c:12\"]"
                    "[meta sequenceId=\"1\"] m");
    v.nfields = 0;
    expect(&v, HEAD "a [thole@32473 src=\"f.c:12\"][meta sequenceId=\"1\"] m");
    v.file = NULL;
    expect(&v, HEAD "a [meta sequenceId=\"1\"] m");
}

THL_TEST(format_rfc5424, sequence_wraps_to_one)
{
    struct thl_view v = {AT, .seq = 2147483647};
    expect(&v, HEAD "- [meta sequenceId=\"2147483647\"]");
    v.seq++;
    expect(&v, HEAD "- [meta sequenceId=\"1\"]");
    v.seq = 2 * UINT64_C(2147483647) + 5;
    expect(&v, HEAD "- [meta sequenceId=\"5\"]");
}

THL_TEST(format_rfc5424, every_type_has_its_form)
{
    expect_value((struct thl_value){.type = THOLE_FIELD_NULL}, "null");
    expect_value((struct thl_value){.type = THOLE_FIELD_BOOL, .v.u = 1}, "true");
    expect_value((struct thl_value){.type = THOLE_FIELD_INT, .v.i = -5}, "-5");
    expect_value((struct thl_value){.type = THOLE_FIELD_DOUBLE, .v.d = 0.5}, "0.5");
    expect_value((struct thl_value){.type = THOLE_FIELD_DOUBLE, .v.d = INFINITY}, "Infinity");
    expect_value((struct thl_value){.type = THOLE_FIELD_DURATION, .v.i = 1000}, "0.000001");
    expect_value((struct thl_value){.type = THOLE_FIELD_POINTER}, "null");
    expect_value((struct thl_value){.type = THOLE_FIELD_HEX, .v.u = 255}, "0xff");
    expect_value((struct thl_value){.type = THOLE_FIELD_SECRET}, "***");
    expect_value((struct thl_value){THOLE_FIELD_BYTES, 2, {.p = "\x00\xff"}}, "00ff");
    expect_value((struct thl_value){THOLE_FIELD_ADDR, 6, {.p = "\x01\0a]\"b"}}, "a\\]\\\"b");
    expect_value((struct thl_value)STR(""), "");
}

THL_TEST(format_rfc5424, hostile_values_stay_inside_their_parameter)
{
    expect_value((struct thl_value)STR("\"] forged [x y=\"z\\"), "\\\"\\] forged [x y=\\\"z\\\\");
    expect_value((struct thl_value)STR("a\nb\0\x1b\x7f\r"), "a\\x0ab\\x00\\x1b\\x7f\\x0d");
    expect_value((struct thl_value)STR("\xC2\x85\xE2\x80\xA9"), "\\x85\\u2029");
    expect_value((struct thl_value)STR("\xC0\xAF"
                                       "ok"),
                 "\xEF\xBF\xBD\xEF\xBF\xBDok");
}

THL_TEST(format_rfc5424, hostile_message_is_one_line)
{
    const struct thl_view v = {AT, TEXT(logger, "a"), TEXT(msg, "m\n<0>1 - \"]\\\0\x1b\xff")};
    expect(&v, HEAD "a - m\\x0a<0>1 - \"]\\\\\\x00\\x1b\xEF\xBF\xBD");
}

THL_TEST(format_rfc5424, names_are_mapped_and_cut_and_the_first_of_equals_stays)
{
    const struct thl_view v = {AT, TEXT(logger, "a"), TEXT(msg, "m"), .nfields = 9,
                               .field = {{KEY("a.b"), STR("1")},
                                         {KEY("a_b"), STR("2")},
                                         {KEY("a]b"), STR("3")},
                                         {KEY(""), STR("4")},
                                         {KEY("_"), STR("5")},
                                         {KEY("x=\"\n\xC3\xA9-9"), STR("6")},
                                         {KEY("abcdefghijklmnopqrstuvwxyz012345"), STR("7")},
                                         {KEY("abcdefghijklmnopqrstuvwxyz0123456"), STR("8")},
                                         {KEY("abcdefghijklmnopqrstuvwxyz01234"), STR("9")}}};
    expect(&v, HEAD "a [thole@32473 a_b=\"1\" _=\"4\" x_____-9=\"6\" "
                    "abcdefghijklmnopqrstuvwxyz012345=\"7\" "
                    "abcdefghijklmnopqrstuvwxyz01234=\"9\"] m");
}

THL_TEST(format_rfc5424, header_fields_are_printable_bounded_and_never_empty)
{
    static char host[301], want[600];
    struct thl_view v = {AT, TEXT(logger, "a.very.long.logger.name.that.goes.on.and.on")};
    memset(host, 'h', sizeof(host) - 1);
    options.host = host;
    options.app = "an app\n\xC3\xA9 with a name of more than forty-eight bytes";
    snprintf(want, sizeof(want), "<30>1 2026-11-22T12:54:01.123456Z %.255s %s 77 %s -", host,
             "an_app____with_a_name_of_more_than_forty-eight_b",
             "a.very.long.logger.name.that.goe");
    expect(&v, want);
    options.host = options.app = "";
    v.logger_size = 0;
    expect(&v, "<30>1 2026-11-22T12:54:01.123456Z - - 77 - -");
}

THL_TEST(format_rfc5424, priority_has_no_leading_zeros)
{
    struct thl_view v = {AT};
    options.facility = 0;
    v.level = THOLE_EMERG;
    expect(&v, "<0>1 2026-11-22T12:54:01.123456Z h.example echod 77 - -");
    options.facility = 23;
    v.level = THOLE_DEBUG;
    expect(&v, "<191>1 2026-11-22T12:54:01.123456Z h.example echod 77 - -");
}

/* ---- what a cut leaves ---- */

#define EURO4 "\xE2\x82\xAC\xE2\x82\xAC\xE2\x82\xAC\xE2\x82\xAC"
#define EURO "\xE2\x82\xAC"
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

THL_TEST(format_rfc5424, message_is_cut_first_and_says_so)
{
    const struct thl_view v = {AT, TEXT(logger, "a"), TEXT(msg, EURO4 EURO4 EURO4 EURO4 EURO4),
                               .nfields = 2,
                               .field = {{KEY("a"), STR(FORTY)}, {KEY("b"), STR("1")}}};
    size_t cut, full = strlen(render(0, &v, &cut));
    cr_expect_str_eq(render(full - 1, &v, &cut),
                     HEAD "a [thole@32473 a=\"" FORTY
                          "\" b=\"1\" thole_truncated=\"27\"] " EURO4 EURO4 EURO EURO EURO "...");
    cr_expect_eq(cut, 27u);
}

/* Longest is what takes most room in the record: escapes count, and so does the name. */
THL_TEST(format_rfc5424, fewest_parameters_go_the_longest_first)
{
    static const char long_name[] = "abcdefghijklmnopqrstuvwxyz012345";
    const struct thl_view v = {
        AT, TEXT(logger, "a"), TEXT(msg, FORTY), .nfields = 6,
        .field = {{KEY("a"), STR("1234567890")},
                  {KEY("b"), STR("]]]]]]]]")},
                  {KEY("c"), STR("1234567890")},
                  {long_name, 32, {THOLE_FIELD_UINT, 0, {.u = 1}}},
                  {KEY("thole.suppressed"), {THOLE_FIELD_UINT, 0, {.u = 7}}},
                  {KEY("thole.truncated"), {THOLE_FIELD_UINT, 0, {.u = 5}}}}};
    static const char *const going[] = {" a=\"1234567890\"", " b=\"\\]\\]\\]\\]\\]\\]\\]\\]\"",
                                        " c=\"1234567890\"",
                                        " abcdefghijklmnopqrstuvwxyz012345=\"1\""};
    static const int order[] = {3, 1, 2, 0}; /* as they go */
    size_t cut, gone = 0;
    for (size_t max = strlen(render(0, &v, &cut)); cut < SIZE_MAX; max--) {
        const char *s = render(max, &v, &cut);
        if (cut == SIZE_MAX)
            break;
        while (gone < 4 && !strstr(s, going[order[gone]]))
            gone++;
        for (size_t i = 0; i < 4; i++)
            cr_assert_eq(strstr(s, going[order[i]]) != NULL, i >= gone, "%s", s);
        cr_assert(gone == 4 || strstr(s, "] 0123456789012345"), "%s", s);
        cr_assert_not_null(strstr(s, " thole_suppressed=\"7\" thole_truncated=\""));
    }
    cr_expect_eq(gone, 4u);
}
