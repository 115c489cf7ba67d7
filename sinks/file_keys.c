/* SPDX-License-Identifier: MIT */
/* Keys of files. */
#include "file_keys.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "file_rotate.h"

#define DEFAULT_MODE 0640
#define DEFAULT_KEEP 7
#define LIMIT_MIN 1024u
#define LIMIT_MAX (UINT64_C(1) << 50)
#define SYNC_MAX_MS 3600000u

const char *const thl_file_keys_names[] = {"mode", "reopen", "rotate", "keep", "sync", NULL};

/* ---- values ---- */

/* Digits, and where `units` k, M or G behind them; at most 2^50. */
static bool
parse_number(const char *text, bool units, uint64_t *out)
{
    static const char letters[] = "kKMG";
    static const unsigned char shifts[] = {10, 10, 20, 30};
    size_t digits = strspn(text, "0123456789");
    const char *unit = units && text[digits] ? strchr(letters, text[digits]) : NULL;

    if (digits == 0 || digits > 16 || text[digits + (unit != NULL)] != '\0')
        return false;
    *out = strtoull(text, NULL, 10);
    if (*out > LIMIT_MAX >> (unit ? shifts[unit - letters] : 0))
        return false;
    *out <<= unit ? shifts[unit - letters] : 0;
    return true;
}

/* Without write permission its owner could not open the file again. */
static bool
read_mode(struct thl_file_keys *keys, const char *text)
{
    if (*text == '\0' || strlen(text) > 4 || strspn(text, "01234567") != strlen(text))
        return false;
    keys->mode = (mode_t)strtoul(text, NULL, 8);
    keys->mode_given = true;
    return keys->mode <= 0777 && (keys->mode & S_IWUSR);
}

static bool
read_reopen(struct thl_file_keys *keys, const char *text)
{
    keys->call = strcmp(text, "call") == 0;
    return keys->call || strcmp(text, "auto") == 0;
}

static bool
read_rotate(struct thl_file_keys *keys, const char *text)
{
    uint64_t size = 0;

    keys->daily = strcmp(text, "daily") == 0;
    if (!keys->daily && (!parse_number(text, true, &size) || size < LIMIT_MIN))
        return false;
    keys->limit = (off_t)size;
    return true;
}

static bool
read_keep(struct thl_file_keys *keys, const char *text)
{
    uint64_t n;

    if (!parse_number(text, false, &n) || n < 1 || n > THL_FILE_ROTATE_KEEP_MAX)
        return false;
    keys->keep = (unsigned)n;
    keys->keep_given = true;
    return true;
}

static bool
read_sync(struct thl_file_keys *keys, const char *text)
{
    static const char *const levels[] = {"trace", "debug", "info",  "notice", "warn",
                                         "error", "crit",  "alert", "emerg"};
    uint64_t ms;

    keys->sync = THL_FILE_SYNC_NONE;
    if (strcmp(text, "none") == 0)
        return true;
    for (unsigned i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
        if (strcmp(text, levels[i]) == 0) {
            keys->sync = THL_FILE_SYNC_LEVEL;
            keys->sync_level = (enum thole_level)(THOLE_TRACE + i);
            return true;
        }
    }
    if (!parse_number(text, false, &ms) || ms < 1 || ms > SYNC_MAX_MS)
        return false;
    keys->sync = THL_FILE_SYNC_MS;
    keys->sync_ms = (unsigned)ms;
    return true;
}

/* ---- all of them ---- */

static const struct key {
    const char *name;
    bool (*read)(struct thl_file_keys *keys, const char *text);
    const char *expected;
} table[] = {
    {"mode", read_mode, "an octal mode that lets its owner write, as 0640"},
    {"reopen", read_reopen, "auto or call"},
    {"rotate", read_rotate, "daily, or a size of 1K at least, as 100M"},
    {"keep", read_keep, "1 to 1000, the number of rotated files"},
    {"sync", read_sync, "none, a level, or 1 to 3600000 milliseconds"},
};
#define KEYS (sizeof(table) / sizeof(table[0]))

static const struct key *
find_key(const char *name)
{
    for (size_t i = 0; i < KEYS; i++)
        if (strcmp(name, table[i].name) == 0)
            return &table[i];
    return NULL;
}

const char *
thl_file_keys_check(const char *key, const char *value)
{
    struct thl_file_keys ignored;
    const struct key *k = find_key(key);

    return !k || k->read(&ignored, value) ? NULL : k->expected;
}

int
thl_file_keys_read(struct thl_file_keys *keys, const struct thole_sink_uri *uri)
{
    *keys = (struct thl_file_keys){.mode = DEFAULT_MODE, .keep = DEFAULT_KEEP};
    for (size_t i = 0; i < uri->nparams; i++) {
        const struct key *k = find_key(uri->params[i].key);
        if (k && !k->read(keys, uri->params[i].value))
            return -EINVAL;
    }
    return 0;
}
