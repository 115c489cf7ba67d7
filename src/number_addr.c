/* SPDX-License-Identifier: MIT */
/* Socket addresses -> text. By hand: inet_ntop() goes through printf, and libcs differ about it. */
#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "number.h"
#include "number_digits.h"

enum {
    GROUPS = 8,
    SOCKADDR_MOST = 112 /* looked at: a sockaddr_un, in whole words */
};

static char *
write_port(char *to, in_port_t port)
{
    *to = ':';
    return thl_number_write_uint(to + 1, ntohs(port));
}

/* A byte and a point behind it. One to three digits in one word, from which the zeros that lead are
 * shifted out: bytes of an address vary too much for a branch to be foreseen. */
static char *
write_byte(char *to, uint32_t x)
{
    const uint32_t hundreds = x * 41 >> 12, tens = (x - hundreds * 100) * 103 >> 10;
    const uint32_t ones = x - hundreds * 100 - tens * 10;
    const uint32_t digits = hundreds | tens << 8 | ones << 16;
    const unsigned zeros = (unsigned)__builtin_ctz(digits | 1U << 16) / 8;
    thl_number_store_4(to, (digits | 0x00303030 | (uint32_t)'.' << 24) >> 8 * zeros);
    return to + 4 - zeros;
}

/* Writes one byte more: the last point. */
static char *
write_ipv4(char *to, const unsigned char *a)
{
    for (int i = 0; i < 4; i++)
        to = write_byte(to, a[i]);
    return to - 1;
}

/* One to four digits of the two groups' eight: the zeros that lead are shifted out. */
static char *
write_group(char *to, unsigned x)
{
    const uint64_t digits = thl_number_hex_digits(x << 16);
    const unsigned zeros = (unsigned)__builtin_clz(x << 16 | 1U << 16) / 4;
    thl_number_store_4(to, (uint32_t)(digits >> 8 * zeros));
    return to + 4 - zeros;
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

static char *
write_groups(char *to, const unsigned char *a)
{
    unsigned group[GROUPS];
    int length;
    for (int i = 0; i < GROUPS; i++)
        group[i] = (unsigned)a[2 * i] << 8 | a[2 * i + 1];
    const int zeros = find_zeros(group, &length);
    for (int i = 0; i < GROUPS; i++) {
        if (i == zeros) {
            memcpy(to, "::", 2);
            to += 2;
            i += length - 1;
            continue;
        }
        if (i > 0 && i != zeros + length)
            *to++ = ':';
        to = write_group(to, group[i]);
    }
    return to;
}

/* Addresses that carry an IPv4 one show it (RFC 5952, 5). */
static char *
write_ipv6(char *to, const struct sockaddr_in6 *a)
{
    const unsigned char *bytes = a->sin6_addr.s6_addr;
    *to++ = '[';
    if (IN6_IS_ADDR_V4MAPPED(&a->sin6_addr)) {
        memcpy(to, "::ffff:", 7);
        to = write_ipv4(to + 7, bytes + 12);
    } else {
        to = write_groups(to, bytes);
    }
    if (a->sin6_scope_id) {
        *to = '%';
        to = thl_number_write_uint(to + 1, a->sin6_scope_id);
    }
    *to = ']';
    return write_port(to + 1, a->sin6_port);
}

static char *
write_text(char *to, const char *text, size_t n)
{
    memcpy(to, text, n);
    return to + n;
}

static char *
write_unix(char *to, const char *path, size_t n)
{
    if (n == 0)
        return write_text(to, "unix:", 5);
    if (path[0] != '\0')
        return write_text(to, path, strnlen(path, n));
    *to = '@';
    return write_text(to + 1, path + 1, n - 1);
}

/* What is read is copied first: the caller's bytes are neither aligned nor as long as their family
 * wants. */
char *
thl_number_write_addr(char *to, const void *sa, size_t n)
{
    const size_t path_at = offsetof(struct sockaddr_un, sun_path);
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    sa_family_t family;
    if (n > SOCKADDR_MOST)
        n = SOCKADDR_MOST;
    if (n < path_at)
        return write_text(to, "unix:", 5); /* what an unnamed peer gives: no address at all */
    memcpy(&family, (const char *)sa + offsetof(struct sockaddr, sa_family), sizeof(family));
    if (family == AF_INET && n >= sizeof(in)) {
        memcpy(&in, sa, sizeof(in));
        return write_port(write_ipv4(to, (const unsigned char *)&in.sin_addr), in.sin_port);
    }
    if (family == AF_INET6 && n >= offsetof(struct sockaddr_in6, sin6_scope_id)) {
        in6.sin6_scope_id = 0;
        memcpy(&in6, sa, n < sizeof(in6) ? n : sizeof(in6));
        return write_ipv6(to, &in6);
    }
    if (family == AF_UNIX)
        return write_unix(to, (const char *)sa + path_at, n - path_at);
    return thl_number_write_uint(write_text(to, "family ", 7), family);
}

void
thl_number_put_addr(struct thl_buf *out, const void *sa, size_t n)
{
    char text[THL_NUMBER_ADDR_MAX];
    thl_buf_put(out, text, (size_t)(thl_number_write_addr(text, sa, n) - text));
}
