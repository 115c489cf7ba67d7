/* SPDX-License-Identifier: MIT */
/*
 * Logs what it is told to, one record for each case that it reads: hostile [APP]
 *
 * A case is a letter, a size of four bytes (little endian) and as many bytes; say[] below is what
 * the letters mean. "S" logs nothing: it keeps step. Each record is of a child with the number of
 * its case as "n", and where it has fields the last is "end".
 */
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "link.h"

#define SIZE_MAX_CASE (1u << 20)
#define KEYS 64

static char data[SIZE_MAX_CASE + 1];

static void
say_str(thole_logger lg, size_t size)
{
    thole_info(lg, "value", "v", thole_str(data, size), "end", "here");
}

static void
say_cstring(thole_logger lg, size_t size)
{
    (void)size;
    thole_info(lg, "value", "v", (const char *)data, "end", "here");
}

static void
say_bytes(thole_logger lg, size_t size)
{
    thole_info(lg, "value", "v", thole_bytes(data, size), "end", "here");
}

static void
say_addr(thole_logger lg, size_t size)
{
    thole_info(lg, "value", "v", thole_addr((const void *)data, size), "end", "here");
}

static void
say_errno(thole_logger lg, size_t size)
{
    int e;
    if (size != sizeof(e))
        refuse("an errno has four bytes");
    memcpy(&e, data, sizeof(e));
    thole_info(lg, "value", "v", thole_errno(e), "end", "here");
}

/* Keys, each ended by NUL; the value of each is its number. */
static void
say_keys(thole_logger lg, size_t size)
{
    thole_field fields[KEYS];
    size_t n = 0;
    for (const char *key = data; key < data + size && n + 1 < KEYS; key += strlen(key) + 1) {
        fields[n] = (thole_field){key, THOLE_FIELD_UINT, 0, {.u = n}};
        n++;
    }
    fields[n++] = (thole_field){"end", THOLE_FIELD_CSTRING, 0, {.p = "here"}};
    thole_log_fields(lg, THOLE_INFO, "keys", fields, n);
}

static void
say_message(thole_logger lg, size_t size)
{
    const thole_field end = {"end", THOLE_FIELD_CSTRING, 0, {.p = "here"}};
    (void)size;
    thole_log_fields(lg, THOLE_INFO, data, &end, 1);
}

static void
say_printf(thole_logger lg, size_t size)
{
    (void)size;
    thole_infof(lg, "%s", data);
}

static void
say_nothing(thole_logger lg, size_t size)
{
    (void)size;
    thole_info(lg, "nothing", "end", "here");
}

static void
say_bound(thole_logger lg, size_t size)
{
    thole_bind(&lg, "v", thole_str(data, size));
    thole_info(lg, "value", "end", "here");
}

/* Of a child's child whose context holds the bytes. */
static void
say_context(thole_logger lg, size_t size)
{
    thole_logger below;
    thole_child(&below, lg, "v", thole_str(data, size));
    thole_info(below, "value", "end", "here");
    thole_unref(&below);
}

static void (*const say[256])(thole_logger lg, size_t size) = {
    ['v'] = say_str,     ['c'] = say_cstring, ['b'] = say_bytes,   ['a'] = say_addr,
    ['e'] = say_errno,   ['k'] = say_keys,    ['m'] = say_message, ['f'] = say_printf,
    ['l'] = say_nothing, ['d'] = say_bound,   ['x'] = say_context,
};

/* False at the end of the input. */
static bool
read_case(unsigned char *letter, size_t *size)
{
    unsigned char head[5];
    if (fread(head, 1, sizeof(head), stdin) != sizeof(head))
        return false;
    *letter = head[0];
    *size = head[1] | (size_t)head[2] << 8 | (size_t)head[3] << 16 | (size_t)head[4] << 24;
    if (*size > SIZE_MAX_CASE || fread(data, 1, *size, stdin) != *size)
        refuse("half a case");
    data[*size] = '\0';
    return true;
}

int
main(int argc, char **argv)
{
    const struct thole_options options = {
        .size = sizeof(options), .log = "trace", .app = argc > 1 ? argv[1] : NULL};
    unsigned char letter;
    size_t size;
    unsigned long n = 0;

    if (thole_start(&options) != 0)
        refuse("thole_start");
    while (read_case(&letter, &size)) {
        thole_logger lg;
        if (letter == 'S') {
            keep_step(n);
            continue;
        }
        if (!say[letter])
            refuse("an unknown letter");
        thole_child(&lg, thole_get(letter == 'l' ? data : "hostile"), "n", n++);
        say[letter](lg, size);
        thole_unref(&lg);
    }
    print_ledger();
    return thole_stop(PATIENCE_MS) == 0 ? 0 : 1;
}
