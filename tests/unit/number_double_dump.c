/* SPDX-License-Identifier: MIT */
/* Prints the powers of ten, and numbers by their bits with our text, for number_double.py. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "number.h"
#include "number_powers.h"

static uint64_t
next_random(void)
{
    static uint64_t state = 88172645463325252u;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static void
print_double(double x)
{
    char text[THL_NUMBER_DOUBLE_MAX];
    uint64_t bits;
    memcpy(&bits, &x, sizeof(bits));
    if (isfinite(x))
        printf("D %" PRIx64 " %.*s\n", bits, (int)(thl_number_write_double(text, x) - text), text);
}

static void
print_float(float x)
{
    char text[THL_NUMBER_FLOAT_MAX];
    uint32_t bits;
    memcpy(&bits, &x, sizeof(bits));
    if (isfinite(x))
        printf("F %" PRIx32 " %.*s\n", bits, (int)(thl_number_write_float(text, x) - text), text);
}

static void
print_random(void)
{
    static const double powers[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e6, 1e8, 1e10, 1e15, 1e22};
    const uint64_t bits = next_random();
    const uint32_t half = (uint32_t)(bits >> 32);
    double x;
    float f;
    memcpy(&x, &bits, sizeof(x));
    memcpy(&f, &half, sizeof(f));
    print_double(x);
    print_double((double)(bits >> 11) * 0x1p-53);
    print_double((double)(bits >> (11 + next_random() % 50)) / powers[next_random() % 10]);
    if (bits % 8 == 0)
        print_float(f);
}

int
main(void)
{
    for (int e = THL_NUMBER_POWER_MIN; e <= THL_NUMBER_POWER_MAX; e++) {
        const struct thl_number_power *p = &thl_number_powers[e - THL_NUMBER_POWER_MIN];
        printf("P %d %016" PRIx64 "%016" PRIx64 "\n", e, p->high, p->low);
    }
    for (int e = -1074; e < 1024; e++) {
        print_double(ldexp(1, e));
        print_double(nextafter(ldexp(1, e), 0));
        print_double(nextafter(ldexp(1, e), INFINITY));
    }
    for (int e = -149; e < 128; e++) {
        print_float(ldexpf(1, e));
        print_float(nextafterf(ldexpf(1, e), 0));
        print_float(nextafterf(ldexpf(1, e), INFINITY));
    }
    for (int i = 0; i < 100000; i++)
        print_random();
    return 0;
}
