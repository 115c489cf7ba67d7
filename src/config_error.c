/* SPDX-License-Identifier: MIT */
/* Errors of the configuration: one message each, with the place under a caret and a suggestion. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "config_text.h"
#include "escape.h"

#define INDENT "    "
#define SHOWN 120    /* bytes of a text that a message shows */
#define WHAT_MAX 640 /* bytes of a message's own line, before control bytes are widened */
#define LABEL_BYTES 128
#define WORD_MAX 32 /* words that are worth comparing: no word of ours is longer */

/* ---- what may be printed ---- */

/* Appends the n bytes at s; returns the columns that they take on a terminal. */
static size_t
put_shown(struct thl_buf *out, const char *s, size_t n)
{
    static const char hex[] = "0123456789abcdef";
    size_t columns = 0;
    for (size_t i = 0; i < n;) {
        size_t size = thl_config_text_printable(s + i, n - i);
        if (size > 0) {
            thl_buf_put(out, s + i, size);
            columns++;
            i += size;
            continue;
        }
        unsigned char c = (unsigned char)s[i++];
        thl_buf_put(out, (const char[]){'\\', 'x', hex[c >> 4], hex[c & 15]}, 4);
        columns += 4;
    }
    return columns;
}

/* ---- messages ---- */

/* The part of a text of n bytes that is shown: around `at` when the whole would not fit. */
static void
find_window(const char *text, size_t n, size_t at, size_t *from, size_t *to)
{
    *from = 0;
    *to = n;
    if (n <= SHOWN)
        return;
    size_t begin = at > SHOWN / 2 ? at - SHOWN / 2 : 0;
    if (begin > n - SHOWN)
        begin = n - SHOWN;
    *from = thl_escape_cut(text, n, begin);
    *to = thl_escape_cut(text, n, begin + SHOWN);
}

static void
put_place(struct thl_buf *out, const char *text, size_t column)
{
    size_t n = strlen(text), from, to;
    size_t at = thl_escape_cut(text, n, column - 1);
    find_window(text, n, at, &from, &to);
    thl_buf_lit(out, "\n" INDENT);
    size_t caret = 0;
    if (from > 0) {
        thl_buf_lit(out, "...");
        caret = 3;
    }
    caret += put_shown(out, text + from, at - from);
    put_shown(out, text + at, to - at);
    if (to < n)
        thl_buf_lit(out, "...");
    thl_buf_lit(out, "\n" INDENT);
    while (caret-- > 0)
        thl_buf_putc(out, ' ');
    thl_buf_putc(out, '^');
}

static void
put_what(struct thl_buf *out, const char *fmt, va_list ap)
{
    char what[WHAT_MAX];
    int wanted = vsnprintf(what, sizeof(what), fmt, ap);
    size_t n = wanted < 0 ? 0 : (size_t)wanted;
    if (n < sizeof(what)) {
        put_shown(out, what, n);
        return;
    }
    put_shown(out, what, thl_escape_cut(what, sizeof(what) - 1, sizeof(what) - 4));
    thl_buf_lit(out, "...");
}

void
thl_config_error(struct thl_config_errors *errors, const char *label, const char *text,
                 size_t column, const char *fmt, ...)
{
    char message[LABEL_BYTES * 4 + 32 + WHAT_MAX * 4 + 2 * (SHOWN * 4 + 16)];
    struct thl_buf out;
    va_list ap;
    errors->n++;
    if (errors->kept == THL_CONFIG_ERRORS)
        return;
    thl_buf_init(&out, message, sizeof(message) - 1);
    put_shown(&out, label, strnlen(label, LABEL_BYTES));
    if (column > 0) {
        char number[32];
        snprintf(number, sizeof(number), ":%zu", column);
        thl_buf_puts(&out, number);
    }
    thl_buf_lit(&out, ": ");
    va_start(ap, fmt);
    put_what(&out, fmt, ap);
    va_end(ap);
    if (column > 0 && *text)
        put_place(&out, text, column);
    char *kept = strndup(message, out.size);
    if (kept) /* without memory it is counted all the same */
        errors->text[errors->kept++] = kept;
}

void
thl_config_errors_fini(struct thl_config_errors *errors)
{
    for (size_t i = 0; i < errors->kept; i++)
        free(errors->text[i]);
    *errors = (struct thl_config_errors){0};
}

/* ---- suggestions ---- */

static char
lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static size_t
min2(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Edits between two words: a letter added, left out, replaced, or two neighbours swapped. Rows of
 * the usual table; `before` is the row above `above`, for the swaps. */
static size_t
count_edits(const char *a, size_t na, const char *b, size_t nb)
{
    size_t rows[3][WORD_MAX + 1];
    size_t *before = rows[0], *above = rows[1], *row = rows[2];
    for (size_t j = 0; j <= nb; j++)
        above[j] = before[j] = j;
    for (size_t i = 1; i <= na; i++) {
        row[0] = i;
        for (size_t j = 1; j <= nb; j++) {
            char x = lower(a[i - 1]), y = lower(b[j - 1]);
            row[j] = min2(min2(above[j], row[j - 1]) + 1, above[j - 1] + (x != y));
            if (i > 1 && j > 1 && x == lower(b[j - 2]) && y == lower(a[i - 2]))
                row[j] = min2(row[j], before[j - 2] + 1);
        }
        size_t *oldest = before;
        before = above;
        above = row;
        row = oldest;
    }
    return above[nb];
}

const char *
thl_config_suggest(const char *s, size_t size, const char *const *words, size_t n)
{
    /* Two edits; fewer in words of three letters, where two make anything of anything. */
    size_t limit = size <= 3 ? 1 : size / 3 > 2 ? size / 3 : 2;
    const char *nearest = NULL;
    if (size == 0 || size > WORD_MAX)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        size_t length = strlen(words[i]);
        if (length > WORD_MAX || length > size + limit || size > length + limit)
            continue;
        size_t edits = count_edits(s, size, words[i], length);
        if (edits <= limit && edits < length) {
            limit = edits > 0 ? edits - 1 : 0;
            nearest = words[i];
            if (edits == 0)
                break;
        }
    }
    return nearest;
}
