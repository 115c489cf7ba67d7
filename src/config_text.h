/* SPDX-License-Identifier: MIT */
/*
 * What the three grammars of the configuration share: spans of a text, numbers, level words, and
 * the messages about them. A span is never terminated by NUL and never longer than its text.
 */
#ifndef THL_CONFIG_TEXT_H
#define THL_CONFIG_TEXT_H

#include <string.h>

#include "config.h"

struct thl_span {
    const char *s;
    size_t n;
};

/* The text that one call reads: where its errors go, and what columns count from. */
struct thl_config_text {
    const char *label, *text;
    struct thl_config_errors *errors;
};

/* An error whose column is that of the byte at `at`, somewhere in the text or at its end. */
#define thl_config_text_error(t, at, ...)                                                          \
    thl_config_error((t)->errors, (t)->label, (t)->text, (size_t)((at) - (t)->text) + 1,           \
                     __VA_ARGS__)

/* The beginning of a span, as messages quote it: values have no bound, messages do. */
struct thl_config_quote {
    char text[68];
};
struct thl_config_quote thl_config_text_quote(struct thl_span span);

/* `unknown WHAT "word" (did you mean "near"?)`, or the list of all words when none is near. `hint`
 * ends that list: "" or text that begins with "; ". */
void thl_config_text_unknown(const struct thl_config_text *t, const char *at, const char *what,
                             struct thl_span word, const char *const *words, size_t n,
                             const char *hint);

/* The level that `word` names, or -1 and an error at `at`. */
int thl_config_text_level(const struct thl_config_text *t, const char *at, struct thl_span word,
                          const char *hint);

/* Digits, then perhaps K, M or G (powers of 1024). False for anything else or past 64 bits. */
bool thl_config_text_number(struct thl_span span, uint64_t *out);

/* How many of the first bytes may stand in a logger's name. */
size_t thl_config_text_name(struct thl_span span);

/* The first byte of the span that is one of `stops` and stands outside of quotes; the span's end
 * when there is none. In quotes a backslash takes the next byte's meaning away. *unclosed: the
 * quote that is still open where the search ends, or NULL. */
const char *thl_config_text_find(struct thl_span span, const char *stops, const char **unclosed);

/* The bytes of the printable character at s, or 0: what no message and no directive of ours shows
 * as it is (C0, DEL, C1, U+2028, U+2029, bytes that are no UTF-8). */
size_t thl_config_text_printable(const char *s, size_t n);

/* White space as in the C locale, whatever the program has set. */
static inline bool
thl_config_text_is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

struct thl_span thl_config_text_trim(struct thl_span span);

static inline struct thl_span
thl_config_text_span(const char *from, const char *end)
{
    struct thl_span span = {from, (size_t)(end - from)};
    return span;
}

/* The part before the first `c`; *rest is what follows it. Without a `c` that is the whole span,
 * and rest->s is NULL. */
struct thl_span thl_config_text_cut(struct thl_span span, char c, struct thl_span *rest);

static inline bool
thl_config_text_is(struct thl_span span, const char *word)
{
    return strlen(word) == span.n && memcmp(span.s, word, span.n) == 0;
}

#endif
