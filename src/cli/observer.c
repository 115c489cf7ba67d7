/* SPDX-License-Identifier: MIT */
/* One daemon under observation: its arena, its mailbox, and whether it still lives. */
#include "observer.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "clock.h"

#define SLICE_MS 100 /* how long the daemon's death can go unnoticed while we wait */
#define LETTER_NAP_MS 10
#define LOOK_MS 2000 /* until the tables are those that were asked for */

static int
open_mailbox(struct thl_observer *o)
{
    int rc = thl_mailbox_open(&o->mailbox, o->reader.fd, o->reader.header.mailbox.offset);
    if (rc == -EBADMSG)
        o->reader.fault = "is not sealed, so it is none of thole's";
    else if (rc < 0)
        o->reader.fault = "cannot be mapped";
    return rc;
}

int
thl_observer_open(struct thl_observer *o, pid_t pid)
{
    *o = (struct thl_observer){.pid = pid, .pidfd = -1};
    int rc = thl_find_arena(pid, &o->reader);
    if (rc == 0 && thl_arena_reader_is_stopped(&o->reader) == 1)
        rc = -ESHUTDOWN;
    if (rc == 0)
        rc = open_mailbox(o);
    if (rc < 0) {
        thl_arena_reader_close(&o->reader);
        return rc;
    }
#ifdef SYS_pidfd_open
    o->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
#endif
    return 0;
}

void
thl_observer_close(struct thl_observer *o)
{
    thl_mailbox_close(&o->mailbox);
    thl_arena_reader_close(&o->reader);
    if (o->pidfd >= 0)
        close(o->pidfd);
    o->pidfd = -1;
}

bool
thl_observer_is_gone(const struct thl_observer *o)
{
    struct pollfd ended = {.fd = o->pidfd, .events = POLLIN};
    if (o->pidfd < 0)
        return kill(o->pid, 0) < 0 && errno == ESRCH;
    return poll(&ended, 1, 0) == 1;
}

int
thl_observer_ask(struct thl_observer *o, enum thl_arena_ask ask, uint64_t number, const char *text)
{
    int64_t deadline = thl_clock_mono_ms() + THL_MAILBOX_TIMEOUT_MS;
    for (;;) {
        int rc = thl_mailbox_send(&o->mailbox, ask, number, text, &o->letter);
        if (rc != -EBUSY)
            return rc;
        if (thl_observer_is_gone(o))
            return -ESRCH;
        if (thl_clock_mono_ms() >= deadline)
            return -EBUSY;
        poll(NULL, 0, LETTER_NAP_MS);
    }
}

/* Why no answer came in this slice of time, if that is known. */
static int
explain_silence(struct thl_observer *o)
{
    if (thl_observer_is_gone(o))
        return -ESRCH;
    return thl_arena_reader_is_stopped(&o->reader) == 1 ? -ESHUTDOWN : -ETIMEDOUT;
}

int
thl_observer_wait(struct thl_observer *o, int64_t deadline_ms, int *answer, char *text)
{
    for (;;) {
        int64_t left = deadline_ms - thl_clock_mono_ms();
        int slice = left > SLICE_MS ? SLICE_MS : left > 0 ? (int)left : 0;
        int rc = thl_mailbox_wait(&o->mailbox, o->letter, slice, answer, text);
        if (rc == -EBADMSG)
            o->reader.fault = "has its mailbox written over";
        if (rc != -ETIMEDOUT)
            return rc;
        rc = explain_silence(o);
        if (rc == -ETIMEDOUT && left > slice)
            continue;
        if (thl_mailbox_withdraw(&o->mailbox, o->letter))
            return rc;
        return thl_mailbox_wait(&o->mailbox, o->letter, 0, answer, text); /* just in time */
    }
}

static int
ask_for_tables(struct thl_observer *o, uint32_t silent_s)
{
    int answer = 0, rc = thl_observer_ask(o, THL_ARENA_ASK_TABLES, silent_s, NULL);
    if (rc == 0)
        rc = thl_observer_wait(o, thl_clock_mono_ms() + THL_MAILBOX_TIMEOUT_MS, &answer, NULL);
    if (rc < 0 || answer == 0)
        return rc;
    o->reader.fault = "has no tables to show: the daemon could not make them";
    return -EBADMSG;
}

int
thl_observer_copy(struct thl_observer *o, bool silent_was_asked, struct thl_picture *out)
{
    int rc = thl_arena_reader_look(&o->reader, out);
    if (rc == 0)
        thl_picture_judge(out, thl_find_descriptors(o->pid), silent_was_asked);
    return rc;
}

/* Another observer may have had the tables made with a limit of its own since ours were: then once
 * more. */
int
thl_observer_look(struct thl_observer *o, uint32_t silent_s, struct thl_picture *out)
{
    for (int64_t end = thl_clock_mono_ms() + LOOK_MS; thl_clock_mono_ms() < end;) {
        struct thl_picture fresh = {0};
        int rc = ask_for_tables(o, silent_s);
        if (rc == 0)
            rc = thl_observer_copy(o, silent_s != 0, &fresh);
        if (rc < 0)
            return rc;
        if (silent_s == 0 || fresh.process.silent_limit_s == silent_s) {
            *out = fresh;
            return 0;
        }
        thl_picture_fini(&fresh);
    }
    o->reader.fault = "is asked for its census by others all the time";
    return -EAGAIN;
}
