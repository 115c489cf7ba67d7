/* SPDX-License-Identifier: MIT */
/*
 * What the peers in C and C++ share: the questions of our benches, asked of another logger.
 *
 * A peer describes itself (struct peer) and calls peer_main(), which reads QUESTION and CASE, runs
 * one measurement and prints lines of TSV: question, case, subject, metric, value, unit. A case
 * that the peer does not have prints nothing and exits 0. Every run checks that each line arrived:
 * a rehearsal in a forked child writes a file, whose lines and bytes are counted; so are those of
 * the measured file, and what goes to /dev/null is counted in bytes by the kernel, and compared.
 * Failed writes count, too. Anything missing: a sentence on stderr, exit 1.
 *
 * Cases, batches and pauses are those of our own benches. A producer that is timed call by call
 * stays on a core (BENCH_PIN=0 in the environment leaves it to the kernel); all else is placed by
 * the kernel: pinned, those with a thread behind them had two to three times less throughput.
 */
#ifndef PEER_H
#define PEER_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PEER_LOGGER "bench"
#define PEER_STAMP 23 /* bytes of "2026-01-31 12:00:00.123" */

#define PEER_FIRST UINT64_C(10000000)

/* The compiler may not know what a global holds in the next turn of a loop. */
#define PEER_FORGET() __asm__ volatile("" ::: "memory")

/* Logs `count` lines (or does another operation so often), as a daemon's code would. */
typedef void (*peer_calls_fn)(uint64_t count);

enum peer_fields { PEER_0, PEER_3, PEER_3S, PEER_10, PEER_FIELDS };

struct peer {
    const char *subject;
    void (*open)(const char *path); /* logs to this file from now on */
    void (*close)(void);            /* when it returns, all is written */
    uint64_t (*arrived)(void);      /* lines seen at the other end; NULL: count the file */
    uint64_t lines;                 /* of a throughput run; 0: the usual number */

    /* NULL: a case that this peer does not have. */
    peer_calls_fn off, off_guarded; /* guarded: asks for the level before it calls */
    peer_calls_fn paced[PEER_FIELDS];
    peer_calls_fn text, json10; /* numbers begin at PEER_FIRST, so that lines are equally long */
    peer_calls_fn cycle, create_drop;
    void (*hold)(uint64_t count); /* that many children live, at once, until the program ends */
};

/* The rest of a text line, so that whole lines have 100 bytes. */
extern const char *peer_filler;

int peer_main(int argc, char **argv, const struct peer *peer);

/* Something went wrong: counted, and the run fails. From any thread. */
void peer_count_error(void);

/* Writes the time as spdlog's default pattern does, without a NUL; a second's text is kept. */
void peer_put_stamp(char out[PEER_STAMP]);

#ifdef __cplusplus
}
#endif

#endif
