/* SPDX-License-Identifier: MIT */
/*
 * Logs records with every kind of field, whose values both sides know: speaker COUNT CHUNK
 *
 * draw(n, k) is the k-th draw of record n; speech.py computes the same values from it on its own,
 * and what each must read. After each CHUNK it waits for a line; at the end it prints the ledger.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "link.h"

#define PER_CONNECTION 16 /* records */
#define BOUND_AT 8        /* the record of a connection before which its user is known */
#define SYMBOLS 12        /* of a text, at most */

enum kind { SMALL, LARGE = 70000 };

/* splitmix64's last step. */
static uint64_t
draw(uint64_t n, uint64_t k)
{
    uint64_t x = (n * 64 + k + 1) * UINT64_C(0x9E3779B97F4A7C15);
    x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
    return x ^ (x >> 31);
}

/* An integer of so many bits, often one at the end of its range. */
static uint64_t
draw_bits(uint64_t n, uint64_t k, unsigned bits)
{
    const uint64_t all = bits == 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1, x = draw(n, k);
    switch (x & 7) {
    case 0:
        return 0;
    case 1:
        return all;
    case 2:
        return all / 2 + 1;
    case 3:
        return all / 2;
    default:
        return (x >> 3) & all;
    }
}

/* Symbols of one to four bytes; the last is a byte that belongs to no sequence. */
static const char *const symbols[32] = {
    "a", "Z",  "0", " ",      "=",      "\"",       "\\",     "]",    "[",        "<",   "%",
    "'", "#",  "{", "\n",     "\t",     "\x1b[31m", "\r",     "\x7f", "\xC2\x85", "ü",   "ß",
    "€", "日", "😀", "\u200F", "\uFEFF", "\u2028",   "\u2029", "\x01", "\uFFFD",   "\xFF"};

/* A text; with the symbol of its first draw when it is not empty. Its length. */
static size_t
draw_text(char *to, uint64_t n, uint64_t k)
{
    const size_t count = draw(n, k) % (SYMBOLS + 1);
    char *at = to;
    for (size_t i = 0; i < count; i++) {
        const char *symbol = symbols[draw(n, k + 1 + i) % 32];
        const size_t size = strlen(symbol);
        memcpy(at, symbol, size);
        at += size;
    }
    *at = '\0';
    return (size_t)(at - to);
}

static double
draw_double(uint64_t n, uint64_t k)
{
    const uint64_t bits = draw(n, k);
    double x;
    memcpy(&x, &bits, sizeof(x));
    return x;
}

static float
draw_float(uint64_t n, uint64_t k)
{
    const uint32_t bits = (uint32_t)draw(n, k);
    float x;
    memcpy(&x, &bits, sizeof(x));
    return x;
}

static double
draw_special(uint64_t n, uint64_t k)
{
    static const double special[] = {0.0, -0.0, 1e300 * 1e300, -1e300 * 1e300, 5e-324, 0.1};
    const uint64_t which = draw(n, k) % 7;
    return which < 6 ? special[which] : special[2] - special[2]; /* NaN */
}

static void *
draw_pointer(uint64_t n, uint64_t k)
{
    const uint64_t bits = draw(n, k);
    void *p;
    memcpy(&p, &bits, sizeof(p));
    return p;
}

static struct sockaddr_in
draw_ipv4(uint64_t n, uint64_t k)
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    a.sin_addr.s_addr = htonl((uint32_t)draw_bits(n, k, 32));
    a.sin_port = htons((uint16_t)draw_bits(n, k + 1, 16));
    return a;
}

