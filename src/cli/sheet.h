/* SPDX-License-Identifier: MIT */
/*
 * Lines of cells for people: on a screen of so many columns, or as plain text of any width.
 *
 * All text is escaped here: no byte of an arena drives a terminal. On a screen what does not fit is
 * cut and marked with '~'; in plain text nothing is cut, and a table that is drawn twice, the first
 * time to measure it, has columns as wide as their longest cells.
 */
#ifndef THL_SHEET_H
#define THL_SHEET_H

#include <stdbool.h>
#include <stdio.h>

#define THL_SHEET_CELLS 12 /* of a line, that are measured */

enum thl_style {
    THL_STYLE_PLAIN,
    THL_STYLE_BAR,   /* the line at the top */
    THL_STYLE_TITLE, /* of a table */
    THL_STYLE_DIM,
    THL_STYLE_GOOD,
    THL_STYLE_POOR,
    THL_STYLE_BAD
};

struct thl_sheet {
    FILE *out;
    unsigned columns; /* 0: plain text */
    bool styles;      /* bold and reverse may be used */
    bool colors;
    unsigned at;     /* columns taken in this line */
    unsigned blanks; /* of them, at the end, not written yet: none ends a line */
    bool measuring;  /* nothing is written */
    unsigned cells;  /* in this line */
    unsigned widest[THL_SHEET_CELLS];
};

/* How `out` may look: as plain text, unless it is a terminal that can do more. */
void thl_sheet_init(struct thl_sheet *sheet, FILE *out, bool terminal);

/* Text as it is, up to the end of the line. */
void thl_sheet_put(struct thl_sheet *sheet, enum thl_style style, const char *text);

/* A cell of `width` columns and a blank behind it; negative: flush right. */
void thl_sheet_cell(struct thl_sheet *sheet, enum thl_style style, int width, const char *text);

/* The same, flush left, of a path: its end matters more than its beginning. */
void thl_sheet_path(struct thl_sheet *sheet, enum thl_style style, int width, const char *text);

/* Blanks up to `column`, where the line is still before it. */
void thl_sheet_tab(struct thl_sheet *sheet, enum thl_style style, unsigned column);

void thl_sheet_end_line(struct thl_sheet *sheet);

/* Between the two, and then once more, a table is drawn; on a screen widths stay as they are said.
 * thl_sheet_forget(): what comes next is another table. */
void thl_sheet_measure(struct thl_sheet *sheet, bool on);
void thl_sheet_forget(struct thl_sheet *sheet);

#endif
