# SPDX-License-Identifier: MIT
"""What the tests of outages share: a daemon that logs steadily, receivers that can fail, and what
must hold between the two.

OUTAGE_DAEMON and OUTAGE_RECEIVER are the programs: each says in its first lines what it
understands. All times are nanoseconds of CLOCK_MONOTONIC.
"""
import json
import os
import pathlib
import re
import shutil
import signal
import statistics
import subprocess
import tempfile
import time

from claims import PATIENCE_S, stop_process

DAEMON = os.environ['OUTAGE_DAEMON']
RECEIVER = os.environ['OUTAGE_RECEIVER']
S = 10**9
NUMBERED = re.compile(r'\bt"?[=:]"?(\d+)"?[ ,]"?i"?[=:]"?(\d+)"?[ ,]"?at"?[=:]"?(\d+)')


def now():
    return time.monotonic_ns()


def wait(seconds):
    """What an outage lasts, or a daemon runs. Nothing is concluded from it alone."""
    time.sleep(seconds)


# ---- receivers ----

class Receiver:
    """A receiver in a process of its own: kind is dgram, stream, udp or file. What another kind of
    receiver (rsyslog's) must have: start, pause, resume, kill, end, opened, records, where."""

    def __init__(self, kind, where, out):
        self.kind, self.where, self.out = kind, str(where), pathlib.Path(out)
        self.process = None

    def start(self):
        """Returns when its socket is bound; who had the path before loses it."""
        self.process = subprocess.Popen([RECEIVER, self.kind, self.where, self.out],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        port = int(self.process.stdout.readline())
        if port:
            self.where = str(port)
        return self

    def _send(self, number):
        os.kill(self.process.pid, number)

    def pause(self):
        stop_process(self.process.pid)

    def resume(self):
        self._send(signal.SIGCONT)

    def kill(self):
        self._send(signal.SIGKILL)
        self._gone()

    def _gone(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(timeout=PATIENCE_S)

    def end(self):
        """As a receiver ends that is asked to: it takes what waits, and its path is gone."""
        if self.process.returncode is None:
            self._gone()
            assert self.process.returncode == 0, f'the receiver ended with {self.process.returncode}'

    def close_port(self):
        self._command(b'c')

    def open_port(self):
        self._command(b'o')

    def _command(self, command):
        self.process.stdin.write(command)
        self.process.stdin.flush()

    def _lines(self):
        with open(self.out, errors='surrogateescape') as lines:
            for line in lines:
                yield line.rstrip('\n')

    def opened(self):
        """When it began to listen, each time."""
        return [int(line.split()[2]) for line in self._lines() if line.startswith('# open')]

    def records(self):
        """(time of arrival, text) of each record."""
        rows = (line.split(' ', 1) for line in self._lines() if not line.startswith('#'))
        return [(int(came), text) for came, text in rows]


def sink_of(receiver, more=''):
    form = {'udp': 'udp://127.0.0.1:{}', 'file': 'file:{}'}.get(receiver.kind, 'syslog:{}')
    return form.format(receiver.where) + more


# ---- the daemon ----

class Daemon:
    """It runs and logs from the first line on; end() gives its report."""

    def __init__(self, rate, threads, sinks, *arguments, log='info'):
        env = {**os.environ, 'THOLE_SINKS': ' '.join(sinks), 'THOLE_LOG': log}
        self.stderr = tempfile.TemporaryFile()  # pylint: disable=consider-using-with
        self.process = subprocess.Popen([DAEMON, str(rate), str(threads), *arguments], env=env,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.stderr)
        said = self.process.stdout.readline()
        assert said == b'runs\n', f'{said} {self._said()}'

    def _said(self):
        self.stderr.seek(0)
        return self.stderr.read().decode()

    def reopen(self):
        self.process.stdin.write(b'r')
        self.process.stdin.flush()

    def end(self):
        out, _ = self.process.communicate(timeout=2 * PATIENCE_S)
        said = self._said()
        self.stderr.close()
        assert self.process.returncode == 0, f'status {self.process.returncode}: {said}'
        report = json.loads(out)
        report['stderr'] = said
        report['sinks'] = {sink['name']: sink for sink in report['sinks']}
        return report


# ---- what must hold ----

def check_calls(report, median_ns=1_000_000):
    """No log call blocked: none gave its processor away by itself."""
    assert report['logged'] > 0 and report['samples'] > 100, report
    assert report['blocked'] == 0, f"{report['blocked']} log calls blocked"
    assert report['median_ns'] < median_ns, f"the median log call took {report['median_ns']} ns"


def numbered(records):
    """(came, t, i, at) of each record that is the daemon's own; notices are none."""
    for came, text in records:
        found = NUMBERED.search(text)
        if found:
            yield (came, *map(int, found.groups()))


def check_once_in_order(records, name):
    last = {}
    for _, t, i, _ in numbered(records):
        assert i > last.get(t, -1), f'{name}: record {i} of thread {t} after {last[t]}'
        last[t] = i
    assert last, f'{name}: nothing came'


def check_offered(report, sink, log):
    """Every record that was logged was offered to the sink, and besides these only notices."""
    logged = report['logged'] - report['queue_dropped']
    said = sum(record['logger'] == 'thole' for record in log)
    assert logged <= sink['offered'] <= logged + said, f'{logged} were logged: {sink}'
    assert len(log) - said == logged, f'{logged} were logged, {len(log) - said} are in the log'


def check_kept(sink, records, kernel):
    """Of what was offered all has come or is counted, but for what the kernel had taken."""
    assert sink['pending'] == 0, sink
    assert sink['offered'] == sink['written'] + sink['dropped'], f'offered: {sink}'
    lost = sink['written'] - len(records)
    assert 0 <= lost <= kernel, f'{lost} records lost uncounted, not 0 to {kernel}: {sink}'
    return lost


def check_announced(sink, log, records):
    """`records dropped` of the log: their sums are the ledger's, cause by cause. A notice that
    itself found no place (of another sink's outage) is counted and not announced: announcements
    would beget announcements."""
    said = {}
    for record in log:
        if record['msg'] == 'records dropped' and record.get('sink') == sink['name']:
            said[record['cause']] = said.get(record['cause'], 0) + record['count']
            levels = sum(record.get(level, 0) for level in ('info', 'notice', 'warn'))
            assert levels == record['count'], f'levels and count: {record}'
    missed = sum(record['logger'] == 'thole' for record in log) - \
        (len(records) - sum(1 for _ in numbered(records)))
    unsaid = sum(sink['cause'].values()) - sum(said.values())
    assert 0 <= unsaid <= missed and all(sink['cause'].get(cause, 0) >= count
                                         for cause, count in said.items()), \
        f"announced {said}, counted {sink['cause']}; {missed} notices did not come"


def notices(log, message, sink):
    return [record for record in log if record['logger'] == 'thole' and
            record['msg'] == message and record['sink'] == sink['name']]


def recovery_ns(records, up):
    """From `up` to the arrival of the first record that was called after it."""
    came = [came for came, _, _, at in numbered(records) if at >= up]
    assert came, 'no record that was called after it came'
    return min(came) - up


def most_in_a_second(report, what, target, begin, end):
    """"calls" on the target's sockets, or "waits" for room there, in any second between the times."""
    tenths = report[what][target]
    first = (begin - report['began_ns']) // 10**8 + 1
    last = (end - report['began_ns']) // 10**8  # exclusive: that one is not over
    window = tenths[first:last]
    assert len(window) >= 10, 'the outage was shorter than a second'
    return max(sum(window[i:i + 10]) for i in range(len(window) - 9))


def worst_second_ms(records, begin, end):
    """The delay from call to arrival: the median of each whole second, and the worst of them."""
    seconds = {}
    for came, _, _, at in numbered(records):
        if begin <= at < end:
            seconds.setdefault((at - begin) // S, []).append(came - at)
    assert len(seconds) == (end - begin) // S, f'records of {len(seconds)} seconds alone'
    return max(statistics.median(delays) for delays in seconds.values()) / 1e6


class Folder:
    """with Folder() as folder: kept for a look when the test fails and KEEP is set."""

    def __enter__(self):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix='thole-outage-'))
        return self.path

    def __exit__(self, kind, *_):
        if not kind or 'KEEP' not in os.environ:
            shutil.rmtree(self.path)
