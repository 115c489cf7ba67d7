/* SPDX-License-Identifier: MIT */
/* A plug-in that logs from call sites of its own, with words that go when it is unloaded. */
#include "plugin.h"

#include <thole/thole.h>

static int line[PLUGIN_LINES]; /* of the call sites: a host checks them */

static void
log_through(thole_logger lg, thole_logger child, int thread, int i)
{
    if (i % 2 != 0) {
        line[PLUGIN_LINE_OWN] = __LINE__ + 1;
        thole_info(lg, "from a plug-in", "thread", thread, "i", i, "text", "of its own");
    } else {
        line[PLUGIN_LINE_CHILD] = __LINE__ + 1;
        thole_warn(child, "from its child", "i", i, "late", thole_str("words", 4));
    }
}

static void
log_some(int thread, int from, int n)
{
    thole_logger lg = thole_get("plugin.c"), child;

    thole_child(&child, lg, "plugin", "plugin_c", "thread", thread);
    for (int i = from; i < from + n; i++)
        log_through(lg, child, thread, i);
    thole_unref(&child);
}

static int
start(const char *sinks)
{
    const struct thole_options opt = {.size = sizeof(opt), .sinks = sinks, .flags = THOLE_NO_ENV};

    return thole_start(&opt);
}

const struct plugin *plugin(void) __attribute__((visibility("default")));

const struct plugin *
plugin(void)
{
    static const struct plugin own = {
        .file = "plugin.c",
        .name = "plugin_c",
        .line = line,
        .log = log_some,
        .start = start,
    };

    return &own;
}
