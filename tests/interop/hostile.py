# SPDX-License-Identifier: MIT
"""No byte of a value, key, message or name ends a record, starts another, or drives a terminal: one record in, one out.

Read by strict parsers of files in every format and of datagrams, and by both receivers.
"""
import contextlib
import json
import os
import pathlib
import socket
import subprocess
import tempfile
import threading

import judge
import kit
import strings
import wire
from claims import PATIENCE_S, run, until

STEP = 256 * 1024
RECORD = 8192
ENVELOPE = 1024
FORMATS = ('json', 'logfmt', 'pretty', 'rfc5424', 'rfc3164')
UDP_SIZE, UNIX_SIZE = 1232, 8000


class Listener(threading.Thread):
    """A datagram socket that keeps what comes."""

    def __init__(self, family, address):
        super().__init__(daemon=True)
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.socket.bind(address)
        self.port = self.socket.getsockname()[1] if family != socket.AF_UNIX else None
        self.datagrams = []
        self.start()

    def run(self):
        while True:
            self.datagrams.append(self.socket.recv(1 << 17))

    def wait(self, count):
        until(f'{count} datagrams ({len(self.datagrams)})', lambda: len(self.datagrams) >= count, every_s=kit.FAST_S)


def _steps(cases, record):
    """As many cases at a time as the queue holds, and each sink's, also when every byte is escaped."""
    step, size = [], 0
    for case in cases:
        step.append(case)
        size += 6 * min(len(case.data), record) + ENVELOPE
        if size > STEP:
            yield step
            step, size = [], 0
    if step:
        yield step


