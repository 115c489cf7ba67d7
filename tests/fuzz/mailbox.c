/* SPDX-License-Identifier: MIT */
/*
 * Claim: whatever another process writes into the mailbox, the daemon goes on: it answers the next
 * letter that is in order, loses no record, and its ledger adds up.
 *
 *     mailbox [COUNT]       how many times the mailbox is filled with garbage; default 100000
 *
 * A second process maps the mailbox as an observer does, and fills it: letters that are nearly in
 * order, rules with a few bytes changed, random bytes; rings; and waits until the daemon has looked
 * at all of them. Every tenth time it goes on writing while the daemon looks. Seeds are fixed.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <thole/thole.h>
#include <unistd.h>

#include "arena_layout.h"
#include "check.h"
#include "random.h"

#define WATCHDOG_S 600
#define STALL_MS 20000 /* without an answer for so long the daemon is taken for dead */

/* ---- the observer ---- */

static struct thl_arena_mailbox *
map_mailbox(int fd)
{
    struct thl_arena_header h;
    CHECK(pread(fd, &h, sizeof(h), 0) == (ssize_t)sizeof(h) && h.magic == THL_ARENA_MAGIC);
    void *p =
        mmap(NULL, THL_ARENA_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)h.mailbox.offset);
    CHECK(p != MAP_FAILED);
    return p;
}

