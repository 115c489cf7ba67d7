/* SPDX-License-Identifier: MIT */
/* How a program of these tests and its python3 side keep step, and what it says at its end. */
#ifndef LINK_H
#define LINK_H

#include <stdio.h>
#include <stdlib.h>
#include <thole/thole.h>

#define PATIENCE_MS 15000

static inline void
refuse(const char *what)
{
    fprintf(stderr, "%s\n", what);
    exit(1);
}

/* All that was logged is with the sinks, says so, and waits for a line: the receivers have it. */
static inline void
keep_step(unsigned long said)
{
    char answer[16];

    if (thole_flush(PATIENCE_MS) != 0)
        refuse("thole_flush: not everything is with its sinks");
    printf("%lu\n", said);
    if (fflush(stdout) != 0 || !fgets(answer, sizeof(answer), stdin))
        refuse("the other side is gone");
}

/* The ledger as one JSON object. */
static inline void
print_ledger(void)
{
    struct thole_stats s = {.size = sizeof(s)};

    thole_stats(&s);
    printf("{\"called\":%lu,\"routed\":%lu,\"dropped\":%lu,\"suppressed\":%lu,\"queued\":%lu,"
           "\"truncated\":%lu,\"stale\":%lu,\"children\":%lu,\"sinks\":[",
           (unsigned long)s.called, (unsigned long)s.routed, (unsigned long)s.dropped,
           (unsigned long)s.suppressed, (unsigned long)s.queued, (unsigned long)s.truncated,
           (unsigned long)s.stale, (unsigned long)s.children);
    for (unsigned i = 0; i < s.nsinks; i++)
        printf("%s{\"offered\":%lu,\"written\":%lu,\"dropped\":%lu,\"suppressed\":%lu,"
               "\"pending\":%lu}",
               i ? "," : "", (unsigned long)s.sink[i].offered, (unsigned long)s.sink[i].written,
               (unsigned long)s.sink[i].dropped, (unsigned long)s.sink[i].suppressed,
               (unsigned long)s.sink[i].pending);
    printf("]}\n");
}

#endif
