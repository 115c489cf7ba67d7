/* SPDX-License-Identifier: MIT */
/* The program's environment. */
#include "environment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *
find(const char *name)
{
    const char *value = secure_getenv(name);
    return value && *value ? value : NULL;
}

const char *
thl_environment_setting(const char *prefix, const char *name)
{
    char variable[160];
    snprintf(variable, sizeof(variable), "%s_%s", prefix, name);
    return find(variable);
}

bool
thl_environment_has_screen(void)
{
    const char *term = find("TERM");
    return term && strcmp(term, "dumb") != 0;
}

bool
thl_environment_wants_color(void)
{
    return !find("NO_COLOR");
}
