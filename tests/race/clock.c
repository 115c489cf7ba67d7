/* SPDX-License-Identifier: MIT */
/* Claim: while a test sets, moves and releases the clock, records that other threads log are
 * written once, in order, and bear a time that was set or the real one. */
#include "check.h"

#include <string.h>
#include <thole/test.h>

#define THREADS 3
#define RECORDS_MAX 45000 /* of each: memory: holds as many */
#define TURNS 300
#define SECOND INT64_C(1000000000)

static atomic_bool over;

struct logging {
    int thread;
    long logged;
};

static void *
log_all(void *arg)
{
    struct logging *l = arg;
    for (; l->logged < RECORDS_MAX && !atomic_load(&over); l->logged++)
        thole_info(thole_get("race.clock"), "n", "t", l->thread, "i", l->logged);
    return NULL;
}

static void
turn_clock(void)
{
    for (int i = 0; i < TURNS; i++) {
        thole_test_set_clock(1000000000 * SECOND); /* 2001-09-09T01:46:40Z */
        thole_test_advance_clock(SECOND);
        thole_test_release_clock();
    }
    atomic_store(&over, true);
}

/* The thread and the number of a line, of this form by the message and keys above. */
static void
check_line(const char *line, const char *line_end, const char *year, long *next)
{
    static const char mark[] = "\"msg\":\"n\",\"t\":";
    const char *fields = memmem(line, (size_t)(line_end - line), mark, sizeof(mark) - 1);
    char *end;
    CHECK(strncmp(line, "{\"time\":\"2001-09-09T01:46:40.000000Z", 36) == 0 ||
          strncmp(line, "{\"time\":\"2001-09-09T01:46:41.000000Z", 36) == 0 ||
          strncmp(line + 9, year, 4) == 0);
    CHECK(fields);
    long thread = strtol(fields + sizeof(mark) - 1, &end, 10);
    CHECK(thread >= 0 && thread < THREADS && strncmp(end, ",\"i\":", 5) == 0);
    CHECK(strtol(end + 5, NULL, 10) == next[thread]);
    next[thread]++;
}

int
main(void)
{
    static struct logging logging[THREADS];
    pthread_t threads[THREADS];
    long next[THREADS] = {0}, all = 0;
    char year[16] = "";
    time_t now = time(NULL);
    struct tm utc;
    CHECK(gmtime_r(&now, &utc) && strftime(year, sizeof(year), "%Y", &utc) > 0);
    start_with("memory:", "overflow=block:20000");
    for (int i = 0; i < THREADS; i++) {
        logging[i].thread = i;
        CHECK(pthread_create(&threads[i], NULL, log_all, &logging[i]) == 0);
    }
    turn_clock();
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    for (const char *line = thole_test_lines(), *end; *line; line = end + 1) {
        CHECK((end = strchr(line, '\n')) != NULL);
        check_line(line, end, year, next);
    }
    for (int i = 0; i < THREADS; all += next[i++])
        CHECK(next[i] == logging[i].logged);
    CHECK(check_identities().dropped == 0);
    CHECK(thole_stop(10000) == 0);
    printf("%ld records of %d threads, %d turns of the clock\n", all, THREADS, TURNS);
    return 0;
}
