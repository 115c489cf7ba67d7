/* SPDX-License-Identifier: MIT */
/*
 * One page that the kernel empties in a child process (MADV_WIPEONFORK), however that was made:
 * fork, _Fork, raw clone. It holds the run page of emit.h and a word that says whether this process
 * has been made ready.
 */
#ifndef THL_WIPE_H
#define THL_WIPE_H

/* Maps the page, once, and makes it the run page. 0 or -ENOMEM. */
int thl_wipe_map(void);

/* When the page reads zero: calls `become_child` in one thread, the others wait for it. */
void thl_wipe_look(void (*become_child)(void));

/* become_child has been done by other means: a handler of fork. */
void thl_wipe_known(void);

#endif
