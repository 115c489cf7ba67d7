/* SPDX-License-Identifier: MIT */
/* A URI of THOLE_SINKS taken apart: spans of the text, not decoded yet. */
#ifndef THL_CONFIG_URI_H
#define THL_CONFIG_URI_H

#include "buf.h"
#include "config_text.h"

struct thl_config_uri {
    struct thl_span text, scheme;
    bool colon;           /* without one there is a scheme at most */
    struct thl_span body; /* between the colon and the '?' */
    struct thl_span host; /* of the // form, without brackets; else empty */
    struct thl_span port; /* s is NULL when none was given */
    struct thl_span path;
    struct thl_span query; /* behind the '?' */
};

/* False, and an error, when the part behind // is not HOST, HOST:PORT, [ADDRESS] or [ADDRESS]:PORT
 * (PORT 1 to 65535). */
bool thl_config_uri_split(const struct thl_config_text *t, struct thl_span text,
                          struct thl_config_uri *uri);

/* The ops of the URI's scheme, or NULL and an error. */
const struct thole_sink_ops *thl_config_uri_find(const struct thl_config_text *t,
                                                 const struct thl_config_uri *uri,
                                                 const struct thl_scheme_table *schemes);

/* False, and an error, when a built-in scheme lacks a host or path that it needs, or has one that
 * it cannot use. A registered scheme checks its URIs itself, in open(). */
bool thl_config_uri_check(const struct thl_config_text *t, const struct thl_config_uri *uri);

/* Appends the bytes of the span, %XX decoded. False, and an error, for a bad % or a %00. */
bool thl_config_uri_decode(const struct thl_config_text *t, struct thl_span span,
                           struct thl_buf *out);

#endif
