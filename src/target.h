/* SPDX-License-Identifier: MIT */
/*
 * Targets and routes. A target is one descriptor, whatever the spelling; naming it twice gives two
 * routes to it. A record reaches a target once, by the first route that takes it.
 *
 * Routes whose records look the same share a style, so that a record is rendered once for all of
 * them. Built once, constant afterwards (but for what is said at the fields).
 */
#ifndef THL_TARGET_H
#define THL_TARGET_H

#include <limits.h>

#include "compiler.h"
#include "config.h"
#include "view.h"

#define THL_TARGETS 16 /* as many as thole_stats reports */
#define THL_ROUTES 8   /* of one target */
#define THL_PARAMS 16  /* keys of a scheme's own that two URIs may share between them */
#define THL_STYLES (THL_TARGETS * THL_ROUTES)

/* A rate lets a second's worth of records pass at once, then one each 1/rate. */
struct thl_route {
    const struct thl_sink_spec *spec; /* the URI that named it */
    enum thole_level level;
    const char *only; /* "" takes all */
    size_t only_size;
    unsigned style;
    uint32_t rate;      /* records a second; 0: no limit */
    int64_t worked_off; /* the dispatching thread's: when, in 1/rate ms, all that passed is paid */
};

struct thl_target {
    const struct thole_sink_ops *ops;
    struct thole_sink_uri uri; /* the first that named it, with the keys of all */
    struct thole_sink_param param[THL_PARAMS];
    char name[64]; /* in the ledger and in notices */
    char identity[256];
    char path[PATH_MAX]; /* of a relative one: from the folder at the start, wherever it is later */
    struct thl_route route[THL_ROUTES];
    size_t nroutes;
    enum thl_format format; /* of all routes to a stream of lines, where one names it */
    bool format_given, seq, is_stderr;
    bool plain; /* one route, which asks for no more than a level */
};

struct thl_targets {
    struct thl_target target[THL_TARGETS];
    size_t n;
    struct thl_format_options
        style[THL_STYLES];     /* pid, utc_offset: set by the dispatching thread */
    bool numbered[THL_STYLES]; /* of one target alone: its records bear its own numbers */
    bool alone[THL_STYLES];    /* no other target has it, nor are its records numbered */
    size_t nstyles;
};

/* What styles need to know of the process and the terminal. */
struct thl_target_env {
    const char *app, *host; /* borrowed for as long as the targets */
    long pid;
    int32_t utc_offset;
    bool no_color, force_color, dumb; /* NO_COLOR, CLICOLOR_FORCE, TERM=dumb */
};

/* Merges the URIs into targets. A URI that contradicts an earlier one of its target, or comes after
 * the sixteenth target, is an error and left out. `specs` must outlive the targets. */
void thl_target_build(struct thl_targets *targets, const struct thl_sink_specs *specs,
                      const struct thl_target_env *env, struct thl_config_errors *errors);

struct thl_route *thl_target_find_route(struct thl_target *target, enum thole_level level,
                                        const char *logger, size_t logger_size, bool notice);

/* The first route of the target that takes a record, or NULL. Notices pass every route. */
static inline struct thl_route *
thl_target_route(struct thl_target *target, enum thole_level level, const char *logger,
                 size_t logger_size, bool notice)
{
    if (THL_LIKELY(target->plain && !notice))
        return level >= target->route[0].level ? &target->route[0] : NULL;
    return thl_target_find_route(target, level, logger, logger_size, notice);
}

/* Whether every record of a level reaches the target by a route of its own, whoever logs it. */
bool thl_target_takes_all(const struct thl_target *target, enum thole_level level);

/* What an errno of the target's sink means, in its own words or the C library's. */
const char *thl_target_explain(const struct thl_target *target, int error);

/* Whether the route's rate=, which it has, lets one more record pass at `now_ms` (monotonic). */
bool thl_target_admit(struct thl_route *route, int64_t now_ms);

#endif
