/* SPDX-License-Identifier: MIT */
/* Spans, numbers and words of configuration texts. */
#include "config_text.h"

#include "escape.h"
#include "level.h"

struct thl_span
thl_config_text_trim(struct thl_span span)
{
    while (span.n > 0 && thl_config_text_is_blank(span.s[span.n - 1]))
        span.n--;
    while (span.n > 0 && thl_config_text_is_blank(span.s[0])) {
        span.s++;
        span.n--;
    }
    return span;
}

struct thl_span
thl_config_text_cut(struct thl_span span, char c, struct thl_span *rest)
{
    const char *at = span.n > 0 ? memchr(span.s, c, span.n) : NULL;
    if (!at) {
        *rest = (struct thl_span){NULL, 0};
        return span;
    }
    size_t n = (size_t)(at - span.s);
    *rest = (struct thl_span){at + 1, span.n - n - 1};
    return (struct thl_span){span.s, n};
}

size_t
thl_config_text_name(struct thl_span span)
{
    size_t n = 0;
    for (; n < span.n; n++) {
        char c = span.s[n], small = (char)(c | 0x20);
        bool letter = small >= 'a' && small <= 'z';
        if (!letter && !(c >= '0' && c <= '9') && c != '_' && c != '.' && c != '-')
            break;
    }
    return n;
}

/* The power of two that a unit's letter stands for; 0 for other letters. */
static unsigned
shift_of_unit(char c)
{
    switch (c) {
    case 'K':
    case 'k':
        return 10;
    case 'M':
    case 'm':
        return 20;
    case 'G':
    case 'g':
        return 30;
    default:
        return 0;
    }
}

bool
thl_config_text_number(struct thl_span span, uint64_t *out)
{
    unsigned shift = span.n > 1 ? shift_of_unit(span.s[span.n - 1]) : 0;
    size_t digits = shift ? span.n - 1 : span.n;
    uint64_t x = 0;
    if (digits == 0)
        return false;
    for (size_t i = 0; i < digits; i++) {
        unsigned digit = (unsigned)(unsigned char)span.s[i] - '0';
        if (digit > 9 || x > (UINT64_MAX - digit) / 10)
            return false;
        x = x * 10 + digit;
    }
    if (x > UINT64_MAX >> shift)
        return false;
    *out = x << shift;
    return true;
}

const char *
thl_config_text_find(struct thl_span span, const char *stops, const char **unclosed)
{
    const char *p = span.s, *end = span.s + span.n;
    *unclosed = NULL;
    for (; p < end; p++) {
        if (*unclosed && *p == '\\' && p + 1 < end)
            p++;
        else if (*p == '"')
            *unclosed = *unclosed ? NULL : p;
        else if (!*unclosed && strchr(stops, *p))
            break;
    }
    return p;
}

size_t
thl_config_text_printable(const char *s, size_t n)
{
    const unsigned char *u = (const unsigned char *)s;
    size_t size = thl_escape_utf8(s, n);
    if (size == 1 && (u[0] < 0x20 || u[0] == 0x7F))
        return 0;
    if (size == 2 && u[0] == 0xC2 && u[1] < 0xA0)
        return 0;
    if (size == 3 && u[0] == 0xE2 && u[1] == 0x80 && (u[2] == 0xA8 || u[2] == 0xA9))
        return 0;
    return size;
}

/* ---- messages ---- */

struct thl_config_quote
thl_config_text_quote(struct thl_span span)
{
    struct thl_config_quote q;
    const size_t room = sizeof(q.text) - 4; /* "..." and NUL */
    size_t n = thl_escape_cut(span.s, span.n, room);
    if (n > 0)
        memcpy(q.text, span.s, n);
    if (n < span.n) {
        memcpy(q.text + n, "...", 3);
        n += 3;
    }
    q.text[n] = '\0';
    return q;
}

/* "a, b or c" */
static void
put_list(struct thl_buf *out, const char *const *words, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && i + 1 == n)
            thl_buf_lit(out, " or ");
        else if (i > 0)
            thl_buf_lit(out, ", ");
        thl_buf_puts(out, words[i]);
    }
}

void
thl_config_text_unknown(const struct thl_config_text *t, const char *at, const char *what,
                        struct thl_span word, const char *const *words, size_t n, const char *hint)
{
    struct thl_config_quote quote = thl_config_text_quote(word);
    const char *near = thl_config_suggest(word.s, word.n, words, n);
    char list[400];
    struct thl_buf out;
    if (near) {
        thl_config_text_error(t, at, "unknown %s \"%s\" (did you mean \"%s\"?)", what, quote.text,
                              near);
        return;
    }
    thl_buf_init(&out, list, sizeof(list) - 1);
    put_list(&out, words, n);
    list[out.size] = '\0';
    thl_config_text_error(t, at, "unknown %s \"%s\" (expected %s%s)", what, quote.text, list, hint);
}

int
thl_config_text_level(const struct thl_config_text *t, const char *at, struct thl_span word,
                      const char *hint)
{
    const char *words[THOLE_OFF + 1];
    int level = thl_level_parse(word.s, word.n);
    if (level >= 0)
        return level;
    for (size_t i = 0; i < word.n; i++) {
        if (thl_config_text_is_blank(word.s[i])) {
            struct thl_config_quote quote = thl_config_text_quote(word);
            thl_config_text_error(t, at, "unknown level \"%s\" (is a comma missing?)", quote.text);
            return -1;
        }
    }
    for (int i = 0; i <= THOLE_OFF; i++)
        words[i] = thl_level_word((enum thole_level)i);
    thl_config_text_unknown(t, at, "level", word, words, THOLE_OFF + 1, hint);
    return -1;
}
