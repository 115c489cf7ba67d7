/* SPDX-License-Identifier: MIT */
/* Signals that end a process by default: nothing that thole does raises one for the daemon. */
#include "test.h"
#include "observe.h"

#include "captured.h"
#include "folder.h"
#include "receivers.h"
#include "sampler.h"

#include <errno.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <thole/test.h>
#include <thole/thole.h>

enum { SKIPPED = -77, LONG = 1000, SPACE = 64 * 1024 };

static const thole_logger root = {0};

/* In direct mode the environment says where to; a queue as small as may be fills soon. */
static bool
begin(const char *sinks, bool direct)
{
    const struct thole_options opt = {.size = sizeof(opt), .sinks = sinks, .limits = "queue=64K"};

    if (direct)
        return setenv("THOLE_SINKS", sinks, 1) == 0 && setenv("THOLE_LIMITS", opt.limits, 1) == 0;
    return thole_start(&opt) == 0 && thole_flush(20000) == 0;
}

/* Logs long records until the first sink has lost some, for ten seconds at most. */
static bool
log_until_lost(enum thole_cause cause)
{
    int64_t end = receivers_now_ms() + 10000;
    char text[LONG + 1];

    memset(text, '.', LONG);
    text[LONG] = '\0';
    for (int i = 0; take_stats().sink[0].cause[cause] < 10; i++) {
        if (receivers_now_ms() >= end)
            return false;
        thole_info(root, "into the void", "i", i, "text", text);
        if (i % 10 == 9)
            thole_flush(1);
    }
    return true;
}

static bool
is_pending(int signal)
{
    sigset_t set;

    return sigpending(&set) == 0 && sigismember(&set, signal) == 1;
}

/* ---- SIGPIPE ---- */

enum broken { BROKEN_FIFO, BROKEN_STDOUT, BROKEN_STDERR, BROKEN_STREAM, BROKEN };

struct pipe_case {
    enum broken broken;
    bool direct;
};

