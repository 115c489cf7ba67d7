/* SPDX-License-Identifier: MIT */
/*
 * Runs of bytes that need no escape: found, and copied on the way.
 *
 * Two variants with the same answers (tests/unit/escape_scan.c): `plain` takes eight bytes at a
 * time in a 64-bit word, `vector` sixteen by SSE2 or NEON where the compiler offers them, and is
 * `plain` elsewhere. Neither reads or writes a byte outside [0, n): a tail that is shorter than a
 * step overlaps the step before it, and of texts shorter than a step both ends are looked at at
 * once.
 *
 * Always inlined, with `copies` a constant: the same code scans only, or copies as well.
 */
#ifndef THL_ESCAPE_SCAN_H
#define THL_ESCAPE_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "compiler.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#define THL_ESCAPE_VECTOR "SSE2"
#elif defined(__ARM_NEON) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#include <arm_neon.h>
#define THL_ESCAPE_VECTOR "NEON"
#endif

/* What passes: one set for each enum thl_escape, in its order, and one for bare words of logfmt.
 * Bytes from 0x7F up pass in none. */
enum { THL_ESCAPE_SET_BARE = 4, THL_ESCAPE_SETS };

/* Bit n: the byte passes in set n. */
extern const uint8_t thl_escape_passes[256];

/* The same as a rule for many bytes at once: bytes from `first` to 0x7E without three, of which the
 * backslash is one in each set. Each byte eight times. */
struct thl_escape_rule {
    uint64_t first, without, without_too;
};
extern const struct thl_escape_rule thl_escape_rules[THL_ESCAPE_SETS];

#define THL_ESCAPE_EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/* ---- plain ---- */

static THL_ALWAYS_INLINE uint64_t
thl_escape_load_8(const char *s)
{
    uint64_t x;
    memcpy(&x, s, sizeof(x));
    return x;
}

static THL_ALWAYS_INLINE uint64_t
thl_escape_load_4(const char *s)
{
    uint32_t x;
    memcpy(&x, s, sizeof(x));
    return x;
}

/* Four bytes, the first one lowest. */
static THL_ALWAYS_INLINE uint32_t
thl_escape_load_32(const char *s)
{
    uint32_t x;
    memcpy(&x, s, sizeof(x));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    x = __builtin_bswap32(x);
#endif
    return x;
}

/* The high bit of some byte is set if a byte of x is below that of `bytes` (below 0x80). */
static THL_ALWAYS_INLINE uint64_t
thl_escape_any_below(uint64_t x, uint64_t bytes)
{
    return (x - bytes) & ~x;
}

/* Not 0 if one of the eight bytes does not pass. The sum carries from 0xFF only, which is in itself
 * one that does not pass. */
static THL_ALWAYS_INLINE uint64_t
thl_escape_stops_8(uint64_t x, const struct thl_escape_rule *rule)
{
    const uint64_t ones = THL_ESCAPE_EACH(1);
    return (x | (x + ones) | thl_escape_any_below(x, rule->first) |
            thl_escape_any_below(x ^ THL_ESCAPE_EACH('\\'), ones) |
            thl_escape_any_below(x ^ rule->without, ones) |
            thl_escape_any_below(x ^ rule->without_too, ones)) &
           THL_ESCAPE_EACH(0x80);
}

/* From a byte that is known to lie before the first one that stops. */
static THL_ALWAYS_INLINE size_t
thl_escape_run_bytes(unsigned set, const char *s, size_t from, size_t n)
{
    while (from < n && thl_escape_passes[(unsigned char)s[from]] >> set & 1)
        from++;
    return from;
}

/* n of 1 to 7; the end of the run, and at least those bytes of it are copied. */
static THL_ALWAYS_INLINE size_t
thl_escape_run_few(bool copies, char *to, unsigned set, const char *s, size_t n)
{
    if (copies && n >= 4) {
        memcpy(to, s, 4);
        memcpy(to + n - 4, s + n - 4, 4);
    } else if (copies) {
        to[0] = s[0];
        to[n / 2] = s[n / 2];
        to[n - 1] = s[n - 1];
    }
    return thl_escape_run_bytes(set, s, 0, n);
}

/* The first byte that stops, or n. If `copies`, that many bytes are copied to `to`, which has room
 * for n: what lies behind may be overwritten. */
static THL_ALWAYS_INLINE size_t
thl_escape_run_plain(bool copies, char *to, unsigned set, const char *s, size_t n)
{
    const struct thl_escape_rule *rule = &thl_escape_rules[set];
    size_t i = 0;
    if (n < 8)
        return n ? thl_escape_run_few(copies, to, set, s, n) : 0;
    for (; n - i >= 8; i += 8) {
        if (copies)
            memcpy(to + i, s + i, 8);
        if (thl_escape_stops_8(thl_escape_load_8(s + i), rule))
            return thl_escape_run_bytes(set, s, i, n);
    }
    if (copies)
        memcpy(to + n - 8, s + n - 8, 8);
    if (thl_escape_stops_8(thl_escape_load_8(s + n - 8), rule))
        return thl_escape_run_bytes(set, s, i, n);
    return n;
}

/* ---- vector ---- */

#ifndef THL_ESCAPE_VECTOR

#define THL_ESCAPE_VECTOR "plain C"

static THL_ALWAYS_INLINE size_t
thl_escape_run(bool copies, char *to, unsigned set, const char *s, size_t n)
{
    return thl_escape_run_plain(copies, to, set, s, n);
}

#else

#if defined(__SSE2__)

enum { THL_ESCAPE_STEP_BITS = 1 }; /* of the mask for each byte */

static THL_ALWAYS_INLINE __m128i
thl_escape_spread(uint64_t bytes)
{
    return _mm_set1_epi64x((long long)bytes);
}

