/* SPDX-License-Identifier: MIT */
/* One measurement of a peer, and the proof that its lines arrived. */
#ifndef TASK_H
#define TASK_H

#include "peer.h"
#include <pthread.h>

#define TASK_LINE_BYTES 100
#define TASK_REHEARSED 200

struct task {
    const struct peer *peer;
    const char *question, *name; /* name: of the case */
    peer_calls_fn calls;
    unsigned threads;
    uint64_t each;  /* lines of one thread */
    uint64_t bytes; /* of TASK_REHEARSED lines */
    pthread_barrier_t begin;
};

/* A sentence on stderr, and the end of the program. */
_Noreturn void task_fail(const struct task *task, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The calling thread, and those that it makes, run on this producer's core from now on. */
void task_pin(unsigned producer);

/* One line of TSV. */
void task_print(const struct task *task, const char *metric, double value, const char *unit);

/* The number behind `key` in a file of /proc/self; negative: it is not there. */
double task_read_proc(const char *path, const char *key);

/* Bytes that this process has handed to write(2); negative: the kernel does not say. */
double task_count_written(void);

/* A child logs TASK_REHEARSED lines into a file, so many at a time, and ends. Fills task->bytes. */
void task_rehearse(struct task *task, uint64_t at_a_time);

/* Makes peer_filler so long that a text line has its bytes. */
void task_set_filler(struct task *task);

/* An empty file, in TMPDIR or /tmp. */
void task_make_file(const struct task *task, char *path, size_t size);

/* Lines and bytes of the file are those that were logged; removes it. */
void task_check_file(const struct task *task, const char *path, uint64_t wanted);

/* No error, and all lines seen. `written`: bytes that went to /dev/null, negative when not known.
 */
void task_check_arrival(const struct task *task, uint64_t lines, double written);

#endif
