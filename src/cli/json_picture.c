/* SPDX-License-Identifier: MIT */
/* Pictures as JSON. */
#include "json_picture.h"

#include <stdlib.h>
#include <thole/thole.h>

#include "board_tables.h"
#include "errname.h"
#include "level.h"

static void
put_level(struct thl_json *j, uint32_t level)
{
    thl_json_string(j, "level",
                    level <= THOLE_OFF ? thl_level_word((enum thole_level)level) : NULL);
}

/* ---- the census ---- */

static void
put_children(struct thl_json *j, const struct thl_picture *now, const struct thl_arena_site *s)
{
    char why[400];
    bool suspect = thl_picture_is_suspect(s);
    thl_json_open(j, NULL, '{');
    thl_json_string(j, "site", s->src);
    thl_json_uint(j, "live", s->live);
    thl_json_uint(j, "peak", s->peak);
    thl_json_uint(j, "oldest_s", s->oldest_s);
    thl_json_bool(j, "suspect", suspect);
    if (s->last_logged_s == THL_ARENA_NEVER)
        thl_json_null(j, "last_logged_s");
    else
        thl_json_uint(j, "last_logged_s", s->last_logged_s);
    thl_json_uint(j, "silent", s->silent);
    thl_json_uint(j, "made", s->made);
    thl_json_string(j, "sample", s->sample);
    thl_json_string(j, "why", suspect ? thl_picture_why(now, s, why, sizeof(why)) : NULL);
    thl_json_close(j, '}');
}

static void
put_census(struct thl_json *j, const char *key, const struct thl_picture *now)
{
    size_t n;
    struct thl_board_order *order = thl_board_order_census(now, &n);
    thl_json_open(j, key, '[');
    for (size_t i = 0; i < n; i++)
        put_children(j, now, &now->site[order[i].row]);
    thl_json_close(j, ']');
    free(order);
}

void
thl_json_picture_leaks(FILE *out, long pid, const struct thl_picture *now)
{
    struct thl_json j = {.out = out};
    thl_json_open(&j, NULL, '{');
    put_census(&j, "sites", now);
    thl_json_string(&j, "app", now->app);
    thl_json_uint(&j, "pid", (uint64_t)pid);
    thl_json_uint(&j, "children", now->process.children);
    thl_json_uint(&j, "children_limit", now->process.children_limit);
    thl_json_uint(&j, "children_refused", now->process.children_refused);
    thl_json_uint(&j, "silent_limit_s", now->process.silent_limit_s);
    thl_json_uint(&j, "suspects", thl_picture_suspects(now));
    thl_json_close(&j, '}');
    fputc('\n', out);
}

/* ---- the whole ---- */

static void
put_process(struct thl_json *j, const struct thl_picture *now)
{
    const struct thl_arena_process *p = &now->process;
    const struct {
        const char *key;
        uint64_t value;
    } counts[] = {{"called", p->called},
                  {"routed", p->routed},
                  {"dropped", p->dropped},
                  {"suppressed", p->suppressed},
                  {"queued", p->queued},
                  {"loggers", p->loggers},
                  {"loggers_refused", p->loggers_refused},
                  {"loggers_limit", p->loggers_limit},
                  {"children", p->children},
                  {"children_peak", p->children_peak},
                  {"children_made", p->children_made},
                  {"children_refused", p->children_refused},
                  {"children_limit", p->children_limit},
                  {"stale", p->stale},
                  {"truncated", p->truncated}};
    thl_json_open(j, "process", '{');
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
        thl_json_uint(j, counts[i].key, counts[i].value);
    thl_json_open(j, "dropped_level", '{');
    for (uint32_t i = 0; i < THL_LEVELS; i++)
        thl_json_uint(j, thl_level_word((enum thole_level)i), p->dropped_level[i]);
    thl_json_close(j, '}');
    thl_json_close(j, '}');
}

static void
put_sink(struct thl_json *j, const struct thl_arena_sink *s)
{
    thl_json_open(j, NULL, '{');
    thl_json_string(j, "name", s->name);
    thl_json_string(j, "state", thl_board_health(s->health));
    thl_json_uint(j, "state_s", s->health_s);
    thl_json_string(j, "error", s->error ? thl_errname_name(s->error) : NULL);
    thl_json_uint(j, "lag_ms", s->lag_ms);
    thl_json_uint(j, "offered", s->offered);
    thl_json_uint(j, "written", s->written);
    thl_json_uint(j, "dropped", s->dropped);
    thl_json_uint(j, "suppressed", s->suppressed);
    thl_json_uint(j, "pending", s->pending);
    thl_json_open(j, "causes", '{');
    for (size_t i = 0; i <= THOLE_STOPPED; i++)
        if (s->cause[i] > 0)
            thl_json_uint(j, thl_board_cause(i), s->cause[i]);
    thl_json_close(j, '}');
    thl_json_close(j, '}');
}

static void
put_logger(struct thl_json *j, const struct thl_picture *before, const struct thl_picture *now,
           size_t i)
{
    thl_json_open(j, NULL, '{');
    thl_json_string(j, "name", now->logger[i].name);
    put_level(j, now->logger[i].level);
    thl_json_uint(j, "records", now->logger[i].records);
    thl_json_rate(j, "rate", thl_picture_logger_rate(before, now, i));
    thl_json_close(j, '}');
}

static void
put_site(struct thl_json *j, const struct thl_picture *before, const struct thl_picture *now,
         size_t i)
{
    const struct thl_arena_site *s = &now->site[i];
    if (s->records + s->suppressed == 0)
        return;
    thl_json_open(j, NULL, '{');
    thl_json_string(j, "site", s->src);
    thl_json_string(j, "msg", s->msg);
    put_level(j, s->level);
    thl_json_uint(j, "records", s->records);
    thl_json_rate(j, "rate", thl_picture_site_rate(before, now, i));
    thl_json_uint(j, "suppressed", s->suppressed);
    thl_json_close(j, '}');
}

void
thl_json_picture_top(FILE *out, long pid, const struct thl_picture *before,
                     const struct thl_picture *now)
{
    struct thl_json j = {.out = out};
    thl_json_open(&j, NULL, '{');
    thl_json_string(&j, "app", now->app);
    thl_json_uint(&j, "pid", (uint64_t)pid);
    thl_json_uint(&j, "uptime_s", thl_picture_uptime_s(now));
    thl_json_string(&j, "library", now->library);
    thl_json_rate(&j, "rate", thl_picture_rate(before, now));
    put_process(&j, now);
    thl_json_open(&j, "loggers", '[');
    for (size_t i = 0; i < now->nloggers; i++)
        put_logger(&j, before, now, i);
    thl_json_close(&j, ']');
    thl_json_open(&j, "sinks", '[');
    for (size_t i = 0; i < now->nsinks; i++)
        put_sink(&j, &now->sink[i]);
    thl_json_close(&j, ']');
    thl_json_open(&j, "sites", '[');
    for (size_t i = 0; i < now->nsites; i++)
        put_site(&j, before, now, i);
    thl_json_close(&j, ']');
    put_census(&j, "children", now);
    thl_json_close(&j, '}');
    fputc('\n', out);
}
