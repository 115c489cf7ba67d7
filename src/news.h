/* SPDX-License-Identifier: MIT */
/*
 * What a dispatcher has to say: records that were lost, targets that went down or came back, and
 * the notices that wait (notice.h). Each is an ordinary record of the logger `thole` for all
 * targets but the one in trouble; when there is no other, it is a line on stderr: nothing is lost
 * in silence. Used by whoever dispatches.
 */
#ifndef THL_NEWS_H
#define THL_NEWS_H

#include <stdbool.h>

#include "dispatch.h"

/* Says what there is to say; drops at most once a second, unless it is the last time. True when it
 * said something. */
bool thl_news_say(struct thl_dispatch *d, bool last);

/* Says something else at once. */
void thl_news_tell(struct thl_dispatch *d, const struct thl_notice *notice);

/* Whether there will be something to say soon, or a target without a thread waits for another try.
 */
bool thl_news_is_waiting(struct thl_dispatch *d);

/* What was lost after the last time, on stderr: the targets are closed. NULL is allowed. */
void thl_news_print_lost(struct thl_dispatch *d);

/* In the child process, whose ledger begins at nothing. */
void thl_news_after_fork(void);

#endif
