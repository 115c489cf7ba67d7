/* SPDX-License-Identifier: MIT */
/*
 * The terminal: the alternate screen and its end, keys, signals and the size.
 *
 * Signals that end the program, or mean another size, are blocked and read from a descriptor while
 * the screen is up, so that every way out passes thl_screen_close(). SIGTSTP gives the terminal
 * back for as long as it lasts.
 */
#ifndef THL_SCREEN_H
#define THL_SCREEN_H

#include <stdbool.h>
#include <termios.h>

struct thl_screen {
    int signals; /* signalfd */
    bool keys;   /* stdin is a terminal: its settings are in `before` */
    bool input;  /* ... and has not ended */
    struct termios before;
};

enum thl_screen_event {
    THL_SCREEN_TIME,   /* the time is over */
    THL_SCREEN_REDRAW, /* another size, or a key that asks for it */
    THL_SCREEN_QUIT,   /* q, or a signal */
    THL_SCREEN_OTHER   /* `other` became readable */
};

/* 0 or a negative errno; then the terminal is as it was. */
int thl_screen_open(struct thl_screen *screen);
void thl_screen_close(struct thl_screen *screen);

/* 80 by 24 where the terminal does not say. */
void thl_screen_size(unsigned *columns, unsigned *rows);

/* Waits at most timeout_ms; other: a descriptor to look at as well, or -1. */
enum thl_screen_event thl_screen_wait(struct thl_screen *screen, int timeout_ms, int other);

#endif
