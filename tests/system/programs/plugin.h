/* SPDX-License-Identifier: MIT */
/* What the plug-ins of the tests have for their host. */
#ifndef PLUGIN_H
#define PLUGIN_H

/* The call sites that a host checks. */
enum { PLUGIN_LINE_OWN, PLUGIN_LINE_CHILD, PLUGIN_LINES };

struct plugin {
    const char *file; /* as records name it */
    const char *name; /* of the child's context */
    const int *line;  /* by PLUGIN_LINE_..., once it has logged */
    int objects;      /* records of an object's begin and end, at each load and each thread */

    /* Logs records from .. from + n - 1 of `thread`: even ones through a child, which it drops. */
    void (*log)(int thread, int from, int n);

    /* thole_start(), for a host that does not know thole. */
    int (*start)(const char *sinks);
};

/* Exported by each plug-in. */
typedef const struct plugin *(*plugin_fn)(void);

#endif
