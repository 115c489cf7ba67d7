/* SPDX-License-Identifier: MIT */
/* A daemon at a glance: the tables of `thole top`, of which `thole leaks` shows the last. */
#ifndef THL_BOARD_H
#define THL_BOARD_H

#include "picture.h"
#include "sheet.h"

struct thl_board {
    const struct thl_picture *before; /* for rates; NULL: none yet */
    const struct thl_picture *now;
    long pid;           /* as we know it */
    unsigned rows;      /* of the screen; 0: as many as it takes */
    uint64_t silent_ms; /* since its last answer, when it does not answer; else 0 */
};

void thl_board_draw(struct thl_sheet *sheet, const struct thl_board *board);

/* The census alone, with the reasons of what looks leaked. */
void thl_board_draw_census(struct thl_sheet *sheet, const struct thl_picture *now);

/* Rows of a table, the most interesting first: by `first`, then `rate`, then `count`. */
struct thl_board_order {
    size_t row;
    double rate;
    uint64_t count;
    int first;
};

/* The call sites with live children, those that look leaked first. NULL without memory. */
struct thl_board_order *thl_board_order_census(const struct thl_picture *now, size_t *n);

#endif
