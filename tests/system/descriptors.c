/* SPDX-License-Identifier: MIT */
/* The daemon's descriptors are its own: none is written to, closed, or taken away. */
#include "test.h"
#include "observe.h"

#include "captured.h"
#include "close_from.h"
#include "folder.h"
#include "receivers.h"
#include "sampler.h"

#include <sys/ioctl.h>
#include <thole/test.h>
#include <thole/thole.h>

enum {
    ROUNDS = 100,
    RECORDS = 10,
    LOWEST = 48, /* below it are the test's own, which closefrom spares */
    NUMBERS = 1024,
};

static const thole_logger root = {0};

/* ---- numbers ---- */

/* Which numbers from `lowest` on are open. */
static void
list_numbers(bool *open_ones, int lowest)
{
    for (int fd = 0; fd < NUMBERS; fd++)
        open_ones[fd] = fd >= lowest && fcntl(fd, F_GETFD) >= 0;
}

static int
count_numbers(const bool *numbers)
{
    int n = 0;

    for (int fd = 0; fd < NUMBERS; fd++)
        n += numbers[fd];
    return n;
}

/* Whatever is opened from now on gets LOWEST or above. */
static bool
fill_low_numbers(void)
{
    int fd;

    do
        fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && fd < LOWEST);
    if (fd >= 0)
        close(fd);
    return fd == LOWEST;
}

/* The number of the arena, or -1. */
static int
find_arena(void)
{
    char path[64], link[64];

    for (int fd = 3; fd < NUMBERS; fd++) {
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        ssize_t n = readlink(path, link, sizeof(link) - 1);
        link[n < 0 ? 0 : n] = '\0';
        if (strncmp(link, "/memfd:thole:", strlen("/memfd:thole:")) == 0)
            return fd;
    }
    return -1;
}

/* ---- the daemon's own files and sockets ---- */

enum { VICTIM_FILE, VICTIM_PIPE, VICTIM_STREAM, VICTIM_DGRAM, VICTIM_UDP, VICTIMS };

static struct {
    int end[VICTIMS];   /* what is put on a number that was thole's */
    int other[VICTIMS]; /* where the bytes come out that are written there */
    int on[NUMBERS];    /* which victim is on a number, + 1 */
} victims;

static bool
make_udp_pair(int *end, int *other)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    int port = 0;

    *other = receivers_bind_udp(&port);
    *end = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    at.sin_port = htons((uint16_t)port);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return *other >= 0 && connect(*end, (struct sockaddr *)&at, sizeof(at)) == 0;
}

static bool
make_victims(void)
{
    int pair[3][2];

    memset(&victims, 0, sizeof(victims));
    if (pipe2(pair[0], O_CLOEXEC) < 0 ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair[1]) < 0 ||
        socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair[2]) < 0)
        return false;
    for (int i = 0; i < 3; i++) {
        victims.other[VICTIM_PIPE + i] = pair[i][0];
        victims.end[VICTIM_PIPE + i] = pair[i][1];
    }
    victims.end[VICTIM_FILE] =
        open(folder_path("database"), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    victims.other[VICTIM_FILE] = open(folder_path("database"), O_RDONLY | O_CLOEXEC);
    return victims.other[VICTIM_FILE] >= 0 &&
           make_udp_pair(&victims.end[VICTIM_UDP], &victims.other[VICTIM_UDP]);
}

/* Each kind comes to each number sooner or later, if `turn` goes on. */
static void
place_victims(const bool *numbers, int turn)
{
    for (int fd = 0; fd < NUMBERS; fd++) {
        int kind = turn % VICTIMS;

        victims.on[fd] = 0;
        if (!numbers[fd])
            continue;
        victims.on[fd] = dup3(victims.end[kind], fd, O_CLOEXEC) == fd ? kind + 1 : 0;
        turn++;
    }
}

static bool
has_bytes(int fd)
{
    int n = 0;
    char byte;

    return ioctl(fd, FIONREAD, &n) == 0 ? n > 0 : pread(fd, &byte, 1, 0) > 0;
}

static bool
victims_are_empty(void)
{
    for (int i = 0; i < VICTIMS; i++)
        if (has_bytes(victims.other[i])) {
            fprintf(stderr, "victim %d has bytes of thole's\n", i);
            return false;
        }
    return true;
}

