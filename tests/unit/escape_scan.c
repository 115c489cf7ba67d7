/* SPDX-License-Identifier: MIT */
/* Escaping many bytes at once: the same as one by one, with vectors and without, and no byte
 * outside is touched (which the address sanitizer sees: all texts end where their block ends). */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>

#include "escape.h"
#include "escape_scan.h"

enum { LONGEST = 80, STYLES = THL_ESCAPE_SD_VALUE + 1 };

/* ---- the words of escape.h, a character at a time ---- */

static bool
stops(unsigned set, unsigned char c)
{
    if (set == THL_ESCAPE_SET_BARE)
        return c <= 0x20 || c >= 0x7F || c == '"' || c == '=' || c == '\\';
    return c < 0x20 || c >= 0x7F || c == '\\' || (c == '"' && set != THL_ESCAPE_TEXT) ||
           (c == ']' && set == THL_ESCAPE_SD_VALUE);
}

static const char *
spell_control(enum thl_escape how, unsigned code)
{
    static char text[8];
    static const char *const json_short[] = {
        [8] = "\\b", [9] = "\\t", [10] = "\\n", [12] = "\\f", [13] = "\\r"};
    if (how == THL_ESCAPE_JSON && code >= 8 && code <= 13 && code != 11)
        return json_short[code];
    if (code == 0x2028 || code == 0x2029 || how == THL_ESCAPE_JSON)
        snprintf(text, sizeof(text), "\\u%04x", code);
    else
        snprintf(text, sizeof(text), "\\x%02x", code);
    return text;
}

/* The text of the character at s, and its size in *size. */
static const char *
spell(enum thl_escape how, const char *s, size_t n, size_t *size)
{
    static char text[8];
    const unsigned char c = (unsigned char)*s;
    *size = thl_escape_utf8(s, n);
    if (*size == 0) {
        *size = 1;
        return "\xEF\xBF\xBD";
    }
    memcpy(text, s, *size);
    text[*size] = '\0';
    if (*size == 2 && c == 0xC2 && (unsigned char)s[1] < 0xA0)
        return spell_control(how, (unsigned char)s[1]);
    if (*size == 3 && (!memcmp(s, "\xE2\x80\xA8", 3) || !memcmp(s, "\xE2\x80\xA9", 3)))
        return spell_control(how, 0x2000 + ((unsigned char)s[2] & 0x3F));
    if (*size > 1 || !stops(how, c))
        return text;
    if (c < 0x20 || c == 0x7F)
        return spell_control(how, c);
    snprintf(text, sizeof(text), "\\%c", c);
    return text;
}

static size_t
escape_slowly(char *to, enum thl_escape how, const char *s, size_t n)
{
    char *at = to;
    for (size_t i = 0, size; i < n; i += size) {
        const char *text = spell(how, s + i, n - i, &size);
        memcpy(at, text, strlen(text));
        at += strlen(text);
    }
    return (size_t)(at - to);
}

/* ---- comparisons ---- */

typedef char *write_fn(char *to, enum thl_escape how, const char *s, size_t n);

static void
expect_written(write_fn *write, const char *name, enum thl_escape how, const char *s, size_t n)
{
    const size_t worst = how == THL_ESCAPE_JSON ? THL_ESCAPE_WORST_JSON : THL_ESCAPE_WORST_OTHER;
    char want[LONGEST * THL_ESCAPE_WORST];
    const size_t size = escape_slowly(want, how, s, n);
    char *got = malloc(n * worst);
    const char *end = write(got, how, s, n);
    cr_assert_leq(size, n * worst, "style %u wants more room than it says", how);
    if ((size_t)(end - got) != size || memcmp(got, want, size) != 0)
        cr_assert_fail("style %u, %s, %zu bytes: \"%.*s\", not \"%.*s\"", how, name, n,
                       (int)(end - got), got, (int)size, want);
    free(got);
}

static void
expect_same(const char *s, size_t n)
{
    for (unsigned how = 0; how < STYLES; how++) {
        expect_written(thl_escape_write, "vector", (enum thl_escape)how, s, n);
        expect_written(thl_escape_write_plain, "plain", (enum thl_escape)how, s, n);
    }
    bool bare = n > 0;
    for (size_t i = 0; i < n; i++)
        bare = bare && !stops(THL_ESCAPE_SET_BARE, (unsigned char)s[i]);
    if (thl_escape_is_bare(s, n) != bare || thl_escape_is_bare_plain(s, n) != bare)
        cr_assert_fail("\"%.*s\" (%zu bytes) is%s bare", (int)n, s, n, bare ? "" : " not");
}