def say(cases, sinks, wait, app=None, record=RECORD):
    """hostile.c logs the cases; its ledger, and its pid."""
    environment = {'THOLE_SINKS': ' '.join(sinks), 'THOLE_LIMITS': f'record={record}'}
    process = subprocess.Popen([os.environ['THL_HOSTILE'], *([app] if app is not None else [])],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
    try:
        said = 0
        for step in _steps(cases, record):
            said += len(step)
            process.stdin.write(b''.join(case.frame() for case in step) + b'S\0\0\0\0')
            process.stdin.flush()
            assert int(process.stdout.readline()) == said
            wait(said)
            process.stdin.write(b'\n')
        ledger = json.loads(process.communicate(timeout=PATIENCE_S)[0])
        assert process.returncode == 0
    finally:
        process.kill()
        process.wait()
    assert ledger['called'] == ledger['routed'] == len(cases) and ledger['dropped'] == 0, ledger
    for sink in ledger['sinks']:
        assert sink['offered'] == sink['written'] == len(cases), ledger
    return ledger, process.pid


def _lines(path):
    return wire.lines_of(pathlib.Path(path).read_bytes())


def _check_files(folder, cases, ledger):
    """Every format, line by line. The records as JSON has them."""
    records = judge.check_json(_lines(f'{folder}/json'), cases)
    marked = sum('thole.truncated' in record for record in records)
    assert ledger['truncated'] >= marked == sum(case.long for case in cases), (marked, ledger)
    judge.check_logfmt(_lines(f'{folder}/logfmt'), cases, records)
    judge.check_pretty(_lines(f'{folder}/pretty'), cases, records)
    judge.check_rfc5424(_lines(f'{folder}/rfc5424'), cases, records)
    judge.check_rfc3164(_lines(f'{folder}/rfc3164'), cases, records)
    return records


def one_case_is_one_line_in_every_format():
    with tempfile.TemporaryDirectory() as folder:
        sinks = [f'file:{folder}/{form}?format={form}' for form in FORMATS]
        ledger, _ = say(strings.CASES, sinks, lambda n: None)
        _check_files(folder, strings.CASES, ledger)


def one_case_is_one_datagram_of_the_size_it_may_have():
    with tempfile.TemporaryDirectory() as folder:
        modern = Listener(socket.AF_INET, ('127.0.0.1', 0))
        legacy = Listener(socket.AF_INET, ('127.0.0.1', 0))
        local = Listener(socket.AF_UNIX, f'{folder}/log')
        ledger, _ = say(strings.CASES, [
            f'file:{folder}/json?format=json', f'udp://127.0.0.1:{modern.port}', f'syslog:{folder}/log',
            f'udp://127.0.0.1:{legacy.port}?format=rfc3164&size={UDP_SIZE}'],
            lambda n: [listener.wait(n) for listener in (modern, legacy, local)])
        records = judge.check_json(_lines(f'{folder}/json'), strings.CASES)
        assert ledger['truncated'] >= sum(case.long for case in strings.CASES), ledger
        for listener, check, size in ((modern, judge.check_rfc5424, UDP_SIZE), (legacy, judge.check_rfc3164, UDP_SIZE),
                                      (local, judge.check_rfc3164, UNIX_SIZE)):
            assert max(map(len, listener.datagrams)) <= size
            check(listener.datagrams, strings.CASES, records)


def one_case_is_one_record_of_each_receiver():
    with contextlib.ExitStack() as stack:
        both = [stack.enter_context(kit.receiver(name)) for name in kit.KINDS]
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        legacy = 'udp6' if kit.has_ipv6() else 'devlog'
        sources = {'udp': True, 'modern': True, 'devlog': False, legacy: False}
        sinks = [f'file:{folder}/json?format=json']
        for receiver in both:
            sinks += [f'udp://127.0.0.1:{receiver.port}', f'syslog:{receiver.path("modern")}?format=rfc5424',
                      f'syslog:{receiver.path("devlog")}']
            if kit.has_ipv6():
                sinks.append(f'udp://[::1]:{receiver.port}?format=rfc3164&size={UDP_SIZE}')
        _, pid = say(strings.CASES, sinks, lambda n: [r.wait(source, n) for r in both for source in sources])
        records = judge.check_json(_lines(f'{folder}/json'), strings.CASES)
        for receiver in both:
            receiver.end()
            for source, is_modern in sources.items():
                check = judge.check_received if is_modern else judge.check_received_legacy
                check(receiver.name, receiver.records(source), strings.CASES, records, pid)


def record_of_fifty_thousand_bytes_comes_through_a_socket_that_may_have_it():
    cases = [case for case in strings.CASES if case.long]
    with contextlib.ExitStack() as stack:
        both = [stack.enter_context(kit.receiver(name)) for name in kit.KINDS]
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        sinks = [f'syslog:{receiver.path("modern")}?format=rfc5424&size=60000' for receiver in both]
        _, pid = say(cases, [f'file:{folder}/json?format=json', *sinks],
                     lambda n: [receiver.wait('modern', n) for receiver in both], record=50000)
        records = judge.check_json(_lines(f'{folder}/json'), cases)
        for receiver in both:
            received = receiver.records('modern')
            assert max(len(record['sd']) for record in received) > 49000
            judge.check_received(receiver.name, received, cases, records, pid)


def hostile_name_of_the_program_stays_in_its_field():
    case = [strings.Case('v', b'x', fields=[('v', strings.Text('x'))])]
    names = [*strings.CONTROLS[::8], *strings.CHARACTERS[::4], *strings.INVALID[::2], *strings.TEXTS, b'a' * 300]
    for s in filter(lambda s: s and b'\0' not in s, names):
        with tempfile.TemporaryDirectory() as folder:
            say(case, [f'file:{folder}/{form}?format={form}' for form in ('json', 'rfc5424', 'rfc3164')],
                lambda n: None, app=s)
            records = judge.check_json(_lines(f'{folder}/json'), case)
            judge.check_rfc5424(_lines(f'{folder}/rfc5424'), case, records, app=judge.header_name(s))
            judge.check_rfc3164(_lines(f'{folder}/rfc3164'), case, records, app=judge.tag_name(s))


def record_with_more_long_keys_than_it_can_hold_says_so():
    with tempfile.TemporaryDirectory() as folder:
        say([strings.CROWDED], [f'file:{folder}/json?format=json'], lambda n: None)
        record = wire.parse_json(_lines(f'{folder}/json')[0])
        lost = [key[:8] for key, _ in strings.CROWDED.fields if key not in record]
        assert 'end' in record and (not lost or 'thole.truncated' in record), f'lost without a word: {lost}'


run(globals())
