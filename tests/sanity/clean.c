/* SPDX-License-Identifier: MIT */
/* Must pass: what the detectors must not mistake for a leak, and the count of a second unref. */
#include "test.h"

#include <fcntl.h>
#include <stdlib.h>
#include <thole/thole.h>
#include <unistd.h>

THL_TEST(sanity, what_is_given_back_is_no_leak)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    void *bytes = malloc(100);
    thole_logger child;

    thole_child(&child, thole_get("sanity"), "conn", 1);
    thole_unref(&child);
    free(bytes);
    close(fd);
}

THL_TEST(sanity, started_thole_is_stopped_and_leaves_nothing)
{
    struct thole_options options = {.size = sizeof(options), .sinks = "null:"};

    cr_assert_eq(thole_start(&options), 0);
    thole_info(thole_get("sanity"), "started");
}

THL_TEST(sanity, double_unref_is_counted)
{
    struct thole_stats stats = {.size = sizeof(stats)};
    thole_logger child, copy;

    thole_child(&child, thole_get("sanity"), "conn", 1);
    copy = child;
    thole_unref(&child);
    thole_unref(&copy);
    thole_stats(&stats);
    cr_assert_eq(stats.stale, 1u);
    cr_assert_eq(stats.children, 0u);
}
