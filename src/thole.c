/* SPDX-License-Identifier: MIT */
/* The public functions: check arguments, delegate. */
#include <thole/thole.h>

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "child.h"
#include "compiler.h"
#include "console.h"
#include "dispatch.h"
#include "emit.h"
#include "escape.h"
#include "lifecycle.h"
#include "logger.h"
#include "notice.h"
#include "report.h"
#include "scheme.h"
#include "scope.h"
#include "settings.h"
#include "site.h"
#include "slab.h"

#define LOGF_BYTES 8192 /* of the printf bridge */

#undef thole_get

THL_EXPORT const char *
thole_version(void)
{
    return THOLE_VERSION;
}

/* ---- loggers ---- */

THL_EXPORT thole_logger
thole_get_(const char *name, const char *file, unsigned line)
{
    bool refused;
    thl_life_notice_fork(); /* a new name takes a lock */
    thole_logger lg = thl_slab_named(thl_logger_get(name, &refused));
    if (THL_UNLIKELY(refused))
        thl_notice_logger_refused(file, line);
    return lg;
}

THL_EXPORT thole_logger
thole_get(const char *name)
{
    return thole_get_(name, NULL, 0);
}

/* What a call site says of a child. */
struct pairs {
    unsigned n;
    const struct thl_site_key *keys;
    struct thl_value values[THL_SITE_PAIRS];
    struct thl_site_keys own; /* where the table has none */
};

static void
fetch_pairs(struct pairs *p, const thole_site_ *site, const struct thl_site_text *text,
            const void *values)
{
    p->n = site->nfields;
    thl_field_fetch(p->values, thl_site_tags(site), p->n, values);
    p->keys = text ? text->key : p->own.key;
    if (!text)
        thl_site_read_keys(&p->own, site);
}

THL_EXPORT void
thole_child_(thole_logger *out, thole_logger parent, const thole_site_ *site, uint64_t *word,
             const void *values)
{
    struct pairs p;
    const int saved = errno;
    if (!out)
        return;
    thl_lifecycle_configure();
    const uint32_t id = thl_site_intern_waiting(site, word);
    const struct thl_site_text *text = thl_site_find(id);
    if (!text || !thl_child_make_plain(out, parent, id, text, values)) {
        fetch_pairs(&p, site, text, values);
        thl_child_make(out, parent, id, p.keys, p.values, p.n);
    }
    errno = saved;
}

THL_EXPORT void
thole_bind_(thole_logger *lg, const thole_site_ *site, uint64_t *word, const void *values)
{
    struct pairs p;
    const int saved = errno;
    if (!lg)
        return;
    thl_lifecycle_configure();
    const uint32_t id = thl_site_intern_waiting(site, word);
    fetch_pairs(&p, site, thl_site_find(id), values);
    thl_child_bind(lg, id, p.keys, p.values, p.n);
    errno = saved;
}

THL_EXPORT thole_logger
thole_ref(thole_logger lg)
{
    if (!thl_slab_is_named(lg) && !thl_slab_ref(lg))
        thl_child_count_stale();
    return lg;
}

THL_EXPORT void
thole_unref(thole_logger *lg)
{
    if (!lg || thl_slab_is_named(*lg))
        return;
    if (!thl_slab_unref(*lg))
        thl_child_count_stale();
    *lg = thl_slab_named(thl_logger_known(thl_slab_logger_of(*lg)));
}

THL_EXPORT int
thole_set_level(thole_logger lg, enum thole_level level)
{
    if ((unsigned)level > THOLE_OFF)
        return -EINVAL;
    thl_lifecycle_configure();
    if (thl_slab_is_named(lg))
        return thl_logger_set_level(thl_logger_known(thl_slab_logger_of(lg)), level);
    return thl_child_set_level(lg, level);
}

THL_EXPORT enum thole_level
thole_get_level(thole_logger lg)
{
    thl_lifecycle_configure();
    unsigned threshold = thl_logger_threshold_of(lg);
    return threshold <= THOLE_OFF ? (enum thole_level)threshold : THOLE_TRACE;
}

/* The gate did not know: not configured yet, a stale handle, or 64 bits that never were one. */
THL_EXPORT THL_COLD bool
thole_on_slow_(thole_logger lg, unsigned level)
{
    const int saved = errno;
    thl_lifecycle_configure();
    unsigned threshold = thl_logger_threshold_of(lg);
    errno = saved;
    return threshold == THL_LOGGER_UNKNOWN || level >= threshold;
}

/* ---- records ---- */

THL_EXPORT void
thole_emit_(thole_logger lg, unsigned level, const thole_site_ *site, uint64_t *word,
            const void *values)
{
    thl_emit_site(lg, level, site, word, values);
}

