/* SPDX-License-Identifier: MIT */
/* The tables of the board: which rows, in which order, in which columns. */
#include "board_tables.h"

#include <stdlib.h>
#include <thole/thole.h>

#include "errname.h"
#include "level.h"
#include "quantity.h"
#include "verdict.h"

#define WIDE 100 /* columns from which on a screen has room for more than the least */

static bool
is_wide(const struct thl_sheet *sheet)
{
    return sheet->columns == 0 || sheet->columns >= WIDE;
}

/* The widest column grows with the screen: `least` of 80 columns, all that is more of others. */
static int
grow(const struct thl_sheet *sheet, int least)
{
    return sheet->columns > 80 ? least + (int)(sheet->columns - 80) / 3 : least;
}

static const char *
level_word(uint32_t level)
{
    return level <= THOLE_OFF ? thl_level_word((enum thole_level)level) : "-";
}

static void
put_title(struct thl_sheet *sheet, const struct thl_board_table *t, const char *title, int width)
{
    char text[64];
    if (t->shown < t->n)
        snprintf(text, sizeof(text), "%s (%zu OF %zu)", title, t->shown, t->n);
    else
        snprintf(text, sizeof(text), "%s", title);
    thl_sheet_cell(sheet, THL_STYLE_TITLE, width, text);
}

static void
put_heads(struct thl_sheet *sheet, const char *const *heads, const int *widths, size_t n)
{
    for (size_t i = 0; i < n; i++)
        thl_sheet_cell(sheet, THL_STYLE_TITLE, widths[i], heads[i]);
}

static void
put_count(struct thl_sheet *sheet, enum thl_style style, int width, uint64_t n)
{
    thl_sheet_cell(sheet, style, width, thl_quantity_count(n).text);
}

/* ---- sinks ---- */

#define SINK_WIDTH 20
#define STATE_WIDTH 23

static const char *const causes[] = {"queue_full", "outbox_full", "would_block",
                                     "refused",    "too_big",     "no_space",
                                     "io_error",   "down",        "stopped"};
#define CAUSES (sizeof(causes) / sizeof(causes[0]))

const char *
thl_board_cause(size_t cause)
{
    return cause < CAUSES ? causes[cause] : "other";
}

const char *
thl_board_health(uint32_t health)
{
    static const char *const words[THL_ARENA_HEALTHS] = {"unknown", "ok", "down", "hangs",
                                                         "blocked"};
    return words[health < THL_ARENA_HEALTHS ? health : 0];
}

static void
title_sinks(struct thl_sheet *sheet, const struct thl_board_table *t)
{
    static const char *const heads[] = {"STATE", "WRITTEN", "LAG", "LOST, BY CAUSE"};
    static const int widths[] = {STATE_WIDTH, -8, -6, 14};
    put_title(sheet, t, "SINK", grow(sheet, SINK_WIDTH));
    put_heads(sheet, heads, widths, 4);
}

static void
put_state(struct thl_sheet *sheet, const struct thl_arena_sink *s)
{
    char text[64];
    const char *word = thl_board_health(s->health), *error = "";
    if (s->error)
        error = thl_errname_name(s->error);
    if (s->health == THL_ARENA_OK && s->error)
        snprintf(text, sizeof(text), "no reopen %s", error);
    else if (s->health == THL_ARENA_OK)
        snprintf(text, sizeof(text), "%s", word);
    else
        snprintf(text, sizeof(text), "%s %s %s", word, thl_quantity_age(s->health_s).text, error);
    thl_sheet_cell(sheet, s->health == THL_ARENA_OK && !s->error ? THL_STYLE_GOOD : THL_STYLE_BAD,
                   STATE_WIDTH, text);
}

/* The causes, those that cost most first. */
static void
put_lost(struct thl_sheet *sheet, const struct thl_arena_sink *s)
{
    bool put[THL_ARENA_CAUSES] = {false};
    enum thl_style style = s->dropped > 0 ? THL_STYLE_POOR : THL_STYLE_PLAIN;
    thl_sheet_put(sheet, style, thl_quantity_count(s->dropped).text);
    for (size_t i = 0; i < THL_ARENA_CAUSES; i++) {
        size_t most = THL_ARENA_CAUSES;
        for (size_t k = 0; k < THL_ARENA_CAUSES; k++)
            if (!put[k] && s->cause[k] > 0 &&
                (most == THL_ARENA_CAUSES || s->cause[k] > s->cause[most]))
                most = k;
        if (most == THL_ARENA_CAUSES)
            return;
        put[most] = true;
        thl_sheet_put(sheet, style, i == 0 ? ": " : ", ");
        thl_sheet_put(sheet, style, thl_board_cause(most));
        if (s->cause[most] < s->dropped) {
            thl_sheet_put(sheet, style, " ");
            thl_sheet_put(sheet, style, thl_quantity_count(s->cause[most]).text);
        }
    }
}

