/* SPDX-License-Identifier: MIT */
/* Numbers that look random and are the same in each run (xorshift). */
#ifndef FUZZ_RANDOM_H
#define FUZZ_RANDOM_H

#include <stdint.h>

static uint64_t random_seed = 88172645463325252u;

static uint64_t
next_random(void)
{
    random_seed ^= random_seed << 13;
    random_seed ^= random_seed >> 7;
    random_seed ^= random_seed << 17;
    return random_seed;
}

#endif
