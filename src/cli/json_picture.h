/* SPDX-License-Identifier: MIT */
/* Pictures as JSON: what `thole top --json` and `thole leaks --json` print. */
#ifndef THL_JSON_PICTURE_H
#define THL_JSON_PICTURE_H

#include "json.h"
#include "picture.h"

/* One object, one line. `before`: for rates. */
void thl_json_picture_top(FILE *out, long pid, const struct thl_picture *before,
                          const struct thl_picture *now);
void thl_json_picture_leaks(FILE *out, long pid, const struct thl_picture *now);

#endif
