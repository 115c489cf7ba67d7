/* SPDX-License-Identifier: MIT */
/*
 * Formatters: view -> bytes. Pure: no clock, no globals, no allocation, no I/O.
 *
 * A formatter appends exactly one record to `out`, never a byte that ends it (the outbox adds LF
 * for line sinks). When the record does not fit into `out` or into options->max_bytes, it is cut on
 * a UTF-8 boundary and stays valid: see thl_format_put.
 */
#ifndef THL_FORMAT_H
#define THL_FORMAT_H

#include "buf.h"
#include "view.h"

enum thl_format {
    THL_FORMAT_JSON,
    THL_FORMAT_LOGFMT,
    THL_FORMAT_PRETTY,
    THL_FORMAT_RFC5424,
    THL_FORMAT_RFC3164,
    THL_FORMATS
};

struct thl_format_options {
    enum thl_format format;
    bool src;         /* "src":"f.c:12" after the message (json, logfmt, pretty), a field in rfc* */
    bool color;       /* pretty only */
    size_t max_bytes; /* 0: as many as `out` holds */
    int facility;     /* 0..23 */
    const char *app;  /* rfc5424 APP-NAME and rfc3164 TAG; sanitised here */
    const char *host; /* rfc5424 HOSTNAME; "" gives "-" */
    const char *sdid; /* "thole@32473" */
    long pid;         /* PROCID */
    int32_t utc_offset; /* seconds east of UTC, for rfc3164's local time */
};

/* "json" .. "rfc3164" -> enum thl_format, or -1. */
int thl_format_parse(const char *s, size_t n);
const char *thl_format_word(enum thl_format format);

/* Appends one record. Returns the number of bytes of values that had to be cut (0 for none); the
 * record then carries "thole.truncated" with that number (added to one that the view has already).
 * When not even the envelope fits, *out is left as it was and (size_t)-1 is returned. */
size_t thl_format_put(struct thl_buf *out, const struct thl_format_options *options,
                      const struct thl_view *view);

/* ---- pieces, for phrase.h ---- */

/* The record's time. */
void thl_format_time(struct thl_buf *out, const struct thl_format_options *o, int64_t unix_ns);

/* The view's fields, each with what stands before it. */
void thl_format_fields(struct thl_buf *out, enum thl_format format, const struct thl_view *v);

/* A value as a field has it. */
void thl_format_value(struct thl_buf *out, enum thl_format format, const struct thl_value *v);

/* One file each; called through thl_format_put. They stop at the first overflow of `out`. */
void thl_format_json(struct thl_buf *out, const struct thl_format_options *o,
                     const struct thl_view *v);
void thl_format_logfmt(struct thl_buf *out, const struct thl_format_options *o,
                       const struct thl_view *v);
void thl_format_pretty(struct thl_buf *out, const struct thl_format_options *o,
                       const struct thl_view *v);
void thl_format_rfc5424(struct thl_buf *out, const struct thl_format_options *o,
                        const struct thl_view *v);
void thl_format_rfc3164(struct thl_buf *out, const struct thl_format_options *o,
                        const struct thl_view *v);

#endif
