/* SPDX-License-Identifier: MIT */
/* Samples and their percentiles: every sample is kept, so that a percentile is one that was seen.
 */
#ifndef BENCH_HIST_H
#define BENCH_HIST_H

#include <stddef.h>

struct hist {
    double *sample;
    size_t n, capacity;
};

/* 0, or -ENOMEM. All memory is taken and touched here: adding a sample costs a store. */
int hist_init(struct hist *h, size_t capacity);
void hist_fini(struct hist *h);

/* Past its capacity a sample is forgotten: ask for enough. */
void hist_add(struct hist *h, double sample);
void hist_add_all(struct hist *h, const struct hist *other);

/* The least sample that `permille` of a thousand samples do not exceed (nearest rank); 0 when there
 * is none. 500 is the median, 999 the 99.9th percentile. Sorts. */
double hist_percentile(struct hist *h, unsigned permille);

/* 0 when there is no sample. */
double hist_mean(const struct hist *h);

#endif
