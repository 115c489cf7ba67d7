/* SPDX-License-Identifier: MIT */
/* A daemon at a glance: a header and four tables that share what rows the screen has. */
#include "board.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "board_tables.h"
#include "quantity.h"

#define HEADER_ROWS 3
#define REASON_MAX 512
#define TITLE_ROWS 2  /* a blank line and the table's title */
#define SMALL_ROWS 20 /* screens with fewer go without the blank lines */

/* ---- order ---- */

static int
compare(const void *a, const void *b)
{
    const struct thl_board_order *x = a, *y = b;
    if (x->first != y->first)
        return x->first > y->first ? -1 : 1;
    if (x->rate > y->rate || x->rate < y->rate)
        return x->rate > y->rate ? -1 : 1;
    if (x->count != y->count)
        return x->count > y->count ? -1 : 1;
    return x->row < y->row ? -1 : x->row > y->row;
}

struct thl_board_order *
thl_board_order_new(size_t n)
{
    return calloc(n ? n : 1, sizeof(struct thl_board_order));
}

void
thl_board_order_sort(struct thl_board_order *order, size_t n)
{
    qsort(order, n, sizeof(*order), compare);
}

/* ---- the header ---- */

static void
draw_bar(struct thl_sheet *sheet, const struct thl_board *b)
{
    const struct thl_picture *now = b->now;
    char text[200], clock[32] = "";
    struct tm tm;
    time_t t = (time_t)(now->process.unix_ns / 1000000000);
    if (localtime_r(&t, &tm))
        strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
    enum thl_style style = sheet->columns ? THL_STYLE_BAR : THL_STYLE_PLAIN;
    snprintf(text, sizeof(text), "%s  pid %ld  up %s  thole %s", now->app[0] ? now->app : "?",
             b->pid, thl_quantity_age(thl_picture_uptime_s(now)).text, now->library);
    thl_sheet_put(sheet, style, sheet->columns ? " " : "");
    if (b->silent_ms > 0) { /* first: it is to be seen on a narrow screen, too */
        char silence[64];
        snprintf(silence, sizeof(silence), "no answer for %s  ",
                 thl_quantity_age(b->silent_ms / 1000).text);
        thl_sheet_put(sheet, style, silence);
    }
    thl_sheet_put(sheet, style, text);
    if (sheet->columns > 20) {
        thl_sheet_tab(sheet, style, sheet->columns - 18);
        snprintf(text, sizeof(text), "%s  q quits", clock);
    } else {
        snprintf(text, sizeof(text), "  %s", clock);
    }
    thl_sheet_put(sheet, style, text);
    if (sheet->columns)
        thl_sheet_tab(sheet, style, sheet->columns);
    thl_sheet_end_line(sheet);
}

static void
put_count(struct thl_sheet *sheet, const char *what, uint64_t n, bool bad)
{
    thl_sheet_put(sheet, THL_STYLE_PLAIN, what);
    thl_sheet_put(sheet, bad && n > 0 ? THL_STYLE_POOR : THL_STYLE_PLAIN,
                  thl_quantity_count(n).text);
}

static void
draw_ledger(struct thl_sheet *sheet, const struct thl_board *b)
{
    const struct thl_arena_process *p = &b->now->process;
    thl_sheet_put(sheet, THL_STYLE_TITLE,
                  thl_quantity_rate(thl_picture_rate(b->before, b->now)).text);
    thl_sheet_put(sheet, THL_STYLE_TITLE, sheet->columns ? "/s" : " records/s");
    put_count(sheet, "  called ", p->called, false);
    put_count(sheet, " = routed ", p->routed, false);
    put_count(sheet, " + dropped ", p->dropped, true);
    put_count(sheet, " + suppressed ", p->suppressed, false);
    put_count(sheet, " + queued ", p->queued, false);
    thl_sheet_end_line(sheet);
}

static void
draw_bounds(struct thl_sheet *sheet, const struct thl_board *b)
{
    const struct thl_arena_process *p = &b->now->process;
    put_count(sheet, "children ", p->children, false);
    put_count(sheet, "/", p->children_limit, false);
    put_count(sheet, " (peak ", p->children_peak, false);
    put_count(sheet, ", refused ", p->children_refused, true);
    put_count(sheet, ")  loggers ", p->loggers, false);
    put_count(sheet, "/", p->loggers_limit, false);
    put_count(sheet, "  stale ", p->stale, true);
    put_count(sheet, "  cut ", p->truncated, true);
    thl_sheet_end_line(sheet);
}

