/* SPDX-License-Identifier: MIT */
/* What syslog: sends beside what libc's own syslog(3) sends to the same socket, byte for byte. */
#include "test.h"
#include "observe.h"

#include "captured.h"

#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <syslog.h>
#include <thole/thole.h>
#include <unistd.h>

static const thole_logger root = {0};

enum {
    SKIPPED = -2,
    PID_AT = 5 + 15, /* "<131>" and the time */
};

/* libc's path is fixed: it is bound in a /dev of the process's own. False where that is not
 * allowed. */
static bool
bind_dev_log(int type, int *fd)
{
    const struct sockaddr_un at = {.sun_family = AF_UNIX, .sun_path = "/dev/log"};

    if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
        mount("dev", "/dev", "tmpfs", 0, "size=64k") < 0)
        return false;
    *fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    return *fd >= 0 && bind(*fd, (const struct sockaddr *)&at, sizeof(at)) == 0 &&
           (type == SOCK_DGRAM || listen(*fd, 8) == 0);
}

/* What comes next: a datagram, or all that a fresh connection has brought. */
static ssize_t
receive(int fd, int type, char *bytes, size_t size)
{
    struct pollfd p = {fd, POLLIN, 0};
    int connection = fd;

    if (poll(&p, 1, 5000) != 1)
        return -1;
    if (type == SOCK_STREAM && (connection = accept4(fd, NULL, NULL, SOCK_CLOEXEC)) < 0)
        return -1;
    p.fd = connection;
    ssize_t n = poll(&p, 1, 5000) == 1 ? recv(connection, bytes, size, 0) : -1;
    if (connection != fd)
        close(connection);
    return n;
}

/* Both within one second of the clock, or both again. */
static int
compare(int fd, int type)
{
    char libc[512], ours[512];
    ssize_t n = 0, m = 0;

    for (int tries = 0; tries < 5; tries++) {
        openlog("echod", LOG_PID | LOG_NDELAY, LOG_LOCAL0);
        syslog(LOG_ERR, "upstream timed out: caf\xC3\xA9 \"x\" 100%%");
        closelog();
        n = receive(fd, type, libc, sizeof(libc));
        const struct thole_options opt = {.size = sizeof(opt),
                                          .app = "echod",
                                          .sinks = "syslog:?facility=local0",
                                          .flags = THOLE_NO_ENV};
        CAPTURED_CHECK(thole_start(&opt) == 0);
        thole_error(root, "upstream timed out: caf\xC3\xA9 \"x\" 100%");
        CAPTURED_CHECK(thole_stop(5000) == 0);
        m = receive(fd, type, ours, sizeof(ours));
        CAPTURED_CHECK(n > PID_AT && m > PID_AT);
        if (memcmp(libc, ours, PID_AT) == 0)
            break;
    }
    CAPTURED_CHECK(memcmp(libc, "<131>", 5) == 0);
    printf("libc sent  %.*s\nthole sent %.*s\n", (int)n, libc, (int)m, ours);
    fflush(stdout);
    CAPTURED_CHECK(n == m && memcmp(libc, ours, (size_t)n) == 0);
    CAPTURED_CHECK((libc[n - 1] == '\0') == (type == SOCK_STREAM));
    return 0;
}

static int
send_both(const void *arg)
{
    int fd, type = *(const int *)arg;

    setenv("TZ", "THOLE-5:45", 1);
    return bind_dev_log(type, &fd) ? compare(fd, type) : SKIPPED;
}

static void
expect_same_bytes(int type)
{
    struct captured c;

    captured_run(&c, send_both, &type);
    if (c.failed_line == SKIPPED)
        cr_skip_test("no mount namespace of its own here");
    cr_expect_eq(c.failed_line, 0, "line %d: %s", c.failed_line, c.out);
}

THL_TEST(glibc, datagram_is_the_same_byte_for_byte)
{
    expect_same_bytes(SOCK_DGRAM);
}

THL_TEST(glibc, stream_is_the_same_byte_for_byte)
{
    expect_same_bytes(SOCK_STREAM);
}