static void
row_sink(struct thl_sheet *sheet, const struct thl_board *b, size_t row)
{
    const struct thl_arena_sink *s = &b->now->sink[row];
    thl_sheet_path(sheet, THL_STYLE_PLAIN, grow(sheet, SINK_WIDTH), s->name);
    put_state(sheet, s);
    put_count(sheet, THL_STYLE_PLAIN, -8, s->written);
    thl_sheet_cell(sheet, s->lag_ms >= 1000 ? THL_STYLE_POOR : THL_STYLE_PLAIN, -6,
                   thl_quantity_lag(s->lag_ms).text);
    put_lost(sheet, s);
    if (s->suppressed > 0) {
        thl_sheet_put(sheet, THL_STYLE_PLAIN, "; by rate= ");
        thl_sheet_put(sheet, THL_STYLE_PLAIN, thl_quantity_count(s->suppressed).text);
    }
    thl_sheet_end_line(sheet);
}

/* Those in trouble first. */
static struct thl_board_table
make_sinks(const struct thl_board *b)
{
    struct thl_board_table t = {.title = title_sinks, .row = row_sink};
    t.order = thl_board_order_new(b->now->nsinks);
    for (size_t i = 0; t.order && i < b->now->nsinks; i++)
        t.order[t.n++] =
            (struct thl_board_order){.row = i, .first = b->now->sink[i].health != THL_ARENA_OK};
    return t;
}

/* ---- loggers ---- */

#define LOGGER_WIDTH 47

static void
title_loggers(struct thl_sheet *sheet, const struct thl_board_table *t)
{
    static const char *const heads[] = {"LEVEL", "RATE/s", "RECORDS"};
    static const int widths[] = {6, -11, -11};
    put_title(sheet, t, "LOGGER", grow(sheet, LOGGER_WIDTH));
    put_heads(sheet, heads, widths, 3);
}

static void
row_logger(struct thl_sheet *sheet, const struct thl_board *b, size_t row)
{
    const struct thl_arena_logger *l = &b->now->logger[row];
    thl_sheet_path(sheet, THL_STYLE_PLAIN, grow(sheet, LOGGER_WIDTH),
                   l->name[0] ? l->name : "(root)");
    thl_sheet_cell(sheet, THL_STYLE_PLAIN, 6, level_word(l->level));
    thl_sheet_cell(sheet, THL_STYLE_PLAIN, -11,
                   thl_quantity_rate(thl_picture_logger_rate(b->before, b->now, row)).text);
    put_count(sheet, THL_STYLE_PLAIN, -11, l->records);
    thl_sheet_end_line(sheet);
}

static struct thl_board_table
make_loggers(const struct thl_board *b)
{
    struct thl_board_table t = {.title = title_loggers, .row = row_logger};
    t.order = thl_board_order_new(b->now->nloggers);
    for (size_t i = 0; t.order && i < b->now->nloggers; i++)
        t.order[t.n++] =
            (struct thl_board_order){.row = i,
                                     .rate = thl_picture_logger_rate(b->before, b->now, i),
                                     .count = b->now->logger[i].records};
    return t;
}

/* ---- hot call sites ---- */

#define SITE_WIDTH 22

static void
title_sites(struct thl_sheet *sheet, const struct thl_board_table *t)
{
    static const char *const heads[] = {"LEVEL", "RATE/s", "RECORDS", "SUPPRESSED"};
    static const int widths[] = {6, -8, -8, -10};
    put_title(sheet, t, "HOT CALL SITE", grow(sheet, SITE_WIDTH));
    thl_sheet_cell(sheet, THL_STYLE_TITLE, grow(sheet, 20), "MESSAGE");
    put_heads(sheet, heads, widths, 4);
}

static void
row_site(struct thl_sheet *sheet, const struct thl_board *b, size_t row)
{
    const struct thl_arena_site *s = &b->now->site[row];
    thl_sheet_path(sheet, THL_STYLE_PLAIN, grow(sheet, SITE_WIDTH), s->src);
    thl_sheet_cell(sheet, THL_STYLE_PLAIN, grow(sheet, 20), s->msg);
    thl_sheet_cell(sheet, THL_STYLE_PLAIN, 6, level_word(s->level));
    thl_sheet_cell(sheet, THL_STYLE_PLAIN, -8,
                   thl_quantity_rate(thl_picture_site_rate(b->before, b->now, row)).text);
    put_count(sheet, THL_STYLE_PLAIN, -8, s->records);
    put_count(sheet, s->suppressed > 0 ? THL_STYLE_POOR : THL_STYLE_PLAIN, -10, s->suppressed);
    thl_sheet_end_line(sheet);
}

