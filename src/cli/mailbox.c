/* SPDX-License-Identifier: MIT */
/* Letters to a daemon: ask, wait for the answer, leave the letter free. */
#include "mailbox.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"

/* ---- the page ---- */

int
thl_mailbox_open(struct thl_mailbox *m, int fd, uint64_t offset)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE), from = offset - offset % page;
    size_t size = (size_t)(offset - from) + THL_ARENA_PAGE;
    int seals = fcntl(fd, F_GET_SEALS);
    *m = (struct thl_mailbox){0};
    if (seals < 0 || (seals & F_SEAL_SHRINK) == 0)
        return -EBADMSG;
    void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)from);
    if (map == MAP_FAILED)
        return -errno;
    m->map = map;
    m->mapped = size;
    m->box = (void *)((char *)map + (offset - from));
    return 0;
}

void
thl_mailbox_close(struct thl_mailbox *m)
{
    if (m->map)
        munmap(m->map, m->mapped);
    *m = (struct thl_mailbox){0};
}

/* Shared, not private: the other side is another process. */
static void
wake(_Atomic uint32_t *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

static void
wait_while(_Atomic uint32_t *word, uint32_t value, int64_t ms)
{
    struct timespec timeout = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    syscall(SYS_futex, word, FUTEX_WAIT, value, &timeout, NULL, 0);
}

/* ---- claiming ---- */

static bool
claim_free(struct thl_arena_letter *l, uint32_t now_s)
{
    uint32_t seen = THL_ARENA_FREE;
    if (atomic_load_explicit(&l->state, memory_order_relaxed) != seen) /* the swap decides */
        return false;
    /* relaxed: the swap below releases it to whoever finds the letter claimed */
    atomic_store_explicit(&l->claimed_s, now_s, memory_order_relaxed);
    return atomic_compare_exchange_strong_explicit(&l->state, &seen, THL_ARENA_CLAIMED,
                                                   memory_order_acq_rel, memory_order_relaxed);
}

/* Two clocks are read at two moments: a stamp may be a little later than our own time. One that is
 * much later is garbage, and must not keep a letter for ever. */
static bool
is_old(uint32_t since, uint32_t now_s)
{
    int32_t age = (int32_t)(now_s - since);
    return age > THL_ARENA_CLAIM_S || age < -THL_ARENA_CLAIM_S;
}

/* acquire pairs with claim_free(): who sees a claim sees its stamp. */
static bool
claim_old(struct thl_arena_letter *l, uint32_t now_s)
{
    uint32_t seen = atomic_load_explicit(&l->state, memory_order_acquire);
    uint32_t since = atomic_load_explicit(&l->claimed_s, memory_order_relaxed);
    if (seen == THL_ARENA_FREE || !is_old(since, now_s))
        return false;
    return atomic_compare_exchange_strong_explicit(&l->claimed_s, &since, now_s,
                                                   memory_order_acq_rel, memory_order_relaxed) &&
           atomic_compare_exchange_strong_explicit(&l->state, &seen, THL_ARENA_CLAIMED,
                                                   memory_order_acq_rel, memory_order_relaxed);
}

static struct thl_arena_letter *
claim(struct thl_mailbox *m, struct thl_mailbox_letter *letter)
{
    uint32_t now_s = (uint32_t)(thl_clock_mono_ms() / 1000);
    for (unsigned pass = 0; pass < 2; pass++) {
        for (unsigned i = 0; i < THL_ARENA_LETTERS; i++) {
            struct thl_arena_letter *l = &m->box->letter[i];
            if (pass == 0 ? claim_free(l, now_s) : claim_old(l, now_s)) {
                *letter = (struct thl_mailbox_letter){i, now_s};
                return l;
            }
        }
    }
    return NULL;
}

int
thl_mailbox_send(struct thl_mailbox *m, enum thl_arena_ask ask, uint64_t number, const char *text,
                 struct thl_mailbox_letter *letter)
{
    size_t n = text ? strlen(text) : 0;
    if (n >= THL_MAILBOX_TEXT)
        return -EMSGSIZE;
    struct thl_arena_letter *l = claim(m, letter);
    if (!l)
        return -EBUSY;
    l->ask = ask;
    l->answer = 0;
    l->number = number;
    memset(l->text, 0, sizeof(l->text));
    if (n > 0)
        memcpy(l->text, text, n);
    /* release: pairs with the daemon's acquire of `state` */
    atomic_store_explicit(&l->state, THL_ARENA_ASKED, memory_order_release);
    /* release: who sees the bell rung sees the letter */
    atomic_fetch_add_explicit(&m->box->bell, 1, memory_order_release);
    wake(&m->box->bell);
    return 0;
}

/* ---- the answer ---- */

/* Whoever claimed it anew stamped it later than the time that a claim lasts; those who looked at it
 * while it was free may have stamped it, too, but at about our own time. */
static bool
is_ours(const struct thl_arena_letter *l, struct thl_mailbox_letter letter)
{
    uint32_t now = atomic_load_explicit(&l->claimed_s, memory_order_relaxed); /* a hint, in s */
    return !is_old(letter.claimed_s, now);
}

static int
take_answer(struct thl_arena_letter *l, int *answer, char *text)
{
    uint32_t seen = THL_ARENA_ANSWERED;
    *answer = l->answer;
    if (text) {
        memcpy(text, l->text, THL_MAILBOX_TEXT);
        text[THL_MAILBOX_TEXT - 1] = '\0';
    }
    /* release: our reading is over before another observer's writing begins; a letter that someone
     * claimed meanwhile is not ours to free */
    bool ours = atomic_compare_exchange_strong_explicit(&l->state, &seen, THL_ARENA_FREE,
                                                        memory_order_acq_rel, memory_order_relaxed);
    return ours ? 0 : -EBADMSG;
}

int
thl_mailbox_wait(struct thl_mailbox *m, struct thl_mailbox_letter letter, int timeout_ms,
                 int *answer, char *text)
{
    struct thl_arena_letter *l = &m->box->letter[letter.index];
    int64_t deadline = thl_clock_mono_ms() + timeout_ms;
    for (;;) {
        /* acquire: pairs with the daemon's release of its answer */
        uint32_t state = atomic_load_explicit(&l->state, memory_order_acquire);
        if (!is_ours(l, letter))
            return -EBADMSG;
        if (state == THL_ARENA_ANSWERED)
            return take_answer(l, answer, text);
        if (state != THL_ARENA_ASKED)
            return -EBADMSG;
        int64_t left = deadline - thl_clock_mono_ms();
        if (left <= 0)
            return -ETIMEDOUT;
        wait_while(&l->state, state, left);
    }
}

bool
thl_mailbox_withdraw(struct thl_mailbox *m, struct thl_mailbox_letter letter)
{
    uint32_t seen = THL_ARENA_ASKED;
    if (!is_ours(&m->box->letter[letter.index], letter))
        return true; /* it went with the claim */
    bool taken = atomic_compare_exchange_strong_explicit(
        &m->box->letter[letter.index].state, &seen, THL_ARENA_CLAIMED, memory_order_acq_rel,
        memory_order_relaxed); /* acq_rel: the daemon's own swap sees one or the other */
    return taken || seen != THL_ARENA_ANSWERED;
}
