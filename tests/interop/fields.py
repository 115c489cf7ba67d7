# SPDX-License-Identifier: MIT
"""What speaker.c logs comes out of rsyslog and syslog-ng as it went in: every record once, every field, every header.

The reference is speech.py, which computes each field on its own; `file:` as JSON gives the times.
"""
import contextlib
import datetime
import json
import os
import pathlib
import subprocess
import tempfile

import compare
import kit
from claims import Skipped, run
from kit import PATIENCE_S

RECORDS = 10000
CHUNK = 150  # what the smallest receive buffer of a UDP socket holds
FEW = 1500
LOCAL3, LOCAL7 = 19, 23
TIMEZONE = '<+0530>-5:30'  # of sender and receivers: local time that differs from UTC by hours and minutes


# ---- one run ----

class Speaker:
    """A run of speaker.c; the receivers have each chunk before the next one is logged."""

    def __init__(self, sinks, folder, count):
        self.count = count
        self.file = pathlib.Path(folder) / 'reference'
        sinks = [f'file:{self.file}?format=json', *sinks]
        self.process = subprocess.Popen(
            [os.environ['THL_SPEAKER'], str(self.count), str(CHUNK)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env={'THOLE_SINKS': ' '.join(sinks), 'TZ': TIMEZONE})
        self.nsinks = len(sinks)

    def run(self, wait):
        """wait(n): until n records are there. Then the ledger."""
        for line in self.process.stdout:
            if line.startswith(b'{'):
                assert self.process.wait(timeout=PATIENCE_S) == 0
                return self._check_ledger(json.loads(line))
            wait(int(line))
            self.process.stdin.write(b'\n')
            self.process.stdin.flush()
        raise AssertionError(f'the speaker ended with {self.process.wait(timeout=PATIENCE_S)}')

    def end(self):
        self.process.kill()
        self.process.communicate()

    def _check_ledger(self, ledger):
        assert ledger['called'] == ledger['routed'] == self.count, ledger
        assert ledger['dropped'] == ledger['suppressed'] == ledger['truncated'] == ledger['children'] == 0, ledger
        assert len(ledger['sinks']) == self.nsinks, ledger
        for sink in ledger['sinks']:
            assert sink['offered'] == sink['written'] == self.count, ledger


@contextlib.contextmanager
def _both():
    with kit.receiver('rsyslog', timezone=TIMEZONE) as rsyslog, \
            kit.receiver('syslog-ng', timezone=TIMEZONE) as syslog_ng:
        yield rsyslog, syslog_ng


def _speak(sources, sinks_of, count):
    """What a run sends to both receivers: the reference's times by n, the speaker's pid, and of each
    receiver and source (receiver, source, its records)."""
    with _both() as both, tempfile.TemporaryDirectory() as folder:
        watched = [(receiver, source) for receiver in both for source in sources]
        began = datetime.datetime.now(datetime.timezone.utc)
        speaker = Speaker([sink for receiver in both for sink in sinks_of(receiver)], folder, count)
        try:
            speaker.run(lambda n: [receiver.wait(source, n) for receiver, source in watched])
        finally:
            speaker.end()
        for receiver in both:
            receiver.end()  # what may come twice has come
        times = compare.check_reference(speaker.file.read_bytes(), speaker.count)
        return times, speaker.process.pid, began, [(r, source, r.records(source)) for r, source in watched]


# ---- claims ----

def ten_thousand_records_come_through_udp_and_both_kinds_of_unix_socket():
    def sinks(receiver):
        return (f'udp://127.0.0.1:{receiver.port}', f'syslog:{receiver.path("modern")}?format=rfc5424',
                f'syslog:{receiver.path("devlog")}')
    times, pid, began, received = _speak(('udp', 'modern', 'devlog'), sinks, RECORDS)
    header = compare.Header(times, pid)

    def is_now(record, _):
        time = compare.time_of(record)
        assert began.replace(microsecond=0) <= time <= datetime.datetime.now(datetime.timezone.utc), record
    for receiver, source, records in received:
        if source == 'devlog':  # rsyslog takes the time of its receipt instead
            check_time = is_now if receiver.name == 'rsyslog' else compare.is_same_second(header)
            compare.check_legacy(records, header, check_time)
        else:
            compare.check_modern(receiver.name, source, records, header)


def few_records_come_through_udp_in_the_old_form():
    def sinks(receiver):
        return [f'udp://127.0.0.1:{receiver.port}?format=rfc3164&ident=other.name&facility=local3']
    times, pid, _, received = _speak(('udp',), sinks, FEW)
    header = compare.Header(times, pid, LOCAL3, 'other.name')
    for _, _, records in received:
        compare.check_legacy(records, header, compare.is_same_second(header))


def options_of_syslog_are_seen_over_ipv6():
    if not kit.has_ipv6():
        raise Skipped('no IPv6 on the loopback')

    def sinks(receiver):
        return [f'udp://[::1]:{receiver.port}?sdid=own@4711&ident=other.name&facility=local3&seq=1']
    times, pid, _, received = _speak(('udp6',), sinks, FEW)
    header = compare.Header(times, pid, LOCAL3, 'other.name')
    for receiver, source, records in received:
        compare.check_modern(receiver.name, source, records, header, 'own@4711', seq=True)


def options_of_syslog_are_seen_on_unix_sockets():
    def sinks(receiver):
        return (f'syslog:{receiver.path("modern")}?format=rfc5424&sdid=own@4711&ident=other.name&facility=0&seq=1',
                f'syslog:{receiver.path("devlog")}?ident=other.name&facility=local7&seq=1')
    times, pid, _, received = _speak(('modern', 'devlog'), sinks, FEW)
    kernel, local7 = (compare.Header(times, pid, facility, 'other.name') for facility in (0, LOCAL7))
    for receiver, source, records in received:
        if source == 'modern':
            compare.check_modern(receiver.name, source, records, kernel, 'own@4711', seq=True)
        else:
            compare.check_legacy(records, local7, lambda record, n: None, seq=True)


run(globals())
