/* SPDX-License-Identifier: MIT */
/* The commands: each reads its own arguments (argv[0] is its name) and returns an exit status. */
#ifndef THL_COMMANDS_H
#define THL_COMMANDS_H

#include "picture.h"

enum thl_status { THL_STATUS_FINE = 0, THL_STATUS_LEAKED = 1, THL_STATUS_ERROR = 2 };

int thl_ls_run(int argc, char **argv);
int thl_top_run(int argc, char **argv);
int thl_leaks_run(int argc, char **argv);
int thl_level_run(int argc, char **argv);
int thl_check_run(int argc, char **argv);

/* FINE or LEAKED. */
int thl_commands_judge(const struct thl_picture *picture);

/* For a rate: until the next look. */
#define THL_COMMANDS_LOOK_MS 300

#endif
