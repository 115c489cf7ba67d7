/* SPDX-License-Identifier: MIT */
/*
 * Claim: threads that come to the same call sites for the first time at the same moment lose
 * nothing of what these say: each record has the context of its child, the late field and its own.
 */
#include "check.h"

#include <string.h>
#include <thole/test.h>

#define THREADS 4
#define SITES 64

static pthread_barrier_t together;

static void
log_once(thole_logger child, int id)
{
    thole_info(child, "hello", "own", id);
    thole_unref(&child);
}

/* The key tells the sites apart; the barrier brings all threads to each at once. */
#define AT_SITE(n)                                                                                 \
    do {                                                                                           \
        thole_logger child;                                                                        \
        pthread_barrier_wait(&together);                                                           \
        thole_child(&child, net, "first" n, id);                                                   \
        thole_bind(&child, "late" n, id);                                                          \
        log_once(child, id);                                                                       \
    } while (0)
#define AT_8(n)                                                                                    \
    do {                                                                                           \
        AT_SITE(n "0");                                                                            \
        AT_SITE(n "1");                                                                            \
        AT_SITE(n "2");                                                                            \
        AT_SITE(n "3");                                                                            \
        AT_SITE(n "4");                                                                            \
        AT_SITE(n "5");                                                                            \
        AT_SITE(n "6");                                                                            \
        AT_SITE(n "7");                                                                            \
    } while (0)

static void *
visit(void *arg)
{
    thole_logger net = thole_get("race.sites");
    int id = *(int *)arg;
    AT_8("a");
    AT_8("b");
    AT_8("c");
    AT_8("d");
    AT_8("e");
    AT_8("f");
    AT_8("g");
    AT_8("h");
    return NULL;
}

static unsigned
count(const char *text, const char *part)
{
    unsigned n = 0;
    while ((text = strstr(text, part)) != NULL) {
        text += strlen(part);
        n++;
    }
    return n;
}

int
main(void)
{
    pthread_t threads[THREADS];
    int ids[THREADS];
    start_with("memory:", NULL);
    CHECK(pthread_barrier_init(&together, NULL, THREADS) == 0);
    for (int i = 0; i < THREADS; i++) {
        ids[i] = i;
        CHECK(pthread_create(&threads[i], NULL, visit, &ids[i]) == 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    const char *lines = thole_test_lines();
    unsigned first = count(lines, "\"first"), late = count(lines, "\"late"),
             own = count(lines, "\"own\":");
    if (first != THREADS * SITES || late != first || own != first)
        fprintf(stderr, "%u first, %u late, %u own fields\n", first, late, own);
    CHECK(first == THREADS * SITES && late == first && own == first);
    CHECK(thole_test_live_children() == 0);
    CHECK(thole_stop(10000) == 0);
    printf("%u records, each with its context\n", own);
    return 0;
}
