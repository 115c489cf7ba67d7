/* SPDX-License-Identifier: MIT */
/* A bounded byte buffer in the caller's storage: appends that do not fit are cut and remembered. */
#ifndef THL_BUF_H
#define THL_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct thl_buf {
    char *bytes;
    size_t size; /* bytes written */
    size_t capacity;
    bool overflow; /* an append did not fit; `bytes` holds what fitted before it */
};

static inline void
thl_buf_init(struct thl_buf *b, void *bytes, size_t capacity)
{
    b->bytes = bytes;
    b->size = 0;
    b->capacity = capacity;
    b->overflow = false;
}

/* Appends all n bytes or none of them. After an overflow nothing is appended any more. */
static inline void
thl_buf_put(struct thl_buf *b, const void *p, size_t n)
{
    if (b->overflow || n > b->capacity - b->size) {
        b->overflow = true;
        return;
    }
    memcpy(b->bytes + b->size, p, n);
    b->size += n;
}

static inline void
thl_buf_putc(struct thl_buf *b, char c)
{
    if (b->overflow || b->size == b->capacity) {
        b->overflow = true;
        return;
    }
    b->bytes[b->size++] = c;
}

/* A string literal. */
#define thl_buf_lit(b, s) thl_buf_put((b), "" s "", sizeof(s) - 1)

/* A string terminated by NUL. */
static inline void
thl_buf_puts(struct thl_buf *b, const char *s)
{
    thl_buf_put(b, s, strlen(s));
}

/* Where a caller may come back to when what follows did not fit. */
static inline void
thl_buf_rewind(struct thl_buf *b, size_t size)
{
    b->size = size;
    b->overflow = false;
}

#endif
