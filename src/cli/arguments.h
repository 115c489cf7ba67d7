/* SPDX-License-Identifier: MIT */
/* The words of a command line. */
#ifndef THL_ARGUMENTS_H
#define THL_ARGUMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* "--name VALUE" or "--name=VALUE"; a switch has no value. */
struct thl_option {
    const char *name;   /* without the dashes */
    const char **value; /* NULL: a switch */
    bool *given;        /* of a switch */
};

struct thl_arguments {
    const char *command; /* "top" */
    const struct thl_option *option;
    size_t noptions;
    const char *const *words; /* what the words are, for messages; NULL ends them */
    size_t least;             /* how many must be given */
};

#define THL_ARGUMENTS_MAX 2

/* Fills `word`; those not given are NULL. False after an error, which was said. argv[0] is the
 * command's name. */
bool thl_arguments_read(const struct thl_arguments *a, int argc, char **argv,
                        const char *word[THL_ARGUMENTS_MAX]);

/* A pid, or the name of a program of which exactly one logs through thole. False after an error,
 * which was said. */
bool thl_arguments_process(const char *word, pid_t *pid);

/* A duration in ms. False after an error, which was said. */
bool thl_arguments_duration(const char *name, const char *text, uint64_t least_ms, uint64_t *ms);

#endif
