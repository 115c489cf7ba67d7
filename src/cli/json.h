/* SPDX-License-Identifier: MIT */
/* JSON for scripts: commas and escapes are seen to here. */
#ifndef THL_JSON_H
#define THL_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct thl_json {
    FILE *out;
    bool comma; /* something stands before what comes next */
};

/* `key` NULL: in an array. */
void thl_json_open(struct thl_json *json, const char *key, char bracket);
void thl_json_close(struct thl_json *json, char bracket);
void thl_json_string(struct thl_json *json, const char *key, const char *value); /* NULL: null */
void thl_json_uint(struct thl_json *json, const char *key, uint64_t value);
void thl_json_bool(struct thl_json *json, const char *key, bool value);
void thl_json_null(struct thl_json *json, const char *key);

/* One decimal; negative is null: not known. */
void thl_json_rate(struct thl_json *json, const char *key, double value);

#endif
