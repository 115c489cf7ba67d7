# SPDX-License-Identifier: MIT
"""The misuse that thole exists for: a logger named after each connection, a SysLogHandler for each.

    python3 misuse.py UDP_PORT COUNT

Real TCP connections on loopback, each opened, used, logged and closed; then every reference that
the program itself had is gone, and what is left is held by logging's registry. Prints one line of
JSON.
"""
import gc
import json
import logging
import logging.handlers
import os
import resource
import socket
import sys
import time


def descriptors():
    return len(os.listdir("/proc/self/fd")) - 1  # the listing itself needs one


def resident_kib():
    with open("/proc/self/smaps_rollup") as rollup:
        return next(int(line.split()[1]) for line in rollup if line.startswith("Rss:"))


def allow_descriptors(wanted):
    """Raises our own limit; returns how many there may be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return soft


class Connection:
    def __init__(self, number, sock, peer, syslog):
        self.sock = sock
        self.log = logging.getLogger(f"connection-{number}-port-{peer[1]}")  # kept for ever
        self.log.setLevel(logging.INFO)
        self.log.propagate = False
        self.log.addHandler(logging.handlers.SysLogHandler(syslog))  # a socket, kept as well
        self.log.info("accepted")

    def serve(self):
        line = self.sock.recv(100)
        self.sock.sendall(line)
        self.log.info("first request bytes=%d", len(line))

    def close(self):
        self.log.info("closed")
        self.sock.close()


def serve_one(number, listener, syslog):
    with socket.create_connection(listener.getsockname()) as client:
        sock, peer = listener.accept()
        connection = Connection(number, sock, peer, syslog)
        client.sendall(b"hello\n")
        connection.serve()
        client.recv(100)
        connection.close()


def main():
    port, count = int(sys.argv[1]), int(sys.argv[2])
    count = min(count, allow_descriptors(count + 64) - 64)
    listener = socket.create_server(("127.0.0.1", 0))
    syslog = ("127.0.0.1", port)
    serve_one(0, listener, syslog)  # what python itself takes for the first is not the misuse's
    gc.collect()
    fds, resident, begin = descriptors(), resident_kib(), time.monotonic()
    for number in range(1, count + 1):
        serve_one(number, listener, syslog)
    seconds = time.monotonic() - begin
    gc.collect()
    resident_end = resident_kib()
    print(json.dumps({
        "connections": count,
        "descriptors": descriptors() - fds,
        "loggers": len(logging.root.manager.loggerDict) - 1,
        "resident_kib": resident_end,
        "grown_kib": resident_end - resident,
        "seconds": round(seconds, 3),
    }))


if __name__ == "__main__":
    main()
