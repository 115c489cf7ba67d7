# SPDX-License-Identifier: MIT
"""What the tests of the operator's program share: daemons to look into.

THOLE_PROGRAM and THOLE_DAEMON are the programs, THOLE_DAEMON_SOURCE the latter's text.
"""
import contextlib
import json
import os
import pathlib
import signal
import subprocess
import tempfile

from claims import PATIENCE_S, Skipped, run, stop_process, until  # noqa: F401 (some are for the tests)

THOLE = os.environ['THOLE_PROGRAM']
DAEMON = os.environ['THOLE_DAEMON']
SOURCE = pathlib.Path(os.environ['THOLE_DAEMON_SOURCE'])


def line_of(mark):
    """"daemon.c:LINE" of the line with that comment."""
    for number, line in enumerate(SOURCE.read_text().splitlines(), 1):
        if f'/* {mark} */' in line:
            return f'{SOURCE.name}:{number}'
    raise AssertionError(f'no line is marked {mark}')


class Daemon:
    """A running daemon: pid, the pid of its forked process, and what it logged."""

    def __init__(self, folder, *modes, app=None, env=None):
        self.app = app or f'd{os.getpid()}'
        self.log = pathlib.Path(folder) / 'log'
        environment = {**os.environ, 'THOLE_SINKS': f'file:{self.log}', **(env or {})}
        self.process = subprocess.Popen([DAEMON, self.app, *modes], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        env=environment)
        self.child = int(self.process.stdout.readline())
        self.pid = self.process.pid

    def records(self, text):
        """How many of the lines that it has logged hold the text."""
        return self.log.read_text().count(text) if self.log.exists() else 0

    def stop(self):
        stop_process(self.pid)

    def go_on(self):
        os.kill(self.pid, signal.SIGCONT)

    def end(self):
        """Ends it; its exit status: 0 when thole_stop() wrote everything."""
        if self.process.poll() is None:
            self.process.stdin.close()
        status = self.process.wait(timeout=PATIENCE_S)
        self.process.stdout.close()
        self.process.stderr.close()
        return status


@contextlib.contextmanager
def daemon(*modes, **more):
    with tempfile.TemporaryDirectory() as folder:
        running = Daemon(folder, *modes, **more)
        try:
            yield running
        except BaseException:
            running.process.kill()
            running.end()
            raise
        status = running.end()
        assert status == 0, f'the daemon ended with {status}'


def thole(*arguments, wanted=0, **more):
    """Runs it and returns (stdout, stderr); it must exit with `wanted` (None: any way)."""
    done = subprocess.run([THOLE, *map(str, arguments)], stdin=subprocess.DEVNULL,
                          capture_output=True, timeout=PATIENCE_S, check=False, **more)
    out, err = done.stdout.decode(), done.stderr.decode()
    assert wanted is None or done.returncode == wanted, \
        f'thole {arguments} exited with {done.returncode}, not {wanted}\n{out}{err}'
    return out, err


def thole_json(*arguments, wanted=0):
    return json.loads(thole(*arguments, '--json', wanted=wanted)[0])