/* As signed numbers, the bytes from 0x7F up are negative once 1 is added (0xFF is 0). */
static THL_ALWAYS_INLINE uint64_t
thl_escape_stops_vector(__m128i x, const struct thl_escape_rule *rule)
{
    const __m128i one = thl_escape_spread(THL_ESCAPE_EACH(1));
    const __m128i low =
        _mm_cmpgt_epi8(_mm_add_epi8(thl_escape_spread(rule->first), one), _mm_add_epi8(x, one));
    const __m128i slash = _mm_cmpeq_epi8(x, thl_escape_spread(THL_ESCAPE_EACH('\\')));
    const __m128i without = _mm_or_si128(_mm_cmpeq_epi8(x, thl_escape_spread(rule->without)),
                                         _mm_cmpeq_epi8(x, thl_escape_spread(rule->without_too)));
    return (uint64_t)_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(low, slash), without));
}

static THL_ALWAYS_INLINE uint64_t
thl_escape_stops_16(const char *s, const struct thl_escape_rule *rule)
{
    return thl_escape_stops_vector(_mm_loadu_si128((const __m128i *)(const void *)s), rule);
}

static THL_ALWAYS_INLINE uint64_t
thl_escape_stops_2x8(uint64_t first, uint64_t second, const struct thl_escape_rule *rule)
{
    return thl_escape_stops_vector(_mm_set_epi64x((long long)second, (long long)first), rule);
}

#else

enum { THL_ESCAPE_STEP_BITS = 4 };

static THL_ALWAYS_INLINE uint8x16_t
thl_escape_spread(uint64_t bytes)
{
    return vreinterpretq_u8_u64(vdupq_n_u64(bytes));
}

/* Four bits a byte: what is left when the 16-bit lanes of 0 and 0xFF are narrowed by a shift. */
static THL_ALWAYS_INLINE uint64_t
thl_escape_stops_vector(uint8x16_t x, const struct thl_escape_rule *rule)
{
    const uint8x16_t low = vorrq_u8(vcltq_u8(x, thl_escape_spread(rule->first)),
                                    vcgtq_u8(x, thl_escape_spread(THL_ESCAPE_EACH(0x7E))));
    const uint8x16_t slash = vceqq_u8(x, thl_escape_spread(THL_ESCAPE_EACH('\\')));
    const uint8x16_t without = vorrq_u8(vceqq_u8(x, thl_escape_spread(rule->without)),
                                        vceqq_u8(x, thl_escape_spread(rule->without_too)));
    const uint8x16_t stops = vorrq_u8(vorrq_u8(low, slash), without);
    const uint8x8_t narrow = vshrn_n_u16(vreinterpretq_u16_u8(stops), 4);
    return vget_lane_u64(vreinterpret_u64_u8(narrow), 0);
}

static THL_ALWAYS_INLINE uint64_t
thl_escape_stops_16(const char *s, const struct thl_escape_rule *rule)
{
    return thl_escape_stops_vector(vld1q_u8((const uint8_t *)s), rule);
}

static THL_ALWAYS_INLINE uint64_t
thl_escape_stops_2x8(uint64_t first, uint64_t second, const struct thl_escape_rule *rule)
{
    const uint64x2_t both = vcombine_u64(vcreate_u64(first), vcreate_u64(second));
    return thl_escape_stops_vector(vreinterpretq_u8_u64(both), rule);
}

#endif

static THL_ALWAYS_INLINE size_t
thl_escape_first_stop(uint64_t mask)
{
    return (size_t)__builtin_ctzll(mask) / THL_ESCAPE_STEP_BITS;
}

/* n of 4 to 15, of which both ends of 4 or 8 are looked at. */
static THL_ALWAYS_INLINE size_t
thl_escape_run_ends(bool copies, char *to, unsigned set, const char *s, size_t n)
{
    const struct thl_escape_rule *rule = &thl_escape_rules[set];
    size_t half = 8;
    uint64_t mask;
    if (n >= 8) {
        const uint64_t first = thl_escape_load_8(s), second = thl_escape_load_8(s + n - 8);
        mask = thl_escape_stops_2x8(first, second, rule);
        if (copies) {
            memcpy(to, &first, 8);
            memcpy(to + n - 8, &second, 8);
        }
    } else {
        const uint64_t both = thl_escape_load_4(s) | thl_escape_load_4(s + n - 4) << 32;
        half = 4;
        mask = thl_escape_stops_2x8(both, both, rule);
        if (copies) {
            memcpy(to, s, 4);
            memcpy(to + n - 4, s + n - 4, 4);
        }
    }
    if (mask == 0)
        return n;
    const size_t stop = thl_escape_first_stop(mask);
    return stop < half ? stop : n - 2 * half + stop;
}

/* As thl_escape_run_plain. */
static THL_ALWAYS_INLINE size_t
thl_escape_run(bool copies, char *to, unsigned set, const char *s, size_t n)
{
    const struct thl_escape_rule *rule = &thl_escape_rules[set];
    uint64_t mask;
    size_t i = 0;
    if (n < 4)
        return n ? thl_escape_run_few(copies, to, set, s, n) : 0;
    if (n < 16)
        return thl_escape_run_ends(copies, to, set, s, n);
    for (; n - i >= 16; i += 16) {
        mask = thl_escape_stops_16(s + i, rule);
        if (copies)
            memcpy(to + i, s + i, 16);
        if (mask)
            return i + thl_escape_first_stop(mask);
    }
    if (i == n)
        return n;
    mask = thl_escape_stops_16(s + n - 16, rule);
    if (copies)
        memcpy(to + n - 16, s + n - 16, 16);
    return mask ? n - 16 + thl_escape_first_stop(mask) : n;
}

#endif

#endif
