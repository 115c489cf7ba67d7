/* SPDX-License-Identifier: MIT */
/* The leading bits of powers of ten, for number_double.c. */
#ifndef THL_NUMBER_POWERS_H
#define THL_NUMBER_POWERS_H

#include <stdint.h>

enum {
    THL_NUMBER_POWER_MIN = -292,
    THL_NUMBER_POWER_MAX = 324,
    THL_NUMBER_POWERS = THL_NUMBER_POWER_MAX - THL_NUMBER_POWER_MIN + 1
};

struct thl_number_power {
    uint64_t high, low;
};

/* That of 10^e is at e - THL_NUMBER_POWER_MIN. */
extern const struct thl_number_power thl_number_powers[THL_NUMBER_POWERS];

#endif
