/* SPDX-License-Identifier: MIT */
/*
 * Doubles and floats -> the shortest text that reads back the same, and of those the closest.
 *
 * After R. Giulietti, "The Schubfach way to render doubles" (2020). A number c * 2^q is what every
 * decimal between the middles to its two neighbours reads back as. Let 10^k be the largest power of
 * ten that is no wider than that interval: then at least one multiple of 10^k lies in it, and at
 * most one of 10^(k+1). If there is one of 10^(k+1), it is the shortest once its zeros are dropped,
 * and has no rival. If not, it is one of the two multiples of 10^k next to the number.
 *
 * So three quotients by 10^k are wanted, of the number and of both ends: times four, so that their
 * quarters tell ties, and with the last bit set when something was cut off. The product with 128
 * leading bits of 10^-k, rounded up, gives exactly these: the paper shows that no number that could
 * be asked for comes so close to an integer that the rounding would matter.
 *
 * Everything is done with integers: no locale, no rounding mode and no libc can change a digit.
 */
#include <string.h>

#include "number.h"
#include "number_digits.h"
#include "number_powers.h"

#define E8 UINT64_C(100000000)
#define E16 (E8 * E8)

enum { DIGITS = 17, FIRST_PLAIN = -4, LAST_PLAIN = 17 };

static const uint64_t tens[DIGITS + 1] = {
    1,          10,          100,          1000,          10000,    100000,
    1000000,    10000000,    E8,           10 * E8,       100 * E8, 1000 * E8,
    10000 * E8, 100000 * E8, 1000000 * E8, 10000000 * E8, E16,      10 * E16};

/* A finite number other than 0: c * 2^q. */
struct binary {
    uint64_t c;
    int q;
    bool narrow; /* a power of two: the neighbour below is only half as far away */
};

/* What differs between the two types. */
struct kind {
    int width; /* bits of the fraction */
    int q_min; /* of the subnormal numbers */
    uint32_t few;
    int few_q; /* up to here two multiples of 1 / few never read back as one number */
};

static const struct kind double_kind = {52, -1074, E8, -27}, float_kind = {23, -149, 10000, -14};

struct decimal {
    uint64_t digits; /* at most 17 of them */
    int exponent;
};

/* The upper half of a product, and the lower one. */
static inline uint64_t
multiply(uint64_t x, uint64_t y, uint64_t *lower)
{
#ifdef __SIZEOF_INT128__
    __extension__ const unsigned __int128 product = (unsigned __int128)x * y;
    *lower = (uint64_t)product;
    return (uint64_t)(product >> 64);
#else
    const uint64_t half = UINT32_MAX, low = (x & half) * (y & half);
    const uint64_t cross = (x >> 32) * (y & half) + (low >> 32);
    const uint64_t other = (x & half) * (y >> 32) + (cross & half);
    *lower = other << 32 | (low & half);
    return (x >> 32) * (y >> 32) + (cross >> 32) + (other >> 32);
#endif
}

/* x * power / 2^128, and the last bit is set if there is a rest: the power's own rounding makes one
 * of 1 at most in the bits looked at. */
static inline uint64_t
scale(const struct thl_number_power *power, uint64_t x)
{
    uint64_t unused, rest;
    const uint64_t carried = multiply(power->low, x, &unused);
    uint64_t quotient = multiply(power->high, x, &rest);
    rest += carried;
    quotient += rest < carried;
    return quotient | (rest > 1);
}

/* floor(log10(2^q)), or of 2^q * 3/4, and floor(log2(10^e)), in the range of doubles. */
static int
log10_of_power(int q, bool narrow)
{
    return (q * 1262611 - (narrow ? 524031 : 0)) >> 22;
}

static int
log2_of_ten(int e)
{
    return (e * 1741647) >> 19;
}

static struct decimal
shorten(const struct binary *b)
{
    const int k = log10_of_power(b->q, b->narrow);
    const int shift = b->q + log2_of_ten(-k) + 1;
    const struct thl_number_power *power = &thl_number_powers[-k - THL_NUMBER_POWER_MIN];
    const uint64_t odd = b->c & 1; /* the ends read back as the even one of two */
    const uint64_t low = scale(power, (4 * b->c - 2 + b->narrow) << shift) + odd;
    const uint64_t high = scale(power, (4 * b->c + 2) << shift) - odd;
    const uint64_t middle = scale(power, 4 * b->c << shift);

    const uint64_t ten = middle / 40;
    bool below = low <= 40 * ten, above = 40 * ten + 40 <= high;
    if (below != above)
        return (struct decimal){ten + above, k + 1};

    const uint64_t one = middle / 4;
    below = low <= 4 * one, above = 4 * one + 4 <= high;
    if (below != above)
        return (struct decimal){one + above, k};
    const uint64_t tie = 4 * one + 2;
    return (struct decimal){one + (middle > tie || (middle == tie && one & 1)), k};
}

