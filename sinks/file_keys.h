/* SPDX-License-Identifier: MIT */
/* The keys of file: mode=, reopen=, rotate=, keep=, sync=. */
#ifndef THOLE_SINK_FILE_KEYS_H
#define THOLE_SINK_FILE_KEYS_H

#include <sys/types.h>
#include <thole/sink.h>

struct thl_file_keys {
    mode_t mode;
    bool mode_given; /* then the file gets exactly it, whatever the umask */
    bool call;       /* reopen=call: nobody but thole_reopen() has the path looked at */
    off_t limit;     /* rotate=SIZE, in bytes; 0: no bound */
    bool daily;
    bool keep_given;
    unsigned keep;
    enum { THL_FILE_SYNC_NONE, THL_FILE_SYNC_LEVEL, THL_FILE_SYNC_MS } sync;
    enum thole_level sync_level;
    unsigned sync_ms;
};

extern const char *const thl_file_keys_names[];

/* As `check` of sink.h. */
const char *thl_file_keys_check(const char *key, const char *value);

/* 0 or -EINVAL. */
int thl_file_keys_read(struct thl_file_keys *keys, const struct thole_sink_uri *uri);

static inline bool
thl_file_keys_rotate(const struct thl_file_keys *keys)
{
    return keys->limit > 0 || keys->daily;
}

#endif
