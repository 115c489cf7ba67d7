/* SPDX-License-Identifier: MIT */
/*
 * Claim: each observer gets the answer to its own letter, however many share the mailbox: also when
 * letters of observers that are gone are claimed anew. One that was withdrawn is never answered.
 *
 *     letters [ROUNDS]       of each of the observers; default 20000
 *
 * Eight observers share six letters with one that serves; each now and then finds the letters as
 * observers leave them that were killed long ago: claimed, or answered and never read.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "mailbox.h"

#define OBSERVERS 8
#define OLD_S 60

static struct thl_mailbox mailbox;
static _Atomic bool done;
static _Atomic unsigned long answered, abandoned;
static unsigned long rounds = 20000;

/* As the daemon does it: an observer that gave up meanwhile gets no answer. */
static void
serve(struct thl_arena_letter *l)
{
    char text[sizeof(l->text)];
    uint32_t seen = THL_ARENA_ASKED;
    uint64_t number;
    if (atomic_load_explicit(&l->state, memory_order_acquire) != THL_ARENA_ASKED)
        return; /* acquire pairs with thl_mailbox_send() */
    number = l->number;
    memcpy(text, l->text, sizeof(text));
    l->answer = -(int32_t)(number % 1000);
    snprintf(l->text, sizeof(l->text), "answer to %.64s", text);
    /* release pairs with thl_mailbox_wait() */
    atomic_compare_exchange_strong_explicit(&l->state, &seen, THL_ARENA_ANSWERED,
                                            memory_order_release, memory_order_relaxed);
}

static void *
serve_all(void *arg)
{
    while (!atomic_load_explicit(&done, memory_order_relaxed)) /* the join orders the rest */
        for (unsigned i = 0; i < THL_ARENA_LETTERS; i++)
            serve(&mailbox.box->letter[i]);
    return arg;
}

/* An observer that was killed a minute ago, with a letter in this state. The old stamp comes last:
 * from then on the letter is anybody's. */
static void
abandon(unsigned i, uint32_t state)
{
    struct thl_arena_letter *l = &mailbox.box->letter[i];
    struct timespec now;
    uint32_t seen = THL_ARENA_FREE;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (atomic_load_explicit(&l->state, memory_order_relaxed) != THL_ARENA_FREE)
        return;
    atomic_store_explicit(&l->claimed_s, (uint32_t)now.tv_sec, memory_order_relaxed);
    if (!atomic_compare_exchange_strong_explicit(&l->state, &seen, THL_ARENA_CLAIMED,
                                                 memory_order_acq_rel, memory_order_relaxed))
        return;
    atomic_store_explicit(&l->state, state, memory_order_release);
    /* release: pairs with claim_old() */
    atomic_store_explicit(&l->claimed_s, (uint32_t)now.tv_sec - OLD_S, memory_order_release);
    abandoned++;
}

static void
ask(unsigned self, unsigned long round)
{
    char text[64], wanted[80], got[THL_MAILBOX_TEXT];
    struct thl_mailbox_letter letter;
    int rc, answer = 0;
    uint64_t number = self * 1000003u + round;
    snprintf(text, sizeof(text), "%u of %lu", self, round);
    while ((rc = thl_mailbox_send(&mailbox, THL_ARENA_ASK_LEVEL, number, text, &letter)) == -EBUSY)
        poll(NULL, 0, 0);
    CHECK(rc == 0);
    while ((rc = thl_mailbox_wait(&mailbox, letter, 1, &answer, got)) == -ETIMEDOUT)
        ;
    CHECK(rc == 0);
    snprintf(wanted, sizeof(wanted), "answer to %s", text);
    CHECK(answer == -(int32_t)(number % 1000) && strcmp(got, wanted) == 0);
    answered++;
}

static void *
observe(void *arg)
{
    unsigned self = *(unsigned *)arg;
    for (unsigned long i = 0; i < rounds; i++) {
        if (i % 100 == self)
            abandon((unsigned)(i / 100 % THL_ARENA_LETTERS),
                    i / 100 % 2 ? THL_ARENA_CLAIMED : THL_ARENA_ANSWERED);
        ask(self, i);
    }
    return NULL;
}

static void
open_mailbox(void)
{
    int fd = memfd_create("thole:letters", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    CHECK(fd >= 0 && ftruncate(fd, 2 * THL_ARENA_PAGE) == 0);
    CHECK(thl_mailbox_open(&mailbox, fd, THL_ARENA_PAGE) == -EBADMSG); /* it could be cut */
    CHECK(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) == 0);
    CHECK(thl_mailbox_open(&mailbox, fd, THL_ARENA_PAGE) == 0);
    close(fd);
}

int
main(int argc, char **argv)
{
    pthread_t server, observer[OBSERVERS];
    unsigned self[OBSERVERS];
    struct thl_mailbox_letter gone;
    if (argc > 1)
        rounds = strtoul(argv[1], NULL, 10);
    open_mailbox();
    CHECK(thl_mailbox_send(&mailbox, THL_ARENA_ASK_LEVEL, 0, "withdrawn", &gone) == 0);
    CHECK(thl_mailbox_withdraw(&mailbox, gone));
    CHECK(pthread_create(&server, NULL, serve_all, NULL) == 0);
    for (unsigned i = 0; i < OBSERVERS; i++) {
        self[i] = i;
        CHECK(pthread_create(&observer[i], NULL, observe, &self[i]) == 0);
    }
    for (unsigned i = 0; i < OBSERVERS; i++)
        pthread_join(observer[i], NULL);
    atomic_store_explicit(&done, true, memory_order_relaxed); /* see serve_all() */
    pthread_join(server, NULL);
    CHECK(answered == OBSERVERS * rounds && abandoned > 0);
    CHECK(!strstr(mailbox.box->letter[gone.index].text, "withdrawn") ||
          strcmp(mailbox.box->letter[gone.index].text, "withdrawn") == 0);
    printf("%lu answered, %lu letters of the dead\n", answered, abandoned);
    thl_mailbox_close(&mailbox);
    return 0;
}
