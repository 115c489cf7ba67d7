/* SPDX-License-Identifier: MIT */
/*
 * Start, stop, fork, exit; the environment; direct mode.
 *
 *   UNCONFIGURED ──first call──▶ DIRECT ──thole_start──▶ RUNNING ──thole_stop──▶ STOPPED
 *        └───────────────────────────────thole_start───────▲  ▲────thole_start─────┘
 *   a child process of any of them: DIRECT (or UNCONFIGURED), noticed by the wiped page
 *
 * One lock, `life`, guards the state, the configuration and, in direct mode, the dispatcher. No log
 * call takes it once RUNNING.
 */
#ifndef THL_LIFECYCLE_H
#define THL_LIFECYCLE_H

#include <thole/thole.h>

/* In a child process that no handler of fork was run in: makes it ready. Before any lock. */
void thl_life_notice_fork(void);

/* Reads the configuration if nobody has yet: direct mode. */
void thl_lifecycle_configure(void);

int thl_lifecycle_start(const struct thole_options *opt);
int thl_lifecycle_flush(int timeout_ms);
int thl_lifecycle_stop(int timeout_ms);
void thl_lifecycle_stats(struct thole_stats *out);

#endif
