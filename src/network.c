/* SPDX-License-Identifier: MIT */
/* Addresses are read and compared. */
#include "network.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#define TEXT_MAX 46 /* of an address, with its NUL */
#define MAPPED_BITS 96

/* False when it is more than `most`, or no number. */
static bool
read_number(const char *s, size_t n, uint64_t most, uint64_t *out)
{
    uint64_t x = 0;
    if (n == 0 || n > 10)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (s[i] < '0' || s[i] > '9')
            return false;
        x = x * 10 + (uint64_t)(s[i] - '0');
    }
    *out = x;
    return x <= most;
}

static bool
read_plain(int family, const char *s, size_t n, unsigned char *bytes)
{
    char text[TEXT_MAX];
    if (n == 0 || n >= sizeof(text) || memchr(s, '\0', n))
        return false;
    memcpy(text, s, n);
    text[n] = '\0';
    return inet_pton(family, text, bytes) == 1;
}

static bool
read_ipv4(struct thl_network *net, const char *s, size_t n)
{
    net->family = 4;
    net->prefix = 32;
    return read_plain(AF_INET, s, n, net->bytes);
}

static bool
read_ipv6(struct thl_network *net, const char *s, size_t n)
{
    const char *percent = memchr(s, '%', n);
    size_t size = percent ? (size_t)(percent - s) : n;
    uint64_t scope = 0;
    if (percent && !read_number(percent + 1, n - size - 1, UINT32_MAX, &scope))
        return false;
    net->family = 6;
    net->prefix = 128;
    net->scope = (uint32_t)scope;
    return read_plain(AF_INET6, s, size, net->bytes);
}

static void
unmap(struct thl_network *net)
{
    static const unsigned char mapped[12] = {[10] = 0xFF, [11] = 0xFF};
    if (net->family != 6 || net->prefix < MAPPED_BITS || memcmp(net->bytes, mapped, 12) != 0)
        return;
    net->family = 4;
    net->prefix -= MAPPED_BITS;
    net->scope = 0;
    memmove(net->bytes, net->bytes + 12, 4);
    memset(net->bytes + 4, 0, 12);
}

/* The byte that ends the address at s, or NULL when there is none. */
static const char *
read_address(struct thl_network *net, const char *s, size_t n)
{
    if (n > 0 && s[0] == '[') {
        const char *shut = memchr(s, ']', n);
        return shut && read_ipv6(net, s + 1, (size_t)(shut - s) - 1) ? shut + 1 : NULL;
    }
    const char *slash = n > 0 ? memchr(s, '/', n) : NULL;
    size_t size = slash ? (size_t)(slash - s) : n;
    if (size > 0 && read_ipv6(net, s, size))
        return s + size;
    const char *colon = size > 0 ? memchr(s, ':', size) : NULL;
    *net = (struct thl_network){0};
    size = colon ? (size_t)(colon - s) : size;
    return read_ipv4(net, s, size) ? s + size : NULL;
}

enum thl_network_fault
thl_network_parse(struct thl_network *out, const char *s, size_t n, size_t *at)
{
    struct thl_network net = {0};
    uint64_t x = 0;
    const char *end = s + n, *p = read_address(&net, s, n);
    *out = net;
    if (!p || (p < end && *p != '/' && *p != ':'))
        return THL_NETWORK_NO_ADDRESS;
    if (p < end) {
        size_t rest = (size_t)(end - p) - 1;
        *at = (size_t)(p - s) + 1;
        if (*p == '/' && !read_number(p + 1, rest, net.prefix, &x))
            return THL_NETWORK_BAD_PREFIX;
        if (*p == ':' && !read_number(p + 1, rest, UINT16_MAX, &x))
            return THL_NETWORK_BAD_PORT;
        if (*p == '/') {
            net.prefix = (uint8_t)x;
        } else {
            net.has_port = true;
            net.port = (uint16_t)x;
        }
    }
    unmap(&net);
    *out = net;
    return THL_NETWORK_FINE;
}

/* ---- text that was to be an address ---- */

static size_t
count_span(const char *s, size_t n, const char *set)
{
    size_t i = 0;
    while (i < n && s[i] != '\0' && strchr(set, s[i]))
        i++;
    return i;
}

static bool
looks_like_ipv4(const char *s, size_t n)
{
    unsigned numbers = 0;
    size_t at = 0;
    for (;;) {
        size_t digits = count_span(s + at, n - at, "0123456789");
        if (digits < 1 || digits > 3)
            return false;
        numbers++;
        at += digits;
        if (at == n || s[at] != '.')
            break;
        at++;
    }
    if (at == n || s[at] == ':')
        return numbers == 4;
    return s[at] == '/' && numbers > 1 && at + 1 < n &&
           count_span(s + at + 1, n - at - 1, "0123456789") == n - at - 1;
}

static bool
looks_like_ipv6(const char *s, size_t n)
{
    size_t skipped = n > 0 && s[0] == '[';
    s += skipped;
    n -= skipped;
    size_t size = count_span(s, n, "0123456789abcdefABCDEF:."), colons = 0;
    bool twice = false;
    for (size_t i = 0; i < size; i++) {
        colons += s[i] == ':';
        twice |= i > 0 && s[i] == ':' && s[i - 1] == ':';
    }
    return (twice || colons >= 7) && (size == n || strchr("/%]", s[size]));
}

bool
thl_network_looks_so(const char *s, size_t n)
{
    return looks_like_ipv4(s, n) || looks_like_ipv6(s, n);
}

/* Works on copies: the caller's bytes are neither aligned nor as long as their family wants. */
bool
thl_network_read(struct thl_network *out, const void *sa, size_t n)
{
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    sa_family_t family;
    struct thl_network net = {.has_port = true};
    if (n < offsetof(struct sockaddr, sa_data))
        return false;
    memcpy(&family, (const char *)sa + offsetof(struct sockaddr, sa_family), sizeof(family));
    if (family == AF_INET && n >= sizeof(in)) {
        memcpy(&in, sa, sizeof(in));
        net.family = 4;
        net.prefix = 32;
        net.port = ntohs(in.sin_port);
        memcpy(net.bytes, &in.sin_addr, 4);
    } else if (family == AF_INET6 && n >= offsetof(struct sockaddr_in6, sin6_scope_id)) {
        memset(&in6, 0, sizeof(in6));
        memcpy(&in6, sa, n < sizeof(in6) ? n : sizeof(in6));
        net.family = 6;
        net.prefix = 128;
        net.port = ntohs(in6.sin6_port);
        net.scope = in6.sin6_scope_id;
        memcpy(net.bytes, &in6.sin6_addr, 16);
    } else {
        return false;
    }
    unmap(&net);
    *out = net;
    return true;
}

static bool
agree(const unsigned char *a, const unsigned char *b, unsigned bits)
{
    unsigned whole = bits / 8, rest = bits % 8;
    return memcmp(a, b, whole) == 0 && (rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0);
}

bool
thl_network_covers(const struct thl_network *network, const struct thl_network *address)
{
    if (network->family == 0 || network->family != address->family)
        return false;
    if (network->has_port && (!address->has_port || network->port != address->port))
        return false;
    return (network->scope == 0 || network->scope == address->scope) &&
           address->prefix >= network->prefix &&
           agree(network->bytes, address->bytes, network->prefix);
}