static bool
is_same_file(int a, int b)
{
    struct stat x, y;

    return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static bool
victims_are_open(void)
{
    for (int fd = 0; fd < NUMBERS; fd++)
        if (victims.on[fd] && !is_same_file(fd, victims.end[victims.on[fd] - 1])) {
            fprintf(stderr, "number %d was taken from victim %d\n", fd, victims.on[fd] - 1);
            return false;
        }
    return true;
}

/* ---- closefrom ---- */

static bool
start_or_set(const char *sinks, bool direct)
{
    const struct thole_options opt = {.size = sizeof(opt), .app = "daemon", .sinks = sinks};

    if (direct)
        return setenv("THOLE_SINKS", sinks, 1) == 0;
    return thole_start(&opt) == 0 && thole_flush(20000) == 0;
}

/* RECORDS marked ones; each of them is with each receiver within a second, once. */
static bool
log_and_await(struct receivers *r, int round)
{
    size_t from[RECEIVERS];
    char mark[32];

    for (int i = 0; i < RECEIVERS; i++)
        from[i] = r->got[i].size;
    for (int i = 0; i < RECORDS; i++)
        thole_infof(root, "mark %d.%d.", round, i);
    if (thole_flush(1000) != 0)
        fprintf(stderr, "round %d: no flush within a second\n", round);
    snprintf(mark, sizeof(mark), "mark %d.", round);
    const char *who = receivers_await(r, from, mark, RECORDS, 1000);
    if (who)
        fprintf(stderr, "round %d: %s lacks records\n", round, who);
    for (int i = 0; i < RECEIVERS * RECORDS && !who; i++) {
        snprintf(mark, sizeof(mark), "mark %d.%d.", round, i / RECEIVERS);
        if (receivers_count(&r->got[i % RECEIVERS], from[i % RECEIVERS], mark) != 1)
            who = receiver_names[i % RECEIVERS];
        if (who)
            fprintf(stderr, "round %d: %s has not \"%s\" once\n", round, who, mark);
    }
    return who == NULL;
}

static int
all_was_written(void)
{
    struct thole_stats s = take_stats();

    CAPTURED_CHECK(s.nsinks == RECEIVERS && s.called == (ROUNDS + 1) * RECORDS);
    for (unsigned i = 0; i < s.nsinks; i++)
        CAPTURED_CHECK(s.sink[i].written == s.called && s.sink[i].offered == s.called);
    return 0;
}

/* The child process of a daemon that lost its numbers: nothing is closed there either. */
static int
fork_beside_victims(void)
{
    int status = -1;
    pid_t pid = fork();

    if (pid == 0) {
        thole_info(root, "from the child");
        _exit(victims_are_open() ? 0 : 1);
    }
    CAPTURED_CHECK(waitpid(pid, &status, 0) == pid && status == 0);
    return 0;
}

static int
lose_all_numbers(const void *direct)
{
    static struct receivers r;
    struct sampler sampler;
    bool before[NUMBERS], ours[NUMBERS];

    CAPTURED_CHECK(receivers_open(&r, folder) && make_victims() && fill_low_numbers());
    list_numbers(before, LOWEST);
    CAPTURED_CHECK(start_or_set(r.sinks, direct != NULL));
    CAPTURED_CHECK(sampler_start(&sampler) && log_and_await(&r, ROUNDS));
    int arena = find_arena();
    CAPTURED_CHECK(direct ? arena < 0 : arena >= LOWEST);
    for (int round = 0; round < ROUNDS; round++) {
        list_numbers(ours, LOWEST);
        for (int fd = 0; fd < NUMBERS; fd++)
            ours[fd] = (ours[fd] && !before[fd]) || fd == arena;
        CAPTURED_CHECK(count_numbers(ours) >= (direct ? RECEIVERS : RECEIVERS + 1));
        close_from(LOWEST);
        place_victims(ours, round);
        CAPTURED_CHECK(log_and_await(&r, round));
        CAPTURED_CHECK(victims_are_empty() && victims_are_open());
    }
    CAPTURED_CHECK(sampler_stop(&sampler) > 0);
    int failed = all_was_written();
    if (!failed && !direct)
        failed = fork_beside_victims();
    CAPTURED_CHECK(thole_stop(5000) == 0 && victims_are_empty() && victims_are_open());
    return failed;
}

THL_TEST(descriptors, files_and_sockets_on_our_numbers_stay_empty_and_each_target_is_open_again)
{
    struct captured c;

    folder_make();
    captured_run(&c, lose_all_numbers, NULL);
    cr_expect_eq(c.failed_line, 0, "line %d: %s", c.failed_line, c.err);
    folder_remove();
}

THL_TEST(descriptors, files_and_sockets_on_our_numbers_stay_empty_in_direct_mode)
{
    struct captured c;

    folder_make();
    captured_run(&c, lose_all_numbers, "direct");
    cr_expect_eq(c.failed_line, 0, "line %d: %s", c.failed_line, c.err);
    folder_remove();
}

/* The daemon shows its own log: the same file, and a descriptor that is not ours all the same. */
static int
read_own_log_on_our_number(const void *arg)
{
    bool ours[NUMBERS];
    char sinks[128];
    int reader = open(folder_path("a.log"), O_RDONLY | O_CREAT | O_CLOEXEC, 0640);

    (void)arg;
    snprintf(sinks, sizeof(sinks), "file:%s/a.log", folder);
    CAPTURED_CHECK(reader >= 0 && fill_low_numbers() && start_or_set(sinks, false));
    thole_info(root, "before");
    CAPTURED_CHECK(thole_flush(5000) == 0);
    list_numbers(ours, LOWEST);
    close_from(LOWEST);
    for (int fd = 0; fd < NUMBERS; fd++)
        CAPTURED_CHECK(!ours[fd] || dup3(reader, fd, O_CLOEXEC) == fd);
    thole_info(root, "after");
    CAPTURED_CHECK(thole_flush(1000) == 0);
    CAPTURED_CHECK(thole_stop(5000) == 0);
    for (int fd = 0; fd < NUMBERS; fd++)
        CAPTURED_CHECK(!ours[fd] || is_same_file(fd, reader));
    return 0;
}

THL_TEST(descriptors, our_own_file_opened_by_the_daemon_for_reading_is_not_our_descriptor)
{
    struct captured c;

    folder_make();
    captured_run(&c, read_own_log_on_our_number, NULL);
    char *text = folder_read("a.log");
    cr_expect_eq(c.failed_line, 0, "line %d: %s", c.failed_line, c.err);
    cr_expect_eq(captured_count(text, "\"msg\":\"after\""), 1u, "%s", text);
    free(text);
    folder_remove();
}

/* ---- 0, 1, 2 ---- */

static bool
lowest_three_are_free(void)
{
    for (int fd = 0; fd < 3; fd++)
        if (open("/dev/null", O_RDWR | O_CLOEXEC) != fd)
            return false;
    for (int fd = 0; fd < 3; fd++)
        close(fd);
    return true;
}

static int
begin_without_0_1_2(const void *direct)
{
    static struct receivers r;

    CAPTURED_CHECK(receivers_open(&r, folder));
    for (int fd = 0; fd < 3; fd++)
        close(fd);
    CAPTURED_CHECK(start_or_set(r.sinks, direct != NULL));
    CAPTURED_CHECK(log_and_await(&r, 0));
    CAPTURED_CHECK(lowest_three_are_free());
    thole_reopen();
    CAPTURED_CHECK(log_and_await(&r, 1));
    CAPTURED_CHECK(lowest_three_are_free());
    CAPTURED_CHECK(rename(folder_path("a.log"), folder_path("a.log.1")) == 0);
    thole_reopen();
    thole_info(root, "in a new file");
    CAPTURED_CHECK(thole_flush(5000) == 0 && access(folder_path("a.log"), F_OK) == 0);
    CAPTURED_CHECK(lowest_three_are_free());
    CAPTURED_CHECK(thole_stop(5000) == 0 && lowest_three_are_free());
    return 0;
}

THL_TEST(descriptors, zero_one_and_two_are_left_to_the_daemon_that_began_without_them)
{
    static const char *const modes[] = {NULL, "direct"};
    struct captured c;

    for (int i = 0; i < 2; i++) {
        folder_make();
        captured_run(&c, begin_without_0_1_2, modes[i]);
        cr_expect_eq(c.failed_line, 0, "%s: line %d", i ? "direct" : "started", c.failed_line);
        folder_remove();
    }
}

/* What daemon(3) does, and then the daemon itself. */
static int
lose_standard_streams(const void *arg)
{
    char sinks[128];
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    int other = open(folder_path("stderr"), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

    (void)arg;
    snprintf(sinks, sizeof(sinks), "stderr: stdout: file:%s/a.log", folder);
    CAPTURED_CHECK(null >= 0 && other >= 0 && start_or_set(sinks, false));
    thole_info(root, "to the terminal");
    CAPTURED_CHECK(thole_flush(5000) == 0);
    for (int fd = 0; fd < 3; fd++)
        CAPTURED_CHECK(dup2(null, fd) == fd);
    thole_info(root, "to nowhere");
    CAPTURED_CHECK(thole_flush(5000) == 0 && dup2(other, STDERR_FILENO) == STDERR_FILENO);
    thole_info(root, "to a file");
    CAPTURED_CHECK(thole_stop(5000) == 0);
    for (int fd = 0; fd < 3; fd++)
        CAPTURED_CHECK(is_same_file(fd, fd == STDERR_FILENO ? other : null));
    struct thole_stats s = take_stats();
    for (unsigned i = 0; i < 3; i++)
        CAPTURED_CHECK(s.sink[i].written == 3 && s.sink[i].dropped == 0);
    return 0;
}

THL_TEST(descriptors, stderr_follows_descriptor_2_and_a_file_does_not)
{
    struct captured c;

    folder_make();
    captured_run(&c, lose_standard_streams, NULL);
    cr_expect_eq(c.failed_line, 0, "line %d: %s", c.failed_line, c.err);
    cr_expect_eq(captured_count(c.err, "\n"), 1u, "%s", c.err);
    cr_expect_eq(captured_count(c.err, "to the terminal"), 1u, "%s", c.err);
    cr_expect_eq(captured_count(c.out, "\n"), 1u, "%s", c.out);
    char *text = folder_read("a.log");
    cr_expect_eq(captured_count(text, "\n"), 3u, "%s", text);
    free(text);
    text = folder_read("stderr");
    cr_expect_eq(captured_count(text, "\n"), 1u, "%s", text);
    cr_expect_eq(captured_count(text, "to a file"), 1u, "%s", text);
    free(text);
    folder_remove();
}
