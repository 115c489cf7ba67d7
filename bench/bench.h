/* SPDX-License-Identifier: MIT */
/*
 * What the benches share: their cases, the clock, threads, thole started and its ledger checked.
 *
 * Each program asks one question. It takes a case, runs it once in a process of its own, and prints
 * what it measured as lines of
 *
 *     question TAB case TAB subject TAB metric TAB value TAB unit
 *
 * and nothing else. The subject is "thole", "floor" (the least that the machine could do the same
 * work in, measured in the same run) or a peer's name. bench/run makes the rounds, bench/report
 * the medians. A program that lost a record which nobody counted says so on stderr and exits 1.
 *
 *     PROGRAM            all its cases       PROGRAM --list   their names
 *     PROGRAM CASE       one of them
 */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <thole/thole.h>

#include "hist.h"

#define BENCH_COUNTS 3

struct bench {
    const char *question;
    const char *const *cases; /* ended by NULL; '#' stands for each number in `counts` */
    unsigned counts[BENCH_COUNTS];
    void (*run)(const char *name);
};

int bench_main(int argc, char **argv, const struct bench *b);

/* The n-th part of a case's name, from 0: of "10.child.2" the parts are "10", "child", "2". As a
 * number where it is one (a letter before it does not count: "p4"). */
bool bench_part_is(const char *name, unsigned n, const char *part);
unsigned bench_part_number(const char *name, unsigned n);

void bench_row(const char *subject, const char *metric, double value, const char *unit);

/* p50, p99 and p99.9, in ns. */
void bench_row_percentiles(const char *subject, struct hist *h);

void bench_die(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* ---- the machine ---- */

int64_t bench_now_ns(void);
unsigned bench_cores(void);
double bench_ns_per_tick(void);

static inline uint64_t
bench_ticks(void)
{
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#else
    return (uint64_t)bench_now_ns();
#endif
}

/* The compiler may assume nothing of what was computed before. */
#define BENCH_KEEP(x) __asm__ volatile("" : : "r"(x) : "memory")

/* Spins: a thread that slept would wake up on a cold core. */
void bench_pause_us(unsigned us);

/* Nanoseconds of processor time of all threads but this one. */
int64_t bench_others_ns(void);

/* One histogram a thread, of so many samples each; then all of them in one, and they are gone. */
void bench_begin_hists(struct hist *each, unsigned threads, size_t samples);
void bench_end_hists(struct hist *all, struct hist *each, unsigned threads, size_t samples);

/* The calling thread, and those that it makes, run on this core (modulo their number). Without
 * effect where BENCH_PIN=0 is set. */
void bench_pin(unsigned core);
void bench_unpin(void);

/* The threads of thole's targets run on `core`, not beside its writer on the last one: both have
 * work at the same time. After bench_start(). */
void bench_pin_targets(unsigned core);

/* The number that follows `key` at the beginning of a line of a file in /proc; -1: there is none.
 */
int64_t bench_read_number(const char *path, const char *key);

/* Bytes handed to write(2) and the like since the process began; -1: not known here. */
int64_t bench_bytes_written(void);

/* Bytes resident now, the most there ever were, and the address space, of this process. */
int64_t bench_resident_now(void);
int64_t bench_resident_peak(void);
int64_t bench_address_space(void);

/* Runs run(i, arg) in n threads, i = 0 .. n - 1, thread i on core i, all of them begun at once. ns
 * from then to the end of the last one. */
int64_t bench_threads(unsigned n, void (*run)(unsigned i, void *arg), void *arg);

/* ---- thole ---- */

/* Starts it without the environment. Its writer runs on the last core. */
void bench_start(const char *sinks, const char *limits);

/* Flushes, and checks both identities, that all `calls` are in the ledger, and that no child is
 * left. Prints the drops; their number. */
uint64_t bench_check(uint64_t calls);

/* The same, then stops it. */
uint64_t bench_stop(uint64_t calls);

#endif
