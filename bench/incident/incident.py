#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The incident, replayed: echod serves 80,000 connections, each with a logger of its own.

    python3 incident.py BUILD_FOLDER

Three runs: with every child given back; with the release forgotten on purpose; and the misuse that
began it all, a logger and a syslog handler for each connection, in python. Everything is measured
from outside, through /proc and sockets on loopback. Exit status 1 when a check fails.
"""
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.parse

from check_log import check
from daemon import Echod, Failure, Process, Receiver

HERE = os.path.dirname(os.path.abspath(__file__))
CONCURRENT = 200
WARM, REST = 10_000, 70_000
LEAK_BOUND, LEAK_WARM, LEAK_REST = 2_000, 4_000, 16_000
MISUSED = 2_000
TICK_S, LEAK_TICK_S = 0.5, 0.1  # the leaking run is short
LOAD_S = 120  # no load takes longer, or something is wrong
MOST_FDS, MOST_GROWTH_KIB = 6, 1024


class Checks:
    def __init__(self):
        self.passed = self.failed = 0

    def that(self, holds, what):
        print(f"  {'ok  ' if holds else 'FAIL'}  {what}")
        self.passed += bool(holds)
        self.failed += not holds


# ---- the ledger ----

def sums(ledger):
    """Both identities of a ledger: what was counted in, and where it went."""
    yield ledger["called"], sum(ledger[k] for k in ("routed", "dropped", "suppressed", "queued"))
    for sink in ledger["sinks"]:
        yield sink["offered"], sum(sink[k] for k in ("written", "dropped", "suppressed", "pending"))


def sink_of(ledger, scheme):
    return next(sink for sink in ledger["sinks"] if sink["name"].startswith(scheme + ":"))


def dropped(ledger):
    return ledger["dropped"] + sum(sink["dropped"] for sink in ledger["sinks"])


# ---- a run ----

class Run:
    """echod under load with its receivers, and what was seen of them."""

    def __init__(self, build, folder, limits, *arguments):
        self.build, self.log = build, os.path.join(folder, "echod.log")
        self.processes, self.ledgers = [], []
        self.seconds, self.begin = 0.0, time.monotonic()
        self.receiver = self.keep(
            Receiver(self.program("bench/receiver"), os.path.join(folder, "syslog")))
        environment = self.environment(urllib.parse.quote(folder), limits)
        self.echod = self.keep(
            Echod(self.program("tests/echod/echod"), environment, *arguments))
        self.idle_fds = len(self.echod.descriptors_of_thole())

    def environment(self, folder, limits):
        env = {k: v for k, v in os.environ.items()
               if not k.startswith("THOLE_") and k != "DEBUG_INVOCATION"}
        env["THOLE_SINKS"] = (f"file:{folder}/echod.log?format=json"
                              f" udp://127.0.0.1:{self.receiver.port} syslog:{folder}/syslog")
        env["THOLE_LIMITS"] = limits
        for name in ("THOLE_SINKS", "THOLE_LIMITS"):
            print(f"  {name}={env[name]}".replace(folder, "DIR"), flush=True)
        return env

    def program(self, path):
        return os.path.join(self.build, path)

    def keep(self, process):
        self.processes.append(process)
        return process

    def load(self, count, tick_s, watch):
        """Opens, uses and closes `count` connections, calling watch() every tick. Returns what the
        load generator says of them, once echod is at rest."""
        load = self.keep(Process([self.program("tests/echod/load"), str(self.echod.port),
                                  str(count), str(CONCURRENT)]))
        deadline = time.monotonic() + LOAD_S
        while not load.ended(tick_s):
            if time.monotonic() > deadline:
                raise Failure(f"{count:,} connections take more than {LOAD_S} s")
            self.ledgers.append(self.echod.stats())
            watch(self.ledgers[-1])
        said = json.loads(load.last_words())
        self.seconds += said["seconds"]
        self.ledgers.append(self.echod.settled())
        return said

    def two_loads(self, warm, rest, tick_s, watch):
        """Memory is compared between the end of the first load and the end of the second."""
        first = self.load(warm, tick_s, watch)
        self.resident_warm = self.echod.resident_kib()
        second = self.load(rest, tick_s, watch)
        self.resident = self.echod.resident_kib()
        self.growth, self.growth_over = self.resident - self.resident_warm, rest
        self.fds = max(self.idle_fds, len(self.echod.descriptors_of_thole()))
        self.total = first["done"] + second["done"]
        self.rest_ledger = self.ledgers[-1]

    def census(self, wanted, patience_s=10):
        """What `thole leaks` says from outside: its exit status, its sites, its words for people.
        A census that should find something is taken again until it does: signs need a second."""
        program, deadline = self.program("src/cli/thole"), time.monotonic() + patience_s
        while True:
            look = subprocess.run([program, "leaks", str(self.echod.pid), "--json"], check=False,
                                  stdout=subprocess.PIPE, timeout=LOAD_S)
            if look.returncode == wanted or time.monotonic() > deadline:
                break
            time.sleep(TICK_S)
        words = subprocess.run([program, "leaks", str(self.echod.pid)], check=False,
                               stdout=subprocess.PIPE, timeout=LOAD_S).stdout.decode()
        return look.returncode, json.loads(look.stdout)["sites"], words

    def finish(self):
        """Ends echod, which prints its ledger once more after thole_stop, then the receivers."""
        self.last = json.loads(self.echod.stop())
        self.ledgers.append(self.last)
        self.status = self.echod.process.returncode
        self.received = self.receiver.counts()
        self.minutes = (time.monotonic() - self.begin) / 60
        self.found = check(self.log, self.echod.askers)

    def end(self):
        for process in self.processes:
            process.kill()


def show_sample(run, ledger):
    fds, resident = run.echod.descriptors(), run.echod.resident_kib_quickly()
    written = sum(sink["written"] for sink in ledger["sinks"])
    print(f"  {ledger['served']:>11,} {ledger['children'] - 1:>10,} {fds:>11,}"
          f" {resident / 1024:>12.1f} {written:>15,} {dropped(ledger):>9,}", flush=True)


def show_end(run):
    print(f"\n  {'sink':<8} {'offered':>10} {'written':>10} {'dropped':>10} {'received':>10}")
    for scheme in ("file", "udp", "syslog"):
        sink = sink_of(run.last, scheme)
        got = run.received[scheme]["datagrams"] if scheme in run.received else run.found.lines
        print(f"  {scheme:<8} {sink['offered']:>10,} {sink['written']:>10,}"
              f" {sink['dropped']:>10,} {got:>10,}")
    print()
    for example in run.found.examples:
        print(f"  {example}")
    for notice in run.found.notices:
        print("  thole says: " + " ".join(
            f"{k}={v}" for k, v in notice.items() if k not in ("time", "logger", "hint")))


def check_served(checks, run, wanted):
    served = run.rest_ledger["served"]
    checks.that(run.total == wanted == served,
                f"connections served: {served:,} (every byte of their echo compared)")


def check_growth(checks, run, what):
    checks.that(abs(run.growth) <= MOST_GROWTH_KIB,
                f"resident memory {what} {run.resident_warm:,} KiB, after {run.growth_over:,} more"
                f" connections {run.resident:,} KiB ({run.growth:+,}; at most {MOST_GROWTH_KIB:,})")


def check_accounts(checks, run):
    """The ledger against itself, against the file, and against the receivers."""
    pairs = [pair for ledger in run.ledgers for pair in sums(ledger)]
    wrong = sum(1 for left, right in pairs if left != right)
    checks.that(wrong == 0, f"both ledger identities: {wrong} of {len(pairs)} sums wrong"
                            f" in {len(run.ledgers)} snapshots")
    found, written = run.found, sink_of(run.last, "file")["written"]
    checks.that(found.invalid == 0 and 0 < found.lines == written,
                f"lines that are not JSON to python: {found.invalid} of {found.lines:,}"
                f" (the ledger says {written:,})")
    lost = run.last["dropped"] + sink_of(run.last, "file")["dropped"]
    checks.that(lost == 0, f"records dropped on the file: {lost}")
    for scheme, at_least in (("syslog", 1.0), ("udp", 0.0)):
        sent, got = sink_of(run.last, scheme)["written"], run.received[scheme]["datagrams"]
        bad = run.received[scheme]["bad"]
        loss = "" if at_least else f", {sent - got:,} lost on the way, as UDP may"
        checks.that(0 < got <= sent and got >= sent * at_least and bad == 0,
                    f"{scheme} datagrams received: {got:,} of {sent:,}{loss}; {bad} malformed")
    checks.that(run.status == 0, f"echod's exit status: {run.status}")


def outcome(run):
    return {"connections": run.total, "descriptors": run.fds, "loggers": run.last["children"],
            "resident": run.resident, "growth": run.growth, "over": run.growth_over,
            "records": run.found.lines, "dropped": dropped(run.last), "seconds": run.seconds}


# ---- the three runs ----

def replay(checks, build, folder):
    """Every child is given back."""
    total = WARM + REST
    print(f"\n== {total:,} connections, {CONCURRENT} at a time, a child logger each, three sinks")
    run = Run(build, folder, "overflow=block:10000")
    print(f"\n  {'connections':>11} {'children':>10} {'descriptors':>11} {'resident MiB':>12}"
          f" {'written, sinks':>15} {'dropped':>9}", flush=True)
    try:
        run.two_loads(WARM, REST, TICK_S, lambda ledger: show_sample(run, ledger))
        status, sites, _ = run.census(0)
        run.finish()
    finally:
        run.end()
    show_end(run)
    found, askers = run.found, len(run.echod.askers)
    check_served(checks, run, total)
    checks.that(run.fds <= MOST_FDS, f"descriptors that thole adds: {run.fds} (at most {MOST_FDS})")
    live = run.rest_ledger["children"] - 1  # the asker's own
    checks.that(live == 0 and run.last["children"] == 0, f"live children at the end: {live}")
    checks.that(status == 0 and not any(site["suspect"] for site in sites),
                f"thole leaks: exit status {status}, {len(sites)} call sites hold children")
    check_growth(checks, run, f"after {WARM:,} connections")
    complete = found.complete() - askers
    checks.that(complete == total and found.wrong == 0 and found.bare == 0,
                f"every record with its own conn and peer: {complete:,} connections complete"
                f" (and {askers} that asked for the ledger), {found.wrong} records wrong")
    check_accounts(checks, run)
    return outcome(run)


def leak(checks, build, folder):
    """Nothing but the bound stands between echod --forget and the incident."""
    total, samples = LEAK_WARM + LEAK_REST, []
    print(f"\n== the release forgotten on purpose: {total:,} connections")
    run = Run(build, folder, f"children={LEAK_BOUND},overflow=block:10000", "--forget")
    try:
        run.two_loads(LEAK_WARM, LEAK_REST, LEAK_TICK_S,
                      lambda ledger: samples.append(ledger["children"]))
        status, sites, words = run.census(1)
        run.finish()
    finally:
        run.end()
    show_end(run)
    print("  $ thole leaks PID\n  " + words.rstrip().replace("\n", "\n  "))
    found, askers = run.found, len(run.echod.askers)
    peak, seen = run.last["children_peak"], max(samples, default=0)
    checks.that(peak == LEAK_BOUND >= seen,
                f"most live children: {peak:,}, bound {LEAK_BOUND:,}"
                f" (highest of {len(samples)} samples {seen:,})")
    check_served(checks, run, total)
    warnings = [n for n in found.notices if n["msg"] == "child limit reached"]
    sources = sorted({str(n.get("src")) for n in warnings})
    checks.that(1 <= len(warnings) <= 1 + run.minutes
                and all(re.fullmatch(r"echod\.c:[0-9]+", source) for source in sources),
                f"warnings in {run.minutes * 60:.0f} s, one a minute at most: {len(warnings)}, from"
                f" {' '.join(sources) or 'nothing'}")
    suspects = [site["site"] for site in sites if site["suspect"]]
    checks.that(status == 1 and suspects == sources,
                f"thole leaks: exit status {status}, suspects {' '.join(suspects) or 'nobody'}")
    check_growth(checks, run, "past the bound")
    own = len(found.conns)
    checks.that(own + found.bare_accepted == total + askers and found.wrong == 0,
                f"logging goes on: {own:,} connections with a child, {found.bare_accepted:,}"
                f" through the named logger, {found.wrong} records wrong")
    check_accounts(checks, run)
    return outcome(run)


def misuse(build, folder):
    """What python's logging keeps of a logger and a handler for each connection."""
    print(f"\n== the misuse, in python {sys.version.split()[0]}: a logger and a SysLogHandler for"
          f" each of {MISUSED:,} connections", flush=True)
    receiver = Receiver(os.path.join(build, "bench/receiver"), os.path.join(folder, "syslog"))
    python = Process([sys.executable, os.path.join(HERE, "misuse.py"), str(receiver.port),
                      str(MISUSED)])
    try:
        seen = json.loads(python.last_words())
        records = receiver.counts()["udp"]["datagrams"]
    finally:
        python.kill()
        receiver.kill()
    print(f"  all closed and collected; still there: {seen['descriptors']:,} sockets,"
          f" {seen['loggers']:,} loggers")
    return {"connections": seen["connections"], "descriptors": seen["descriptors"],
            "loggers": seen["loggers"], "resident": seen["resident_kib"],
            "growth": seen["grown_kib"], "over": seen["connections"], "records": records,
            "seconds": seen["seconds"]}


