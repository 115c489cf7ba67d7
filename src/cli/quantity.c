/* SPDX-License-Identifier: MIT */
/* Numbers and times as people read them, and durations as they write them. */
#include "quantity.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define EXACT_MAX 9999999u
#define YEAR_MS (UINT64_C(365) * 86400 * 1000)

struct thl_quantity
thl_quantity_count(uint64_t n)
{
    static const char units[] = "MGTPE";
    struct thl_quantity q;
    if (n <= EXACT_MAX) {
        snprintf(q.text, sizeof(q.text), "%llu", (unsigned long long)n);
        return q;
    }
    double x = (double)n / 1e6;
    size_t unit = 0;
    for (; x >= 999.5 && unit + 1 < sizeof(units) - 1; unit++)
        x /= 1000;
    snprintf(q.text, sizeof(q.text), "%.*f%c", x < 10 ? 2 : x < 100 ? 1 : 0, x, units[unit]);
    return q;
}

struct thl_quantity
thl_quantity_rate(double per_s)
{
    struct thl_quantity q = {"-"};
    if (per_s >= 9.95 && per_s < 1e18)
        return thl_quantity_count((uint64_t)(per_s + 0.5));
    if (per_s >= 0.05 && per_s < 9.95)
        snprintf(q.text, sizeof(q.text), "%.1f", per_s);
    else if (per_s >= 0 && per_s < 0.05)
        snprintf(q.text, sizeof(q.text), "0");
    return q;
}

struct thl_quantity
thl_quantity_age(uint64_t s)
{
    struct thl_quantity q;
    unsigned long long d = s / 86400, h = s / 3600 % 24, m = s / 60 % 60;
    if (s < 60)
        snprintf(q.text, sizeof(q.text), "%llus", (unsigned long long)s);
    else if (s < 3600)
        snprintf(q.text, sizeof(q.text), "%llum%02llus", m, (unsigned long long)s % 60);
    else if (s < 86400)
        snprintf(q.text, sizeof(q.text), "%lluh%02llum", h, m);
    else
        snprintf(q.text, sizeof(q.text), "%llud%02lluh", d % 100000, h);
    return q;
}

struct thl_quantity
thl_quantity_lag(uint64_t ms)
{
    struct thl_quantity q = {"-"};
    if (ms >= 60000)
        return thl_quantity_age(ms / 1000);
    if (ms >= 1000)
        snprintf(q.text, sizeof(q.text), "%.1fs", (double)ms / 1000);
    else if (ms > 0)
        snprintf(q.text, sizeof(q.text), "%ums", (unsigned)ms);
    return q;
}

/* ---- durations ---- */

/* "ms" comes before "m": the first that fits is it. */
static const struct unit {
    const char *word;
    uint64_t ms;
} units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};

static const struct unit *
find_unit(const char *text)
{
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (strncmp(text, units[i].word, strlen(units[i].word)) == 0)
            return &units[i];
    return NULL;
}

bool
thl_quantity_parse_duration(const char *text, uint64_t *ms)
{
    uint64_t sum = 0, smallest = YEAR_MS;
    while (*text) {
        uint64_t n = 0;
        const char *p = text;
        for (; *p >= '0' && *p <= '9' && n <= YEAR_MS; p++)
            n = n * 10 + (uint64_t)(*p - '0');
        const struct unit *unit = find_unit(p);
        if (p == text || !unit || unit->ms >= smallest || n > YEAR_MS / unit->ms)
            return false; /* units go down: 1h30m */
        sum += n * unit->ms;
        smallest = unit->ms;
        text = p + strlen(unit->word);
    }
    if (sum == 0 || sum > YEAR_MS)
        return false;
    *ms = sum;
    return true;
}