/* With runs of zeros: each group has a bit that says whether it is one. Some carry an IPv4 one. */
static struct sockaddr_in6
draw_ipv6(uint64_t n, uint64_t k)
{
    struct sockaddr_in6 a = {.sin6_family = AF_INET6};
    const uint64_t zeros = draw(n, k);
    const bool mapped = (zeros >> 8 & 7) == 0;
    for (unsigned i = 0; i < 8; i++) {
        uint64_t group = zeros >> i & 1 ? 0 : draw(n, k + 1 + i);
        if (mapped && i < 6)
            group = i == 5 ? 0xFFFF : 0;
        a.sin6_addr.s6_addr[2 * i] = (uint8_t)(group >> 8);
        a.sin6_addr.s6_addr[2 * i + 1] = (uint8_t)group;
    }
    a.sin6_port = htons((uint16_t)draw_bits(n, k + 9, 16));
    return a;
}

#define SIGNED(type, n, k) ((type)draw_bits(n, k, 8 * sizeof(type)))

static void
say_integers(thole_logger lg, enum thole_level level, uint64_t n)
{
    thole_log(lg, level, "integers", "n", n, "bool", (bool)(draw(n, 1) & 1), "char",
              (char)SIGNED(signed char, n, 2), "schar", SIGNED(signed char, n, 3), "uchar",
              SIGNED(unsigned char, n, 4), "short", SIGNED(short, n, 5), "ushort",
              SIGNED(unsigned short, n, 6), "int", SIGNED(int, n, 7), "uint",
              SIGNED(unsigned, n, 8), "long", SIGNED(long, n, 9), "ulong",
              SIGNED(unsigned long, n, 10), "llong", SIGNED(long long, n, 11), "ullong",
              SIGNED(unsigned long long, n, 12), "enum", draw(n, 13) & 1 ? LARGE : SMALL, "hex",
              thole_hex(draw_bits(n, 14, 64)), "null", (const char *)NULL);
}

static void
say_reals(thole_logger lg, enum thole_level level, uint64_t n)
{
    thole_log(lg, level, "reals", "n", n, "float", draw_float(n, 1), "double", draw_double(n, 2),
              "special", draw_special(n, 3), "whole", (double)(draw(n, 4) >> 12), "decimal",
              (double)(draw(n, 5) >> 40) / 100.0, "unit", (double)(draw(n, 6) >> 11) * 0x1p-53,
              "ns", thole_ns((int64_t)draw(n, 7)), "us", thole_us((int64_t)(draw(n, 8) >> 24)),
              "ms", thole_ms(-(int64_t)(draw(n, 9) >> 40)), "s", thole_s((int64_t)draw(n, 10)),
              "flag", thole_bool(draw(n, 11) & 1), "pointer", draw_pointer(n, 12), "nowhere",
              (void *)NULL);
}

static void
say_texts(thole_logger lg, enum thole_level level, uint64_t n)
{
    char text[128], raw[130];
    uint8_t bytes[16];
    const struct sockaddr_in peer4 = draw_ipv4(n, 36);
    const struct sockaddr_in6 peer6 = draw_ipv6(n, 38);
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    const size_t nbytes = draw(n, 32) % (sizeof(bytes) + 1);
    const uint64_t both[2] = {draw(n, 33), draw(n, 34)};
    memcpy(bytes, both, sizeof(bytes));
    draw_text(text, n, 1);
    raw[0] = '\0'; /* a string with a NUL inside */
    const size_t size = 1 + draw_text(raw + 1, n, 16);
    snprintf(local.sun_path, sizeof(local.sun_path), "/%.100s", text);
    thole_log(lg, level, "texts", "n", n, "text", text, "raw", thole_str(raw, size), "bytes",
              thole_bytes(bytes, nbytes), "peer4", thole_addr((const void *)&peer4, sizeof(peer4)),
              "peer6", thole_addr((const void *)&peer6, sizeof(peer6)), "local",
              thole_addr((const void *)&local, sizeof(local)), "err",
              thole_errno((int)(1 + draw(n, 35) % 39)), "secret", thole_secret(text), "empty", "");
}

