/* SPDX-License-Identifier: MIT */
/*
 * What is logged, the same for all: the peers log these fields with these values, too.
 *
 * WORK_BYTES_... is the least that a record of such fields can carry to another thread: 16 bytes of
 * envelope (what was logged, through which logger), 8 for a number, and for a string 4 of length
 * and its bytes, padded to 8. The time comes on top, from whoever writes it.
 */
#ifndef BENCH_WORKLOAD_H
#define BENCH_WORKLOAD_H

#define WORK_NAME "bench"

/* Three numbers. */
#define WORK_3(i) "a", (i), "b", 42, "c", 3.25
#define WORK_BYTES_3 (16 + 3 * 8)

/* A string and two integers. */
#define WORK_3S(i) "path", "/index.html", "status", 200, "bytes", (i)
#define WORK_BYTES_3S (16 + 16 + 2 * 8)

/* Ten mixed ones: three strings, four integers, a double, a bool, a duration. */
#define WORK_10(i)                                                                                 \
    "a", (i), "b", 42, "c", 3.25, "path", "/index.html", "host", "www.example.org", "status", 200, \
        "bytes", 5120, "ok", thole_bool(i), "took", thole_us(1500), "agent", "curl/7.88.1"
#define WORK_BYTES_10 (16 + 16 + 24 + 16 + 7 * 8)

#define WORK_BYTES_0 16

/* The context of a connection's child: five fields. */
#define WORK_CONTEXT(i)                                                                            \
    "conn", (i), "peer", "10.0.0.7:4123", "tls", thole_bool(1), "user", "alice", "zone", 3
#define WORK_BYTES_CONTEXT (3 * 8 + 24 + 16)

#endif
