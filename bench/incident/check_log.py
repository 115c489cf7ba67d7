# SPDX-License-Identifier: MIT
"""Reads echod's JSON log with python's own parser and judges every line.

    python3 check_log.py FILE        prints the findings

Each connection's records must bear the same `conn` and `peer`, in the order accepted, first
request, closed; `client` is what the client said of itself, "c-" and its own address, so it must
agree with the `peer` that echod saw.
"""
import json
import sys

ENVELOPE = ["time", "level", "logger", "msg"]
ORDER = ["accepted", "first request", "closed"]
ALONE = {"listening", "stopping"}  # records of the daemon, not of a connection


class Findings:
    def __init__(self):
        self.lines = self.invalid = self.wrong = self.bare = 0
        self.conns = {}  # conn -> [peer, messages seen]
        self.bare_accepted = 0  # connections that got no child of their own
        self.notices = []  # records of thole itself
        self.examples = []

    def complain(self, kind, line):
        if len(self.examples) < 5:
            self.examples.append(f"{kind}: {line[:200]!r}")

    def complete(self):
        return sum(1 for _, seen in self.conns.values() if seen == len(ORDER))


def unique(pairs):
    record = dict(pairs)
    if len(record) != len(pairs):
        raise ValueError("a key twice")
    return record


def parse(line):
    if not line.endswith(b"\n"):
        raise ValueError("no newline at the end")
    record = json.loads(line.decode("utf-8"), object_pairs_hook=unique)
    if list(record)[:4] != ENVELOPE:
        raise ValueError("not the envelope")
    return record


def check_connection(found, record, askers):
    """Whether this record of a connection is right, and in its turn."""
    conn = found.conns.setdefault(record["conn"], [record.get("peer"), 0])
    peer, seen = conn
    if seen >= len(ORDER) or record["msg"] != ORDER[seen]:
        return False
    conn[1] = seen + 1
    client = record.get("client")
    named = seen > 0 and peer not in askers
    return bool(peer) and record.get("peer") == peer and client == ("c-" + peer if named else None)


def check_record(found, record, askers):
    if record["logger"] == "thole":
        found.notices.append(record)
        return True
    if record["logger"] == "echod.net":
        return record["msg"] in ALONE
    if record["logger"] != "echod.conn":
        return False
    if "conn" in record:
        return check_connection(found, record, askers)
    found.bare += 1
    found.bare_accepted += record["msg"] == "accepted"
    return record["msg"] in ORDER


def check(path, askers=frozenset()):
    """`askers`: addresses of clients that asked for STATS and said no hello."""
    found = Findings()
    with open(path, "rb") as log:
        for line in log:
            found.lines += 1
            try:
                record = parse(line)
            except ValueError:
                found.invalid += 1
                found.complain("invalid", line)
                continue
            if not check_record(found, record, askers):
                found.wrong += 1
                found.complain("wrong", line)
    return found


def main():
    found = check(sys.argv[1])
    print(f"{found.lines} lines, {found.invalid} invalid, {found.wrong} wrong, "
          f"{len(found.conns)} connections, {found.complete()} complete, "
          f"{found.bare} records without a child, {len(found.notices)} notices")
    for example in found.examples:
        print(example)
    return 1 if found.invalid or found.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
