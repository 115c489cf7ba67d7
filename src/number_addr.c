/* SPDX-License-Identifier: MIT */
/* Socket addresses -> text. By hand: inet_ntop() goes through printf, and libcs differ about it. */
#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "number.h"

enum { GROUPS = 8 };

static void
put_port(struct thl_buf *out, in_port_t port)
{
    thl_buf_putc(out, ':');
    thl_number_put_uint(out, ntohs(port));
}

static void
put_ipv4(struct thl_buf *out, const unsigned char *a)
{
    for (int i = 0; i < 4; i++) {
        if (i)
            thl_buf_putc(out, '.');
        thl_number_put_uint(out, a[i]);
    }
}

static void
put_group(struct thl_buf *out, unsigned x)
{
    static const char hex[] = "0123456789abcdef";
    for (int shift = 12; shift >= 0; shift -= 4)
        if (x >> shift || shift == 0)
            thl_buf_putc(out, hex[(x >> shift) & 0xF]);
}

/* The longest run of two or more zero groups, the first of equals (RFC 5952, 4.2). */
static int
find_zeros(const unsigned *group, int *length)
{
    int best = GROUPS;
    *length = 1;
    for (int i = 0, run = 0; i < GROUPS; i++) {
        run = group[i] == 0 ? run + 1 : 0;
        if (run > *length) {
            *length = run;
            best = i - run + 1;
        }
    }
    return best;
}

static void
put_groups(struct thl_buf *out, const unsigned char *a)
{
    unsigned group[GROUPS];
    int length;
    for (int i = 0; i < GROUPS; i++)
        group[i] = (unsigned)a[2 * i] << 8 | a[2 * i + 1];
    const int zeros = find_zeros(group, &length);
    for (int i = 0; i < GROUPS; i++) {
        if (i == zeros) {
            thl_buf_lit(out, "::");
            i += length - 1;
            continue;
        }
        if (i > 0 && i != zeros + length)
            thl_buf_putc(out, ':');
        put_group(out, group[i]);
    }
}

/* Addresses that carry an IPv4 one show it (RFC 5952, 5). */
static void
put_ipv6(struct thl_buf *out, const struct sockaddr_in6 *a)
{
    const unsigned char *bytes = a->sin6_addr.s6_addr;
    thl_buf_putc(out, '[');
    if (IN6_IS_ADDR_V4MAPPED(&a->sin6_addr)) {
        thl_buf_lit(out, "::ffff:");
        put_ipv4(out, bytes + 12);
    } else {
        put_groups(out, bytes);
    }
    if (a->sin6_scope_id) {
        thl_buf_putc(out, '%');
        thl_number_put_uint(out, a->sin6_scope_id);
    }
    thl_buf_putc(out, ']');
    put_port(out, a->sin6_port);
}

static void
put_unix(struct thl_buf *out, const char *path, size_t n)
{
    if (n == 0) {
        thl_buf_lit(out, "unix:");
    } else if (path[0] == '\0') {
        thl_buf_putc(out, '@');
        thl_buf_put(out, path + 1, n - 1);
    } else {
        thl_buf_put(out, path, strnlen(path, n));
    }
}

/* Works on a copy: the caller's bytes are neither aligned nor as long as their family wants. */
static void
put_addr(struct thl_buf *out, const void *sa, size_t n)
{
    const size_t path_at = offsetof(struct sockaddr_un, sun_path);
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
        struct sockaddr_un un;
    } a;
    memset(&a, 0, sizeof(a));
    if (n > sizeof(a))
        n = sizeof(a);
    if (n > 0)
        memcpy(&a, sa, n);
    if (n < path_at) {
        thl_buf_lit(out, "unix:"); /* what an unnamed peer gives: no address at all */
    } else if (a.any.sa_family == AF_INET && n >= sizeof(a.in)) {
        put_ipv4(out, (const unsigned char *)&a.in.sin_addr);
        put_port(out, a.in.sin_port);
    } else if (a.any.sa_family == AF_INET6 && n >= offsetof(struct sockaddr_in6, sin6_scope_id)) {
        put_ipv6(out, &a.in6);
    } else if (a.any.sa_family == AF_UNIX) {
        put_unix(out, a.un.sun_path, n - path_at);
    } else {
        thl_buf_lit(out, "family ");
        thl_number_put_uint(out, a.any.sa_family);
    }
}

char *
thl_number_write_addr(char *to, const void *sa, size_t n)
{
    struct thl_buf out;
    thl_buf_init(&out, to, THL_NUMBER_ADDR_MAX);
    put_addr(&out, sa, n);
    return to + out.size;
}

void
thl_number_put_addr(struct thl_buf *out, const void *sa, size_t n)
{
    char text[THL_NUMBER_ADDR_MAX];
    thl_buf_put(out, text, (size_t)(thl_number_write_addr(text, sa, n) - text));
}
