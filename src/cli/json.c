/* SPDX-License-Identifier: MIT */
/* JSON for scripts: commas and escapes are seen to here. */
#include "json.h"

#include <string.h>

#include "escape.h"

#define CHUNK 256

/* In chunks that split no character, so that a string of any length passes. */
static void
put_string(FILE *out, const char *s)
{
    size_t n = strlen(s);
    fputc('"', out);
    while (n > 0) {
        char bytes[CHUNK * 6];
        struct thl_buf buf;
        size_t part = n > CHUNK ? thl_escape_cut(s, n, CHUNK) : n;
        thl_buf_init(&buf, bytes, sizeof(bytes));
        thl_escape_put(&buf, THL_ESCAPE_JSON, s, part);
        fwrite(bytes, 1, buf.size, out);
        s += part;
        n -= part;
    }
    fputc('"', out);
}

static void
begin(struct thl_json *json, const char *key)
{
    if (json->comma)
        fputc(',', json->out);
    if (key) {
        put_string(json->out, key);
        fputc(':', json->out);
    }
    json->comma = true;
}

void
thl_json_open(struct thl_json *json, const char *key, char bracket)
{
    begin(json, key);
    fputc(bracket, json->out);
    json->comma = false;
}

void
thl_json_close(struct thl_json *json, char bracket)
{
    fputc(bracket, json->out);
    json->comma = true;
}

void
thl_json_string(struct thl_json *json, const char *key, const char *value)
{
    if (!value) {
        thl_json_null(json, key);
        return;
    }
    begin(json, key);
    put_string(json->out, value);
}

void
thl_json_uint(struct thl_json *json, const char *key, uint64_t value)
{
    begin(json, key);
    fprintf(json->out, "%llu", (unsigned long long)value);
}

void
thl_json_bool(struct thl_json *json, const char *key, bool value)
{
    begin(json, key);
    fputs(value ? "true" : "false", json->out);
}

void
thl_json_null(struct thl_json *json, const char *key)
{
    begin(json, key);
    fputs("null", json->out);
}

void
thl_json_rate(struct thl_json *json, const char *key, double value)
{
    if (!(value >= 0 && value < 1e18)) {
        thl_json_null(json, key);
        return;
    }
    begin(json, key);
    fprintf(json->out, "%.1f", value);
}
