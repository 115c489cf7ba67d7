/* SPDX-License-Identifier: MIT */
/* The tables of the board: which rows, in which order, in which columns. */
#ifndef THL_BOARD_TABLES_H
#define THL_BOARD_TABLES_H

#include "board.h"

#define THL_BOARD_TABLES 4

struct thl_board_table {
    size_t n, shown;               /* rows there are, and rows to draw */
    struct thl_board_order *order; /* n of them; malloc'ed */
    void (*title)(struct thl_sheet *sheet, const struct thl_board_table *table);
    void (*row)(struct thl_sheet *sheet, const struct thl_board *board, size_t row);
};

/* Those that have rows; the census, always there, is the last. Without memory a table has none. */
size_t thl_board_tables(struct thl_board_table table[THL_BOARD_TABLES], const struct thl_board *b);
struct thl_board_table thl_board_census(const struct thl_board *b);

/* Words of enum thole_cause and of enum thl_arena_health, also in JSON. */
const char *thl_board_cause(size_t cause);
const char *thl_board_health(uint32_t health);

struct thl_board_order *thl_board_order_new(size_t n);
void thl_board_order_sort(struct thl_board_order *order, size_t n);

#endif
