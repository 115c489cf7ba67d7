/* SPDX-License-Identifier: MIT */
/* Signs of a leak. */
#include "verdict.h"

#include <stdio.h>

#define SOME 16u     /* below that nothing is concluded, but from silence and the bound */
#define MANY 64u     /* below that, children may simply live for long */
#define GROWING_S 5u /* growth is judged over no less */
#define SETTLED_S 3u
#define OPENING_S 2u /* while connections are being accepted, descriptors may lag behind */

static bool
has_alibi(const struct thl_arena_site *s, const struct thl_verdict_process *p)
{
    return s->has_peer && s->live <= p->descriptors;
}

static bool
is_second(const struct thl_arena_site *s, const struct thl_verdict_process *p)
{
    return s->has_peer && s->nested == s->live && s->logged_later == 0 &&
           p->descriptors != UINT32_MAX && p->held > (uint64_t)p->descriptors + MANY;
}

/* A site that has never given a child back. */
static enum thl_verdict_why
judge_never_ended(const struct thl_arena_site *s, const struct thl_verdict_process *p)
{
    if (s->live < MANY || s->oldest_s < SETTLED_S)
        return THL_VERDICT_FINE;
    if (has_alibi(s, p))
        return is_second(s, p) ? THL_VERDICT_SECOND : THL_VERDICT_FINE;
    if (s->oldest_s >= GROWING_S && s->thirds[0] > 0 && s->thirds[1] > 0 && s->thirds[2] > 0)
        return THL_VERDICT_GROWS;
    if (s->logged == 0 && s->heard == s->live && s->spread_ds > 0)
        return THL_VERDICT_UNUSED;
    if (s->logged > 0 && s->logged_later == 0 && s->others_ended >= MANY)
        return THL_VERDICT_ABANDONED;
    return THL_VERDICT_FINE;
}

void
thl_verdict_add(struct thl_verdict_process *p, const struct thl_arena_site *s)
{
    if (p->most < s->live)
        p->most = s->live;
    if (s->has_peer && s->ended == 0)
        p->held += s->live;
}

enum thl_verdict_why
thl_verdict_judge(const struct thl_arena_site *s, const struct thl_verdict_process *p)
{
    enum thl_verdict_why why = THL_VERDICT_FINE;
    if (s->live == 0)
        return why;
    if (s->orphans >= SOME)
        return THL_VERDICT_OUTLIVES;
    if (s->ended == 0 && s->has_peer && s->live >= SOME && s->live > p->descriptors &&
        s->oldest_s >= OPENING_S)
        return THL_VERDICT_UNHELD;
    if (s->ended >= SOME && s->stranded >= SOME && !has_alibi(s, p))
        return THL_VERDICT_OUTSTAYS;
    if (s->ended == 0)
        why = judge_never_ended(s, p);
    if (why == THL_VERDICT_FINE && p->at_bound && s->live == p->most)
        return THL_VERDICT_BOUND;
    if (why == THL_VERDICT_FINE && s->silent > 0 && (p->silent_was_asked || !has_alibi(s, p)))
        return THL_VERDICT_SILENT;
    return why;
}

const char *
thl_verdict_word(enum thl_verdict_why why)
{
    static const char *const words[THL_VERDICTS] = {
        [THL_VERDICT_FINE] = "fine",           [THL_VERDICT_OUTLIVES] = "outlives",
        [THL_VERDICT_UNHELD] = "unheld",       [THL_VERDICT_OUTSTAYS] = "outstays",
        [THL_VERDICT_GROWS] = "grows",         [THL_VERDICT_UNUSED] = "unused",
        [THL_VERDICT_ABANDONED] = "abandoned", [THL_VERDICT_SECOND] = "second",
        [THL_VERDICT_BOUND] = "bound",         [THL_VERDICT_SILENT] = "silent",
    };
    return (unsigned)why < THL_VERDICTS ? words[why] : "";
}

const char *
thl_verdict_explain(char *out, size_t size, enum thl_verdict_why why,
                    const struct thl_arena_site *s, const struct thl_verdict_process *p)
{
    unsigned long long made = s->made, held = p->held;
    unsigned long_s = 10 * s->longest_s > 10 ? 10 * s->longest_s : 10;
    out[0] = '\0';
    if (why == THL_VERDICT_OUTLIVES)
        snprintf(out, size, "%u of %u outlive the child logger that they were made of", s->orphans,
                 s->live);
    else if (why == THL_VERDICT_UNHELD)
        snprintf(out, size,
                 "none of %llu was ever given back, and the process has %u descriptors open", made,
                 p->descriptors);
    else if (why == THL_VERDICT_OUTSTAYS)
        snprintf(out, size,
                 "%u of %u have been silent for %u s and more; of those given back none lived for"
                 " longer than %u s",
                 s->stranded, s->live, long_s, s->longest_s + 1);
    else if (why == THL_VERDICT_GROWS)
        snprintf(out, size, "none of %llu was ever given back, and there are more and more", made);
    else if (why == THL_VERDICT_UNUSED)
        snprintf(out, size, "none of %llu was ever given back, and none has ever logged", made);
    else if (why == THL_VERDICT_ABANDONED)
        snprintf(out, size,
                 "none of %llu was ever given back or logs any more, while others come and go",
                 made);
    else if (why == THL_VERDICT_SECOND)
        snprintf(out, size,
                 "none of %llu was ever given back; %llu loggers of connections, %u descriptors",
                 made, held, p->descriptors);
    else if (why == THL_VERDICT_BOUND)
        snprintf(out, size, "the bound (children=) is reached, and nobody holds more than this %u",
                 s->live);
    else if (why == THL_VERDICT_SILENT)
        snprintf(out, size, "%u of %u have been silent for more than %u s", s->silent, s->live,
                 p->silent_limit_s);
    return out;
}
