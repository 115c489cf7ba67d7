/* SPDX-License-Identifier: MIT */
/*
 * For those who test a program that logs: its lines, the children it leaks, the time, and sinks
 * that fail when told to.
 *
 *     setenv("THOLE_SINKS", "memory:", 1);
 *     thole_test_set_clock(INT64_C(1795352041) * 1000000000);
 *     ...
 *     assert(strstr(thole_test_lines(), "\"msg\":\"request done\""));
 *     THOLE_TEST_NO_LEAKS();
 *
 * Nothing of this is for production: a clock that was set stands for the whole process.
 *
 * The sink fault: is memory: that fails on a script, one for each of its operations:
 *
 *     fault:?write=ok*3,EAGAIN*2,ENOSPC,EMSGSIZE,short,stall=200,EIO*inf
 *     fault:NAME?open=ENOENT*2&reopen=EACCES&write=...      with a name where there are several
 *
 * Each call of an operation takes the next step, and past the last one all is well. How many
 * records one write has is not for the script to say: a test that must know logs one and flushes.
 *
 *     ok          what a sink should do
 *     ERRNO       the call fails with it, and takes no record; for EMSGSIZE see <thole/sink.h>
 *     short       the first half of the write's records is taken, for the rest there is no room now
 *                 (EAGAIN); of a single record none. For write= only
 *     stall=MS    the call hangs so long (1 to 60000), then does what it should; stall alone is 10
 *                 seconds. thole_test_end_stall() ends it
 *     STEP*N      N times (1 to 1000000); STEP*inf: for ever
 *
 * The script begins anew when the sink is opened after it was closed (thole_stop() closes it).
 */
#ifndef THOLE_TEST_H
#define THOLE_TEST_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- lines ------------------------------------------------------------------------------ */

/* Flushes (for at most ten seconds) and returns all lines that `memory:` and `fault:` sinks took
 * since the last clear, each ended by LF; "" when there is none. At most 16 MiB are kept: a record
 * that would go past that is dropped and counted at once (too_big).
 *
 * Ownership: thole's; valid until the next thole_test_lines() or thole_test_clear().
 * Threads: any, one at a time.
 * Blocking: as thole_flush().
 * Errors: none.
 * Since: 0.1
 */
const char *thole_test_lines(void);

/* Flushes (for at most ten seconds) and forgets all lines of `memory:` and `fault:` sinks.
 *
 * Ownership: what thole_test_lines() returned is no longer valid.
 * Threads: any, one at a time.
 * Blocking: as thole_flush().
 * Errors: none.
 * Since: 0.1
 */
void thole_test_clear(void);

/* Ends the stall that a `fault:` sink is in; where none is, the next one ends as it begins.
 *
 * Ownership: nothing changes hands.
 * Threads: any.
 * Blocking: a short lock.
 * Errors: none.
 * Since: 0.1
 */
void thole_test_end_stall(void);

/* ---- children --------------------------------------------------------------------------- */

/* The number of child loggers alive now: 0 at the end of a program that leaks none.
 *
 * Ownership: nothing changes hands.
 * Threads: any.
 * Blocking: never.
 * Errors: none.
 * Since: 0.1
 */
uint64_t thole_test_live_children(void);

/* The child loggers alive now, by the call sites that made them, with the context of one of each:
 * "3 child loggers leaked: conn.c:12 holds 2 (conn=17 peer=10.0.0.7:4123), tls.c:80 holds 1"; ""
 * when there is none.
 *
 * Ownership: thole's; valid until the next call.
 * Threads: any, one at a time.
 * Blocking: never.
 * Errors: none; at most 16 call sites are named, as many as 2 KiB hold.
 * Since: 0.1
 */
const char *thole_test_leaks(void);

/* THOLE_TEST_NO_LEAKS(); as the last line of a test fails it when a child logger is alive, with the
 * text of thole_test_leaks().
 *
 * Under Criterion (included before this header) that is a failed assertion. Elsewhere file, line
 * and text go to stderr and the test ends by abort(), which every framework counts as a failure. To
 * fail in the words of your own, define before the include one of:
 *
 *     #define THOLE_TEST_FAIL(text) fail_msg("%s", text)       cmocka
 *     #define THOLE_TEST_FAIL(text) ck_abort_msg("%s", text)   Check
 *     #define THOLE_TEST_FAIL(text) FAIL() << text             GoogleTest
 */
#define THOLE_TEST_NO_LEAKS()                                                                      \
    do {                                                                                           \
        const char *const thole_leaks_ = thole_test_leaks();                                       \
        if (thole_leaks_[0] != '\0') {                                                             \
            THOLE_TEST_FAIL(thole_leaks_);                                                         \
        }                                                                                          \
    } while (0)

#ifndef THOLE_TEST_FAIL
#ifdef cr_assert /* Criterion's, old and new */
#define THOLE_TEST_FAIL(text) cr_assert(0, "%s", text)
#else
#define THOLE_TEST_FAIL(text) thole_test_fail_(__FILE__, __LINE__, text)
#endif
#endif
void thole_test_fail_(const char *file, unsigned line, const char *text);

/* ---- the clock -------------------------------------------------------------------------- */

/* From now on the time stands at `unix_ns` nanoseconds since 1970 (UTC; up to the year 2116), and
 * every record bears exactly that. Records logged before keep their own time, and their order.
 * Monotonic time, which intervals are measured in, runs on.
 *
 * Ownership: nothing changes hands.
 * Threads: any, one at a time; a record that another thread logs meanwhile has the one time or the
 *   other.
 * Blocking: until the writer has read what is queued, for at most ten seconds; not for sinks.
 * Errors: none; a time before 1970 is 1970.
 * Since: 0.1
 */
void thole_test_set_clock(int64_t unix_ns);

/* Moves wall time and monotonic time `ns` nanoseconds on, setting the clock first where it was not.
 * So what thole does after an interval is due at once: a sink that failed is tried again, what is
 * said once a minute is said. Waits of log calls, thole_flush() and thole_stop() are in real time.
 *
 * Ownership: nothing changes hands.
 * Threads: any, one at a time.
 * Blocking: as thole_test_set_clock(); sinks are woken, and waited for by thole_flush().
 * Errors: none; less than 0 is 0.
 * Since: 0.1
 */
void thole_test_advance_clock(int64_t ns);

/* Real time again; monotonic time stays as far ahead as it was moved, for it never runs back.
 *
 * Ownership: nothing changes hands.
 * Threads: any, one at a time.
 * Blocking: as thole_test_set_clock().
 * Errors: none.
 * Since: 0.1
 */
void thole_test_release_clock(void);

#ifdef __cplusplus
}
#endif

#endif
