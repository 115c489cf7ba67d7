/* SPDX-License-Identifier: MIT */
/*
 * Claim: an observer whose letter was another's before, given up while the writer was at work for
 * it, is told the truth about its own; while levels reach many children the writer goes on with
 * records, and a process that is forked meanwhile does not wait for as long as a fork may.
 *
 * usage: answers [MILLISECONDS]
 */
#include "check.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "arena_layout.h"

#define CHILDREN 40000
#define FORKS 30
#define FORK_MS 90 /* less than a fork waits for a lock that it cannot have */

static thole_logger children[CHILDREN];
static struct thl_arena_mailbox *box;
static _Atomic bool over;

/* ---- an observer of this process ---- */

static void
map_mailbox(void)
{
    char path[300], target[64];
    struct dirent *entry;
    struct stat st;
    DIR *dir = opendir("/proc/self/fd");
    CHECK(dir);
    while (!box && (entry = readdir(dir)) != NULL) {
        snprintf(path, sizeof(path), "/proc/self/fd/%s", entry->d_name);
        ssize_t n = readlink(path, target, sizeof(target) - 1);
        if (n < 0 || strncmp(target, "/memfd:" THL_ARENA_NAME, 7 + sizeof(THL_ARENA_NAME) - 1) != 0)
            continue;
        int fd = open(path, O_RDWR | O_CLOEXEC);
        CHECK(fd >= 0 && fstat(fd, &st) == 0);
        unsigned char *p =
            mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        CHECK(p != MAP_FAILED);
        box = (void *)(p + ((struct thl_arena_header *)(void *)p)->mailbox.offset);
        close(fd);
    }
    closedir(dir);
    CHECK(box);
}

static void
ask(struct thl_arena_letter *l, enum thl_arena_ask ask, uint64_t number, const char *text)
{
    CHECK(atomic_load(&l->state) == THL_ARENA_FREE);
    l->ask = ask;
    l->number = number;
    snprintf(l->text, sizeof(l->text), "%s", text);
    atomic_store(&l->state, THL_ARENA_ASKED);
    atomic_fetch_add(&box->bell, 1);
    syscall(SYS_futex, &box->bell, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

static int
await(struct thl_arena_letter *l)
{
    int64_t until = mono_ms() + 20000;
    struct timespec slice = {0, 10000000};
    while (atomic_load(&l->state) == THL_ARENA_ASKED) {
        CHECK(mono_ms() < until);
        syscall(SYS_futex, &l->state, FUTEX_WAIT, THL_ARENA_ASKED, &slice, NULL, 0);
    }
    int answer = l->answer;
    atomic_store(&l->state, THL_ARENA_FREE);
    return answer;
}

/* ---- claims ---- */

/* The first asks for tables and gives up at some moment; the second asks for a level. */
static void
check_truth(int64_t until)
{
    static const char *const texts[] = {"x=trace", "x=debug", "x=warn", "x=error"};
    static const enum thole_level levels[] = {THOLE_TRACE, THOLE_DEBUG, THOLE_WARN, THOLE_ERROR};
    struct thl_arena_letter *l = &box->letter[0];
    thole_logger x = thole_get("x");
    unsigned seed = 1, told = 0;
    for (unsigned i = 0; mono_ms() < until; i++) {
        uint32_t asked = THL_ARENA_ASKED;
        ask(l, THL_ARENA_ASK_TABLES, 0, "");
        seed = seed * 1664525u + 1013904223u;
        for (_Atomic unsigned spin = (seed >> 8) % 200000; spin > 0; spin--)
            ;
        if (!atomic_compare_exchange_strong(&l->state, &asked, THL_ARENA_FREE)) {
            await(l);
            continue;
        }
        ask(l, THL_ARENA_ASK_LEVEL, 500, texts[i % 4]);
        int rc = await(l);
        CHECK(rc == 0 || rc == -ENOSPC);
        CHECK(rc < 0 || thole_get_level(x) == levels[i % 4]);
        told += rc == 0;
    }
    CHECK(told > 0);
}

/* A flush that was asked for after the letter comes back before the answer. The rules of before end
 * meanwhile; until then there may be no room for this one. */
static void
check_that_records_go_on(void)
{
    struct thl_arena_letter *l = &box->letter[1];
    int64_t until = mono_ms() + 20000;
    unsigned seen = 0;
    while (seen == 0) {
        CHECK(mono_ms() < until);
        ask(l, THL_ARENA_ASK_LEVEL, 10, "net{conn=17}=trace");
        CHECK(thole_flush(20000) == 0);
        bool asked = atomic_load(&l->state) == THL_ARENA_ASKED;
        seen += await(l) == 0 && asked;
    }
}

static void *
ask_without_end(void *arg)
{
    while (!over) {
        ask(&box->letter[2], THL_ARENA_ASK_LEVEL, 10, "net{conn=18}=trace");
        await(&box->letter[2]);
    }
    return arg;
}

static void
check_forks(void)
{
    pthread_t thread;
    unsigned quick = 0;
    CHECK(pthread_create(&thread, NULL, ask_without_end, NULL) == 0);
    for (unsigned i = 0; i < FORKS; i++) {
        int64_t begin = mono_ms();
        pid_t pid = fork();
        CHECK(pid >= 0);
        if (pid == 0)
            _exit(0);
        quick += mono_ms() - begin < FORK_MS;
        CHECK(waitpid(pid, NULL, 0) == pid);
    }
    over = true;
    pthread_join(thread, NULL);
    CHECK(quick > FORKS / 2);
}

int
main(int argc, char **argv)
{
    int64_t until = mono_ms() + duration_ms(argc, argv, 4000);
    thole_logger net;
    start_with("null:", "children=65536");
    map_mailbox();
    net = thole_get("net");
    for (int i = 0; i < CHILDREN; i++)
        thole_child(&children[i], net, "conn", i);
    check_truth(until);
    check_that_records_go_on();
    if (!UNDER_TSAN) /* it has no forks from threads */
        check_forks();
    for (int i = 0; i < CHILDREN; i++)
        thole_unref(&children[i]);
    CHECK(thole_stop(10000) == 0);
    return 0;
}
