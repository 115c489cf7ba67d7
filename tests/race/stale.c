/* SPDX-License-Identifier: MIT */
/*
 * Claim: a handle kept past its child's end, and given back twice, while its slot is used again a
 * million times, never carries another connection's context into a record. A record either has the
 * context of the child it was logged through, or bears "thole.stale":true and no context at all.
 */
#include "check.h"

#include <sched.h>
#include <string.h>
#include <thole/sink.h>

#define REUSES 1000000u

static _Atomic uint64_t *handles; /* of child i: alive, ending or stale at any time; 0: refused */
static _Atomic uint64_t latest;   /* i */
static _Atomic bool stop;
static uint64_t lines, stale_lines; /* the sink's thread; read after stop */

static uint64_t
number_after(const char *line, const char *key)
{
    const char *at = strstr(line, key);
    if (!at)
        fprintf(stderr, "no %s in %s\n", key, line);
    CHECK(at);
    return strtoull(at + strlen(key), NULL, 10);
}

/* Child i was made with conn=i, and whoever logs through its handle says wanted=i. */
static void
check_line(const char *bytes, size_t size)
{
    char line[2048];
    CHECK(size < sizeof(line));
    memcpy(line, bytes, size);
    line[size] = '\0';
    if (!strstr(line, "\"msg\":\"through a kept handle\""))
        return;
    lines++;
    if (strstr(line, "\"thole.stale\":true")) {
        stale_lines++;
        CHECK(!strstr(line, "\"conn\":"));
        return;
    }
    CHECK(number_after(line, "\"conn\":") == number_after(line, "\"wanted\":"));
    CHECK(strstr(line, "\"filler\":\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\""));
}

static int
check_open(const struct thole_sink_uri *uri, void **sink)
{
    (void)uri;
    *sink = &lines;
    return 0;
}

static int
check_write(void *sink, const struct thole_sink_record *records, size_t n, size_t *done)
{
    (void)sink;
    for (size_t i = 0; i < n; i++)
        check_line(records[i].bytes, records[i].size);
    *done = n;
    return 0;
}

static void
check_close(void *sink)
{
    (void)sink;
}

static const struct thole_sink_ops check_ops = {.size = sizeof(check_ops),
                                                .flags = THOLE_SINK_MAY_BLOCK,
                                                .format = "json",
                                                .open = check_open,
                                                .write = check_write,
                                                .close = check_close};

static void *
misuse(void *arg)
{
    uint64_t n = 0;
    (void)arg;
    while (!atomic_load(&stop)) {
        uint64_t i = atomic_load(&latest);
        thole_logger kept = {atomic_load(&handles[i])}, again = kept;
        if (kept.bits == 0)
            continue;
        thole_info(kept, "through a kept handle", "wanted", i);
        if (n++ % 3 == 0)
            thole_unref(&again); /* mostly one too many, sometimes the owner's own */
        if (n % 7 == 0)
            thole_bind(&kept, "late", n);
    }
    return NULL;
}

int
main(int argc, char **argv)
{
    uint64_t reuses = argc > 1 ? strtoull(argv[1], NULL, 10) : REUSES;
    pthread_t thieves[2];
    handles = calloc(reuses + 1, sizeof(*handles));
    CHECK(handles && thole_sink_register("check", &check_ops) == 0);
    start_with("check:", "children=2,queue=1M");
    thole_logger net = thole_get("race.stale");
    for (int i = 0; i < 2; i++)
        CHECK(pthread_create(&thieves[i], NULL, misuse, NULL) == 0);
    for (uint64_t i = 1; i <= reuses; i++) {
        thole_logger child;
        thole_child(&child, net, "conn", i, "filler",
                    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
        if (child.bits != net.bits) /* a thief that is just ending one still counts it */
            atomic_store(&handles[i], child.bits);
        atomic_store(&latest, i);
        if (i % 16 == 0 &&
            child.bits !=
                net.bits) { /* now and then it lives long enough to be used, and by its owner too */
            thole_info(child, "through a kept handle", "wanted", i);
            sched_yield();
        }
        thole_unref(&child);
    }
    atomic_store(&stop, true);
    for (int i = 0; i < 2; i++)
        pthread_join(thieves[i], NULL);
    CHECK(thole_flush(10000) == 0);
    struct thole_stats s = check_identities();
    CHECK(thole_stop(10000) == 0);
    CHECK(s.children == 0 && s.stale > 0 && lines > stale_lines);
    free(handles);
    printf("%llu lives of one slot, %llu records checked, %llu of them stale, %llu stale uses\n",
           (unsigned long long)reuses, (unsigned long long)lines, (unsigned long long)stale_lines,
           (unsigned long long)s.stale);
    return 0;
}
