/* SPDX-License-Identifier: MIT */
/* Lines of cells for people: on a screen of so many columns, or as plain text of any width. */
#include "sheet.h"

#include <string.h>

#include "environment.h"
#include "escape.h"

#define TEXT_MAX 4096
#define CUT "~"

void
thl_sheet_init(struct thl_sheet *sheet, FILE *out, bool terminal)
{
    *sheet = (struct thl_sheet){.out = out};
    sheet->styles = terminal && thl_environment_has_screen();
    sheet->colors = sheet->styles && thl_environment_wants_color();
}

/* ---- columns ---- */

static unsigned
code_point(const char *s, size_t size)
{
    const unsigned char *u = (const unsigned char *)s;
    if (size == 1)
        return u[0];
    unsigned c = u[0] & (0xFFu >> (size + 1));
    for (size_t i = 1; i < size; i++)
        c = c << 6 | (u[i] & 0x3Fu);
    return c;
}

/* East Asian wide characters and pictures take two columns. */
static unsigned
columns_of(unsigned c)
{
    static const struct {
        unsigned from, to;
    } wide[] = {{0x1100, 0x115F}, {0x2E80, 0xA4CF},   {0xAC00, 0xD7A3},
                {0xF900, 0xFAFF}, {0xFE30, 0xFE6F},   {0xFF00, 0xFF60},
                {0xFFE0, 0xFFE6}, {0x1F300, 0x1FAFF}, {0x20000, 0x3FFFD}};
    for (size_t i = 0; i < sizeof(wide) / sizeof(wide[0]); i++)
        if (c >= wide[i].from && c <= wide[i].to)
            return 2;
    return 1;
}

struct text {
    char bytes[TEXT_MAX];
    struct thl_buf buf;
    unsigned columns;
};

static size_t
step(const char *s, size_t n, unsigned *columns)
{
    size_t size = thl_escape_utf8(s, n);
    *columns = size ? columns_of(code_point(s, size)) : 1;
    return size ? size : 1;
}

static void
escape(struct text *t, const char *s)
{
    size_t n = strlen(s);
    if (n > TEXT_MAX / 6) /* no character grows more than that */
        n = thl_escape_cut(s, n, TEXT_MAX / 6);
    thl_buf_init(&t->buf, t->bytes, sizeof(t->bytes));
    thl_escape_put(&t->buf, THL_ESCAPE_TEXT, s, n);
    t->columns = 0;
    for (size_t i = 0; i < t->buf.size;) {
        unsigned columns;
        i += step(t->bytes + i, t->buf.size - i, &columns);
        t->columns += columns;
    }
}

/* ---- style ---- */

static const char *
find_style(const struct thl_sheet *sheet, enum thl_style style)
{
    switch (style) {
    case THL_STYLE_BAR:
        return sheet->styles ? "\033[7m" : NULL;
    case THL_STYLE_TITLE:
        return sheet->styles ? "\033[1m" : NULL;
    case THL_STYLE_DIM:
        return sheet->styles ? "\033[2m" : NULL;
    case THL_STYLE_GOOD:
        return sheet->colors ? "\033[32m" : NULL;
    case THL_STYLE_POOR:
        return sheet->colors ? "\033[33m" : NULL;
    case THL_STYLE_BAD:
        return sheet->colors ? "\033[1;31m" : sheet->styles ? "\033[1m" : NULL;
    default:
        return NULL;
    }
}

static void
write_styled(struct thl_sheet *sheet, enum thl_style style, const char *s, size_t n,
             unsigned columns)
{
    const char *on = find_style(sheet, style);
    sheet->at += columns;
    if (sheet->measuring)
        return;
    if (on && style == THL_STYLE_BAR) /* its blanks are part of it */
        fputs(on, sheet->out);
    for (; sheet->blanks > 0; sheet->blanks--)
        fputc(' ', sheet->out);
    if (on && style != THL_STYLE_BAR)
        fputs(on, sheet->out);
    fwrite(s, 1, n, sheet->out);
    if (on)
        fputs("\033[0m", sheet->out);
}

/* ---- cells ---- */

static unsigned
room(const struct thl_sheet *sheet, unsigned wanted)
{
    if (sheet->columns == 0)
        return ~0u;
    unsigned left = sheet->at < sheet->columns ? sheet->columns - sheet->at : 0;
    return wanted < left ? wanted : left;
}

