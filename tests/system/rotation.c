/* SPDX-License-Identifier: MIT */
/* Rotation while others are at the same file: processes that rotate it, too, and logrotate. */
#include "test.h"
#include "observe.h"

#include "captured.h"
#include "folder.h"
#include "kept.h"
#include "rotated.h"
#include "whole_program.h"

#include <errno.h>
#include <linux/fs.h>
#include <pthread.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <thole/test.h>
#include <thole/thole.h>

enum {
    PROCESSES = 4,
    OF_A_PROCESS = 5000, /* records: programs/appender.c */
    THREADS = 4,
    ROUNDS = 20,   /* of logrotate */
    A_FILE = 1000, /* records that fill a file of our own rotation */
    A_ROUND = 600, /* records of each thread */
    OF_A_THREAD = ROUNDS * A_ROUND,
    PATIENCE_MS = 20000
};

static const thole_logger root = {0};

/* ---- several processes ---- */

/* Runs them at the same time, until all have ended well. */
static void
run_appenders(const char *sinks)
{
    struct program p[PROCESSES];
    char source[PROCESSES][2];
    int gate[2], own_input = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);

    cr_assert_eq(pipe2(gate, O_CLOEXEC), 0);
    cr_assert_eq(dup2(gate[0], STDIN_FILENO), STDIN_FILENO);
    for (int i = 0; i < PROCESSES; i++) {
        snprintf(source[i], sizeof(source[i]), "%d", i);
        program_begin(&p[i], "THOLE_TEST_APPENDER", "append", sinks, source[i], NULL);
    }
    close(gate[0]);
    close(gate[1]);
    if (own_input >= 0) {
        dup2(own_input, STDIN_FILENO);
        close(own_input);
    } else {
        close(STDIN_FILENO);
    }
    for (int i = 0; i < PROCESSES; i++) {
        program_end(&p[i]);
        cr_expect_eq(p[i].status, 0, "%d: %s", p[i].status, p[i].err);
        program_forget(&p[i]);
    }
}

static void
expect_each_once(void)
{
    char *text = rotated_read_all();
    struct kept k = kept_read(text);

    for (int i = 0; i < PROCESSES; i++)
        kept_expect_all(&k, i, OF_A_PROCESS);
    cr_expect_eq(k.others, 0u);
    free(text);
}

THL_TEST(rotation, processes_append_to_one_file_and_never_interleave)
{
    char sinks[128];

    folder_make();
    snprintf(sinks, sizeof(sinks), "file:%s/a.log", folder);
    run_appenders(sinks);
    expect_each_once();
    folder_remove();
}

THL_TEST(rotation, processes_that_rotate_one_file_write_each_record_once_and_in_order)
{
    char sinks[128];

    folder_make();
    snprintf(sinks, sizeof(sinks), "file:%s/a.log?rotate=16K&keep=1000", folder);
    run_appenders(sinks);
    expect_each_once();
    cr_expect_gt(rotated_list()->n, 20u);
    folder_remove();
}

THL_TEST(rotation, processes_keep_the_newest_files_and_what_is_left_has_no_gap)
{
    char sinks[128];
    size_t kept = 0;

    folder_make();
    snprintf(sinks, sizeof(sinks), "file:%s/a.log?rotate=16K&keep=9", folder);
    run_appenders(sinks);
    cr_expect_eq(rotated_list()->n, 9u);
    char *text = rotated_read_all();
    for (int i = 0; i < PROCESSES; i++) {
        char mark[64];
        long first = -1, n = 0;
        int size = snprintf(mark, sizeof(mark), "\"msg\":\"kept\",\"t\":%d,\"i\":", i);
        for (char *at = strstr(text, mark); at; at = strstr(at + 1, mark), n++) {
            long number = strtol(at + size, NULL, 10);
            first = n == 0 ? number : first;
            cr_assert_eq(number, first + n, "source %d", i);
        }
        if (n > 0)
            cr_expect_eq(first + n, (long)OF_A_PROCESS, "source %d: the last is there", i);
        kept += (size_t)n;
    }
    cr_expect_gt(kept, 500u);
    free(text);
    folder_remove();
}

/* ---- logrotate ---- */

static const char *
find_logrotate(void)
{
    static const char *const paths[] = {"/usr/sbin/logrotate", "/usr/bin/logrotate",
                                        "/sbin/logrotate"};

    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
        if (access(paths[i], X_OK) == 0)
            return paths[i];
    return NULL;
}

/* Where the file system cannot exchange names there is no a.log between the two steps of a
 * rotation, which logrotate takes amiss. */
