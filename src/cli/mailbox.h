/* SPDX-License-Identifier: MIT */
/*
 * Letters to a daemon: ask, wait for the answer, leave the letter free.
 *
 * The mailbox is the one page of an arena that is mapped, and the only one that an observer writes;
 * src/arena_layout.h has the letter's way. An observer stamps `claimed_s` before it claims a free
 * letter, so that nobody takes the fresh letter for one whose observer is gone; of those that want
 * such an old letter one wins the compare-and-swap of `claimed_s`. A letter without an answer in
 * time is withdrawn: nothing of it is done later.
 */
#ifndef THL_MAILBOX_H
#define THL_MAILBOX_H

#include <stdbool.h>

#include "arena_layout.h"

#define THL_MAILBOX_TIMEOUT_MS 2000
#define THL_MAILBOX_TEXT sizeof(((struct thl_arena_letter *)0)->text)

struct thl_mailbox {
    struct thl_arena_mailbox *box;
    void *map;
    unsigned long mapped;
};

/* A letter of ours, and when it became that: one that was ours too long ago is another's now. */
struct thl_mailbox_letter {
    unsigned index;
    uint32_t claimed_s;
};

/* `offset` was checked by the arena's reader. 0; -EBADMSG when the file can be cut short (its pages
 * would then raise SIGBUS): it is no arena of a running daemon; or the error of mmap(). */
int thl_mailbox_open(struct thl_mailbox *m, int fd, uint64_t offset);
void thl_mailbox_close(struct thl_mailbox *m);

/* Sends a letter and sets *letter. -EBUSY when all are taken; -EMSGSIZE for too long a text. */
int thl_mailbox_send(struct thl_mailbox *m, enum thl_arena_ask ask, uint64_t number,
                     const char *text, struct thl_mailbox_letter *letter);

/* Waits up to timeout_ms for the answer and frees the letter. 0 and the daemon's *answer with its
 * text (THL_MAILBOX_TEXT bytes; may be NULL); -ETIMEDOUT, the letter still out: wait again or
 * withdraw; -EBADMSG when it is not ours any more. */
int thl_mailbox_wait(struct thl_mailbox *m, struct thl_mailbox_letter letter, int timeout_ms,
                     int *answer, char *text);

/* Takes a letter back. False when its answer is there by now. It stays claimed, to be claimed anew
 * by whoever finds it old: were it free at once, a daemon that is just about to answer it would
 * answer the next one. */
bool thl_mailbox_withdraw(struct thl_mailbox *m, struct thl_mailbox_letter letter);

#endif
