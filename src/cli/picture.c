/* SPDX-License-Identifier: MIT */
/* What was seen in an arena at one moment, and what two such moments say together. */
#include "picture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "verdict.h"

#define NS_PER_S 1000000000

void
thl_picture_fini(struct thl_picture *picture)
{
    free(picture->sink);
    free(picture->logger);
    free(picture->site);
    *picture = (struct thl_picture){0};
}

/* ---- the census ---- */

bool
thl_picture_is_suspect(const struct thl_arena_site *site)
{
    return site->live > 0 && site->verdict != THL_VERDICT_FINE;
}

void
thl_picture_judge(struct thl_picture *picture, uint32_t descriptors, bool silent_was_asked)
{
    const struct thl_arena_process *p = &picture->process;
    picture->verdict = (struct thl_verdict_process){
        .descriptors = descriptors,
        .silent_limit_s = p->silent_limit_s,
        .silent_was_asked = silent_was_asked,
        .at_bound = p->children >= p->children_limit,
    };
    for (size_t i = 0; i < picture->nsites; i++)
        thl_verdict_add(&picture->verdict, &picture->site[i]);
    for (size_t i = 0; i < picture->nsites; i++)
        picture->site[i].verdict = thl_verdict_judge(&picture->site[i], &picture->verdict);
}

size_t
thl_picture_suspects(const struct thl_picture *picture)
{
    size_t n = 0;
    for (size_t i = 0; i < picture->nsites; i++)
        n += thl_picture_is_suspect(&picture->site[i]);
    return n;
}

const char *
thl_picture_why(const struct thl_picture *picture, const struct thl_arena_site *site, char *out,
                size_t size)
{
    if (!thl_picture_is_suspect(site)) {
        snprintf(out, size, "%s", "");
        return out;
    }
    return thl_verdict_explain(out, size, (enum thl_verdict_why)site->verdict, site,
                               &picture->verdict);
}

/* ---- time ---- */

uint64_t
thl_picture_uptime_s(const struct thl_picture *picture)
{
    int64_t now = thl_clock_unix_ns();
    if (picture->start_unix_ns < 0 || picture->start_unix_ns > now)
        return 0;
    return (uint64_t)(now - picture->start_unix_ns) / NS_PER_S;
}

static double
rate(const struct thl_picture *before, const struct thl_picture *now, uint64_t was, uint64_t is)
{
    int64_t from = before->process.unix_ns, to = now->process.unix_ns;
    if (from <= 0 || to <= from || is < was)
        return -1;
    return (double)(is - was) * NS_PER_S / (double)(to - from);
}

double
thl_picture_rate(const struct thl_picture *before, const struct thl_picture *now)
{
    if (!before)
        return -1;
    return rate(before, now, before->process.called, now->process.called);
}

/* Rows keep their places while a daemon runs; one that did not has no rate. */
double
thl_picture_logger_rate(const struct thl_picture *before, const struct thl_picture *now,
                        size_t logger)
{
    const struct thl_arena_logger *is = &now->logger[logger];
    if (!before)
        return -1;
    if (logger >= before->nloggers)
        return rate(before, now, 0, is->records);
    const struct thl_arena_logger *was = &before->logger[logger];
    return strcmp(was->name, is->name) ? -1 : rate(before, now, was->records, is->records);
}

double
thl_picture_site_rate(const struct thl_picture *before, const struct thl_picture *now, size_t site)
{
    const struct thl_arena_site *is = &now->site[site];
    if (!before)
        return -1;
    if (site >= before->nsites)
        return rate(before, now, 0, is->records);
    const struct thl_arena_site *was = &before->site[site];
    if (strcmp(was->src, is->src) != 0 || strcmp(was->msg, is->msg) != 0)
        return -1;
    return rate(before, now, was->records, is->records);
}
