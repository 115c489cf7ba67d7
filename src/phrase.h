/* SPDX-License-Identifier: MIT */
/*
 * Lines from phrases: what is constant in the line of a call site is rendered once, and so is what
 * is constant in the lines of a child; then a line is copies, with a time and values between.
 *
 *   {"time":"2026-11-22T12:54:01.123456Z","level":"info", ... ,"conn":42,"status":200,"took":0.5}
 *   ^^^^^^^^^                           ^^^^^^^^^^^^^^^^^^^^^^          ^^^^^^^^^^   ^^^^^^^^   ^
 *   a phrase                                                  a context
 *
 * A phrase is made by the format itself: it formats the site with holes for values (view.h), and
 * the text between them is the phrase. So it cannot say what the format would not; what is out of
 * the ordinary (two keys of one name, errno fields, marks of thole's, keys that a format maps, a
 * line too long for its target) has no phrase, and is formatted as ever. The bytes are the same
 * either way: tests/unit/phrase.c.
 *
 * Bounded: two tables in which newcomers take the place of others. All is the dispatching thread's.
 */
#ifndef THL_PHRASE_H
#define THL_PHRASE_H

#include "format.h"
#include "record.h"

struct thl_phrases;
struct thl_phrase;
struct thl_phrase_context;

/* A line that is asked for; the last three are thl_phrase_find's answer. */
struct thl_phrase_line {
    const struct thl_record *record;
    size_t size;
    const struct thl_site_text *site; /* NULL: the record is inline, and no phrase found */
    const char *logger;
    size_t logger_size;
    unsigned number; /* of the logger that is named: a handle's may not be known yet */
    int64_t unix_ns;
    const struct thl_format_options *options;
    unsigned style; /* a number of options->..., below 128; the same number, the same options */

    const struct thl_phrase *phrase;
    const struct thl_phrase_context *context;
    size_t room; /* bytes that thl_phrase_write may need */
};

/* NULL without memory. */
struct thl_phrases *thl_phrases_new(void);
void thl_phrases_free(struct thl_phrases *all);

/* Options have changed, or a fork has come in between. */
void thl_phrases_forget(struct thl_phrases *all);

/* Whether the line can be put together from phrases. */
bool thl_phrase_find(struct thl_phrases *all, struct thl_phrase_line *line);

/* Writes a line that was found to `to`, where it has the room it asked for; its bytes, or 0 when it
 * must be formatted after all. */
size_t thl_phrase_write(struct thl_phrases *all, const struct thl_phrase_line *line, char *to);

#endif
