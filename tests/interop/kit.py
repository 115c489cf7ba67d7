# SPDX-License-Identifier: MIT
"""A real receiver of syslog for a test: started privately, looked at, stopped, continued, killed, started again.

    with kit.receiver('rsyslog') as r:          # or 'syslog-ng'; Skipped where it cannot be had
        ...  udp://127.0.0.1:{r.port}  syslog:{r.path('modern')}?format=rfc5424  syslog:{r.path('devlog')}
        r.wait('udp', 100)                      # until it wrote 100 records of that source
        r.records('udp')                        # all so far, a dict each, in the order they were written
        r.stop(); r.go_on(); r.kill(); r.start()

Sources: `udp` and, where there is IPv6, `udp6` (RFC 5424 and 3164 on one port); the unix sockets `modern`, told to
understand RFC 5424, and `devlog`, as a stock /dev/log is. It has its own folder, sockets and ports; it dies with the
test. start() returns when a probe came through every source; probes are not among the records. What was sent while it
was dead is among them when the kernel kept it.
THL_RECEIVERS is the folder that the packages are kept in.
"""
import contextlib
import ctypes
import functools
import json
import os
import pathlib
import signal
import socket
import subprocess
import tempfile
import uuid

import receivers
from claims import PATIENCE_S, Skipped, stop_process, until

HERE = pathlib.Path(__file__).parent
PR_SET_PDEATHSIG = 1
PROBE = 'thole-probe'
FAST_S = 0.002  # records arrive at hundreds of thousands a second


@functools.cache
def programs():
    try:
        return receivers.programs(os.environ['THL_RECEIVERS'])
    except receivers.Unavailable as why:
        raise Skipped(f'rsyslog and syslog-ng cannot be had here: {why}') from why


@functools.cache
def has_ipv6():
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as s:
        s.bind(('::1', 0))
        return True
    return False


def free_port():
    """One that neither family uses just now; the kernel gives it to nobody else soon."""
    while True:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as four:
            four.bind(('127.0.0.1', 0))
            port = four.getsockname()[1]
            if not has_ipv6():
                return port
            with contextlib.suppress(OSError), socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as six:
                six.bind(('::1', port))
                return port


def _die_with_parent():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class _Output:
    """A file of JSON lines that grows: each whole line is read once."""

    def __init__(self, path):
        self.path, self.at, self.rest = path, 0, b''
        self.records, self.probes = [], set()

    def read(self):
        if not self.path.exists():
            return
        with open(self.path, 'rb') as file:
            file.seek(self.at)
            fresh = file.read()
        self.at += len(fresh)
        *lines, self.rest = (self.rest + fresh).split(b'\n')
        for line in lines:
            record = json.loads(line.decode())  # strictly UTF-8
            if record['app'] == PROBE:
                self.probes.add(record['msg'].strip())
            else:
                self.records.append(record)


