/* SPDX-License-Identifier: MIT */
/*
 * Decimal digits of numbers below 10^8, eight at a time in one 64-bit word.
 *
 * Splitting a number in halves gives four digits each, then two, then one: three steps whatever the
 * length, where a loop pays a division or a branch for each pair. The divisions are multiplications
 * by a rounded-up reciprocal, exact in the range that each step needs: x / 10^4 below 10^8,
 * x * 10486 >> 20 is x / 100 below 10^4, x * 103 >> 10 is x / 10 below 100.
 */
#ifndef THL_NUMBER_DIGITS_H
#define THL_NUMBER_DIGITS_H

#include <stdint.h>
#include <string.h>

#define THL_NUMBER_ZEROS UINT64_C(0x3030303030303030) /* "00000000" */

/* "000102...99" */
extern const char thl_number_pairs[200];

/* The eight digits of x < 10^8 as values 0..9, the first one in the lowest byte. */
static inline uint64_t
thl_number_digits(uint32_t x)
{
    const uint32_t high = x / 10000;
    uint64_t fours = high | (uint64_t)(x - high * 10000) << 32;
    uint64_t tops = (fours * 10486 >> 20) & UINT64_C(0x7F0000007F);
    const uint64_t twos = tops | (fours - tops * 100) << 16;
    tops = (twos * 103 >> 10) & UINT64_C(0x000F000F000F000F);
    return tops | (twos - tops * 10) << 8;
}

/* How many are left of eight when the zeros at the end go. */
static inline unsigned
thl_number_count_digits(uint64_t digits)
{
    return digits ? 8 - (unsigned)__builtin_clzll(digits) / 8 : 0;
}

/* Eight bytes, that of the lowest bits first. */
static inline void
thl_number_store(char *to, uint64_t bytes)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    bytes = __builtin_bswap64(bytes);
#endif
    memcpy(to, &bytes, sizeof(bytes));
}

/* The eight hexadecimal digits of x in ASCII, the first one in the lowest byte: '0' for each
 * nibble, and 39 more from ten up. */
static inline uint64_t
thl_number_hex_digits(uint32_t x)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t nibbles = (x | (uint64_t)x << 16) & UINT64_C(0x0000FFFF0000FFFF);
    nibbles = (nibbles | nibbles << 8) & UINT64_C(0x00FF00FF00FF00FF);
    nibbles = (nibbles | nibbles << 4) & UINT64_C(0x0F0F0F0F0F0F0F0F);
    const uint64_t letters = (nibbles + ones * 6) >> 4 & ones;
    return __builtin_bswap64(nibbles + THL_NUMBER_ZEROS + letters * ('a' - '0' - 10));
}

static inline void
thl_number_store_4(char *to, uint32_t bytes)
{
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    bytes = __builtin_bswap32(bytes);
#endif
    memcpy(to, &bytes, sizeof(bytes));
}

/* x < 10^8, with leading zeros. */
static inline char *
thl_number_write_8(char *to, uint32_t x)
{
    thl_number_store(to, thl_number_digits(x) | THL_NUMBER_ZEROS);
    return to + 8;
}

/* x < 10^8 without leading zeros; eight bytes are written. */
static inline char *
thl_number_write_upto_8(char *to, uint32_t x)
{
    const uint64_t digits = thl_number_digits(x);
    const unsigned zeros = (unsigned)__builtin_ctzll(digits | UINT64_C(1) << 56) / 8;
    thl_number_store(to, (digits | THL_NUMBER_ZEROS) >> 8 * zeros);
    return to + 8 - zeros;
}

/* x < 100 */
static inline char *
thl_number_write_2(char *to, uint32_t x)
{
    memcpy(to, thl_number_pairs + 2 * x, 2);
    return to + 2;
}

#endif
