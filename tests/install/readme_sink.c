/* SPDX-License-Identifier: MIT */
/* Opens the README's sink by configuration and reads what comes. Built by readme.py, which puts the
 * sink into readme_mq.h. */
#include <stdio.h>
#include <string.h>
#include <thole/thole.h>
#include <unistd.h>

#include "readme_mq.h"

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            printf("readme_sink.c:%d: %s\n", __LINE__, #condition);                                \
            return 1;                                                                              \
        }                                                                                          \
    } while (0)

static int
expect(mqd_t queue, const char *level, const char *msg)
{
    char bytes[8192 + 1];
    unsigned priority;
    ssize_t n = mq_receive(queue, bytes, sizeof(bytes), &priority);

    CHECK(n > 0 && bytes[n - 1] == '}');
    bytes[n] = '\0';
    CHECK(strstr(bytes, level) && strstr(bytes, msg));
    return 0;
}

static int
run(mqd_t queue, const char *name)
{
    static char big[60000];
    char sinks[64];
    const struct thole_options opt = {
        .size = sizeof(opt), .sinks = sinks, .limits = "record=64000"};
    struct thole_stats s = {.size = sizeof(s)};

    snprintf(sinks, sizeof(sinks), "mq:%s", name);
    CHECK(thole_sink_register("mq", &mq_ops) == 0);
    CHECK(thole_start(&opt) == 0);
    mq_unlink(name); /* now it ends with its holders, however they end */
    memset(big, 'x', sizeof(big) - 1);
    thole_info(thole_current(), "first", "n", 1);
    thole_error(thole_current(), "urgent", "big", big);
    CHECK(thole_flush(5000) == 0);
    CHECK(expect(queue, "\"level\":\"error\"", "\"msg\":\"urgent\"") == 0);
    CHECK(expect(queue, "\"level\":\"info\"", "\"msg\":\"first\",\"n\":1}") == 0);

    for (int i = 0; i < 20; i++) /* more than the queue holds: they wait, and none is lost */
        thole_info(thole_current(), "many");
    for (int i = 0; i < 20; i++)
        CHECK(expect(queue, "\"level\":\"info\"", "\"msg\":\"many\"") == 0);
    CHECK(thole_stop(5000) == 0);
    thole_stats(&s);
    CHECK(s.sink[0].written == 22 && s.sink[0].dropped == 0);
    return 0;
}

int
main(void)
{
    char name[32];
    struct mq_attr attr = {.mq_maxmsg = 10, .mq_msgsize = 8192};

    snprintf(name, sizeof(name), "/thole-readme-%d", (int)getpid());
    mqd_t queue = mq_open(name, O_RDONLY | O_CREAT | O_EXCL, 0600, &attr);
    if (queue < 0) {
        perror("no POSIX queue here");
        return 77;
    }
    return run(queue, name);
}