# ---- the summary ----

def show_summary(outcomes):
    def row(title, cell):
        print(f"  {title:<34}" + "".join(f"{cell(o):>19}" for o in outcomes.values()))

    print("\n== summary\n")
    print(f"  {'':<34}" + "".join(f"{name:>19}" for name in outcomes))
    row("connections", lambda o: f"{o['connections']:,}")
    row("descriptors for logging", lambda o: f"{o['descriptors']:,}")
    row("loggers left at the end", lambda o: f"{o['loggers']:,}")
    row("resident memory at the end, KiB", lambda o: f"{o['resident']:,}")
    row("  grown, KiB", lambda o: f"{o['growth']:+,}")
    row("  over so many connections", lambda o: f"{o['over']:,}")
    row("  grown for each 2,000, KiB", lambda o: f"{o['growth'] * 2000 / o['over']:+,.1f}")
    row("records", lambda o: f"{o['records']:,}")
    row("dropped, all sinks", lambda o: f"{o['dropped']:,}" if "dropped" in o else "not counted")
    row("seconds under load", lambda o: f"{o['seconds']:.1f}")


def run_all(build):
    checks, outcomes = Checks(), {}
    with tempfile.TemporaryDirectory(prefix="thole-") as folder:
        for name, runs in (("thole", lambda d: replay(checks, build, d)),
                           ("thole, forgotten", lambda d: leak(checks, build, d)),
                           ("python, misused", lambda d: misuse(build, d))):
            own = os.path.join(folder, str(len(outcomes)))
            os.mkdir(own)
            outcomes[name] = runs(own)
    show_summary(outcomes)
    print(f"\n{checks.passed} passed, {checks.failed} failed")
    return checks.failed == 0


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    # A plain exit, so that processes are ended and files removed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("incident: terminated"))
    try:
        return 0 if run_all(os.path.abspath(sys.argv[1])) else 1
    except (Failure, OSError) as failure:
        print(f"incident: {failure}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
