/* SPDX-License-Identifier: MIT */
/* Escaping: clean runs are copied whole, so ordinary text costs one scan and one memcpy. */
#include "escape.h"

#include <stdint.h>

/* Per byte: whether it can be copied as it is in a style. Bytes from 0x80 never: they are looked at
 * as sequences. Bit n belongs to enum thl_escape n. */
#define ALL 0xF
static const uint8_t clean[256] = {
    [0x20] = ALL,
    [0x21] = ALL,
    [0x22] = 1 << THL_ESCAPE_TEXT,
    [0x23] = ALL,
    [0x24] = ALL,
    [0x25] = ALL,
    [0x26] = ALL,
    [0x27] = ALL,
    [0x28] = ALL,
    [0x29] = ALL,
    [0x2a] = ALL,
    [0x2b] = ALL,
    [0x2c] = ALL,
    [0x2d] = ALL,
    [0x2e] = ALL,
    [0x2f] = ALL,
    [0x30] = ALL,
    [0x31] = ALL,
    [0x32] = ALL,
    [0x33] = ALL,
    [0x34] = ALL,
    [0x35] = ALL,
    [0x36] = ALL,
    [0x37] = ALL,
    [0x38] = ALL,
    [0x39] = ALL,
    [0x3a] = ALL,
    [0x3b] = ALL,
    [0x3c] = ALL,
    [0x3d] = ALL,
    [0x3e] = ALL,
    [0x3f] = ALL,
    [0x40] = ALL,
    [0x41] = ALL,
    [0x42] = ALL,
    [0x43] = ALL,
    [0x44] = ALL,
    [0x45] = ALL,
    [0x46] = ALL,
    [0x47] = ALL,
    [0x48] = ALL,
    [0x49] = ALL,
    [0x4a] = ALL,
    [0x4b] = ALL,
    [0x4c] = ALL,
    [0x4d] = ALL,
    [0x4e] = ALL,
    [0x4f] = ALL,
    [0x50] = ALL,
    [0x51] = ALL,
    [0x52] = ALL,
    [0x53] = ALL,
    [0x54] = ALL,
    [0x55] = ALL,
    [0x56] = ALL,
    [0x57] = ALL,
    [0x58] = ALL,
    [0x59] = ALL,
    [0x5a] = ALL,
    [0x5b] = ALL,
    [0x5d] = ALL & ~(1 << THL_ESCAPE_SD_VALUE),
    [0x5e] = ALL,
    [0x5f] = ALL,
    [0x60] = ALL,
    [0x61] = ALL,
    [0x62] = ALL,
    [0x63] = ALL,
    [0x64] = ALL,
    [0x65] = ALL,
    [0x66] = ALL,
    [0x67] = ALL,
    [0x68] = ALL,
    [0x69] = ALL,
    [0x6a] = ALL,
    [0x6b] = ALL,
    [0x6c] = ALL,
    [0x6d] = ALL,
    [0x6e] = ALL,
    [0x6f] = ALL,
    [0x70] = ALL,
    [0x71] = ALL,
    [0x72] = ALL,
    [0x73] = ALL,
    [0x74] = ALL,
    [0x75] = ALL,
    [0x76] = ALL,
    [0x77] = ALL,
    [0x78] = ALL,
    [0x79] = ALL,
    [0x7a] = ALL,
    [0x7b] = ALL,
    [0x7c] = ALL,
    [0x7d] = ALL,
    [0x7e] = ALL,
};

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

static void
put_hex(struct thl_buf *out, const char *prefix, unsigned code, unsigned digits)
{
    static const char hex[] = "0123456789abcdef";
    char text[8];
    size_t n = 0;
    text[n++] = prefix[0];
    text[n++] = prefix[1];
    while (digits-- > 0)
        text[n++] = hex[(code >> (4 * digits)) & 0xF];
    thl_buf_put(out, text, n);
}

static void
put_ascii(struct thl_buf *out, enum thl_escape how, unsigned char c)
{
    static const char json_short[] = {
        ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
    if (c == '\\' || c == '"' || c == ']') {
        thl_buf_putc(out, '\\');
        thl_buf_putc(out, (char)c);
    } else if (how != THL_ESCAPE_JSON) {
        put_hex(out, "\\x", c, 2);
    } else if (c < sizeof(json_short) && json_short[c]) {
        thl_buf_putc(out, '\\');
        thl_buf_putc(out, json_short[c]);
    } else {
        put_hex(out, "\\u", c, 4);
    }
}

/* A sequence or a stray byte from 0x80 up; the bytes eaten. */
static size_t
put_wide(struct thl_buf *out, enum thl_escape how, const char *s, size_t n)
{
    const unsigned char *u = (const unsigned char *)s;
    size_t size = thl_escape_utf8(s, n);
    if (size == 0) {
        thl_buf_lit(out, "\xEF\xBF\xBD");
        return 1;
    }
    if (size == 2 && u[0] == 0xC2 && u[1] < 0xA0) /* C1 */
        put_hex(out, how == THL_ESCAPE_JSON ? "\\u" : "\\x", u[1], how == THL_ESCAPE_JSON ? 4 : 2);
    else if (size == 3 && u[0] == 0xE2 && u[1] == 0x80 && (u[2] == 0xA8 || u[2] == 0xA9))
        put_hex(out, "\\u", 0x2000u + (u[2] & 0x3Fu), 4);
    else
        thl_buf_put(out, s, size);
    return size;
}

void
thl_escape_put(struct thl_buf *out, enum thl_escape how, const char *s, size_t n)
{
    const uint8_t bit = (uint8_t)(1u << how);
    size_t i = 0;
    while (i < n && !out->overflow) {
        size_t run = i;
        while (run < n && (clean[(unsigned char)s[run]] & bit))
            run++;
        thl_buf_put(out, s + i, run - i);
        i = run;
        if (i == n)
            return;
        if ((unsigned char)s[i] < 0x80)
            put_ascii(out, how, (unsigned char)s[i++]);
        else
            i += put_wide(out, how, s + i, n - i);
    }
}

char *
thl_escape_write(char *to, enum thl_escape how, const char *s, size_t n)
{
    struct thl_buf out;
    thl_buf_init(&out, to, THL_ESCAPE_WORST * n);
    thl_escape_put(&out, how, s, n);
    return to + out.size;
}

bool
thl_escape_is_bare(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s[i];
        if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c >= 0x7F)
            return false;
    }
    return n > 0;
}
