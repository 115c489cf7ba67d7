/* SPDX-License-Identifier: MIT */
/*
 * For those who test a program that logs: configure the sink `memory:`, then look at its lines.
 *
 *     setenv("THOLE_SINKS", "memory:", 1);
 *     ...
 *     assert(strstr(thole_test_lines(), "\"msg\":\"request done\""));
 *     assert(thole_test_live_children() == 0);
 */
#ifndef THOLE_TEST_H
#define THOLE_TEST_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Flushes (for at most ten seconds) and returns all lines of the `memory:` sink since the last
 * clear, each ended by LF; "" when there is none. The sink keeps at most 16 MiB; past that it
 * reports -ENOSPC and the records are counted as dropped (no_space).
 *
 * Ownership: thole's; valid until the next thole_test_lines() or thole_test_clear().
 * Threads: any, one at a time.
 * Blocking: as thole_flush().
 * Errors: none.
 * Since: 0.1
 */
const char *thole_test_lines(void);

/* Flushes (for at most ten seconds) and forgets all lines of the `memory:` sink.
 *
 * Ownership: what thole_test_lines() returned is no longer valid.
 * Threads: any, one at a time.
 * Blocking: as thole_flush().
 * Errors: none.
 * Since: 0.1
 */
void thole_test_clear(void);

/* The number of child loggers alive now: 0 at the end of a program that leaks none.
 *
 * Ownership: nothing changes hands.
 * Threads: any.
 * Blocking: never.
 * Errors: none.
 * Since: 0.1
 */
uint64_t thole_test_live_children(void);

#ifdef __cplusplus
}
#endif

#endif