/* Digits behind the point, eight or sixteen, less the zeros at the end. */
static char *
write_eight(char *to, uint32_t x)
{
    const uint64_t digits = thl_number_digits(x);
    thl_number_store(to, digits | THL_NUMBER_ZEROS);
    return to + thl_number_count_digits(digits);
}

static char *
write_sixteen(char *to, uint64_t x)
{
    const uint32_t low = (uint32_t)(x % E8);
    if (low == 0)
        return write_eight(to, (uint32_t)(x / E8));
    return write_eight(thl_number_write_8(to, (uint32_t)(x / E8)), low);
}

static char *
write_scientific(char *to, unsigned first, uint64_t fraction, int exponent)
{
    *to++ = (char)('0' + first);
    if (fraction) {
        *to = '.';
        to = write_sixteen(to + 1, fraction);
    }
    *to = 'e';
    return thl_number_write_int(to + 1, exponent);
}

/* Where the point stands says which form it is. */
static char *
write_decimal(char *to, const struct decimal *d)
{
    int n = (64 - __builtin_clzll(d->digits)) * 1233 >> 12;
    n += d->digits >= tens[n];
    const int point = n + d->exponent; /* the value is 0.digits * 10^point */
    const uint64_t all = d->digits * tens[DIGITS - n];
    const unsigned first = (unsigned)(all / E16);
    if (point < FIRST_PLAIN || point > LAST_PLAIN)
        return write_scientific(to, first, all % E16, point - 1);
    if (d->exponent >= 0)
        return thl_number_write_uint(to, d->digits * tens[d->exponent]);
    memcpy(to, "0.000000", 8);
    to += 2 - point;
    *to = (char)('0' + first);
    return write_sixteen(to + 1, all % E16);
}

/* Most reals of a log have few decimals. Their fraction times 10^8, as a number with 64 bits behind
 * the point, is within half a unit in the last place (times 10^8) of an integer; and as the width
 * of that is below 1, of one integer only: it holds the shortest text, and zeros. Returns the
 * integer, or 0 if there is none. (A float: 10^4.) */
static uint32_t
find_few(const struct binary *b, const struct kind *kind)
{
    if (b->q > kind->few_q || b->q <= -64)
        return 0;
    uint64_t rest;
    const uint64_t places = multiply(b->c << (64 + b->q), kind->few, &rest);
    const bool up = rest >> 63;
    const uint64_t half = b->narrow ? 1 : (uint64_t)kind->few << (63 + b->q);
    return (up ? 0 - rest : rest) < half ? (uint32_t)(places + up) : 0;
}

/* A number that is no integer has no decimal for a neighbour that is one: its whole part is known
 * before its digits are. */
static char *
write_positive(char *to, const struct binary *b, const struct kind *kind)
{
    const uint64_t whole = b->q <= 0 && b->q > -64 ? b->c >> -b->q : 0;
    if (whole && whole << -b->q == b->c)
        return thl_number_write_uint(to, whole);
    const uint32_t few = find_few(b, kind);
    if (few) {
        to = thl_number_write_uint(to, whole);
        *to = '.';
        return write_eight(to + 1, few * (uint32_t)(E8 / kind->few));
    }
    const struct decimal d = shorten(b);
    if (!whole)
        return write_decimal(to, &d);
    const uint64_t fraction = d.digits - whole * tens[-d.exponent];
    to = thl_number_write_uint(to, whole);
    *to = '.';
    return write_sixteen(to + 1, fraction * tens[16 + d.exponent]);
}

/* `bits` are the number's without its sign. */
static inline char *
write_bits(char *to, uint64_t bits, bool negative, const struct kind *kind)
{
    const uint64_t one = UINT64_C(1) << kind->width, fraction = bits & (one - 1);
    const int biased = (int)(bits >> kind->width);
    if (negative)
        *to++ = '-';
    if (bits == 0) {
        *to = '0';
        return to + 1;
    }
    const struct binary b = {
        .c = biased ? fraction | one : fraction,
        .q = biased ? kind->q_min + biased - 1 : kind->q_min,
        .narrow = fraction == 0 && biased > 1,
    };
    return write_positive(to, &b, kind);
}

char *
thl_number_write_double(char *to, double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof(bits));
    return write_bits(to, bits & INT64_MAX, bits >> 63, &double_kind);
}

char *
thl_number_write_float(char *to, float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof(bits));
    return write_bits(to, bits & INT32_MAX, bits >> 31, &float_kind);
}

void
thl_number_put_double(struct thl_buf *out, double x)
{
    char text[THL_NUMBER_DOUBLE_MAX];
    thl_buf_put(out, text, (size_t)(thl_number_write_double(text, x) - text));
}

void
thl_number_put_float(struct thl_buf *out, float x)
{
    char text[THL_NUMBER_FLOAT_MAX];
    thl_buf_put(out, text, (size_t)(thl_number_write_float(text, x) - text));
}
