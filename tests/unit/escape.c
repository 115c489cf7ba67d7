/* SPDX-License-Identifier: MIT */
/* Escaping: no byte of the user's ends a record or drives a terminal, in any style. */
#include "test.h"

#include "escape.h"

static char bytes[4096];

static const char *
escaped(enum thl_escape how, const char *s, size_t n)
{
    struct thl_buf b;
    thl_buf_init(&b, bytes, sizeof(bytes) - 1);
    thl_escape_put(&b, how, s, n);
    cr_assert(!b.overflow);
    bytes[b.size] = '\0';
    return bytes;
}

#define ESCAPED(how, s) escaped(THL_ESCAPE_##how, s, sizeof(s) - 1)

THL_TEST(escape, json_controls)
{
    cr_expect_str_eq(ESCAPED(JSON, "a\"b\\c/"), "a\\\"b\\\\c/");
    cr_expect_str_eq(ESCAPED(JSON, "\b\t\n\f\r"), "\\b\\t\\n\\f\\r");
    cr_expect_str_eq(ESCAPED(JSON, "\0\x01\x1b\x7f"), "\\u0000\\u0001\\u001b\\u007f");
    cr_expect_str_eq(ESCAPED(JSON, "\xC2\x85\xC2\xA0"), "\\u0085\xC2\xA0");
    cr_expect_str_eq(ESCAPED(JSON, "\xE2\x80\xA8\xE2\x80\xA9"), "\\u2028\\u2029");
    cr_expect_str_eq(ESCAPED(JSON, "gr\xC3\xBC\xC3\x9F]"), "gr\xC3\xBC\xC3\x9F]");
}

THL_TEST(escape, text_controls)
{
    cr_expect_str_eq(ESCAPED(TEXT, "a\nb\r\0\x1b[31m\"]"), "a\\x0ab\\x0d\\x00\\x1b[31m\"]");
    cr_expect_str_eq(ESCAPED(TEXT, "\\\xC2\x9B\xE2\x80\xA8"), "\\\\\\x9b\\u2028");
    cr_expect_str_eq(ESCAPED(QUOTED, "a\"b\n"), "a\\\"b\\x0a");
    cr_expect_str_eq(ESCAPED(SD_VALUE, "a\"b\\c]d\n"), "a\\\"b\\\\c\\]d\\x0a");
}

THL_TEST(escape, each_invalid_byte_is_one_replacement)
{
    cr_expect_str_eq(ESCAPED(JSON, "\xFF"), "\xEF\xBF\xBD");
    cr_expect_str_eq(ESCAPED(TEXT, "a\x80z"), "a\xEF\xBF\xBDz");
    cr_expect_str_eq(ESCAPED(JSON, "\xC0\xAF"), "\xEF\xBF\xBD\xEF\xBF\xBD"); /* overlong */
    cr_expect_str_eq(ESCAPED(JSON, "\xED\xA0\x80"),
                     "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"); /* surrogate */
    cr_expect_str_eq(ESCAPED(JSON, "\xF4\x90\x80\x80x"),
                     "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBDx");
    cr_expect_str_eq(ESCAPED(JSON, "\xE2\x82"), "\xEF\xBF\xBD\xEF\xBF\xBD"); /* cut short */
}

THL_TEST(escape, all_two_byte_strings_leave_valid_and_clean)
{
    for (unsigned how = 0; how <= THL_ESCAPE_SD_VALUE; how++)
        for (unsigned x = 0; x < 65536; x++) {
            const char in[2] = {(char)(x >> 8), (char)x};
            const char *out = escaped((enum thl_escape)how, in, 2);
            for (size_t i = 0, step; out[i]; i += step) {
                step = thl_escape_utf8(out + i, strlen(out + i));
                cr_assert(step > 0 && ((unsigned char)out[i] >= 0x20 && out[i] != 0x7F),
                          "style %u, input %04x", how, x);
                cr_assert(!(step == 2 && (unsigned char)out[i] == 0xC2 &&
                            (unsigned char)out[i + 1] < 0xA0));
            }
        }
}

THL_TEST(escape, cut_keeps_sequences_whole)
{
    const char *s = "a\xC3\xBC\xE2\x82\xAC\xF0\x9F\x98\x80";
    static const size_t want[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 10};
    for (size_t limit = 0; limit < sizeof(want) / sizeof(want[0]); limit++)
        cr_expect_eq(thl_escape_cut(s, 10, limit), want[limit], "limit %zu", limit);
}

THL_TEST(escape, overflow_is_remembered)
{
    struct thl_buf b;
    thl_buf_init(&b, bytes, 3);
    thl_escape_put(&b, THL_ESCAPE_JSON, "ab\n", 3);
    cr_expect(b.overflow);
    cr_expect_leq(b.size, 3);
}

THL_TEST(escape, sequences_have_their_lengths)
{
    static const struct {
        const char *s;
        size_t n, want;
    } row[] = {
        {"", 0, 0},
        {"\0", 1, 1},
        {"\x7F", 1, 1},
        {"\x80", 1, 0},
        {"\xC1\xBF", 2, 0},
        {"\xC2\x80", 2, 2},
        {"\xDF\xBF", 2, 2},
        {"\xE0\x9F\xBF", 3, 0},
        {"\xE0\xA0\x80", 3, 3},
        {"\xED\x9F\xBF", 3, 3},
        {"\xED\xA0\x80", 3, 0},
        {"\xEE\x80\x80", 3, 3},
        {"\xEF\xBF\xBF", 3, 3},
        {"\xF0\x8F\xBF\xBF", 4, 0},
        {"\xF0\x90\x80\x80", 4, 4},
        {"\xF4\x8F\xBF\xBF", 4, 4},
        {"\xF4\x90\x80\x80", 4, 0},
        {"\xF5\x80\x80\x80", 4, 0},
        {"\xE2\x82\xAC", 2, 0},
        {"\xF0\x9F\x98\x80", 3, 0},
    };
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++)
        cr_expect_eq(thl_escape_utf8(row[i].s, row[i].n), row[i].want, "row %zu", i);
}

THL_TEST(escape, cut_goes_to_the_limit_in_invalid_text)
{
    static const char s[] = "\x80\x80\x80\x80\x80\xE2\x82\x41\xFF\xFF";
    for (size_t limit = 0; limit < sizeof(s); limit++)
        cr_expect_eq(thl_escape_cut(s, sizeof(s) - 1, limit), limit);
}

THL_TEST(escape, truncated_sequence_does_not_swallow_what_follows)
{
    cr_expect_str_eq(ESCAPED(JSON, "\xE2\""), "\xEF\xBF\xBD\\\"");
    cr_expect_str_eq(ESCAPED(JSON, "\xC2\n"), "\xEF\xBF\xBD\\n");
    cr_expect_str_eq(ESCAPED(SD_VALUE, "\xF0\x9F]"), "\xEF\xBF\xBD\xEF\xBF\xBD\\]");
}

/* Of all that E2 begins only U+2028 and U+2029 are controls, and both must go. */
THL_TEST(escape, separators_pass_in_no_style)
{
    char in[3] = {'\xE2', 0, 0};
    for (unsigned how = 0; how <= THL_ESCAPE_SD_VALUE; how++)
        for (unsigned x = 0; x < 65536; x++) {
            in[1] = (char)(x >> 8);
            in[2] = (char)x;
            const char *out = escaped((enum thl_escape)how, in, 3);
            cr_assert(!strstr(out, "\xE2\x80\xA8") && !strstr(out, "\xE2\x80\xA9"),
                      "style %u, input e2%04x", how, x);
        }
}
