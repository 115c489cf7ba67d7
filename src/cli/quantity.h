/* SPDX-License-Identifier: MIT */
/* Numbers and times as people read them, in few columns, and durations as they write them. */
#ifndef THL_QUANTITY_H
#define THL_QUANTITY_H

#include <stdbool.h>
#include <stdint.h>

struct thl_quantity {
    char text[24];
};

/* Exact up to 9999999, then "12.3M", "4.56G", "7.89T" and so on. */
struct thl_quantity thl_quantity_count(uint64_t n);

/* "0.4", "12", "1234", as a count from 10 on; "-" when negative (not known). */
struct thl_quantity thl_quantity_rate(double per_s);

/* "17s", "3m05s", "2h13m", "4d03h". */
struct thl_quantity thl_quantity_age(uint64_t seconds);

/* "-" for 0, "350ms", "2.4s", then as an age. */
struct thl_quantity thl_quantity_lag(uint64_t ms);

/* "250ms", "5s", "10m", "1h", "2d", also "1h30m": 1 ms to 365 days. False for anything else: a
 * number without a unit is none of these. */
bool thl_quantity_parse_duration(const char *text, uint64_t *ms);

#define THL_QUANTITY_DURATIONS "a number with ms, s, m, h or d, as 250ms, 90s, 5m or 1h30m"

#endif
