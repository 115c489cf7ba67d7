/* SPDX-License-Identifier: MIT */
/*
 * Bytes from outside -> bytes that cannot end a record, start another, or drive a terminal.
 *
 * In every style an invalid UTF-8 byte becomes U+FFFD (EF BF BD), one for each byte that belongs to
 * no valid shortest-form sequence (surrogates, overlong forms and values past U+10FFFF are
 * invalid). Control characters are C0, DEL, C1 (U+0080..U+009F) and U+2028, U+2029.
 */
#ifndef THL_ESCAPE_H
#define THL_ESCAPE_H

#include "buf.h"

enum thl_escape {
    THL_ESCAPE_JSON,    /* inside "": \" \\ \b \t \n \f \r, other controls \u00XX (RFC 8259, 7) */
    THL_ESCAPE_TEXT,    /* bare text: controls \xNN (code point), U+2028 \u2028; '\' itself as \\ */
    THL_ESCAPE_QUOTED,  /* inside "" in logfmt and pretty: as TEXT, and \" */
    THL_ESCAPE_SD_VALUE /* RFC 5424, 6.3.3: \" \\ \] ; controls as the text \xNN */
};

/* Appends the n bytes at s, escaped; what does not fit is cut between two characters. */
void thl_escape_put(struct thl_buf *out, enum thl_escape how, const char *s, size_t n);

/* The same to `to`, which has room: a byte becomes at most so many (6: \u001b in JSON; else 4:
 * \x1b). Returns the end; may scribble past it, within the room. */
enum { THL_ESCAPE_WORST_JSON = 6, THL_ESCAPE_WORST_OTHER = 4, THL_ESCAPE_WORST = 6 };
char *thl_escape_write(char *to, enum thl_escape how, const char *s, size_t n);

/* Whether the text can stand in logfmt without quotes: 1 or more of 0x21..0x7E without " = and \.
 */
bool thl_escape_is_bare(const char *s, size_t n);

/* The same two without vector instructions, for the test that compares. */
char *thl_escape_write_plain(char *to, enum thl_escape how, const char *s, size_t n);
bool thl_escape_is_bare_plain(const char *s, size_t n);

/* The bytes of the valid UTF-8 sequence that begins at s (1 to 4), or 0. */
size_t thl_escape_utf8(const char *s, size_t n);

/* The largest m <= limit that does not split a valid UTF-8 sequence of the n bytes at s. */
size_t thl_escape_cut(const char *s, size_t n, size_t limit);

#endif