THL_TEST(escape_scan, tables_say_what_the_header_says)
{
    for (unsigned set = 0; set < THL_ESCAPE_SETS; set++)
        for (unsigned c = 0; c < 256; c++)
            cr_expect_eq(thl_escape_passes[c] >> set & 1, !stops(set, (unsigned char)c),
                         "set %u, byte %02x", set, c);
}

THL_TEST(escape_scan, any_byte_anywhere_in_texts_of_any_length)
{
    cr_log_info("vectors are %s", THL_ESCAPE_VECTOR);
    for (size_t n = 0; n <= LONGEST; n++) {
        char *s = malloc(n);
        for (size_t i = 0; i < n; i++)
            s[i] = 'a';
        expect_same(s, n);
        for (size_t i = 0; i < n; i++)
            for (unsigned c = 0; c < 256; c += n < 36 ? 1 : 5) {
                s[i] = (char)c;
                expect_same(s, n);
                s[i] = 'a';
            }
        free(s);
    }
}

static uint64_t
next_random(void)
{
    static uint64_t state = 88172645463325252u;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

/* Pieces that begin, end and cross steps in all ways. */
static size_t
mix(char *to, size_t room)
{
    static const char *const pieces[] = {"a",
                                         "plain text ",
                                         "\"",
                                         "\\",
                                         "]",
                                         "=",
                                         "\n",
                                         "\t",
                                         "\x1b[31m",
                                         "\x7F",
                                         "\xC3\xBC",
                                         "\xC2\x85",
                                         "\xC2\xA0",
                                         "\xE2\x80\xA8",
                                         "\x80",
                                         "\xE2\x80\x94",
                                         "\xE4\xB8\xAD\xE6\x96\x87",
                                         "\xED\xA0\x80",
                                         "\xE0\x9F\xBF",
                                         "\xF0\x9F\x98\x80",
                                         "\xF4\x90\x80\x80",
                                         "\xC1\xBF",
                                         "\xFF",
                                         "\xE2\x82",
                                         "\xD0\xBF\xD1\x80\xD0\xB8 \xD0\xB2\xD0\xB5\xD1\x82"};
    const size_t wanted = next_random() % (room + 1);
    const unsigned calm = next_random() % 8;
    size_t n = 0;
    while (n < wanted) {
        const uint64_t r = next_random();
        const char *piece = r % 8 < calm ? "x" : pieces[r / 8 % (sizeof(pieces) / sizeof(*pieces))];
        size_t size = strlen(piece);
        if (size > wanted - n)
            size = wanted - n;
        memcpy(to + n, piece, size);
        n += size;
    }
    return n;
}

THL_TEST(escape_scan, random_mixes_of_text_controls_and_rubbish)
{
    for (int i = 0; i < 30000; i++) {
        char bytes[LONGEST];
        const size_t n = mix(bytes, sizeof(bytes));
        char *s = malloc(n);
        memcpy(s, bytes, n);
        expect_same(s, n);
        free(s);
    }
}

/* Of what does not fit, characters that do are there, whole, and nothing behind the room. */
static void
expect_cut(enum thl_escape how, const char *s, size_t n, size_t room)
{
    char want[LONGEST * THL_ESCAPE_WORST];
    char *bytes = malloc(room);
    struct thl_buf out;
    const size_t full = escape_slowly(want, how, s, n);
    size_t fits = 0, size;
    thl_buf_init(&out, bytes, room);
    thl_escape_put(&out, how, s, n);
    for (size_t i = 0; i < n; i += size) {
        const size_t spelled = strlen(spell(how, s + i, n - i, &size));
        if (fits + spelled > room)
            break;
        fits += spelled;
    }
    if (out.overflow != (full > room) || out.size != fits || memcmp(bytes, want, fits) != 0)
        cr_assert_fail("style %u, room %zu: \"%.*s\" (%zu), not \"%.*s\" (%zu)", how, room,
                       (int)out.size, bytes, out.size, (int)fits, want, fits);
    free(bytes);
}

THL_TEST(escape_scan, what_does_not_fit_is_cut_between_characters)
{
    for (int i = 0; i < 500; i++) {
        char s[LONGEST];
        const size_t n = mix(s, sizeof(s));
        for (unsigned how = 0; how < STYLES; how++)
            for (size_t room = 0; room < n * 2; room++)
                expect_cut((enum thl_escape)how, s, n, room);
    }
}
