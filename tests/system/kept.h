/* SPDX-License-Identifier: MIT */
/* The records "kept" of numbered sources, counted in a file of JSON lines. */
#ifndef KEPT_H
#define KEPT_H

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

enum { KEPT_SOURCES = 8 };

struct kept {
    size_t lines[KEPT_SOURCES]; /* of each source */
    long next[KEPT_SOURCES];    /* one more than the highest number */
    size_t all, others;         /* lines of all sources; lines that are not "kept" at all */
    bool in_order;              /* the numbers of each source rise */
};

static inline bool
kept_is_whole_line(const char *line, size_t size)
{
    static const char head[] = "{\"time\":\"";

    return size > sizeof(head) && memcmp(line, head, sizeof(head) - 1) == 0 &&
           line[size - 1] == '}' &&
           !memmem(line + 1, size - 1, head, sizeof(head) - 1); /* not two, glued together */
}

/* The numbers are the line's last fields, in our own form. */
static inline void
kept_count_line(struct kept *k, const char *line, size_t size)
{
    static const char mark[] = "\"msg\":\"kept\",\"t\":";
    const char *at = memmem(line, size, mark, sizeof(mark) - 1);
    char *end;

    if (!at) {
        k->others++;
        return;
    }
    long source = strtol(at + sizeof(mark) - 1, &end, 10);
    cr_assert(source >= 0 && source < KEPT_SOURCES && strncmp(end, ",\"i\":", 5) == 0);
    long number = strtol(end + 5, &end, 10);
    cr_assert_eq(*end, '}');
    k->in_order &= number >= k->next[source];
    k->next[source] = number + 1;
    k->lines[source]++;
    k->all++;
}

/* Each line must be whole, but for those whose ends stand at `torn`: offsets, ended by 0. */
static inline struct kept
kept_read_torn(const char *text, const size_t *torn)
{
    struct kept k = {.in_order = true};
    const char *end;

    for (const char *line = text; *line; line = end + 1) {
        end = strchrnul(line, '\n');
        if ((size_t)(end - text) == *torn) {
            torn++;
        } else {
            cr_assert(*end == '\n' && kept_is_whole_line(line, (size_t)(end - line)), "%.*s",
                      (int)(end - line), line);
            kept_count_line(&k, line, (size_t)(end - line));
        }
        if (*end == '\0')
            break;
    }
    return k;
}

static inline struct kept
kept_read(const char *text)
{
    static const size_t none = 0;

    return kept_read_torn(text, &none);
}

/* Numbers 0 to n - 1 of the source: each once, in order. */
static inline void
kept_expect_all(const struct kept *k, int source, size_t n)
{
    cr_expect(k->in_order);
    cr_expect_eq(k->lines[source], n, "%zu of source %d, not %zu", k->lines[source], source, n);
    cr_expect_eq(k->next[source], (long)n);
}

#endif
