/* SPDX-License-Identifier: MIT */
/* Whose a number is: identity, access and owner. */
#include "test.h"

#include <sys/resource.h>
#include <sys/wait.h>

#include "../../sinks/descriptor.h"
#include "sink_kit.h"

extern const struct thole_sink_ops thl_sink_file;

static const struct thole_sink_ops *const ops = &thl_sink_file;

static struct thl_descriptor
adopt(const char *path, int flags)
{
    struct thl_descriptor d;
    int fd = open(path, flags | O_CREAT | O_CLOEXEC, 0600);
    cr_assert_eq(thl_descriptor_adopt(&d, fd), 0);
    return d;
}

static bool
is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static unsigned
count_links(const char *path)
{
    unsigned n = 0;
    struct stat want, st;
    cr_assert_eq(stat(path, &want), 0);
    for (int fd = 3; fd < 256; fd++)
        n += fstat(fd, &st) == 0 && st.st_dev == want.st_dev && st.st_ino == want.st_ino;
    return n;
}

/* Numbers go round: so often until the wanted one comes. */
static struct thl_descriptor
adopt_as(int number, const char *path, int flags)
{
    for (unsigned i = 0; i < 100; i++) {
        struct thl_descriptor d = adopt(path, flags);
        if (d.fd == number)
            return d;
        thl_descriptor_close(&d);
    }
    cr_assert_fail("number %d does not come back", number);
    return (struct thl_descriptor){.fd = -1};
}

THL_TEST(sink_descriptor, is_moved_up_and_closed_at_exec)
{
    const char *folder = make_folder(), *path = path_in(folder, "a");
    struct thl_descriptor d = adopt(path, O_WRONLY);

    cr_expect_geq(d.fd, 40);
    cr_expect_eq(fcntl(d.fd, F_GETFD), FD_CLOEXEC);
    cr_expect(thl_descriptor_is_ours(&d));
    cr_expect_eq(count_links(path), 1u, "the low number is closed");
    thl_descriptor_close(&d);
    cr_expect_eq(d.fd, -1);
    cr_expect_not(thl_descriptor_is_ours(&d));
    cr_expect_eq(count_links(path), 0u);
    remove_folder(folder);
}

THL_TEST(sink_descriptor, same_file_opened_by_the_daemon_in_another_way_is_not_ours)
{
    const char *folder = make_folder(), *path = path_in(folder, "a");
    struct thl_descriptor d = adopt(path, O_WRONLY | O_APPEND);
    int fd = d.fd;

    steal_for(fd, open(path, O_RDONLY | O_CLOEXEC));
    cr_expect_not(thl_descriptor_is_ours(&d));
    thl_descriptor_close(&d);
    cr_expect(is_open(fd), "somebody else's was closed");
    close(fd);
    remove_folder(folder);
}

THL_TEST(sink_descriptor, number_that_another_owner_has_for_the_same_file_is_left_alone)
{
    const char *folder = make_folder(), *path = path_in(folder, "a");
    struct thl_descriptor first = adopt(path, O_WRONLY);

    close(first.fd); /* the daemon's closefrom */
    struct thl_descriptor second = adopt_as(first.fd, path, O_WRONLY);
    cr_expect_not(thl_descriptor_is_ours(&first));
    cr_expect(thl_descriptor_is_ours(&second));
    thl_descriptor_close(&first);
    cr_expect(is_open(second.fd), "the second owner's was closed");
    cr_expect(thl_descriptor_is_ours(&second));
    struct thl_descriptor copy = second;
    thl_descriptor_close(&second);
    struct thl_descriptor third = adopt_as(copy.fd, path, O_WRONLY);
    thl_descriptor_close(&copy);
    cr_expect(thl_descriptor_is_ours(&third), "closed twice, the second time it was the third's");
    thl_descriptor_close(&third);
    cr_expect_eq(count_links(path), 0u);
    remove_folder(folder);
}

/* Identity decides where the table ends. */
THL_TEST(sink_descriptor, numbers_above_the_table_are_closed_all_the_same)
{
    const char *folder = make_folder(), *path = path_in(folder, "a");
    struct thl_descriptor d = adopt(path, O_WRONLY);
    struct thl_descriptor high = d;
    struct rlimit files;

    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &files), 0);
    files.rlim_cur = files.rlim_max;
    cr_assert_eq(setrlimit(RLIMIT_NOFILE, &files), 0);
    int fd = high.fd = fcntl(d.fd, F_DUPFD_CLOEXEC, 1 << 14);
    if (fd >= 0) {
        cr_expect(thl_descriptor_is_ours(&high));
        thl_descriptor_close(&high);
        cr_expect_not(is_open(fd));
    }
    thl_descriptor_close(&d);
    remove_folder(folder);
    if (fd < 0)
        cr_skip_test("no such number here");
}

THL_TEST(sink_descriptor, forked_process_owns_its_copy)
{
    const char *folder = make_folder(), *path = path_in(folder, "a");
    struct thl_descriptor d = adopt(path, O_WRONLY);
    int status = -1;
    pid_t pid = fork();

    if (pid == 0) {
        int fd = d.fd;
        bool ours = thl_descriptor_is_ours(&d);
        thl_descriptor_close(&d);
        _exit(ours && !is_open(fd) ? 0 : 1);
    }
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_expect_eq(status, 0);
    cr_expect(thl_descriptor_is_ours(&d), "what the child closed is the child's");
    thl_descriptor_close(&d);
    cr_expect_eq(count_links(path), 0u);
    remove_folder(folder);
}

/* ---- the same with two states of one target ---- */

/* A state of the same file whose descriptor has this number. */
static void *
open_as(int number, const char *path)
{
    for (unsigned i = 0; i < 100; i++) {
        void *sink = must_open(ops, path);
        if (find_fd(path) == number)
            return sink;
        ops->close(sink);
    }
    cr_assert_fail("number %d does not come back", number);
    return NULL;
}

THL_TEST(sink_descriptor, late_write_of_a_state_left_alone_goes_by_a_descriptor_of_its_own)
{
    const char *folder = make_folder(), *path = path_in(folder, "a");
    void *first = must_open(ops, path);
    int number = find_fd(path);

    close(number);
    void *second = open_as(number, path);
    cr_expect_eq(write_text(ops, first, "first\n"), 0);
    cr_expect_eq(count_links(path), 2u, "it wrote by the second's");
    ops->close(first);
    cr_expect_eq(find_fd(path), number);
    cr_expect_eq(write_text(ops, second, "second\n"), 0);
    cr_expect_eq(find_fd(path), number, "the second had to open anew");
    expect_file(path, "first\nsecond\n");
    ops->close(second);
    cr_expect_eq(count_links(path), 0u);
    remove_folder(folder);
}

THL_TEST(sink_descriptor, late_close_of_a_state_left_alone_closes_nobody_elses)
{
    const char *folder = make_folder(), *path = path_in(folder, "a");
    void *first = must_open(ops, path);
    int number = find_fd(path);

    close(number);
    void *second = open_as(number, path);
    ops->close(first);
    cr_expect_eq(find_fd(path), number, "the second's was closed");
    cr_expect_eq(write_text(ops, second, "second\n"), 0);
    expect_file(path, "second\n");
    ops->close(second);
    cr_expect_eq(count_links(path), 0u);
    remove_folder(folder);
}
