/* SPDX-License-Identifier: MIT */
/* A C++ plug-in: it logs from the constructors and destructors of its objects as well. */
#include "plugin.h"

#include <thole/thole.h>

namespace
{

/* Its child logger lives as long as it does. */
class Speaker
{
  public:
    explicit Speaker(const char *what)
    {
        thole_child(&child, thole_get("plugin.cc"), "object", what);
        thole_info(child, "an object begins");
    }
    ~Speaker()
    {
        thole_info(child, "an object ends");
        thole_unref(&child);
    }
    void
    touch()
    {
    }

  private:
    thole_logger child;
};

Speaker of_the_plugin("static");
thread_local Speaker of_a_thread("thread");

int line[PLUGIN_LINES]; /* of the call sites: a host checks them */

void
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

void
log_some(int thread, int from, int n)
{
    thole_logger lg = thole_get("plugin.cc"), child;

    of_a_thread.touch();
    thole_child(&child, lg, "plugin", "plugin_cc", "thread", thread);
    for (int i = from; i < from + n; i++)
        log_through(lg, child, thread, i);
    thole_unref(&child);
}

const struct plugin own = {"plugin.cc", "plugin_cc", line, 2, log_some, nullptr};

} // namespace

extern "C" __attribute__((visibility("default"))) const struct plugin *
plugin()
{
    return &own;
}
