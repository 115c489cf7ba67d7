/* SPDX-License-Identifier: MIT */
/* A disk that fills and is freed: whole lines only, each loss counted and said, no help needed. */
#include "test.h"
#include "observe.h"

#include "captured.h"
#include "folder.h"
#include "kept.h"
#include "rotated.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <thole/test.h>
#include <thole/thole.h>

enum { RECORDS = 100000, BURST = 100, FILLINGS = 3, MIB = 1 << 20, PATIENCE_MS = 20000 };

static const thole_logger root = {0};
static int offered;
static size_t rotations;

/* A disk of `mib` in the folder, which nobody else sees; false where that is not permitted. */
static bool
mount_disk(int mib)
{
    char options[32];

    snprintf(options, sizeof(options), "size=%dm", mib);
    return unshare(CLONE_NEWNS) == 0 &&
           mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("tmpfs", folder, "tmpfs", 0, options) == 0;
}

static void
take_room(const char *name, int mib)
{
    int fd = open(folder_path(name), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    cr_assert(fd >= 0 && posix_fallocate(fd, 0, (off_t)mib * MIB) == 0);
    close(fd);
}

static void
log_burst(void)
{
    for (int i = 0; i < BURST && offered < RECORDS; i++, offered++)
        thole_info(root, "kept", "t", 0, "i", offered);
}

static uint64_t
count_free_bytes(void)
{
    struct statvfs st;

    cr_assert_eq(statvfs(folder, &st), 0);
    return (uint64_t)st.f_bavail * st.f_frsize;
}

/* Logs until records are dropped for want of room: as long as there is some, none are. */
static void
log_until_dropped(void)
{
    uint64_t before = take_stats().sink[0].dropped;

    while (count_free_bytes() > 64 * 1024) { /* several bursts' */
        log_burst();
        cr_assert_eq(thole_flush(PATIENCE_MS), 0);
    }
    cr_assert_eq(take_stats().sink[0].dropped, before);
    while (take_stats().sink[0].dropped == before) {
        cr_assert_lt(offered, (int)RECORDS, "the disk was never full");
        log_burst();
        (void)thole_flush(20);
    }
    for (int i = 0; i < 10; i++)
        log_burst(); /* and some more */
}

/* The disk has room again: what waits is written without being asked to. */
static void
await_recovery(void)
{
    int64_t end = now_ms() + PATIENCE_MS;

    while (thole_flush(100) != 0)
        cr_assert_lt(now_ms(), end, "it does not go on");
}

/* The sum of "count" over the notices of drops. */
static uint64_t
count_announced(const char *text)
{
    static const char mark[] = "\"msg\":\"records dropped\"";
    uint64_t sum = 0;

    for (const char *at = strstr(text, mark); at; at = strstr(at + 1, mark)) {
        const char *cause = strstr(at, "\"cause\":"), *count = strstr(at, "\"count\":");
        cr_assert(cause && count);
        cr_expect_eq(strncmp(cause, "\"cause\":\"no_space\"", 18), 0, "%.60s", cause);
        sum += strtoull(count + 8, NULL, 10);
    }
    return sum;
}

/* Drops are said once a second at most. */
static void
await_announcements(void)
{
    int64_t end = now_ms() + PATIENCE_MS;

    for (bool all = false; !all; (void)poll(NULL, 0, 20)) {
        cr_assert_lt(now_ms(), end, "not all drops are said");
        char *text = rotated_read_all();
        all = kept_read(text).all + count_announced(thole_test_lines()) >= RECORDS;
        free(text);
    }
    cr_assert_eq(thole_flush(PATIENCE_MS), 0);
}

static void
expect_valid_json(const char *of)
{
    char command[512];

    snprintf(command, sizeof(command),
             "python3 -c 'import json, glob; [json.loads(line) for name in glob.glob(\"%s/a.log*\")"
             " for line in open(name, \"rb\")]'",
             of);
    cr_expect_eq(system(command), 0);
}

/* Every record is in the file or among the drops that were said. A notice that found the queue full
 * is a drop as well, which no notice says: memory: has it. (It also has "sink down", which the sink
 * itself is not offered.) */
static void
expect_all_told(void)
{
    struct thole_stats s = take_stats();
    const struct thole_sink_stats *file = &s.sink[0];
    const char *notices = thole_test_lines();
    char *text = rotated_read_all();
    struct kept k = kept_read(text);
    size_t down = captured_count(notices, "\"msg\":\"sink down\"");
    uint64_t said = count_announced(notices);
    uint64_t unsaid = captured_count(notices, "\n") - down - k.others;

    cr_expect_eq(s.dropped, 0u);
    cr_expect_eq(file->pending, 0u);
    cr_expect_eq(file->offered, file->written + file->dropped);
    cr_expect_eq(k.all + k.others, file->written, "%zu lines", k.all + k.others);
    cr_expect(k.in_order, "none stands twice");
    cr_expect_eq(k.all + said, (uint64_t)RECORDS, "%zu written, %zu said", k.all, (size_t)said);
    cr_expect_eq(said + unsaid, file->dropped, "%zu notices", (size_t)unsaid);
    cr_expect_leq(file->dropped - file->cause[THOLE_NO_SPACE], unsaid);
    cr_expect_geq(down, (size_t)FILLINGS);
    cr_expect_eq(captured_count(notices, "\"msg\":\"sink recovered\""), down);
    free(text);
    expect_valid_json(folder);
}

static void
fill_and_free(const char *keys)
{
    static const char *const ballast[FILLINGS] = {"ballast.1", "ballast.2", "ballast.3"};
    struct thole_options opt = {.size = sizeof(opt), .limits = "queue=256K,overflow=block:20000"};
    char sinks[128];

    folder_make();
    if (!mount_disk(24)) {
        folder_remove();
        cr_skip_test("mounting a small tmpfs is not permitted: %s", strerror(errno));
    }
    take_room(ballast[0], 2);
    take_room(ballast[1], 2);
    take_room(ballast[2], 18);
    snprintf(sinks, sizeof(sinks), "file:%s/a.log%s memory:?level=notice", folder, keys);
    opt.sinks = sinks;
    cr_assert_eq(thole_start(&opt), 0);
    for (int i = 0; i < FILLINGS; i++) {
        log_until_dropped();
        cr_assert_eq(unlink(folder_path(ballast[i])), 0);
        await_recovery();
    }
    while (offered < RECORDS) {
        log_burst();
        cr_assert_eq(thole_flush(PATIENCE_MS), 0);
    }
    cr_assert_eq(thole_flush(PATIENCE_MS), 0);
    await_announcements();
    expect_all_told();
    rotations = rotated_list()->n;
    cr_expect_eq(thole_stop(PATIENCE_MS), 0);
    cr_assert_eq(umount(folder), 0);
    folder_remove();
}

THL_TEST(full_disk, filled_and_freed_three_times_leaves_whole_lines_and_tells_each_loss)
{
    fill_and_free("");
}

THL_TEST(full_disk, filled_and_freed_while_its_files_rotate_is_told_as_well)
{
    /* no power of two: else the disk is full when a file is, and no record in part */
    fill_and_free("?rotate=200K&keep=1000");
    cr_expect_gt(rotations, 20u);
}
