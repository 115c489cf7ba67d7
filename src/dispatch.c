/* SPDX-License-Identifier: MIT */
/* The life of a dispatcher. What it does with each record: dispatch_record.c. */
#include "dispatch.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "console.h"
#include "errname.h"
#include "zone.h"

#define OUTBOX_BYTES_MIN (256u * 1024)
#define OUTBOX_BYTES_MAX (4096u * 1024)
#define QUARTER_NS INT64_C(900000000000)

_Atomic bool thl_dispatch_reopen;

/* ---- life ---- */

static char *
map_buffer(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                   -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

static size_t
outbox_bytes(const struct thl_limits *limits)
{
    size_t bytes = (size_t)limits->queue;
    if (bytes < OUTBOX_BYTES_MIN)
        bytes = OUTBOX_BYTES_MIN;
    return bytes < OUTBOX_BYTES_MAX ? bytes : OUTBOX_BYTES_MAX;
}

static void
open_targets(struct thl_dispatch *d, struct thl_config_errors *errors)
{
    for (size_t i = 0; i < d->targets.n; i++) {
        const struct thl_target *t = &d->targets.target[i];
        int rc = thl_outbox_open(d->outbox[i]);
        if (rc < 0)
            thl_config_error(errors, t->route[0].spec->label, "", 0,
                             "cannot open %s: %s; stderr takes its records until it can be opened",
                             t->name, thl_target_explain(t, -rc));
    }
}

int
thl_dispatch_init(struct thl_dispatch *d, struct thl_sink_specs *specs,
                  const struct thl_target_env *env, const struct thl_limits *limits,
                  struct thl_config_errors *errors)
{
    struct thl_config_errors unopened = {0};
    struct thl_target_env own = *env;
    memset(d, 0, sizeof(*d));
    snprintf(d->app, sizeof(d->app), "%s", env->app);
    snprintf(d->host, sizeof(d->host), "%s", env->host);
    own.app = d->app;
    own.host = d->host;
    d->specs = *specs;
    memset(specs, 0, sizeof(*specs));
    d->block_ms = limits->block ? limits->block_ms : 0;
    d->render_bytes = (size_t)limits->record * 6 + 16384;
    thl_target_build(&d->targets, &d->specs, &own, errors);
    if (!(d->phrases = thl_phrases_new()))
        goto fail;
    for (size_t i = 0; i < d->targets.nstyles; i++)
        if (!(d->render[i] = map_buffer(d->render_bytes)))
            goto fail;
    for (size_t i = 0; i < d->targets.n; i++)
        if (!(d->outbox[i] = thl_outbox_new(&d->targets.target[i], outbox_bytes(limits))))
            goto fail;
    for (size_t i = 0; i < d->targets.n; i++)
        for (size_t j = 0; d->targets.target[i].is_stderr && j < d->targets.n; j++)
            thl_outbox_set_fallback(d->outbox[j], d->outbox[i]);
    thl_clock_anchor(&d->clock);
    open_targets(d, &unopened);
    for (size_t i = 0; i < unopened.kept; i++)
        thl_console_print("thole: %s\n", unopened.text[i]);
    thl_config_errors_fini(&unopened);
    return 0;

fail:
    thl_dispatch_fini(d);
    return -ENOMEM;
}

int
thl_dispatch_flush(struct thl_dispatch *d, const struct timespec *deadline, bool writer_runs)
{
    int rc = 0;
    for (size_t i = 0; d && !writer_runs && i < d->targets.n; i++)
        if (!thl_outbox_has_thread(d->outbox[i]))
            thl_outbox_serve_until(d->outbox[i], deadline);
    for (size_t i = 0; d && i < d->targets.n; i++)
        if ((writer_runs || thl_outbox_has_thread(d->outbox[i])) &&
            thl_outbox_flush(d->outbox[i], deadline) < 0)
            rc = -ETIMEDOUT;
    return rc;
}

void
thl_dispatch_ask_to_flush(struct thl_dispatch *d)
{
    for (size_t i = 0; d && i < d->targets.n; i++)
        thl_outbox_ask_to_flush(d->outbox[i]);
}

bool
thl_dispatch_has_pending(struct thl_dispatch *d)
{
    struct thole_sink_stats stats;
    for (size_t i = 0; i < d->targets.n; i++) {
        thl_outbox_stats(d->outbox[i], &stats);
        if (stats.pending > 0)
            return true;
    }
    return false;
}

bool
thl_dispatch_is_serving(struct thl_dispatch *d)
{
    bool serving = false;
    for (size_t i = 0; i < d->targets.n; i++)
        serving |= !thl_outbox_has_thread(d->outbox[i]) && thl_outbox_is_in_io(d->outbox[i]);
    return serving;
}

void
thl_dispatch_leave(struct thl_dispatch *d)
{
    for (size_t i = 0; i < d->targets.n; i++)
        if (!thl_outbox_has_thread(d->outbox[i]))
            thl_outbox_leave(d->outbox[i]);
}

void
thl_dispatch_end_left(struct thl_dispatch *d)
{
    for (size_t i = 0; i < d->targets.n; i++)
        thl_outbox_end_left(d->outbox[i]);
}

int
thl_dispatch_close(struct thl_dispatch *d, const struct timespec *deadline)
{
    int rc = 0;
    for (size_t i = 0; d && i < d->targets.n; i++)
        thl_outbox_ask_to_stop(d->outbox[i]);
    for (size_t i = 0; d && i < d->targets.n; i++)
        if (thl_outbox_stop(d->outbox[i], deadline) < 0)
            rc = -ETIMEDOUT;
    return rc;
}

static bool
hangs(const struct thl_dispatch *d)
{
    for (size_t i = 0; i < d->targets.n; i++)
        if (thl_outbox_hangs(d->outbox[i]))
            return true;
    return false;
}

static struct thl_dispatch *retired; /* with a sink that hangs; thl_dispatch_retire's */

void
thl_dispatch_retire(struct thl_dispatch *d)
{
    if (d) {
        d->next = retired;
        retired = d;
    }
    for (struct thl_dispatch **at = &retired; *at;) {
        struct thl_dispatch *old = *at;
        if (hangs(old) || atomic_load_explicit(&old->users, memory_order_acquire)) {
            at = &old->next;
            continue;
        }
        *at = old->next;
        thl_dispatch_fini(old);
        free(old);
    }
}

unsigned
thl_dispatch_count_hanging(void)
{
    unsigned n = 0;
    thl_dispatch_retire(NULL);
    for (const struct thl_dispatch *d = retired; d; d = d->next)
        n++;
    return n;
}

void
thl_dispatch_fini(struct thl_dispatch *d)
{
    for (size_t i = 0; i < THL_TARGETS; i++)
        thl_outbox_free(d->outbox[i]);
    for (size_t i = 0; i < THL_STYLES; i++)
        if (d->render[i])
            munmap(d->render[i], d->render_bytes);
    thl_phrases_free(d->phrases);
    thl_config_sinks_fini(&d->specs);
    memset(d, 0, sizeof(*d));
}

/* Time zones change at full quarters. What a thread of its own finds out comes a round later. */
void
thl_dispatch_zone(struct thl_dispatch *d)
{
    int64_t quarter = thl_clock_unix_ns() / QUARTER_NS;
    if (quarter != d->zone_quarter) {
        d->zone_quarter = quarter;
        thl_zone_refresh();
    }
    for (size_t i = 0; i < d->targets.nstyles; i++)
        d->targets.style[i].utc_offset = thl_zone_offset();
}

/* ---- outboxes ---- */

void
thl_dispatch_release_locks(struct thl_dispatch *d)
{
    for (size_t i = 0; i < d->targets.n; i++)
        thl_outbox_release(d->outbox[i]);
}

void
thl_dispatch_release(struct thl_dispatch *d)
{
    thl_dispatch_release_locks(d);
    for (size_t i = 0; i < d->targets.n; i++)
        if (!thl_outbox_has_thread(d->outbox[i]))
            thl_outbox_serve(d->outbox[i]);
}

bool
thl_dispatch_is_hurried(struct thl_dispatch *d)
{
    return atomic_load_explicit(&d->hurry, memory_order_relaxed); /* a record or a slice late */
}

void
thl_dispatch_hurry(struct thl_dispatch *d)
{
    atomic_store_explicit(&d->hurry, true, memory_order_relaxed); /* looked at in slices */
}

void
thl_dispatch_reopen_all(struct thl_dispatch *d)
{
    for (size_t i = 0; i < d->targets.n; i++)
        thl_outbox_reopen(d->outbox[i]);
}

void
thl_dispatch_after_fork(struct thl_dispatch *d)
{
    thl_dispatch_forget_records();
    retired = NULL; /* their threads are not here, and their locks may be held */
    if (!d)
        return;
    for (size_t i = 0; i < d->targets.nstyles; i++)
        d->targets.style[i].pid = (long)getpid();
    thl_phrases_forget(d->phrases);
    thl_clock_anchor(&d->clock);
    atomic_store_explicit(&d->users, 0, memory_order_relaxed); /* alone here */
}