class Receiver:
    """What both have in common; command() and configure() are each one's own."""

    name = None

    def __init__(self, folder, timezone='UTC0'):
        self.folder = pathlib.Path(folder)
        self.port = free_port()
        self.timezone = timezone
        self.sources = ['udp', *(['udp6'] if has_ipv6() else []), 'modern', 'devlog']
        self.process = None
        self._output = {source: _Output(self.folder / f'{source}.jsonl') for source in self.sources}

    # ---- life ----

    def start(self):
        assert self.process is None, 'it runs already'
        self._fill_in()
        with open(self.folder / 'output', 'ab') as output:
            self.process = subprocess.Popen(  # pylint: disable=consider-using-with,subprocess-popen-preexec-fn
                self.command(programs()), cwd=self.folder, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                preexec_fn=_die_with_parent,
                env={'LD_LIBRARY_PATH': programs().libraries, 'LC_ALL': 'C', 'TZ': self.timezone})
        try:
            self._wait_ready()
        except BaseException:
            self.kill()
            raise
        return self

    def stop(self):
        stop_process(self.process.pid)

    def go_on(self):
        os.kill(self.process.pid, signal.SIGCONT)

    def kill(self):
        """By SIGKILL: its sockets' paths stay behind."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(timeout=PATIENCE_S)
            self.process = None

    def end(self):
        """As an administrator would; what it has read is written."""
        self.process.terminate()
        self.process.wait(timeout=PATIENCE_S)
        self.process = None

    # ---- what it wrote ----

    def path(self, source):
        return str(self.folder / source)

    def records(self, source):
        self._output[source].read()
        return self._output[source].records

    def wait(self, source, count, patience_s=PATIENCE_S):
        """Until `count` records of the source are written; those."""
        until(f'{count} records of {self.name}, {source} (it has {len(self.records(source))})',
              lambda: len(self.records(source)) >= count, patience_s, FAST_S)
        return self.records(source)

    # ---- starting ----

    def command(self, found):
        raise NotImplementedError

    def variables(self):
        return {'FOLDER': str(self.folder), 'PORT': str(self.port), 'UDP6': '' if has_ipv6() else '#'}

    def _fill_in(self):
        text = (HERE / f'{self.name}.conf.in').read_text()
        for name, value in self.variables().items():
            text = text.replace(f'@{name}@', value)
        (self.folder / 'conf').write_text(text)

    def _send_probe(self, source, mark):
        if source in ('udp', 'udp6'):
            family, address = (socket.AF_INET, '127.0.0.1') if source == 'udp' else (socket.AF_INET6, '::1')
            address = (address, self.port)
        else:
            family, address = socket.AF_UNIX, self.path(source)
        text = f'<46>Jan  1 00:00:00 {PROBE}: {mark}' if source == 'devlog' else f'<46>1 - - {PROBE} - - - {mark}'
        with socket.socket(family, socket.SOCK_DGRAM) as s, contextlib.suppress(OSError):
            s.setblocking(False)
            s.sendto(text.encode(), address)

    def _is_ready(self, mark):
        waiting = [source for source in self.sources if mark not in self._output[source].probes]
        for source in waiting:
            self._send_probe(source, mark)
            self._output[source].read()
        assert self.process.poll() is None, f'{self.name} ended: {self.said()}'
        return not waiting

    def _wait_ready(self):
        mark = uuid.uuid4().hex
        try:
            until(f'{self.name} ready', lambda: self._is_ready(mark))
        except AssertionError as error:
            raise AssertionError(f'{error}\n{self.said()}') from error

    def said(self):
        return (self.folder / 'output').read_text(errors='replace')[-2000:]


class Rsyslog(Receiver):
    name = 'rsyslog'

    def command(self, found):
        return [found.rsyslogd, '-n', '-i', 'NONE', '-M', found.rsyslog_modules, '-f', self.folder / 'conf']


class SyslogNg(Receiver):
    name = 'syslog-ng'

    def command(self, found):
        return [found.syslog_ng, '-F', '--no-caps', '-f', self.folder / 'conf', '-R', self.folder / 'persist',
                '-c', self.folder / 'control', '-p', self.folder / 'pid', f'--module-path={found.syslog_ng_modules}']

    def variables(self):
        return {**super().variables(), 'VERSION': self._version()}

    @staticmethod
    @functools.cache
    def _version():
        said = subprocess.run([programs().syslog_ng, '-V', f'--module-path={programs().syslog_ng_modules}'],
                              capture_output=True, text=True, timeout=PATIENCE_S, check=False,
                              env={'LD_LIBRARY_PATH': programs().libraries}).stdout
        return next(line.split(':')[1].strip() for line in said.splitlines() if line.startswith('Config version'))


KINDS = {kind.name: kind for kind in (Rsyslog, SyslogNg)}


@contextlib.contextmanager
def receiver(name, **more):
    """A running one; it is killed at the end."""
    programs()
    with tempfile.TemporaryDirectory(prefix='thl') as folder:
        running = KINDS[name](folder, **more)
        try:
            yield running.start()
        finally:
            running.kill()
