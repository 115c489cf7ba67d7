/* SPDX-License-Identifier: MIT */
/*
 * thole_emergency() and the sink stderr: write to one pipe, while every write and poll of it is
 * disturbed: by turns interrupted, short or whole. Each line is there, whole, once.
 *
 * A line may only be broken by another where the kernel itself broke it: so they take turns.
 */
#include "disturbed.h"

#include <pthread.h>
#include <string.h>
#include <thole/thole.h>

enum { ROUNDS = 500, WATCHDOG_S = 15, PATIENCE_MS = 30000, ROOM = 1 << 20 };

static char text[ROOM];
static size_t size;

static void *
receive(void *arg)
{
    int fd = *(int *)arg;
    ssize_t n;
    while (size < ROOM - 1 && (n = read(fd, text + size, ROOM - 1 - size)) > 0)
        size += (size_t)n;
    return NULL;
}

static void
check_lines(void)
{
    char *save = NULL;
    int shouts = 0, records = 0;
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        char want[64];
        snprintf(want, sizeof(want), "emergency %d of %d", shouts, ROUNDS);
        if (strcmp(line, want) == 0) {
            shouts++;
            continue;
        }
        snprintf(want, sizeof(want), "\"msg\":\"numbered\",\"i\":%d}", records);
        if (strncmp(line, "{\"time\":\"", 9) != 0 || !strstr(line, want))
            printf("after %d shouts and %d records comes: %s\n", shouts, records, line);
        CHECK(strncmp(line, "{\"time\":\"", 9) == 0 && strstr(line, want));
        records++;
    }
    printf("%d shouts, %d records of %d each\n", shouts, records, ROUNDS);
    CHECK(shouts == ROUNDS && records == ROUNDS);
}

int
main(void)
{
    const struct thole_options opt = {
        .size = sizeof(opt), .sinks = "stderr:?format=json", .flags = THOLE_NO_ENV};
    int ends[2];
    pthread_t reader;
    alarm(WATCHDOG_S);
    find_real(STDERR_FILENO);
    CHECK(pipe(ends) == 0 && dup2(ends[1], STDERR_FILENO) == STDERR_FILENO && close(ends[1]) == 0);
    CHECK(pthread_create(&reader, NULL, receive, &ends[0]) == 0);
    CHECK(thole_start(&opt) == 0);
    atomic_store(&disturbed.on, true);
    for (int i = 0; i < ROUNDS; i++) {
        char shout[64];
        snprintf(shout, sizeof(shout), "emergency %d of %d", i, ROUNDS);
        thole_emergency(shout);
        thole_info((thole_logger){0}, "numbered", "i", i);
        CHECK(thole_flush(PATIENCE_MS) == 0);
    }
    CHECK(thole_stop(PATIENCE_MS) == 0);
    atomic_store(&disturbed.on, false);
    close(STDERR_FILENO);
    pthread_join(reader, NULL);
    check_lines();
    CHECK(atomic_load(&disturbed.interrupted) > 100 && atomic_load(&disturbed.shortened) > 100);
    return 0;
}