static void
ring(struct thl_arena_mailbox *m)
{
    atomic_fetch_add_explicit(&m->bell, 1, memory_order_seq_cst);
    syscall(SYS_futex, &m->bell, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static bool
is_asked(struct thl_arena_mailbox *m)
{
    for (unsigned i = 0; i < THL_ARENA_LETTERS; i++)
        if (atomic_load_explicit(&m->letter[i].state, memory_order_acquire) == THL_ARENA_ASKED)
            return true;
    return false;
}

/* Waits for one letter's state to change from ASKED, in the kernel. */
static void
await(struct thl_arena_mailbox *m)
{
    struct timespec stall = {STALL_MS / 1000, 0};
    for (unsigned i = 0; i < THL_ARENA_LETTERS; i++)
        while (atomic_load_explicit(&m->letter[i].state, memory_order_acquire) == THL_ARENA_ASKED)
            CHECK(syscall(SYS_futex, &m->letter[i].state, FUTEX_WAIT, THL_ARENA_ASKED, &stall, NULL,
                          0) == 0 ||
                  errno == EAGAIN || errno == EINTR);
}

static void
write_text(char *text, size_t size)
{
    static const char *const rules[] = {
        "debug", "net=trace", "net.conn{peer=10.0.0.0/8}=trace", "a{b=\"c,}\",d=1}=off", "=,{}\"",
    };
    const char *rule = rules[next_random() % (sizeof(rules) / sizeof(rules[0]))];
    memset(text, 0, size);
    memcpy(text, rule, strlen(rule));
    for (unsigned n = (unsigned)(next_random() % 4); n > 0; n--)
        text[next_random() % 32] = (char)next_random();
    if (next_random() % 8 == 0)
        for (size_t i = 0; i < size; i++)
            text[i] = (char)next_random();
}

static void
write_letter(struct thl_arena_letter *letter)
{
    static const uint32_t asks[] = {THL_ARENA_ASK_TABLES, THL_ARENA_ASK_LEVEL, THL_ARENA_ASK_CLEAR,
                                    0, UINT32_MAX};
    letter->ask = next_random() % 16 ? asks[next_random() % 5] : (uint32_t)next_random();
    letter->number = next_random() % 4 ? next_random() % 50 : next_random();
    letter->answer = (int32_t)next_random();
    write_text(letter->text, sizeof(letter->text));
    atomic_store_explicit(&letter->claimed_s, (uint32_t)next_random(), memory_order_relaxed);
    uint32_t state = next_random() % 4 ? THL_ARENA_ASKED : (uint32_t)next_random();
    atomic_store_explicit(&letter->state, state, memory_order_release);
}

/* Over whatever the daemon is reading at this moment. */
static void
scribble(struct thl_arena_mailbox *m)
{
    unsigned char *bytes = (unsigned char *)m;
    for (int i = 0; i < 2000; i++)
        bytes[sizeof(m->bell) + next_random() % (sizeof(*m) - sizeof(m->bell))] =
            (unsigned char)next_random();
    for (unsigned i = 0; i < THL_ARENA_LETTERS; i++)
        atomic_store_explicit(&m->letter[i].state, THL_ARENA_FREE, memory_order_release);
}

static void
attack(struct thl_arena_mailbox *m, unsigned long count)
{
    for (unsigned long n = 0; n < count; n++) {
        for (unsigned i = 0; i < THL_ARENA_LETTERS; i++)
            write_letter(&m->letter[i]);
        ring(m);
        if (n % 10 == 9)
            scribble(m);
        await(m);
    }
}

/* A letter in order, as the program sends them. */
static int
ask(struct thl_arena_mailbox *m, uint32_t what, const char *text, uint64_t number, char *said)
{
    struct thl_arena_letter *letter = &m->letter[0];
    memset(m->letter, 0, sizeof(m->letter));
    letter->ask = what;
    letter->number = number;
    snprintf(letter->text, sizeof(letter->text), "%s", text);
    atomic_store_explicit(&letter->state, THL_ARENA_ASKED, memory_order_release);
    ring(m);
    await(m);
    CHECK(atomic_load_explicit(&letter->state, memory_order_acquire) == THL_ARENA_ANSWERED);
    memcpy(said, letter->text, sizeof(letter->text));
    return letter->answer;
}

static void
check_answers(struct thl_arena_mailbox *m)
{
    char said[448];
    CHECK(ask(m, THL_ARENA_ASK_TABLES, "", 0, said) == 0);
    CHECK(ask(m, THL_ARENA_ASK_LEVEL, "net=debgu", 1000, said) == -EINVAL);
    CHECK(strstr(said, "did you mean \"debug\"?") != NULL);
    CHECK(ask(m, THL_ARENA_ASK_LEVEL, "net=debug", 0, said) == -ERANGE);
    CHECK(ask(m, 77, "", 0, said) == -ENOTSUP);
    CHECK(!is_asked(m));
}

static int
observe(int fd, unsigned long count)
{
    struct thl_arena_mailbox *m = map_mailbox(fd);
    check_answers(m);
    attack(m, count);
    check_answers(m);
    return 0;
}

/* ---- the daemon ---- */

static int
find_arena(void)
{
    char path[64], link[128];
    for (int fd = 3; fd < 256; fd++) {
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        ssize_t n = readlink(path, link, sizeof(link) - 1);
        link[n < 0 ? 0 : n] = '\0';
        if (strncmp(link, "/memfd:" THL_ARENA_NAME, sizeof("/memfd:" THL_ARENA_NAME) - 1) == 0)
            return fd;
    }
    return -1;
}

static _Atomic bool stopping;

static void *
log_on(void *arg)
{
    uint64_t *logged = arg;
    thole_logger conn;
    thole_child(&conn, thole_get("net.conn"), "conn", 17, "peer", "10.0.0.7:4123");
    while (!atomic_load_explicit(&stopping, memory_order_relaxed)) { /* a hint */
        thole_error(conn, "on", "n", *logged);
        ++*logged;
        (void)poll(NULL, 0, 1); /* a daemon that is alive, not a flood */
    }
    thole_unref(&conn);
    return NULL;
}

/* The notices about levels are routed, too. */
static void
check_ledger(uint64_t logged)
{
    struct thole_stats s = {.size = sizeof(s)};
    CHECK(thole_flush(STALL_MS) == 0);
    thole_stats(&s);
    CHECK(s.called == s.routed && s.dropped == 0 && s.queued == 0 && s.called >= logged);
    CHECK(s.sink[0].offered == s.sink[0].written && s.sink[0].written == s.called);
    printf("%llu records, of which %llu were logged beside it\n", (unsigned long long)s.called,
           (unsigned long long)logged);
}

int
main(int argc, char **argv)
{
    unsigned long count = argc > 1 ? strtoul(argv[1], NULL, 10) : 100000;
    uint64_t logged = 0;
    pthread_t thread;
    int ready[2], status;
    char go;
    alarm(WATCHDOG_S);
    setenv("THOLE_SINKS", "null:", 1);
    CHECK(pipe(ready) == 0);
    pid_t parent = getpid(), child = fork(); /* before there are threads */
    if (child == 0) {
        char path[64];
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        CHECK(read(ready[0], &go, 1) == 1);
        snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)parent, go);
        int fd = open(path, O_RDWR | O_CLOEXEC);
        CHECK(fd >= 0);
        _exit(observe(fd, count));
    }
    CHECK(thole_start(NULL) == 0);
    CHECK(pthread_create(&thread, NULL, log_on, &logged) == 0);
    int arena = find_arena();
    if (arena < 0)
        return printf("no arena that others can find\n"), 77;
    go = (char)arena;
    CHECK(write(ready[1], &go, 1) == 1);
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    atomic_store_explicit(&stopping, true, memory_order_relaxed);
    CHECK(pthread_join(thread, NULL) == 0);
    check_ledger(logged);
    printf("%lu fillings\n", count);
    return thole_stop(STALL_MS) == 0 ? 0 : 1;
}