/* The bytes that fit into `limit` columns. */
static size_t
fit_head(const struct text *t, unsigned limit, unsigned *taken)
{
    size_t i = 0;
    *taken = 0;
    while (i < t->buf.size) {
        unsigned columns;
        size_t size = step(t->bytes + i, t->buf.size - i, &columns);
        if (*taken + columns > limit)
            break;
        *taken += columns;
        i += size;
    }
    return i;
}

static void
put_fitted(struct thl_sheet *sheet, enum thl_style style, const struct text *t, unsigned limit)
{
    unsigned taken;
    if (t->columns <= limit) {
        write_styled(sheet, style, t->bytes, t->buf.size, t->columns);
        return;
    }
    if (limit == 0)
        return;
    size_t n = fit_head(t, limit - 1, &taken);
    write_styled(sheet, style, t->bytes, n, taken);
    write_styled(sheet, style, CUT, 1, 1);
}

/* The mark, then as much of the end as fits. */
static void
put_tail(struct thl_sheet *sheet, enum thl_style style, const struct text *t, unsigned limit)
{
    unsigned columns, left = t->columns;
    size_t i = 0;
    if (t->columns <= limit || limit == 0) {
        put_fitted(sheet, style, t, limit);
        return;
    }
    while (i < t->buf.size && left > limit - 1) {
        i += step(t->bytes + i, t->buf.size - i, &columns);
        left -= columns;
    }
    write_styled(sheet, style, CUT, 1, 1);
    write_styled(sheet, style, t->bytes + i, t->buf.size - i, left);
}

void
thl_sheet_put(struct thl_sheet *sheet, enum thl_style style, const char *text)
{
    struct text t;
    escape(&t, text);
    put_fitted(sheet, style, &t, room(sheet, ~0u));
}

void
thl_sheet_tab(struct thl_sheet *sheet, enum thl_style style, unsigned column)
{
    for (; sheet->at < column && room(sheet, 1) > 0; sheet->at++)
        sheet->blanks++;
    if (style != THL_STYLE_PLAIN)
        write_styled(sheet, style, "", 0, 0);
}

/* The width of the line's next cell, of which `columns` are taken. */
static unsigned
widen(struct thl_sheet *sheet, unsigned width, unsigned columns)
{
    unsigned i = sheet->cells++;
    if (sheet->columns > 0 || i >= THL_SHEET_CELLS)
        return width;
    if (sheet->measuring && columns > sheet->widest[i])
        sheet->widest[i] = columns;
    return width > sheet->widest[i] ? width : sheet->widest[i];
}

void
thl_sheet_cell(struct thl_sheet *sheet, enum thl_style style, int width, const char *text)
{
    struct text t;
    escape(&t, text);
    unsigned w = widen(sheet, (unsigned)(width < 0 ? -width : width), t.columns);
    unsigned end = sheet->at + w;
    if (width < 0 && t.columns < w)
        thl_sheet_tab(sheet, THL_STYLE_PLAIN, end - t.columns);
    put_fitted(sheet, style, &t, room(sheet, end > sheet->at ? end - sheet->at : 0));
    thl_sheet_tab(sheet, THL_STYLE_PLAIN, (sheet->at > end ? sheet->at : end) + 1);
}

void
thl_sheet_path(struct thl_sheet *sheet, enum thl_style style, int width, const char *text)
{
    struct text t;
    escape(&t, text);
    unsigned w = widen(sheet, (unsigned)width, t.columns), end = sheet->at + w;
    put_tail(sheet, style, &t, room(sheet, w));
    thl_sheet_tab(sheet, THL_STYLE_PLAIN, (sheet->at > end ? sheet->at : end) + 1);
}

void
thl_sheet_end_line(struct thl_sheet *sheet)
{
    /* a screen: clear what an earlier picture left of the line */
    if (!sheet->measuring)
        fputs(sheet->columns ? "\033[K\r\n" : "\n", sheet->out);
    sheet->at = sheet->blanks = sheet->cells = 0;
}

void
thl_sheet_measure(struct thl_sheet *sheet, bool on)
{
    sheet->measuring = on;
}

void
thl_sheet_forget(struct thl_sheet *sheet)
{
    memset(sheet->widest, 0, sizeof(sheet->widest));
}
