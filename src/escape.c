/* SPDX-License-Identifier: MIT */
/* Escaping: runs that need none are copied as they are scanned, so ordinary text costs little more
 * than a copy. */
#include "escape.h"

#include "escape_scan.h"

enum { CALM = 8 };

typedef size_t run_fn(bool copies, char *to, unsigned set, const char *s, size_t n);

static bool
is_tail(unsigned char c)
{
    return (c & 0xC0) == 0x80;
}

/* The table of well-formed sequences: Unicode 15, table 3-7. */
size_t
thl_escape_utf8(const char *text, size_t n)
{
    const unsigned char *s = (const unsigned char *)text;
    if (n == 0)
        return 0;
    if (s[0] < 0x80)
        return 1;
    if (s[0] < 0xC2 || s[0] > 0xF4)
        return 0;
    if (n < 2 || !is_tail(s[1]))
        return 0;
    if (s[0] < 0xE0)
        return 2;
    if ((s[0] == 0xE0 && s[1] < 0xA0) || (s[0] == 0xED && s[1] > 0x9F) ||
        (s[0] == 0xF0 && s[1] < 0x90) || (s[0] == 0xF4 && s[1] > 0x8F))
        return 0;
    if (n < 3 || !is_tail(s[2]))
        return 0;
    if (s[0] < 0xF0)
        return 3;
    return n < 4 || !is_tail(s[3]) ? 0 : 4;
}

size_t
thl_escape_cut(const char *s, size_t n, size_t limit)
{
    if (limit >= n)
        return n;
    for (size_t back = 1; back <= 3 && back <= limit; back++) {
        size_t size = thl_escape_utf8(s + limit - back, n - (limit - back));
        if (size > back)
            return limit - back;
        if (size > 0)
            return limit;
    }
    return limit;
}

static char *
write_hex(char *to, char kind, unsigned code, unsigned digits)
{
    static const char hex[] = "0123456789abcdef";
    *to++ = '\\';
    *to++ = kind;
    while (digits-- > 0)
        *to++ = hex[(code >> (4 * digits)) & 0xF];
    return to;
}

static char *
write_control(char *to, enum thl_escape how, unsigned code)
{
    return how == THL_ESCAPE_JSON ? write_hex(to, 'u', code, 4) : write_hex(to, 'x', code, 2);
}

