/* SPDX-License-Identifier: MIT */
/* thole_stats as one line of JSON. */
#include "stats.h"

#include <inttypes.h>
#include <stdio.h>
#include <thole/thole.h>

#define SINK_ROOM 256 /* no sink's object is longer */

/* Adds ,"key":value; there is room: the caller counted. */
static size_t
put(char *out, size_t size, size_t at, const char *key, uint64_t value)
{
    return at + (size_t)snprintf(out + at, size - at, ",\"%s\":%" PRIu64, key, value);
}

/* A name comes from the configuration; what would need escaping is shown as '?'. */
static size_t
put_name(char *out, size_t size, size_t at, const char *name)
{
    char shown[sizeof(((struct thole_sink_stats *)0)->name)] = "";
    for (size_t i = 0; i + 1 < sizeof(shown) && name[i]; i++) {
        unsigned char c = (unsigned char)name[i];
        shown[i] = c < ' ' || c > '~' || c == '"' || c == '\\' ? '?' : name[i];
    }
    return at + (size_t)snprintf(out + at, size - at, "{\"name\":\"%s\"", shown);
}

static size_t
put_sink(char *out, size_t size, size_t at, const struct thole_sink_stats *sink)
{
    at = put_name(out, size, at, sink->name);
    at = put(out, size, at, "offered", sink->offered);
    at = put(out, size, at, "written", sink->written);
    at = put(out, size, at, "dropped", sink->dropped);
    at = put(out, size, at, "suppressed", sink->suppressed);
    at = put(out, size, at, "pending", sink->pending);
    out[at++] = '}';
    return at;
}

size_t
stats_print(char *out, size_t size, uint64_t served, size_t open)
{
    struct thole_stats st = {.size = sizeof(st)};
    thole_stats(&st);
    size_t at = (size_t)snprintf(out, size, "{\"served\":%" PRIu64, served);
    at = put(out, size, at, "open", open);
    at = put(out, size, at, "children", st.children);
    at = put(out, size, at, "children_peak", st.children_peak);
    at = put(out, size, at, "children_made", st.children_made);
    at = put(out, size, at, "children_refused", st.children_refused);
    at = put(out, size, at, "stale", st.stale);
    at = put(out, size, at, "truncated", st.truncated);
    at = put(out, size, at, "called", st.called);
    at = put(out, size, at, "routed", st.routed);
    at = put(out, size, at, "dropped", st.dropped);
    at = put(out, size, at, "suppressed", st.suppressed);
    at = put(out, size, at, "queued", st.queued);
    at += (size_t)snprintf(out + at, size - at, ",\"sinks\":[");
    for (unsigned i = 0; i < st.nsinks && size - at > SINK_ROOM + 4; i++) {
        if (i)
            out[at++] = ',';
        at = put_sink(out, size, at, &st.sink[i]);
    }
    return at + (size_t)snprintf(out + at, size - at, "]}\n");
}
