/* SPDX-License-Identifier: MIT */
/* Pieces that formats share: values as text, keys that a format must map, the source. */
#ifndef THL_FORMAT_VALUE_H
#define THL_FORMAT_VALUE_H

#include "escape.h"
#include "format.h"

/* Any value, escaped in `how`, without quotes. */
void thl_format_value_escaped(struct thl_buf *out, enum thl_escape how, const struct thl_value *v);

/* JSON: a value, in quotes when it is text. */
void thl_format_value_json(struct thl_buf *out, const struct thl_value *v);

/* logfmt: a value, quoted when it must be; a string likewise. */
void thl_format_value_logfmt(struct thl_buf *out, const struct thl_value *v);
void thl_format_string_logfmt(struct thl_buf *out, const char *s, size_t n);

/* ,"key":value for each field of the view. */
void thl_format_fields_json(struct thl_buf *out, const struct thl_view *v);

/*  key="value" for each field of the view whose mapped name no earlier one has: RFC 5424. */
void thl_format_fields_sd(struct thl_buf *out, const struct thl_view *v);

/* " key=value" for each field of the view whose mapped key no earlier one has. */
void thl_format_fields_logfmt(struct thl_buf *out, const struct thl_view *v);

/* A key mapped for logfmt (bytes that are not safe become '_'); at most `room` bytes. */
size_t thl_format_key_logfmt(char *to, size_t room, const char *key, size_t n);

/* "12:54:01.123"; "Nov 22 12:54:01". The others have thl_number_put_rfc3339. */
void thl_format_time_pretty(struct thl_buf *out, int64_t unix_ns);
void thl_format_time_rfc3164(struct thl_buf *out, int64_t unix_ns, int32_t utc_offset);

/* Whether src=1 has something to print: the file is known, and no field of the user's is named so.
 */
bool thl_format_has_src(const struct thl_format_options *o, const struct thl_view *v);

/* "f.c:12", escaped in `how`. */
void thl_format_src(struct thl_buf *out, enum thl_escape how, const struct thl_view *v);

/* Bytes outside 33..126 (or, with `tag`, outside [A-Za-z0-9_.-]) become '_'; at most `max`; "-" for
 * nothing. */
void thl_format_header(struct thl_buf *out, const char *s, size_t n, size_t max, bool tag);

#endif
