/* SPDX-License-Identifier: MIT */
/*
 * Named loggers: interned dotted names, bounded, with a level each from one list of rules.
 *
 * Number 0 is the root, whose name is empty. A number is given once and for ever, so names, numbers
 * and handles need no counts. Reading is lock-free: a name is complete before its number enters the
 * table with release; that pairs with the acquire of every look-up. Making a name, changing rules
 * (rules.h), and, while any rule has a condition, asking for a child's level takes one lock that no
 * I/O holds. A change of rules has reached every named logger and every live child when the call
 * that made it returns; logger.c says why no gate is left behind.
 */
#ifndef THL_LOGGER_H
#define THL_LOGGER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <thole/thole.h>

#include "config.h"

#define THL_LOGGER_MAX 4096u
#define THL_LOGGER_UNKNOWN 15u /* no rules yet: ask the configuration */

struct thl_logger_counts {
    _Atomic uint32_t limit; /* loggers=; the root does not count */
    _Atomic uint32_t n;     /* the root included */
    _Atomic uint64_t refused;
};
extern struct thl_logger_counts thl_logger_counts;

/* The number of `name`, or of its nearest existing ancestor when *refused. */
unsigned thl_logger_get(const char *name, bool *refused);

/* "" for the root and for numbers never given. A constant once given. */
const char *thl_logger_name(unsigned number, size_t *size);

/* A logger that exists: `number` itself, or the root. */
static inline unsigned
thl_logger_known(unsigned number)
{
    return number < atomic_load_explicit(&thl_logger_counts.n, memory_order_acquire) ? number : 0;
}

/* What a child of this logger is born with: *threshold is its gate's, if that is known before its
 * context is. `level` is its own, or THL_SLAB_NO_LEVEL. To be handed to thl_logger_end_birth once
 * the child is alive. */
uint32_t thl_logger_begin_birth(unsigned number, uint32_t level, unsigned *threshold);
void thl_logger_end_birth(thole_logger child, uint32_t begun);

/* The lowest level that the logger lets pass, or THL_LOGGER_UNKNOWN. */
unsigned thl_logger_threshold(unsigned number);

/* The same for any handle: a live child's own answer; a stale one's is its named logger's. */
unsigned thl_logger_threshold_of(thole_logger lg);

/* The lowest level of thole's own notices: only a rule that names `thole` raises it. */
unsigned thl_logger_notice_threshold(void);

/* The configuration's rules (options and environment) and what holds without any. 0 or -ENOMEM. */
int thl_logger_apply(const struct thl_rules *rules, enum thole_level otherwise);

/* The rules of thole_configure(): replaces the previous ones. 0 or -ENOMEM. */
int thl_logger_configure(const struct thl_rules *rules);

/* thole_set_level() of a named logger: a run-time rule for its name. 0 or -ENOMEM. */
int thl_logger_set_level(unsigned number, enum thole_level level);

/* How far a change of rules has come among the children that are alive. */
struct thl_logger_walk {
    uint32_t epoch, at;
};

/* The operator's rules, which speak before all of these until that moment of thl_clock_mono_ms();
 * neither a configuration nor a level that is set touches them. 0, or -ENOSPC past 64. With a
 * `walk` children follow as it goes on; with NULL all do before this returns. */
int thl_logger_add_temporary(const struct thl_rules *rules, int64_t until_ms,
                             struct thl_logger_walk *walk);

/* When the next of them ends; INT64_MAX: none. Lock-free. */
int64_t thl_logger_next_expiry(void);

/* Ends those whose time has come; whether there were any. `walk`: as above. */
bool thl_logger_expire(int64_t now_ms, struct thl_logger_walk *walk);

/* The next n children; false when those were the last. A walk that is given up leaves gates behind
 * until the next change, and in a forked process none. */
bool thl_logger_walk(struct thl_logger_walk *walk, uint32_t n);

/* Writes a child's gate: its own level, or the one that the rules give its context. To be called
 * after every change of either; safe beside all others. */
void thl_logger_open_gate(thole_logger child);

/* Around a change of a child's level or context and the gate that follows: a process that is forked
 * meanwhile asks for all gates anew. */
void thl_logger_begin_amend(void);
void thl_logger_end_amend(void);

/* Around fork: nobody is making a name while it happens, if that can be had within 100 ms; only
 * then thl_logger_after_fork(false) may follow. In the child process temporary rules are gone. */
bool thl_logger_before_fork(void);
void thl_logger_after_fork(bool in_child);

#endif
