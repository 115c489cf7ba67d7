/* SPDX-License-Identifier: MIT */
/* What was seen in an arena at one moment: private copies, every string ended, every count real. */
#ifndef THL_PICTURE_H
#define THL_PICTURE_H

#include <stdbool.h>
#include <stddef.h>

#include "arena_layout.h"
#include "verdict.h"

struct thl_picture {
    char app[64], library[16];
    uint64_t pid; /* in the daemon's own namespace */
    int64_t start_unix_ns;
    uint32_t state; /* enum thl_arena_state */
    struct thl_arena_process process;
    struct thl_arena_sink *sink;
    struct thl_arena_logger *logger;
    struct thl_arena_site *site;
    size_t nsinks, nloggers, nsites;
    struct thl_verdict_process verdict; /* what the sites were judged with */
};

void thl_picture_fini(struct thl_picture *picture);

/* Judges all sites. silent_was_asked: the census's limit is the operator's own. */
void thl_picture_judge(struct thl_picture *picture, uint32_t descriptors, bool silent_was_asked);

/* Children of this site are alive, and look leaked. */
bool thl_picture_is_suspect(const struct thl_arena_site *site);
size_t thl_picture_suspects(const struct thl_picture *picture);

/* The sentence that says why; "" of one that is fine. Returns `out`. */
const char *thl_picture_why(const struct thl_picture *picture, const struct thl_arena_site *site,
                            char *out, size_t size);

/* Seconds since thole_start(), never negative. */
uint64_t thl_picture_uptime_s(const struct thl_picture *picture);

/* Records a second between two pictures, by the daemon's own clock; negative: not known (there is
 * no `before`, or what it counted was something else). */
double thl_picture_rate(const struct thl_picture *before, const struct thl_picture *now);
double thl_picture_logger_rate(const struct thl_picture *before, const struct thl_picture *now,
                               size_t logger);
double thl_picture_site_rate(const struct thl_picture *before, const struct thl_picture *now,
                             size_t site);

#endif