/* `where`: "" when it is not known. */
static void
print(thole_logger lg, unsigned level, struct thl_emit_where where, const char *fmt, va_list args)
{
    char text[LOGF_BYTES];
    const int saved = errno;
    if (!fmt || !thole_on_(lg, level))
        return;
    errno = saved; /* for %m */
    int n = vsnprintf(text, sizeof(text), fmt, args);
    if (n < 0)
        thl_emit_text(lg, level, where, fmt, strlen(fmt), sizeof(text) - 1);
    else
        thl_emit_text(lg, level, where, text, (size_t)n, sizeof(text) - 1);
    errno = saved;
}

THL_EXPORT void
thole_vlogf(thole_logger lg, enum thole_level level, const char *fmt, va_list args)
{
    print(lg, (unsigned)level, (struct thl_emit_where){"", 0}, fmt, args);
}

THL_EXPORT void
thole_logf_(thole_logger lg, unsigned level, const char *file, unsigned line, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    print(lg, level, (struct thl_emit_where){file, line}, fmt, args);
    va_end(args);
}

THL_EXPORT void
thole_logf(thole_logger lg, enum thole_level level, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    thole_vlogf(lg, level, fmt, args);
    va_end(args);
}

THL_EXPORT void
thole_log_fields(thole_logger lg, enum thole_level level, const char *msg,
                 const thole_field *fields, size_t n)
{
    const int saved = errno;
    if (!msg)
        msg = "";
    if (thole_enabled(lg, level))
        thl_emit_fields(lg, (unsigned)level, msg, strlen(msg), fields, fields ? n : 0);
    errno = saved;
}

THL_EXPORT void
thole_emergency(const char *msg)
{
    char line[1024];
    struct thl_buf b;
    const int saved = errno;
    size_t size = msg ? strlen(msg) : 0;
    thl_buf_init(&b, line, sizeof(line) - 1);
    while (size > 0) { /* the longest part that fits once it is escaped */
        thl_escape_put(&b, THL_ESCAPE_TEXT, msg, size);
        if (!b.overflow)
            break;
        thl_buf_rewind(&b, 0);
        size = thl_escape_cut(msg, size, size - size / 8 - 1);
    }
    line[b.size++] = '\n';
    thl_console_write(line, b.size);
    errno = saved;
}

/* ---- scope ---- */

THL_EXPORT thole_logger
thole_scope_enter(thole_logger lg)
{
    return thl_scope_enter(lg);
}

THL_EXPORT void
thole_scope_leave(thole_logger previous)
{
    thl_scope_leave(previous);
}

THL_EXPORT thole_logger
thole_current(void)
{
    return thl_scope_current();
}

/* ---- life ---- */

/* None of these is a cancellation point: a thread that ended inside would keep its locks, or its
 * memory, for ever. */

THL_EXPORT int
thole_start(const struct thole_options *opt)
{
    const int saved = errno;
    int state;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
    int rc = thl_lifecycle_start(opt);
    pthread_setcancelstate(state, NULL);
    errno = saved;
    return rc;
}

THL_EXPORT int
thole_flush(int timeout_ms)
{
    const int saved = errno;
    int state;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
    int rc = thl_lifecycle_flush(timeout_ms);
    pthread_setcancelstate(state, NULL);
    errno = saved;
    return rc;
}

THL_EXPORT int
thole_stop(int timeout_ms)
{
    const int saved = errno;
    int state;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
    int rc = thl_lifecycle_stop(timeout_ms);
    pthread_setcancelstate(state, NULL);
    errno = saved;
    return rc;
}

THL_EXPORT int
thole_configure(const char *log_directives)
{
    const int saved = errno;
    int state;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
    thl_lifecycle_configure();
    int rc = thl_settings_configure(log_directives);
    pthread_setcancelstate(state, NULL);
    errno = saved;
    return rc;
}

/* Only a flag and a bell: whoever dispatches asks the sinks. */
THL_EXPORT void
thole_reopen(void)
{
    const int saved = errno;
    atomic_store_explicit(&thl_dispatch_reopen, true, memory_order_seq_cst); /* before the bell */
    thl_emit_wake_surely();
    errno = saved;
}

THL_EXPORT void
thole_stats(struct thole_stats *out)
{
    if (out && out->size)
        thl_lifecycle_stats(out);
}

THL_EXPORT int
thole_report(int fd)
{
    const int saved = errno;
    int state;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
    int rc = thl_report_write(fd);
    pthread_setcancelstate(state, NULL);
    errno = saved;
    return rc;
}

THL_EXPORT int
thole_sink_register(const char *scheme, const struct thole_sink_ops *ops)
{
    return thl_scheme_register(scheme, ops);
}