static bool
can_exchange(void)
{
    close(open(folder_path("x"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    close(open(folder_path("y"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    return syscall(SYS_renameat2, AT_FDCWD, folder_path("x"), AT_FDCWD, folder_path("y"),
                   RENAME_EXCHANGE) == 0;
}

static void
need_logrotate(void)
{
    const char *lacks = !find_logrotate() ? "logrotate is not installed"
                        : !can_exchange() ? "the file system cannot exchange names"
                                          : NULL;

    if (!lacks)
        return;
    folder_remove();
    cr_skip_test("%s", lacks);
}

static void
write_rules(const char *how)
{
    char rules[512];
    int n = snprintf(rules, sizeof(rules), "%s/a.log {\n rotate 1000\n missingok\n %s\n}\n", folder,
                     how);
    int fd = open(folder_path("rules"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    cr_assert(fd >= 0 && write(fd, rules, (size_t)n) == n);
    close(fd);
}

static void
run_logrotate(void)
{
    const char *path = find_logrotate();
    const char *args[] = {path, "-f", "-s", folder_path("state"), folder_path("rules"), NULL};
    char *none[] = {NULL};
    pid_t pid;
    int status = -1;

    cr_assert_eq(posix_spawn(&pid, path, NULL, NULL, (char *const *)args, none), 0);
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert_eq(status, 0);
}

static pthread_barrier_t round_begins, round_ends;

static void *
log_in_rounds(void *arg)
{
    int source = (int)(intptr_t)arg;

    for (int round = 0, i = 0; round < ROUNDS; round++) {
        pthread_barrier_wait(&round_begins);
        for (int end = i + A_ROUND; i < end; i++) {
            thole_info(root, "kept", "t", source, "i", i);
            if (i % 20 == 0)
                (void)thole_flush(PATIENCE_MS);
        }
        pthread_barrier_wait(&round_ends);
    }
    return NULL;
}

/* Each round: the threads log while logrotate runs, `runs` times; after each the look at the path
 * that is due once a second is due. Then a file is filled while it rests: however the two shared
 * the work before, our own rotation has its part. */
static void
log_beside_logrotate(const char *how, int runs)
{
    struct thole_options opt = {.size = sizeof(opt), .limits = "queue=16M"};
    pthread_t thread[THREADS];
    char sinks[128];

    write_rules(how);
    snprintf(sinks, sizeof(sinks), "file:%s/a.log?rotate=64K&keep=1000", folder);
    opt.sinks = sinks;
    cr_assert_eq(thole_start(&opt), 0);
    thole_test_set_clock(INT64_C(1800000000000000000));
    pthread_barrier_init(&round_begins, NULL, THREADS + 1);
    pthread_barrier_init(&round_ends, NULL, THREADS + 1);
    for (int i = 0; i < THREADS; i++)
        cr_assert_eq(pthread_create(&thread[i], NULL, log_in_rounds, (void *)(intptr_t)i), 0);
    for (int round = 0; round < ROUNDS; round++) {
        pthread_barrier_wait(&round_begins);
        for (int i = 1; i < runs; i++) {
            run_logrotate();
            thole_test_advance_clock(INT64_C(1100000000));
        }
        run_logrotate();
        pthread_barrier_wait(&round_ends);
        thole_test_advance_clock(INT64_C(1100000000));
        for (int i = 0; i < A_FILE; i++)
            thole_info(root, "round");
        cr_assert_eq(thole_flush(PATIENCE_MS), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    cr_assert_eq(thole_stop(PATIENCE_MS), 0);
    thole_test_release_clock();
}

static unsigned char times[THREADS][OF_A_THREAD]; /* that each record was found */

static void
count_line(const char *line)
{
    const char *mark = strstr(line, "\"msg\":\"kept\",\"t\":");
    char *end;

    if (!mark)
        return;
    long source = strtol(mark + 17, &end, 10), number = strtol(end + 5, &end, 10);
    cr_assert(source >= 0 && source < THREADS && number >= 0 && number < OF_A_THREAD, "%s", line);
    times[source][number]++;
}

/* Counts the records of a file, whose last line may be torn when `copy`. */
static void
count_file(const char *name, bool copy)
{
    char *text = folder_read(name), *end;

    for (char *line = text; *line; line = end + 1) {
        end = strchrnul(line, '\n');
        bool whole = *end == '\n' && kept_is_whole_line(line, (size_t)(end - line));
        if (!whole) {
            cr_assert(copy && *end == '\0', "%s: a torn line: %.*s", name, (int)(end - line), line);
            break;
        }
        *end = '\0';
        count_line(line);
    }
    free(text);
}

/* "a.log.17", as logrotate names them. */
static bool
is_logrotates(const char *name)
{
    return strlen(name) < 11;
}

/* Returns how many files are logrotate's. */
static size_t
count_all(bool copies)
{
    const struct rotated *l = rotated_list();
    size_t n = 0;

    for (size_t i = 0; i < l->n; i++) {
        count_file(l->name[i], copies && is_logrotates(l->name[i]));
        n += is_logrotates(l->name[i]);
    }
    cr_expect_geq(l->n - n, (size_t)ROUNDS, "our own rotation");
    count_file("a.log", false);
    return n;
}

static void
expect_logrotate_loses_nothing(const char *how, int runs)
{
    folder_make();
    need_logrotate();
    log_beside_logrotate(how, runs);
    cr_expect_geq(count_all(false), (size_t)ROUNDS, "each round moved a file");
    for (int t = 0; t < THREADS; t++)
        for (int i = 0; i < OF_A_THREAD; i++)
            cr_assert_eq(times[t][i], 1, "record %d of %d is there %d times", i, t, times[t][i]);
    folder_remove();
}

THL_TEST(rotation, logrotate_that_moves_the_file_at_the_same_time_costs_no_record)
{
    expect_logrotate_loses_nothing("nocreate", 4);
}

THL_TEST(rotation, logrotate_that_moves_and_makes_the_file_costs_no_record)
{
    expect_logrotate_loses_nothing("create", 1);
}

/* Its manual: what is written between the copy and the cut may be lost. That is one gap in each
 * thread's records for each copy. */
THL_TEST(rotation, logrotate_that_copies_and_cuts_loses_what_it_documents_and_doubles_nothing)
{
    folder_make();
    need_logrotate();
    log_beside_logrotate("copytruncate", 1);
    size_t copies = count_all(true);
    cr_expect_eq(copies, (size_t)ROUNDS);
    for (int t = 0; t < THREADS; t++) {
        size_t gaps = 0, missing = 0;
        for (int i = 0; i < OF_A_THREAD; i++) {
            cr_assert_leq(times[t][i], 1, "record %d of %d is there twice", i, t);
            missing += times[t][i] == 0;
            gaps += times[t][i] == 0 && (i == 0 || times[t][i - 1] == 1);
        }
        cr_expect_leq(gaps, copies);
        cr_expect_lt(missing, (size_t)OF_A_THREAD / 2);
        cr_log_info("thread %d: %zu records in %zu gaps", t, missing, gaps);
    }
    folder_remove();
}

/* ---- a path that cannot be opened ---- */

static size_t
count_in_file(const char *name, const char *part)
{
    char *text = folder_read(name);
    size_t n = captured_count(text, part);

    free(text);
    return n;
}

THL_TEST(rotation, reopen_of_a_path_that_cannot_be_opened_keeps_the_old_file_and_says_so)
{
    struct thole_options opt = {.size = sizeof(opt)};
    char sinks[128];

    folder_make();
    snprintf(sinks, sizeof(sinks), "file:%s/a.log?reopen=call", folder);
    opt.sinks = sinks;
    cr_assert_eq(thole_start(&opt), 0);
    cr_assert_eq(rename(folder_path("a.log"), folder_path("moved")), 0);
    cr_assert_eq(mkdir(folder_path("a.log"), 0700), 0);
    thole_reopen();
    thole_info(root, "to the old file");
    cr_assert_eq(thole_flush(PATIENCE_MS), 0);
    cr_expect_eq(count_in_file("moved", "\"msg\":\"to the old file\""), 1u);
    cr_assert_eq(rmdir(folder_path("a.log")), 0);
    thole_reopen();
    thole_info(root, "to the new one");
    cr_assert_eq(thole_flush(PATIENCE_MS), 0);
    cr_expect_eq(count_in_file("a.log", "\"msg\":\"to the new one\""), 1u);
    cr_assert_eq(thole_stop(PATIENCE_MS), 0);
    cr_expect_eq(count_in_file("moved", "\"msg\":\"sink reopen failed\"") +
                     count_in_file("a.log", "\"msg\":\"sink reopen failed\""),
                 1u);
    cr_expect_eq(count_in_file("a.log", "\"msg\":\"sink reopened\""), 1u);
    folder_remove();
}

/* ---- days ---- */

THL_TEST(rotation, daily_goes_by_the_time_that_records_bear)
{
    const int64_t second = 1000000000, midnight = INT64_C(1795392000) * second; /* 2026-11-23 */
    struct thole_options opt = {.size = sizeof(opt)};
    char sinks[128];

    folder_make();
    snprintf(sinks, sizeof(sinks), "file:%s/a.log?rotate=daily", folder);
    opt.sinks = sinks;
    thole_test_set_clock(midnight - second);
    cr_assert_eq(thole_start(&opt), 0);
    thole_info(root, "on the twenty-second");
    thole_info(root, "on the twenty-second");
    thole_test_advance_clock(second);
    thole_info(root, "on the twenty-third");
    thole_test_set_clock(midnight - 1); /* late, as of another thread: it stays */
    thole_info(root, "on the twenty-second, late");
    thole_test_set_clock(midnight + 1);
    thole_info(root, "on the twenty-third");
    cr_assert_eq(thole_flush(PATIENCE_MS), 0);
    const struct rotated *l = rotated_list();
    cr_assert_eq(l->n, 1u);
    cr_expect_eq(count_in_file(l->name[0], "on the twenty-second\""), 2u);
    cr_expect_eq(count_in_file(l->name[0], "\n"), 2u);
    cr_expect_eq(count_in_file("a.log", "on the twenty-third"), 2u);
    cr_expect_eq(count_in_file("a.log", "late"), 1u);
    thole_test_advance_clock(26 * 3600 * second);
    thole_info(root, "on the twenty-fourth");
    cr_assert_eq(thole_stop(PATIENCE_MS), 0);
    cr_expect_eq(rotated_list()->n, 2u);
    cr_expect_eq(count_in_file("a.log", "on the twenty-fourth"), 1u);
    folder_remove();
}
