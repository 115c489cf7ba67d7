/* SPDX-License-Identifier: MIT */
/* Signs of a leak. */
#include "verdict.h"

#include <stdbool.h>
#include <stdio.h>

#define MANY 64u       /* below that, children may simply live for long */
#define OUTLIVING 16u  /* the same, of those that outlive their parents */
#define WINDOW_S 3u    /* growth is judged over no less */
#define SETTLED_S 300u /* all silent for so long, and none ever given back */

static enum thl_verdict_why
judge_never_ended(const struct thl_verdict_facts *f)
{
    if (f->orphans >= OUTLIVING)
        return THL_VERDICT_OUTLIVES;
    if (f->live < MANY || f->oldest_s < WINDOW_S)
        return THL_VERDICT_FINE;
    if (f->thirds[0] > 0 && f->thirds[1] > 0 && f->thirds[2] > 0)
        return THL_VERDICT_GROWS;
    if (f->logged == 0)
        return THL_VERDICT_UNUSED;
    if (f->logged_later == 0 && (f->others_ended >= MANY || f->oldest_s >= SETTLED_S))
        return THL_VERDICT_ABANDONED;
    return THL_VERDICT_FINE;
}

enum thl_verdict_why
thl_verdict_judge(const struct thl_verdict_facts *f)
{
    enum thl_verdict_why why = THL_VERDICT_FINE;
    if (f->live == 0)
        return why;
    if (f->made == f->live)
        why = judge_never_ended(f);
    if (why == THL_VERDICT_FINE && f->silent > 0)
        why = THL_VERDICT_SILENT;
    return why;
}

enum thl_verdict_why
thl_verdict_judge_outside(enum thl_verdict_why why, const struct thl_verdict_outside *f)
{
    if (why != THL_VERDICT_FINE || f->made != f->live || f->live < MANY || f->oldest_s == 0)
        return why;
    if (f->live > f->descriptors)
        return THL_VERDICT_UNHELD;
    bool doubled = f->nested == f->live && f->held > (uint64_t)f->descriptors + MANY;
    return doubled ? THL_VERDICT_UNHELD : THL_VERDICT_FINE;
}

const char *
thl_verdict_explain(char *out, size_t size, enum thl_verdict_why why, uint64_t made, uint32_t live,
                    uint32_t orphans, uint32_t silent, uint32_t silent_limit_s)
{
    unsigned long long all = made;
    switch (why) {
    case THL_VERDICT_GROWS:
        snprintf(out, size, "none of %llu was ever given back, and there are more and more", all);
        break;
    case THL_VERDICT_OUTLIVES:
        snprintf(out, size,
                 "none of %llu was ever given back; %u outlive the child logger they were made of",
                 all, orphans);
        break;
    case THL_VERDICT_ABANDONED:
        snprintf(out, size, "none of %llu was ever given back, and none logs any more", all);
        break;
    case THL_VERDICT_UNUSED:
        snprintf(out, size, "none of %llu was ever given back, and none has ever logged", all);
        break;
    case THL_VERDICT_SILENT:
        snprintf(out, size, "%u of %u have been silent for more than %u s", silent, live,
                 silent_limit_s);
        break;
    case THL_VERDICT_UNHELD:
        snprintf(out, size,
                 "none of %llu was ever given back, and the process has fewer connections", all);
        break;
    case THL_VERDICT_FINE:
        snprintf(out, size, "%s", "");
        break;
    }
    return out;
}
