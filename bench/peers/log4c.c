/* SPDX-License-Identifier: MIT */
/*
 * The peer log4c, a hierarchy of categories in C: its buffered appender (stream2 on a FILE of the
 * usual buffer, which its manual calls the faster) and its re-entrant dated layout. Without a
 * configuration file, so that no log4crc of the machine is read.
 */
#include <log4c.h>
#include <log4c/appender_type_stream2.h>
#include <log4c/layout_type_dated_r.h>
#include <stdio.h>
#include <stdlib.h>

#define LOG(...) log4c_category_log(category, LOG4C_PRIORITY_INFO, __VA_ARGS__)
static log4c_category_t *category;
#include "printf_calls.h"

static FILE *out;

static void
take_category(void)
{
    category = log4c_category_get(PEER_LOGGER);
    log4c_category_set_priority(category, LOG4C_PRIORITY_INFO);
    log4c_category_set_additivity(category, 0);
}

static void
open_category(const char *path)
{
    out = fopen(path, "we");
    if (out == NULL) {
        perror(path);
        exit(1);
    }
    log4c_layout_t *layout = log4c_layout_get("peer");
    log4c_layout_set_type(layout, &log4c_layout_type_dated_r);
    log4c_appender_t *appender = log4c_appender_get("peer");
    log4c_appender_set_type(appender, &log4c_appender_type_stream2);
    log4c_appender_set_layout(appender, layout);
    log4c_stream2_set_fp(appender, out);
    take_category();
    log4c_category_set_appender(category, appender);
}

static void
close_category(void)
{
    if (fclose(out) != 0)
        peer_count_error();
}

static void
call_off(uint64_t count)
{
    take_category();
    for (uint64_t i = 0; i < count; i++) {
        PEER_FORGET();
        log4c_category_log(category, LOG4C_PRIORITY_DEBUG, "off i=%" PRIu64, i);
    }
}

int
main(int argc, char **argv)
{
    static const struct peer peer = {
        .subject = "log4c",
        .open = open_category,
        .close = close_category,
        PRINTF_CALLS,
        .off = call_off,
    };
    return peer_main(argc, argv, &peer);
}
