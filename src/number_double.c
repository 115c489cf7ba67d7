/* SPDX-License-Identifier: MIT */
/*
 * Doubles and floats -> the shortest text that reads back the same, and of those the closest.
 *
 * Most reals of a log are short decimals. For those: if x times 10^d, rounded, is an integer m
 * below 2^53 and d <= 22, then m and 10^d are exact doubles, so m / 10^d is the correctly rounded
 * value of the text "m e-d" (Clinger 1990): when it equals x, the text reads back as x. The first d
 * that does so, counting from 0, has the fewest digits.
 *
 * That m is also the closest integer only while the errors stay small: x * 10^d is rounded by half
 * an ulp, and the decimals that read back lie within half an ulp of x. Below 2^50 both together are
 * under 0.2, so one integer at most can do, and it is m. Between 2^50 and 2^53 two may (seen
 * against Python's repr: 1 in 100 of random numbers in 0..1 took the farther one). Hence the limit.
 *
 * Everything else goes through printf, of which only the digits are taken, and is checked by strtod
 * with a text that has no decimal point: both are then the same in every locale. Two traps there: a
 * subnormal has fewer than 15 good digits, so its search begins at one; and below a power of two
 * the neighbour is only half as far away, so the nearest decimal may fail where the next one up
 * reads back.
 */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "number.h"

/* What differs between the two types. */
struct kind {
    double exact;    /* integers up to here have no shorter text than their own digits */
    double closest;  /* up to here a scaled value has one integer at most that reads back */
    double normal;   /* the smallest normal number */
    int scales;      /* powers of ten up to here are exact */
    int safe, whole; /* digits that survive text -> number -> text, number -> text -> number */
    bool is_float;
};

static const struct kind double_kind = {0x1p53,  0x1p50,          DBL_MIN, 22,
                                        DBL_DIG, DBL_DECIMAL_DIG, false};
static const struct kind float_kind = {0x1p24, 0x1p21, FLT_MIN, 10, FLT_DIG, FLT_DECIMAL_DIG, true};

/* Significant digits without trailing zeros; the value is 0.d1d2d3... times 10^point. */
struct decimal {
    char digits[24];
    int n, point;
};

static void
drop_zeros(struct decimal *d)
{
    while (d->n > 1 && d->digits[d->n - 1] == '0')
        d->n--;
}

static void
set_decimal(struct decimal *d, uint64_t m, int scale)
{
    struct thl_buf b;
    thl_buf_init(&b, d->digits, sizeof(d->digits));
    thl_number_put_uint(&b, m);
    d->n = (int)b.size;
    d->point = d->n - scale;
    drop_zeros(d);
}

/* A float's quotient is rounded twice here, which is harmless: a double has more than twice the
 * bits (Figueroa 1995). */
static bool
find_short(struct decimal *d, double x, const struct kind *k)
{
    static const double power[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                   1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                   1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    for (int scale = 0; scale <= k->scales; scale++) {
        double scaled = x * power[scale];
        if (scaled >= (scale == 0 ? k->exact : k->closest))
            return false;
        uint64_t m = (uint64_t)(scaled + 0.5);
        double back = (double)m / power[scale];
        if (k->is_float ? (float)back != (float)x : back != x)
            continue;
        set_decimal(d, m, scale);
        return true;
    }
    return false;
}

/* The digits of printf's "d.dddde+xx", whatever stands for the point. */
static void
read_digits(struct decimal *d, const char *text)
{
    const char *e = strchr(text, 'e');
    d->n = 0;
    for (const char *s = text; s < e; s++)
        if (*s >= '0' && *s <= '9')
            d->digits[d->n++] = *s;
    d->point = (int)strtol(e + 1, NULL, 10) + 1;
}

static bool
reads_back(const struct decimal *d, double x, const struct kind *k)
{
    char text[48];
    snprintf(text, sizeof(text), "%.*se%d", d->n, d->digits, d->point - d->n);
    return k->is_float ? strtof(text, NULL) == (float)x : strtod(text, NULL) == x;
}

/* Whether x is a power of two: all bits of its fraction are zero. */
static bool
is_power(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof(bits));
    return (bits & ((UINT64_C(1) << 52) - 1)) == 0;
}

/* One more in the last place. */
static void
step_up(struct decimal *d)
{
    int i = d->n - 1;
    while (i >= 0 && d->digits[i] == '9')
        d->digits[i--] = '0';
    if (i >= 0) {
        d->digits[i]++;
        return;
    }
    d->digits[0] = '1';
    d->point++;
}

static void
find_by_printf(struct decimal *d, double x, const struct kind *k)
{
    char text[64];
    const bool narrow_below = is_power(x);
    for (int n = x < k->normal ? 1 : k->safe; n <= k->whole; n++) {
        snprintf(text, sizeof(text), "%.*e", n - 1, x);
        read_digits(d, text);
        if (reads_back(d, x, k))
            break;
        if (!narrow_below)
            continue;
        step_up(d);
        if (reads_back(d, x, k))
            break;
    }
    drop_zeros(d);
}

static void
put_zeros(struct thl_buf *out, int n)
{
    while (n-- > 0)
        thl_buf_putc(out, '0');
}

static void
put_scientific(struct thl_buf *out, const struct decimal *d)
{
    thl_buf_putc(out, d->digits[0]);
    if (d->n > 1) {
        thl_buf_putc(out, '.');
        thl_buf_put(out, d->digits + 1, (size_t)d->n - 1);
    }
    thl_buf_putc(out, 'e');
    thl_number_put_int(out, d->point - 1);
}

static void
put_decimal(struct thl_buf *out, const struct decimal *d)
{
    if (d->point > 17 || d->point < -4) {
        put_scientific(out, d);
    } else if (d->point <= 0) {
        thl_buf_lit(out, "0.");
        put_zeros(out, -d->point);
        thl_buf_put(out, d->digits, (size_t)d->n);
    } else if (d->n <= d->point) {
        thl_buf_put(out, d->digits, (size_t)d->n);
        put_zeros(out, d->point - d->n);
    } else {
        thl_buf_put(out, d->digits, (size_t)d->point);
        thl_buf_putc(out, '.');
        thl_buf_put(out, d->digits + d->point, (size_t)(d->n - d->point));
    }
}

static void
put(struct thl_buf *out, double x, const struct kind *k)
{
    struct decimal d;
    if (signbit(x)) {
        thl_buf_putc(out, '-');
        x = -x;
    }
    if (!find_short(&d, x, k))
        find_by_printf(&d, x, k);
    put_decimal(out, &d);
}

char *
thl_number_write_double(char *to, double x)
{
    struct thl_buf out;
    thl_buf_init(&out, to, THL_NUMBER_DOUBLE_MAX);
    put(&out, x, &double_kind);
    return to + out.size;
}

char *
thl_number_write_float(char *to, float x)
{
    struct thl_buf out;
    thl_buf_init(&out, to, THL_NUMBER_FLOAT_MAX);
    put(&out, (double)x, &float_kind);
    return to + out.size;
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
