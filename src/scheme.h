/* SPDX-License-Identifier: MIT */
/* URI schemes: the built-in ones and those that thole_sink_register() added. */
#ifndef THL_SCHEME_H
#define THL_SCHEME_H

#include "config.h"

int thl_scheme_register(const char *scheme, const struct thole_sink_ops *ops);

/* What the configuration needs to know of schemes. */
const struct thl_scheme_table *thl_scheme_table(void);

/* stderr: takes over when another sink cannot open. file: and syslog: name paths. */
extern const struct thole_sink_ops thl_sink_stderr, thl_sink_stdout, thl_sink_file, thl_sink_syslog;

/* In a forked process. */
void thl_scheme_after_fork(void);

#endif
