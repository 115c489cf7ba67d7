/* SPDX-License-Identifier: MIT */
/*
 * The rules in force: those of the configuration and the program, and the operator's temporary
 * ones.
 *
 * Guarded by the lock of logger.c: every function that ends in _locked is called with it held. What
 * lasts is replaced as a whole, by one store of a pointer, so that a process made by _Fork at any
 * moment finds the rules from before or those from after. What is temporary needs no memory of
 * malloc's, so a forked process can forget it without touching a lock that it may have inherited.
 */
#ifndef THL_RULES_H
#define THL_RULES_H

#include <stdbool.h>

#include "config.h"

#define THL_RULES_TEMPORARY 64 /* alive at once */

/* Who set a rule decides what replaces it. */
enum thl_rules_origin { THL_RULES_CONFIGURATION, THL_RULES_CONFIGURE, THL_RULES_SET_LEVEL };

/* Replaces the rules of one origin (with `only_name`: those of that name) by these, which come last
 * and so are the later. 0, or -ENOMEM and nothing changed. */
int thl_rules_replace_locked(const struct thl_rules *rules, enum thl_rules_origin origin,
                             const char *only_name);

/* What holds where no rule speaks. */
void thl_rules_set_otherwise_locked(enum thole_level level);

/* Adds these as the operator's, until that moment of thl_clock_mono_ms(). 0, or -ENOSPC and nothing
 * changed. */
int thl_rules_add_temporary_locked(const struct thl_rules *rules, int64_t until_ms);

/* Removes the temporary rules whose time has come; whether there were any. */
bool thl_rules_expire_locked(int64_t now_ms);

/* When the next temporary rule ends; INT64_MAX: none. Lock-free. */
int64_t thl_rules_next_expiry(void);

/* In a forked process, which nobody ends them in: the temporary rules are gone; whether there were
 * any. */
bool thl_rules_after_fork(void);

/* The level of whoever asks, by the one list. */
enum thole_level thl_rules_level_locked(const struct thl_asker *asker);

/* Whether any rule has a condition, so that two children of one logger may differ. */
bool thl_rules_are_conditional_locked(void);

/* The lowest level of thole's own notices: only a rule that names `thole`, whatever the context,
 * raises it. */
enum thole_level thl_rules_notice_level_locked(void);

#endif
