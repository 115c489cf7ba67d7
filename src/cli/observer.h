/* SPDX-License-Identifier: MIT */
/* One daemon under observation: its arena, its mailbox, and whether it still lives. */
#ifndef THL_OBSERVER_H
#define THL_OBSERVER_H

#include "find.h"
#include "mailbox.h"

struct thl_observer {
    pid_t pid;
    int pidfd; /* readable when the process has ended; -1: a kernel without it */
    struct thl_arena_reader reader;
    struct thl_mailbox mailbox;
    struct thl_mailbox_letter letter; /* on its way */
};

/* 0, an error of thl_find_arena() or thl_mailbox_open(), or -ESHUTDOWN: thole_stop() was called. */
int thl_observer_open(struct thl_observer *o, pid_t pid);
void thl_observer_close(struct thl_observer *o);

bool thl_observer_is_gone(const struct thl_observer *o);

/* Sends a letter, waiting up to two seconds for a free one. -EBUSY, -ESRCH, -EMSGSIZE. */
int thl_observer_ask(struct thl_observer *o, enum thl_arena_ask ask, uint64_t number,
                     const char *text);

/* Waits until `deadline_ms` (CLOCK_MONOTONIC) for the answer to it: 0 and *answer with its text (or
 * NULL); -ETIMEDOUT (the letter is withdrawn), -ESRCH (it ended), -ESHUTDOWN, -EBADMSG. */
int thl_observer_wait(struct thl_observer *o, int64_t deadline_ms, int *answer, char *text);

/* Copies the tables as they are, and judges the sites with what is seen from outside.
 * silent_was_asked: they were made for a limit of the caller's. */
int thl_observer_copy(struct thl_observer *o, bool silent_was_asked, struct thl_picture *out);

/* Has the tables made anew and copies them. silent_s: of the census; 0 for the daemon's default. */
int thl_observer_look(struct thl_observer *o, uint32_t silent_s, struct thl_picture *out);

#endif
