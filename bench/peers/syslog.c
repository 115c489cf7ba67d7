/* SPDX-License-Identifier: MIT */
/*
 * The peer of libc: syslog(3), with a receiver that keeps up.
 *
 * libc knows no other socket than /dev/log. The program therefore takes a mount namespace of its
 * own (and, when it is not root, a user namespace), lays an empty tmpfs over /dev there, binds
 * /dev/log and receives in a thread: the machine's own /dev, and whoever logs to it, see nothing of
 * it. Where namespaces are refused, the program says so and has no case but `off`.
 *
 * The receiver appends each datagram as a line to the file, in blocks of 64 KiB, or (/dev/null)
 * only counts it. The socket blocks the sender, so that nothing is lost.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#define LOG(...) syslog(LOG_INFO, __VA_ARGS__)
#include "printf_calls.h"

#define BLOCK 65536
#define LONGEST 1024

static int receiving = -1, file = -1;
static uint64_t received; /* the receiver's; read when it has ended */
static pthread_t receiver;

static int
write_text(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ssize_t put = write(fd, text, strlen(text));
    close(fd);
    return put == (ssize_t)strlen(text) ? 0 : -1;
}

/* A user namespace in which we may mount; a file that we make there is ours. */
static int
become_mounter(void)
{
    char map[64];
    unsigned uid = geteuid(), gid = getegid();
    if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
        return -1;
    snprintf(map, sizeof(map), "0 %u 1", uid);
    if (write_text("/proc/self/setgroups", "deny") < 0 || write_text("/proc/self/uid_map", map) < 0)
        return -1;
    snprintf(map, sizeof(map), "0 %u 1", gid);
    return write_text("/proc/self/gid_map", map);
}

/* From here on, /dev is empty, and our own. */
static int
hide_dev(void)
{
    if (unshare(CLONE_NEWNS) < 0 && become_mounter() < 0)
        return -1;
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return -1;
    return mount("peer", "/dev", "tmpfs", MS_NOSUID | MS_NOEXEC, "size=64k");
}

static int
bind_log(void)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "/dev/log"};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && bind(fd, (struct sockaddr *)&name, sizeof(name)) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static void
write_block(const char *block, size_t size)
{
    if (file >= 0 && write(file, block, size) != (ssize_t)size)
        peer_count_error();
}

/* Until an empty datagram, which close_log sends. */
static void *
receive(void *unused)
{
    static char block[BLOCK + LONGEST];
    size_t used = 0;
    ssize_t got;
    (void)unused;
    while ((got = recv(receiving, block + used, LONGEST - 1, 0)) > 0) {
        received++;
        if (file < 0)
            continue;
        used += (size_t)got;
        block[used++] = '\n';
        if (used >= BLOCK) {
            write_block(block, used);
            used = 0;
        }
    }
    if (got < 0)
        peer_count_error();
    write_block(block, used);
    return NULL;
}

static void
open_log(const char *path)
{
    received = 0;
    file = -1;
    if (strcmp(path, "/dev/null") != 0)
        file = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    if (hide_dev() < 0 || (receiving = bind_log()) < 0 ||
        pthread_create(&receiver, NULL, receive, NULL) != 0) {
        fprintf(stderr, "syslog(3): no /dev/log of our own: %s\n", strerror(errno));
        exit(1);
    }
    openlog(PEER_LOGGER, LOG_NDELAY | LOG_PID, LOG_DAEMON);
}

static void
close_log(void)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "/dev/log"};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (sendto(fd, "", 0, 0, (struct sockaddr *)&name, sizeof(name)) < 0)
        peer_count_error();
    pthread_join(receiver, NULL);
    close(fd);
    closelog();
    close(receiving);
    if (file >= 0 && close(file) < 0)
        peer_count_error();
}

static uint64_t
count_received(void)
{
    return received;
}

/* libc still formats nothing, but is called. */
static void
call_off(uint64_t count)
{
    setlogmask(LOG_UPTO(LOG_INFO));
    for (uint64_t i = 0; i < count; i++)
        syslog(LOG_DEBUG, "off i=%" PRIu64, i);
}

static int
may_mount(void)
{
    int status = -1;
    pid_t child = fork();
    if (child == 0)
        _exit(hide_dev() < 0);
    return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

int
main(int argc, char **argv)
{
    static const struct peer peer = {
        .subject = "syslog(3)",
        .open = open_log,
        .close = close_log,
        .arrived = count_received,
        .lines = 200000,
        PRINTF_CALLS,
        .off = call_off,
    };
    if (argc == 3 && strcmp(argv[1], "off") != 0 && !may_mount()) {
        fprintf(stderr, "syslog(3): skipped, this machine lets us have no /dev/log of our own\n");
        return 0;
    }
    return peer_main(argc, argv, &peer);
}
