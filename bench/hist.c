/* SPDX-License-Identifier: MIT */
/* Samples and their percentiles. */
#include "hist.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int
hist_init(struct hist *h, size_t capacity)
{
    h->sample = malloc(capacity * sizeof(double));
    if (!h->sample)
        return -ENOMEM;
    memset(h->sample, 1, capacity * sizeof(double)); /* not zeroes: calloc would touch nothing */
    h->n = 0;
    h->capacity = capacity;
    return 0;
}

void
hist_fini(struct hist *h)
{
    free(h->sample);
    h->sample = NULL;
    h->n = h->capacity = 0;
}

void
hist_add(struct hist *h, double sample)
{
    if (h->n < h->capacity)
        h->sample[h->n++] = sample;
}

void
hist_add_all(struct hist *h, const struct hist *other)
{
    for (size_t i = 0; i < other->n; i++)
        hist_add(h, other->sample[i]);
}

static int
compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double
hist_percentile(struct hist *h, unsigned permille)
{
    if (h->n == 0)
        return 0;
    qsort(h->sample, h->n, sizeof(double), compare);
    size_t rank = (h->n * permille + 999) / 1000;
    if (rank > h->n)
        rank = h->n;
    return h->sample[rank > 0 ? rank - 1 : 0];
}

double
hist_mean(const struct hist *h)
{
    double sum = 0;
    for (size_t i = 0; i < h->n; i++)
        sum += h->sample[i];
    return h->n > 0 ? sum / (double)h->n : 0;
}