/* The reader of what is to break, or -1; for a stream the socket that listens. */
static int
make_reader(enum broken broken)
{
    int ends[2];

    if (broken == BROKEN_STREAM)
        return receivers_bind_unix(folder, "log", SOCK_STREAM);
    if (broken == BROKEN_FIFO)
        return mkfifo(folder_path("log"), 0600) < 0
                   ? -1
                   : open(folder_path("log"), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (pipe2(ends, O_CLOEXEC) < 0 ||
        dup2(ends[1], broken == BROKEN_STDOUT ? STDOUT_FILENO : STDERR_FILENO) < 0)
        return -1;
    close(ends[1]);
    return ends[0];
}

/* Whether the first record comes; then nobody reads any more. */
static bool
read_once_and_leave(enum broken broken, int reader)
{
    struct pollfd p = {reader, POLLIN, 0};
    char bytes[4096];
    int from = reader;

    if (broken == BROKEN_STREAM)
        from = p.fd = accept4(reader, NULL, NULL, SOCK_CLOEXEC);
    bool came = poll(&p, 1, 5000) == 1 && read(from, bytes, sizeof(bytes)) > 0;
    if (from != reader)
        close(from);
    close(reader);
    return came;
}

static volatile sig_atomic_t handled;

static void
count_signal(int signal)
{
    (void)signal;
    handled++;
}

/* The daemon's own signals reach it: one that is raised, and one that waits while thole writes. */
static int
raise_own_signals(int signal)
{
    struct sigaction action = {.sa_handler = count_signal};
    sigset_t set, old;

    handled = 0;
    CAPTURED_CHECK(!is_pending(signal) && sigaction(signal, &action, NULL) == 0);
    raise(signal);
    CAPTURED_CHECK(handled == 1);
    sigemptyset(&set);
    sigaddset(&set, signal);
    pthread_sigmask(SIG_BLOCK, &set, &old);
    raise(signal);
    int64_t end = receivers_now_ms() + 300; /* longer than a back-off: something is written */
    while (receivers_now_ms() < end) {
        thole_info(root, "meanwhile");
        thole_flush(10);
    }
    CAPTURED_CHECK(is_pending(signal) && handled == 1);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    CAPTURED_CHECK(handled == 2 && !is_pending(signal));
    action.sa_handler = SIG_DFL;
    return sigaction(signal, &action, NULL) == 0 ? 0 : __LINE__;
}

static int
count_its_loss(void)
{
    struct thole_stats s = sampler_look();
    const uint64_t *cause = s.sink[0].cause;

    CAPTURED_CHECK(s.sink[0].dropped > 0 && s.sink[0].written >= 1);
    CAPTURED_CHECK(cause[THOLE_DOWN] + cause[THOLE_REFUSED] + cause[THOLE_IO_ERROR] +
                       cause[THOLE_OUTBOX_FULL] ==
                   s.sink[0].dropped);
    CAPTURED_CHECK(cause[THOLE_DOWN] + cause[THOLE_REFUSED] > 0);
    return 0;
}

static int
outlive_the_reader(const void *arg)
{
    static const char *const uris[BROKEN] = {"file:%s/log file:%s/witness",
                                             "stdout: file:%s/witness", "stderr: file:%s/witness",
                                             "syslog:%s/log file:%s/witness"};
    const struct pipe_case *c = arg;
    char sinks[256];
    int reader = make_reader(c->broken);

    signal(SIGPIPE, SIG_DFL);
    snprintf(sinks, sizeof(sinks), uris[c->broken], folder, folder);
    CAPTURED_CHECK(reader >= 0 && begin(sinks, c->direct));
    thole_info(root, "before");
    CAPTURED_CHECK(thole_flush(5000) == 0 && read_once_and_leave(c->broken, reader));
    CAPTURED_CHECK(log_until_lost(c->broken == BROKEN_STREAM ? THOLE_REFUSED : THOLE_DOWN));
    int failed = count_its_loss();
    if (!failed)
        failed = raise_own_signals(SIGPIPE);
    thole_emergency("nobody may read this"); /* in the case of stderr */
    CAPTURED_CHECK(!is_pending(SIGPIPE));
    (void)thole_stop(1000); /* what waits for the reader makes it late */
    char *witness = folder_read("witness");
    CAPTURED_CHECK(captured_count(witness, "\"msg\":\"sink down\"") >= 1);
    free(witness);
    sampler_look();
    CAPTURED_CHECK(!is_pending(SIGPIPE));
    return failed;
}

static void
check_broken(enum broken broken)
{
    struct captured c;

    for (int direct = 0; direct < 2; direct++) {
        const struct pipe_case it = {broken, direct};
        folder_make();
        captured_run(&c, outlive_the_reader, &it);
        cr_expect_eq(c.failed_line, 0, "%s: line %d: %s", direct ? "direct" : "started",
                     c.failed_line, c.err);
        folder_remove();
    }
}

THL_TEST(deadly, fifo_without_its_reader_raises_no_sigpipe)
{
    check_broken(BROKEN_FIFO);
}

THL_TEST(deadly, stdout_without_its_reader_raises_no_sigpipe)
{
    check_broken(BROKEN_STDOUT);
}

THL_TEST(deadly, stderr_without_its_reader_raises_no_sigpipe)
{
    check_broken(BROKEN_STDERR);
}

THL_TEST(deadly, stream_socket_without_its_receiver_raises_no_sigpipe)
{
    check_broken(BROKEN_STREAM);
}

/* ---- no space: SIGXFSZ, and a full file system ---- */

struct shortage {
    bool direct, before; /* before: there is no room when thole begins */
    int (*begin)(void);
    int (*end)(void);
    bool emptied; /* by the end: the file no longer holds all that was written */
};

static int
limit_file_size(void)
{
    struct rlimit limit;

    signal(SIGXFSZ, SIG_DFL);
    CAPTURED_CHECK(getrlimit(RLIMIT_FSIZE, &limit) == 0);
    limit.rlim_cur = SPACE;
    CAPTURED_CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    return 0;
}

static int
lift_file_size(void)
{
    struct rlimit limit;

    CAPTURED_CHECK(getrlimit(RLIMIT_FSIZE, &limit) == 0);
    limit.rlim_cur = limit.rlim_max;
    CAPTURED_CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    return 0;
}

/* In a mount namespace of the process's own: it ends with it. What waits meanwhile (256 KiB) fits
 * into it when there is room again. */
static int
mount_small(void)
{
    signal(SIGBUS, SIG_DFL);
    if (unshare(CLONE_NEWNS) < 0)
        return SKIPPED;
    CAPTURED_CHECK(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
    CAPTURED_CHECK(mount("small", folder_path("d"), "tmpfs", 0, "size=1m") == 0);
    return 0;
}

static int
empty_the_file(void)
{
    CAPTURED_CHECK(truncate(folder_path("d/a.log"), 0) == 0);
    return 0;
}

/* The lines of the file, or -1 when one is not whole. */
static long
count_whole_lines(void)
{
    char *text = folder_read("d/a.log");
    long n = 0;

    for (const char *line = text; *line && n >= 0; line += strcspn(line, "\n") + 1) {
        size_t size = strcspn(line, "\n");
        bool whole = line[size] == '\n' && size > 2 && line[0] == '{' && line[size - 1] == '}';
        n = whole ? n + 1 : -1;
        if (n < 0)
            break;
    }
    free(text);
    return n;
}

/* How many records the log says were dropped for want of space. */
static uint64_t
count_announced(void)
{
    static const char part[] = "\"cause\":\"no_space\",\"count\":";
    const char *at = thole_test_lines();
    uint64_t n = 0;

    while ((at = strstr(at, part)) != NULL) {
        at += strlen(part);
        n += strtoull(at, NULL, 10);
    }
    return n;
}

static bool
await_announcement(uint64_t lost)
{
    int64_t end = receivers_now_ms() + 10000;

    while (count_announced() != lost) {
        if (receivers_now_ms() >= end)
            return false;
        thole_flush(10); /* in direct mode this says what there is to say */
        sched_yield();
    }
    return true;
}

static int
run_out_of_space(const void *arg)
{
    const struct shortage *s = arg;
    char sinks[256];

    snprintf(sinks, sizeof(sinks), "file:%s/d/a.log memory:?level=warn", folder);
    int failed = s->before ? s->begin() : 0;
    CAPTURED_CHECK(failed || begin(sinks, s->direct));
    if (!failed && !s->before)
        failed = s->begin();
    if (failed)
        return failed;
    CAPTURED_CHECK(log_until_lost(THOLE_NO_SPACE));
    CAPTURED_CHECK(count_whole_lines() > 10);
    CAPTURED_CHECK(!is_pending(SIGXFSZ) && s->end() == 0);
    int64_t end = receivers_now_ms() + 10000;
    while (thole_flush(100) != 0 && receivers_now_ms() < end)
        thole_info(root, "after"); /* in direct mode it is a record that tries again */
    thole_info(root, "at the end");
    CAPTURED_CHECK(thole_flush(5000) == 0 && receivers_now_ms() < end);
    struct thole_stats stats = sampler_look();
    CAPTURED_CHECK(stats.sink[0].dropped == stats.sink[0].cause[THOLE_NO_SPACE]);
    CAPTURED_CHECK(await_announcement(stats.sink[0].dropped));
    CAPTURED_CHECK(thole_stop(5000) == 0);
    stats = sampler_look();
    CAPTURED_CHECK(stats.sink[0].written + stats.sink[0].dropped == stats.sink[0].offered);
    long lines = count_whole_lines();
    CAPTURED_CHECK(lines > 0 && (s->emptied || (uint64_t)lines == stats.sink[0].written));
    CAPTURED_CHECK(!is_pending(SIGXFSZ));
    return 0;
}

static void
check_shortage(const struct shortage *s)
{
    struct captured c;

    folder_make();
    cr_assert_eq(mkdir(folder_path("d"), 0700), 0);
    captured_run(&c, run_out_of_space, s);
    folder_remove();
    if (c.failed_line == SKIPPED)
        cr_skip_test("no mount namespace of its own without root");
    cr_expect_eq(c.failed_line, 0, "line %d: %s", c.failed_line, c.err);
}

THL_TEST(deadly, file_at_its_size_limit_raises_no_sigxfsz_and_goes_on_when_there_is_room)
{
    check_shortage(&(struct shortage){false, false, limit_file_size, lift_file_size, false});
}

THL_TEST(deadly, file_size_limit_from_before_the_start_raises_no_sigxfsz)
{
    check_shortage(&(struct shortage){false, true, limit_file_size, lift_file_size, false});
}

THL_TEST(deadly, file_at_its_size_limit_raises_no_sigxfsz_in_direct_mode)
{
    check_shortage(&(struct shortage){true, true, limit_file_size, lift_file_size, false});
}

static int
raise_sigxfsz_beside_a_full_file(const void *arg)
{
    char sinks[128];

    (void)arg;
    snprintf(sinks, sizeof(sinks), "file:%s/a.log", folder);
    CAPTURED_CHECK(begin(sinks, true) && limit_file_size() == 0);
    CAPTURED_CHECK(log_until_lost(THOLE_NO_SPACE));
    int failed = raise_own_signals(SIGXFSZ);
    CAPTURED_CHECK(lift_file_size() == 0);
    (void)thole_stop(1000);
    return failed;
}

THL_TEST(deadly, sigxfsz_of_the_daemons_own_reaches_it)
{
    struct captured c;

    folder_make();
    captured_run(&c, raise_sigxfsz_beside_a_full_file, NULL);
    cr_expect_eq(c.failed_line, 0, "line %d: %s", c.failed_line, c.err);
    folder_remove();
}

THL_TEST(deadly, full_file_system_is_counted_and_said_and_goes_on_when_there_is_room)
{
    check_shortage(&(struct shortage){false, true, mount_small, empty_the_file, true});
}

THL_TEST(deadly, full_file_system_is_counted_and_said_in_direct_mode)
{
    check_shortage(&(struct shortage){true, true, mount_small, empty_the_file, true});
}

/* ---- SIGBUS ---- */

/* /proc/PID/fd/N of the arena; false when there is none. */
static bool
find_arena(char path[64])
{
    char link[64];

    for (int fd = 3; fd < 1024; fd++) {
        snprintf(path, 64, "/proc/%ld/fd/%d", (long)getpid(), fd);
        ssize_t n = readlink(path, link, sizeof(link) - 1);
        link[n < 0 ? 0 : n] = '\0';
        if (strncmp(link, "/memfd:thole:", strlen("/memfd:thole:")) == 0)
            return true;
    }
    return false;
}

/* 0 when it was refused, as it must be. */
static int
cut_file(const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);

    if (fd < 0)
        return 2;
    if (ftruncate(fd, 0) == 0 || errno != EPERM)
        return 3;
    close(fd);
    return 0;
}

static int
have_its_arena_cut(const void *arg)
{
    char path[64];
    int status = -1;

    (void)arg;
    CAPTURED_CHECK(begin("memory:", false) && find_arena(path));
    for (int i = 0; i < 100; i++)
        thole_info(root, "before");
    CAPTURED_CHECK(thole_flush(5000) == 0);
    pid_t pid = fork();
    if (pid == 0)
        _exit(cut_file(path));
    CAPTURED_CHECK(waitpid(pid, &status, 0) == pid);
    for (int i = 0; i < 100; i++)
        thole_info(root, "after");
    CAPTURED_CHECK(thole_flush(5000) == 0);
    CAPTURED_CHECK(captured_count(thole_test_lines(), "\"msg\":\"after\"") == 100);
    CAPTURED_CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0 && cut_file(path) == 0);
    CAPTURED_CHECK(thole_stop(5000) == 0);
    return 0;
}

THL_TEST(deadly, arena_cannot_be_cut_by_another_process)
{
    struct captured c;

    captured_run(&c, have_its_arena_cut, NULL);
    cr_expect_eq(c.failed_line, 0, "line %d: %s", c.failed_line, c.err);
}