static struct thl_board_table
make_sites(const struct thl_board *b)
{
    struct thl_board_table t = {.title = title_sites, .row = row_site};
    t.order = thl_board_order_new(b->now->nsites);
    for (size_t i = 0; t.order && i < b->now->nsites; i++) {
        const struct thl_arena_site *s = &b->now->site[i];
        if (s->records + s->suppressed > 0)
            t.order[t.n++] = (struct thl_board_order){
                .row = i, .rate = thl_picture_site_rate(b->before, b->now, i), .count = s->records};
    }
    return t;
}

/* ---- live children ---- */

#define CENSUS_WIDTH 24

static void
title_census(struct thl_sheet *sheet, const struct thl_board_table *t)
{
    static const char *const heads[] = {"LIVE", "PEAK", "OLDEST", "LAST LOG", "VERDICT", "SAMPLE"};
    static const int widths[] = {-7, -7, -7, -8, 17, 6};
    if (t->n == 0) {
        thl_sheet_put(sheet, THL_STYLE_TITLE, "NO LIVE CHILDREN");
        return;
    }
    put_title(sheet, t, "LIVE CHILDREN MADE AT", grow(sheet, CENSUS_WIDTH));
    put_heads(sheet, heads, widths, is_wide(sheet) ? 6 : 5);
}

static const char *
put_verdict(char *out, size_t size, const struct thl_arena_site *s)
{
    const char *word = thl_verdict_word((enum thl_verdict_why)s->verdict);
    snprintf(out, size, "%s%s", s->verdict == THL_VERDICT_FINE ? "" : "LEAKS? ", word);
    return out;
}

static void
put_reason(struct thl_sheet *sheet, const struct thl_board *b, const struct thl_arena_site *s)
{
    char why[400];
    thl_sheet_put(sheet, THL_STYLE_BAD, "    looks leaked: ");
    thl_sheet_put(sheet, THL_STYLE_BAD, thl_picture_why(b->now, s, why, sizeof(why)));
    thl_sheet_end_line(sheet);
}

static void
row_census(struct thl_sheet *sheet, const struct thl_board *b, size_t row)
{
    const struct thl_arena_site *s = &b->now->site[row];
    bool suspect = thl_picture_is_suspect(s), never = s->last_logged_s == THL_ARENA_NEVER;
    enum thl_style style = suspect ? THL_STYLE_BAD : THL_STYLE_PLAIN;
    char verdict[24];
    thl_sheet_path(sheet, style, grow(sheet, CENSUS_WIDTH), s->src);
    put_count(sheet, style, -7, s->live);
    put_count(sheet, style, -7, s->peak);
    thl_sheet_cell(sheet, style, -7, thl_quantity_age(s->oldest_s).text);
    thl_sheet_cell(sheet, style, -8, never ? "never" : thl_quantity_age(s->last_logged_s).text);
    thl_sheet_cell(sheet, style, 17, put_verdict(verdict, sizeof(verdict), s));
    if (is_wide(sheet))
        thl_sheet_put(sheet, THL_STYLE_DIM, s->sample);
    thl_sheet_end_line(sheet);
    if (suspect && b->rows == 0)
        put_reason(sheet, b, s);
}

struct thl_board_order *
thl_board_order_census(const struct thl_picture *now, size_t *n)
{
    struct thl_board_order *order = thl_board_order_new(now->nsites);
    *n = 0;
    for (size_t i = 0; order && i < now->nsites; i++)
        if (now->site[i].live > 0)
            order[(*n)++] = (struct thl_board_order){.row = i,
                                                     .first = thl_picture_is_suspect(&now->site[i]),
                                                     .count = now->site[i].live};
    if (order)
        thl_board_order_sort(order, *n);
    return order;
}

struct thl_board_table
thl_board_census(const struct thl_board *b)
{
    struct thl_board_table t = {.title = title_census, .row = row_census};
    t.order = thl_board_order_census(b->now, &t.n);
    t.shown = t.n;
    return t;
}

/* ---- all ---- */

size_t
thl_board_tables(struct thl_board_table table[THL_BOARD_TABLES], const struct thl_board *b)
{
    struct thl_board_table (*const make[])(const struct thl_board *) = {
        make_sinks, make_loggers, make_sites, thl_board_census};
    size_t n = 0;
    for (size_t i = 0; i < THL_BOARD_TABLES; i++) {
        struct thl_board_table t = make[i](b);
        if (t.n == 0 && i + 1 < THL_BOARD_TABLES) {
            free(t.order);
            continue;
        }
        thl_board_order_sort(t.order, t.n);
        t.shown = t.n;
        table[n++] = t;
    }
    return n;
}
