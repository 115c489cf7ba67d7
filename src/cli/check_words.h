/* SPDX-License-Identifier: MIT */
/* What a configuration means, in plain words, on stdout. */
#ifndef THL_CHECK_WORDS_H
#define THL_CHECK_WORDS_H

#include "target.h"

void thl_check_words_rules(const char *name, const struct thl_rules *rules);
void thl_check_words_sinks(const char *name, const struct thl_sink_specs *specs,
                           const struct thl_targets *targets);
void thl_check_words_limits(const char *name, const struct thl_limits *limits);

/* The grammar of all three variables. */
void thl_check_words_help(void);

#endif
