#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The peer logging of Python's library, as its HOWTO has it for speed: no thread, process or caller
is looked up. Lines go through a FileHandler, which flushes each. A child is a LoggerAdapter with five
fields of context, which its process() writes before the message. peer.h says what is measured.

usage: python_logging.py QUESTION CASE
"""
import logging
import os
import sys
import tempfile
import time

BATCH, BATCHES, WARM_BATCHES, PAUSE_NS = 20, 3000, 1000, 100_000
LINES, LINE_BYTES, REHEARSED, FIRST = 100_000, 100, 200, 10_000_000
CHILDREN, HELD = 20_000, 100_000

FORMAT = logging.Formatter('[%(asctime)s.%(msecs)03d] [%(name)s] [%(levelname)s] %(message)s',
                           '%Y-%m-%d %H:%M:%S')
TEN = ('ten fields a=%d b=%d c=%g path=%s host=%s status=%d bytes=%d ok=%s took=%dus agent=%s')

log = logging.getLogger('bench')
log.propagate = False
log.setLevel(logging.INFO)
filler = ''


def log_10(count):
    for i in range(count):
        log.info(TEN, i, 42, 3.25, '/index.html', 'www.example.org', 200, 5120, i != 0, 1500,
                 'curl/7.88.1')


def log_text(count):
    for i in range(count):
        log.info('line %d %s', FIRST + i, filler)


class Connection(logging.LoggerAdapter):
    def process(self, msg, kwargs):
        return 'conn=%d peer=%s tls=%s user=%s zone=%d ' % self.extra + msg, kwargs


def child(i):
    return Connection(log, (i, '10.0.0.7:4123', True, 'alice', 3))


def cycle(count):
    for i in range(count):
        child(i).info('request done status=%d', 200)


def create_drop(count):
    for i in range(count):
        child(i)


def read_proc(name, key):
    with open(f'/proc/self/{name}') as file:
        return next(int(line.split()[1]) for line in file if line.startswith(key))


def report(metric, value, unit):
    print(*sys.argv[1:3], 'Python logging', metric, f'{value:.10g}', unit, sep='\t')


def rank(sorted_ns, permille):
    return sorted_ns[(len(sorted_ns) * permille + 999) // 1000 - 1] / BATCH


def logged(path, calls, *args):
    """What the calls return, and the bytes that the process wrote meanwhile."""
    before = read_proc('io', 'wchar:')
    handler = logging.FileHandler(path)
    handler.setFormatter(FORMAT)
    log.addHandler(handler)
    result = calls(*args)
    log.removeHandler(handler)
    handler.close()
    return result, read_proc('io', 'wchar:') - before


def in_file(calls, *args):
    """What they return, and the lines and bytes in the file."""
    with tempfile.NamedTemporaryFile() as file:
        result, _ = logged(file.name, calls, *args)
        lines = size = 0
        while block := file.read(1 << 16):
            lines, size = lines + block.count(b'\n'), size + len(block)
    return result, lines, size


def rehearse(calls, at_a_time):
    """The bytes of REHEARSED lines, so many logged at a time."""
    _, lines, size = in_file(lambda: [calls(at_a_time) for _ in range(REHEARSED // at_a_time)])
    if lines != REHEARSED:
        sys.exit(f'Python logging: {lines} lines of {REHEARSED} arrived in the rehearsal')
    return size


def check(written, lines, rehearsed):
    if written * REHEARSED != lines * rehearsed:
        sys.exit(f'Python logging: {written} bytes of {lines * rehearsed / REHEARSED} were written')


def pace(calls):
    """The sorted times of the batches after the warm ones."""
    kept = []
    for batch in range(WARM_BATCHES + BATCHES):
        began = time.perf_counter_ns()
        calls(BATCH)
        ended = time.perf_counter_ns()
        if batch >= WARM_BATCHES:
            kept.append(ended - began)
        while time.perf_counter_ns() - ended < PAUSE_NS:
            pass
    return sorted(kept)


def measure_latency():
    size = rehearse(log_10, BATCH)
    ns, written = logged(os.devnull, pace, log_10)
    check(written, (WARM_BATCHES + BATCHES) * BATCH, size)
    for metric, permille in (('p50', 500), ('p99', 990), ('p99.9', 999)):
        report(metric, rank(ns, permille), 'ns')
    report('bytes_line', size / REHEARSED, 'bytes')


def time_lines():
    began = time.perf_counter_ns()
    log_text(LINES)
    return (time.perf_counter_ns() - began) / LINES


def measure_throughput(to_file):
    global filler
    filler = 'x' * (LINE_BYTES - rehearse(log_text, REHEARSED) // REHEARSED)
    size, lines = rehearse(log_text, REHEARSED), LINES
    if to_file:
        ns, lines, written = in_file(time_lines)
    else:
        ns, written = logged(os.devnull, time_lines)
    if lines != LINES or size != REHEARSED * LINE_BYTES:
        sys.exit(f'Python logging: {lines} lines of {LINES} arrived, each of {size / REHEARSED} bytes')
    check(written, LINES, size)
    report('ns_line', ns, 'ns')
    report('bytes_line', written / LINES, 'bytes')
    report('rss_mib', read_proc('status', 'VmHWM:') / 1024, 'MiB')
    report('lines', lines, 'lines')


def time_children(calls):
    """The sorted times of the batches."""
    ns = []
    for _ in range(CHILDREN // BATCH):
        began = time.perf_counter_ns()
        calls(BATCH)
        ns.append(time.perf_counter_ns() - began)
    return sorted(ns)


def measure_children(calls, lines):
    """`lines`: of each operation."""
    size = rehearse(calls, BATCH) if lines else 0
    ns, written = logged(os.devnull, time_children, calls)
    check(written, CHILDREN * lines, size)
    report('ns', rank(ns, 500), 'ns')
    report('ns_mean', sum(ns) / CHILDREN, 'ns')


def measure_held():
    held = [None] * HELD
    before = read_proc('smaps_rollup', 'Rss:')
    for i in range(HELD):
        held[i] = child(i)
    report('bytes', (read_proc('smaps_rollup', 'Rss:') - before) * 1024 / HELD, 'bytes')


CASES = {
    ('latency', '10.named.1'): measure_latency,
    ('throughput', 'text.p1.null'): lambda: measure_throughput(False),
    ('throughput', 'text.p1.file'): lambda: measure_throughput(True),
    ('child', 'cycle.1'): lambda: measure_children(cycle, 1),
    ('child', 'create_drop.1'): lambda: measure_children(create_drop, 0),
    ('child', 'held.100000'): measure_held,
}


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging._srcfile = None
    logging.raiseExceptions = True
    if os.environ.get('BENCH_PIN') != '0':
        os.sched_setaffinity(0, {0})
    CASES.get(tuple(sys.argv[1:]), lambda: None)()


main()
