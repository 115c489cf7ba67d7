/* SPDX-License-Identifier: MIT */
/* Connected, non-blocking sockets with a fresh connection where that heals; for syslog: and udp:.
 */
#ifndef THOLE_SINK_DGRAM_H
#define THOLE_SINK_DGRAM_H

#include <sys/socket.h>
#include <thole/sink.h>

#include "descriptor.h"

struct thl_dgram {
    struct thl_descriptor d;
    bool doubtful; /* UDP: one was refused; each is watched until one is not */
};

/* A fresh socket of `type`, connected to the address; only then is the old one closed. 0 or a
 * negative errno. */
int thl_dgram_connect(struct thl_dgram *d, int type, const struct sockaddr *address,
                      socklen_t size);

/* Sends all records, one a datagram, as the operation `write` of sink.h. When the socket has no
 * room, or the kernel no memory, it waits, at most THL_DESCRIPTOR_WAIT_MS in all. `again` is called
 * with any other error but EMSGSIZE: 0 says that the record may be sent once more, anything else is
 * the result. */
typedef int (*thl_dgram_again_fn)(void *sink, int error);
int thl_dgram_write(struct thl_dgram *d, const struct thole_sink_record *records, size_t n,
                    size_t *done, thl_dgram_again_fn again, void *sink);

/* Whether an error says that the peer is gone, or the daemon has closed the socket: a fresh
 * connection may heal it. */
bool thl_dgram_is_lost(int error);

#endif