static char *
write_ascii(char *to, enum thl_escape how, unsigned char c)
{
    static const char json_short[] = {
        ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
    const bool is_short = how == THL_ESCAPE_JSON && c < sizeof(json_short) && json_short[c];
    if (c >= 0x20 && c != 0x7F) {
        to[0] = '\\';
        to[1] = (char)c;
        return to + 2;
    }
    if (!is_short)
        return write_control(to, how, c);
    to[0] = '\\';
    to[1] = json_short[c];
    return to + 2;
}

/* A sequence or a stray byte from 0x80 up. */
static char *
write_wide(char *to, enum thl_escape how, const char *s, size_t size)
{
    const unsigned char *u = (const unsigned char *)s;
    if (size == 0) {
        memcpy(to, "\xEF\xBF\xBD", 3);
        return to + 3;
    }
    if (size == 2 && u[0] == 0xC2 && u[1] < 0xA0) /* C1 */
        return write_control(to, how, u[1]);
    if (size == 3 && u[0] == 0xE2 && u[1] == 0x80 && (u[2] == 0xA8 || u[2] == 0xA9))
        return write_hex(to, 'u', 0x2000u + (u[2] & 0x3Fu), 4);
    memcpy(to, s, size);
    return to + size;
}

/* The one character at *s that is no part of a run; at most THL_ESCAPE_WORST bytes for each of its
 * own. */
static char *
write_one(char *to, enum thl_escape how, const char **s, const char *end)
{
    const char *at = *s;
    if ((unsigned char)*at < 0x80) {
        *s = at + 1;
        return write_ascii(to, how, (unsigned char)*at);
    }
    const size_t size = thl_escape_utf8(at, (size_t)(end - at));
    *s = at + (size ? size : 1);
    return write_wide(to, how, at, size);
}

/* The bytes of the sequence whose first four bytes are x, the first one lowest, if it has two or
 * three and no control is among those that begin like it; else 0, and somebody looks closer. */
static THL_ALWAYS_INLINE size_t
plain_sequence(uint32_t x)
{
    if ((x & 0xC0E0) == 0x80C0)
        return (x & 0xFF) > 0xC2 || (x & 0xE0FF) == 0xA0C2 ? 2 : 0;
    if ((x & 0xC0C0F0) == 0x8080E0 && (x & 0xFF) != 0xE0 && (x & 0xFF) != 0xED &&
        (x & 0xFFFF) != 0x80E2)
        return 3;
    return 0;
}

/* Text that is not English: sequence after sequence, and the spaces between. Ends where a run of
 * ASCII begins, or a character that is to be escaped. */
static THL_ALWAYS_INLINE char *
copy_sequences(char *to, unsigned set, const char **s, const char *end)
{
    const char *at = *s;
    while (end - at >= 4) {
        const uint32_t x = thl_escape_load_32(at);
        size_t size = plain_sequence(x);
        if (size == 0 && (x & 0x8080) == 0x8000 && thl_escape_passes[x & 0xFF] >> set & 1)
            size = 1;
        if (size == 0)
            break;
        memcpy(to, at, 4);
        at += size;
        to += size;
    }
    *s = at;
    return to;
}

/* Where one byte is escaped the next is often near: looked at one by one until CALM pass in a row.
 */
static THL_ALWAYS_INLINE char *
write_near(char *to, enum thl_escape how, const char **s, const char *end)
{
    const char *at = *s;
    for (int calm = 0; at < end && calm < CALM; at++) {
        const unsigned char c = (unsigned char)*at;
        if (thl_escape_passes[c] >> how & 1) {
            *to++ = (char)c;
            calm++;
        } else if (c < 0x80) {
            to = write_ascii(to, how, c);
            calm = 0;
        } else {
            break;
        }
    }
    *s = at;
    return to;
}

static THL_ALWAYS_INLINE char *
write_with(char *to, enum thl_escape how, const char *s, size_t n, run_fn *run)
{
    const char *end = s + n;
    for (;;) {
        const size_t clean = run(true, to, how, s, (size_t)(end - s));
        s += clean;
        to += clean;
        if (s == end)
            return to;
        if ((unsigned char)*s < 0x80) {
            to = write_near(to, how, &s, end);
            continue;
        }
        to = copy_sequences(to, how, &s, end);
        if (s < end && (unsigned char)*s >= 0x80)
            to = write_one(to, how, &s, end);
    }
}

char *
thl_escape_write(char *to, enum thl_escape how, const char *s, size_t n)
{
    return write_with(to, how, s, n, thl_escape_run);
}

char *
thl_escape_write_plain(char *to, enum thl_escape how, const char *s, size_t n)
{
    return write_with(to, how, s, n, thl_escape_run_plain);
}

/* With less room than the worst case wants: run by run, character by character. */
static size_t
put_step(struct thl_buf *out, enum thl_escape how, const char *s, size_t n)
{
    const size_t room = out->capacity - out->size;
    const size_t run = thl_escape_run(true, out->bytes + out->size, how, s, n < room ? n : room);
    char text[4 * THL_ESCAPE_WORST];
    const char *at = s + run;
    out->size += run;
    if (run == n)
        return n;
    if (thl_escape_passes[(unsigned char)*at] >> how & 1)
        out->overflow = true;
    else
        thl_buf_put(out, text, (size_t)(write_one(text, how, &at, s + n) - text));
    return (size_t)(at - s);
}

void
thl_escape_put(struct thl_buf *out, enum thl_escape how, const char *s, size_t n)
{
    while (n > 0 && !out->overflow) {
        if (n <= (out->capacity - out->size) / THL_ESCAPE_WORST) {
            char *to = out->bytes + out->size;
            out->size += (size_t)(thl_escape_write(to, how, s, n) - to);
            return;
        }
        const size_t eaten = put_step(out, how, s, n);
        s += eaten;
        n -= eaten;
    }
}

/* ---- bare words ---- */

bool
thl_escape_is_bare(const char *s, size_t n)
{
    return n > 0 && thl_escape_run(false, NULL, THL_ESCAPE_SET_BARE, s, n) == n;
}

bool
thl_escape_is_bare_plain(const char *s, size_t n)
{
    return n > 0 && thl_escape_run_plain(false, NULL, THL_ESCAPE_SET_BARE, s, n) == n;
}
