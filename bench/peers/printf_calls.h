/* SPDX-License-Identifier: MIT */
/*
 * The calls of the peers that take printf's formats: define LOG(format, ...), then include this.
 * Messages, names and values are those of our benches; fields are written key=value.
 */
#ifndef PRINTF_CALLS_H
#define PRINTF_CALLS_H

#include "peer.h"
#include <inttypes.h>

static void
log_0(uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        LOG("no fields");
}

static void
log_3(uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        LOG("three numbers a=%" PRIu64 " b=%d c=%g", i, 42, 3.25);
}

static void
log_3s(uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        LOG("a string and two integers path=%s status=%d bytes=%" PRIu64, "/index.html", 200, i);
}

static void
log_10(uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        LOG("ten fields a=%" PRIu64 " b=%d c=%g path=%s host=%s status=%d bytes=%d ok=%s took=%dus"
            " agent=%s",
            i, 42, 3.25, "/index.html", "www.example.org", 200, 5120, i != 0 ? "true" : "false",
            1500, "curl/7.88.1");
}

static void
log_text(uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        LOG("line %" PRIu64 " %s", PEER_FIRST + i, peer_filler);
}

#define PRINTF_CALLS .paced = {log_0, log_3, log_3s, log_10}, .text = log_text

#endif