/* ---- the tables ---- */

/* Gives each table rows by turns, one at a time and the last table first, while there are any: a
 * long table gets what the short ones leave. */
static void
share_rows(struct thl_board_table *table, size_t ntables, size_t rows)
{
    bool given = true;
    for (size_t i = 0; i < ntables; i++)
        table[i].shown = 0;
    while (given && rows > 0) {
        given = false;
        for (size_t i = ntables; i-- > 0 && rows > 0;) {
            if (table[i].shown == table[i].n)
                continue;
            table[i].shown++;
            rows--;
            given = true;
        }
    }
}

static size_t
rows_for_tables(const struct thl_board *b, size_t ntables, size_t reason_rows)
{
    size_t titles = b->rows < SMALL_ROWS ? 1 : TITLE_ROWS;
    size_t taken = HEADER_ROWS + titles * ntables + reason_rows;
    return b->rows > taken ? b->rows - taken : 0;
}

static void
draw_rows(struct thl_sheet *sheet, const struct thl_board *b, const struct thl_board_table *t)
{
    t->title(sheet, t);
    thl_sheet_end_line(sheet);
    for (size_t i = 0; i < t->shown; i++)
        t->row(sheet, b, t->order[i].row);
}

static void
draw_table(struct thl_sheet *sheet, const struct thl_board *b, const struct thl_board_table *t)
{
    thl_sheet_forget(sheet);
    if (sheet->columns == 0) {
        thl_sheet_measure(sheet, true);
        draw_rows(sheet, b, t);
        thl_sheet_measure(sheet, false);
    }
    draw_rows(sheet, b, t);
}

/* In plain text reasons stand below their rows. A screen has room for the first, in one line or two
 * at the bottom. */
static size_t
split_reason(const struct thl_sheet *sheet, const struct thl_board *b,
             const struct thl_board_table *census, char line[2][REASON_MAX])
{
    char why[REASON_MAX / 2];
    line[0][0] = line[1][0] = '\0';
    if (b->rows == 0 || census->n == 0)
        return 0;
    const struct thl_arena_site *site = &b->now->site[census->order[0].row];
    if (!thl_picture_is_suspect(site))
        return 0;
    snprintf(line[0], REASON_MAX, "%s: %s", site->src,
             thl_picture_why(b->now, site, why, sizeof(why)));
    if (strlen(line[0]) <= sheet->columns)
        return 1;
    size_t cut = sheet->columns;
    while (cut > 0 && line[0][cut] != ' ')
        cut--;
    if (cut == 0)
        return 1; /* the sheet cuts it */
    snprintf(line[1], REASON_MAX, "%s", line[0] + cut);
    line[0][cut] = '\0';
    return 2;
}

void
thl_board_draw(struct thl_sheet *sheet, const struct thl_board *b)
{
    struct thl_board_table table[THL_BOARD_TABLES];
    char reason[2][REASON_MAX];
    size_t n = thl_board_tables(table, b);
    size_t reason_rows = split_reason(sheet, b, &table[n - 1], reason);
    draw_bar(sheet, b);
    draw_ledger(sheet, b);
    draw_bounds(sheet, b);
    if (b->rows > 0)
        share_rows(table, n, rows_for_tables(b, n, reason_rows));
    for (size_t i = 0; i < n; i++) {
        if (b->rows == 0 || b->rows >= SMALL_ROWS)
            thl_sheet_end_line(sheet);
        draw_table(sheet, b, &table[i]);
    }
    for (size_t i = 0; i < reason_rows; i++) {
        thl_sheet_put(sheet, THL_STYLE_BAD, reason[i]);
        thl_sheet_end_line(sheet);
    }
    for (size_t i = 0; i < n; i++)
        free(table[i].order);
}

void
thl_board_draw_census(struct thl_sheet *sheet, const struct thl_picture *now)
{
    const struct thl_board b = {.now = now};
    struct thl_board_table table = thl_board_census(&b);
    if (table.n > 0)
        draw_table(sheet, &b, &table);
    free(table.order);
}