/* Keys of which some are mapped in syslog, two of them to one name. */
static void
say_fields(thole_logger lg, enum thole_level level, uint64_t n)
{
    char text[128], msg[128];
    const size_t size = draw_text(text, n, 1);
    const struct sockaddr_in peer = draw_ipv4(n, 36);
    draw_text(msg, n, 16);
    const thole_field fields[] = {
        {"n", THOLE_FIELD_UINT, 0, {.u = n}},
        {"dotted.key", THOLE_FIELD_STRING, (uint32_t)size, {.p = text}},
        {"dotted_key", THOLE_FIELD_CSTRING, 0, {.p = text}},
        {"with blank = \"quoted\"]", THOLE_FIELD_INT, 0, {.i = (int64_t)draw_bits(n, 32, 64)}},
        {"schlüssel", THOLE_FIELD_BOOL, 0, {.u = draw(n, 33) & 1}},
        {"a-key-of-more-than-thirty-two-bytes", THOLE_FIELD_DOUBLE, 0, {.d = draw_double(n, 34)}},
        {"time", THOLE_FIELD_DURATION, 0, {.i = (int64_t)draw(n, 35)}},
        {"thole.own", THOLE_FIELD_HEX, 0, {.u = draw_bits(n, 38, 64)}},
        {"msg", THOLE_FIELD_FLOAT, 0, {.d = (double)draw_float(n, 39)}},
        {"peer", THOLE_FIELD_ADDR, sizeof(peer), {.p = &peer}}, /* wins over the context's */
        {"e", THOLE_FIELD_ERRNO, 0, {.i = (int64_t)(1 + draw(n, 40) % 39)}},
        {"p", THOLE_FIELD_POINTER, 0, {.u = draw_bits(n, 41, 64)}},
        {"b", THOLE_FIELD_BYTES, (uint32_t)size, {.p = text}},
        {"", THOLE_FIELD_NULL, 0, {.u = 0}},
        {"secret", THOLE_FIELD_SECRET, 0, {.u = 0}}};
    thole_log_fields(lg, level, msg, fields, sizeof(fields) / sizeof(fields[0]));
}

static void
open_connection(thole_logger *conn, uint64_t c)
{
    static const char *const names[] = {"interop.http", "interop.tls-1_2", "",
                                        "interop.of.more.than.thirty-two.bytes"};
    const struct sockaddr_in peer4 = draw_ipv4(c, 60);
    const struct sockaddr_in6 peer6 = draw_ipv6(c, 50);
    const thole_logger parent = thole_get(names[c % 4]);
    if (c & 1)
        thole_child(conn, parent, "conn", c, "peer",
                    thole_addr((const void *)&peer6, sizeof(peer6)));
    else
        thole_child(conn, parent, "conn", c, "peer",
                    thole_addr((const void *)&peer4, sizeof(peer4)));
}

static void
say(thole_logger *conn, uint64_t n)
{
    static void (*const say_kind[])(thole_logger, enum thole_level,
                                    uint64_t) = {say_integers, say_reals, say_texts, say_fields};
    char user[128];
    if (n % PER_CONNECTION == 0)
        open_connection(conn, n / PER_CONNECTION);
    if (n % PER_CONNECTION == BOUND_AT) {
        draw_text(user, n / PER_CONNECTION, 16);
        thole_bind(conn, "user", user);
    }
    say_kind[n % 4](*conn, (enum thole_level)(n % THOLE_OFF), n);
    if (n % PER_CONNECTION == PER_CONNECTION - 1)
        thole_unref(conn);
}

int
main(int argc, char **argv)
{
    const uint64_t count = argc == 3 ? strtoul(argv[1], NULL, 10) : 0;
    const uint64_t chunk = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;
    const struct thole_options options = {.size = sizeof(options), .log = "trace"};
    thole_logger conn = {0};

    if (count == 0 || chunk == 0 || thole_start(&options) != 0)
        refuse("usage: speaker COUNT CHUNK");
    for (uint64_t n = 0; n < count; n++) {
        say(&conn, n);
        if ((n + 1) % chunk == 0 || n + 1 == count)
            keep_step(n + 1);
    }
    thole_unref(&conn);
    print_ledger();
    return thole_stop(PATIENCE_MS) == 0 ? 0 : 1;
}
