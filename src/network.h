/* SPDX-License-Identifier: MIT */
/*
 * IP addresses and networks, as text and as sockaddr, for comparing one with the other.
 *
 * An IPv4 address that IPv6 carries (::ffff:10.0.0.7) is the IPv4 address, and a network of such
 * addresses is the IPv4 network.
 */
#ifndef THL_NETWORK_H
#define THL_NETWORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct thl_network {
    uint8_t family; /* 4 or 6; 0: no address at all */
    uint8_t prefix; /* the bits that count */
    bool has_port;
    uint16_t port;
    uint32_t scope; /* of "fe80::1%3"; 0: none, any */
    unsigned char bytes[16];
};

enum thl_network_fault {
    THL_NETWORK_FINE,
    THL_NETWORK_NO_ADDRESS, /* some other text */
    THL_NETWORK_BAD_PREFIX,
    THL_NETWORK_BAD_PORT,
};

/* "10.0.0.7", "10.0.0.0/8", "10.0.0.7:4123", "::1", "fe80::/10", "[::1]:80", "[fe80::1%3]:80". For
 * a bad prefix or port out->prefix is the most that it may be, and *at is where it begins. */
enum thl_network_fault thl_network_parse(struct thl_network *out, const char *s, size_t n,
                                         size_t *at);

/* Whether text that thl_network_parse() finds no address in was to be one: four small numbers with
 * dots, fewer with a prefix, or what only IPv6 has ("10.0.0.300", "10.0/8", "fe80::1::2/10"). Text
 * that merely has colons or dots is not: "12:30", "std::vector", "6.1.55", "120.0.6099.109". */
bool thl_network_looks_so(const char *s, size_t n);

/* The address and port in a struct sockaddr of n bytes. False for other families. Safe for any n
 * and any bytes. */
bool thl_network_read(struct thl_network *out, const void *sa, size_t n);

/* Whether `address` lies in `network`: the same bits up to the prefix, and the same port and scope
 * where the network has them. */
bool thl_network_covers(const struct thl_network *network, const struct thl_network *address);

#endif
