/* SPDX-License-Identifier: MIT */
/*
 * What thole itself has to say, kept until whoever writes can say it.
 *
 * Any thread notes that something happened (a counter and a call site, no lock, async-signal-safe);
 * the writer, or in direct mode the logging thread, asks what is due and writes ordinary records of
 * the logger `thole`. Bounds are warned about at once and then once a minute while they are hit.
 */
#ifndef THL_NOTICE_H
#define THL_NOTICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <thole/thole.h>

/* A finished notice: message and fields are borrowed until the call returns. `elsewhere`: stderr
 * has had it already. */
struct thl_notice {
    enum thole_level level;
    const char *msg;
    const thole_field *fields;
    size_t n;
    bool elsewhere;
};
static inline thole_field
thl_notice_text(const char *key, const char *text)
{
    return (thole_field){key, THOLE_FIELD_CSTRING, 0, {.p = text}};
}

static inline thole_field
thl_notice_uint(const char *key, uint64_t u)
{
    return (thole_field){key, THOLE_FIELD_UINT, 0, {.u = u}};
}

typedef void (*thl_notice_fn)(void *arg, const struct thl_notice *notice);

/* A child was refused at a call site (0: not known), a name at file:line. `late`: by a bind of what
 * an earlier refusal left; it is named only where no other is. */
void thl_notice_child_refused(uint32_t site, bool late);
void thl_notice_logger_refused(const char *file, unsigned line);

/* A configuration error, its first line; at most 32 are kept. Not async-signal-safe. */
void thl_notice_config_error(const char *text);

/* Children that are alive at the end, as a census found them. Said once. */
struct thl_census;
void thl_notice_children_left(const struct thl_census *census);

/* In the child process: what the parent had to say is the parent's. */
void thl_notice_after_fork(void);

/* Whether thl_notice_drain() may have something to hand out. */
bool thl_notice_pending(void);

/* Hands out what is due. One caller at a time. */
void thl_notice_drain(thl_notice_fn fn, void *arg);

/* "conn.c:12" of a call site, or "?". Returns `out`. */
const char *thl_notice_src(char *out, size_t size, uint32_t site);

#endif
