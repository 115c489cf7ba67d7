# SPDX-License-Identifier: MIT
"""What the tests of the operator's program share: daemons to look into, and claims.

A test is a function without parameters whose name is its claim; run(globals()) runs them all, says which failed, and
exits with 1 then. THOLE_PROGRAM and THOLE_DAEMON are the programs, THOLE_DAEMON_SOURCE the latter's
text. Waiting is for events, and bounded.
"""
import contextlib
import inspect
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import traceback

THOLE = os.environ['THOLE_PROGRAM']
DAEMON = os.environ['THOLE_DAEMON']
SOURCE = pathlib.Path(os.environ['THOLE_DAEMON_SOURCE'])
PATIENCE_S = 20  # for what takes milliseconds, on a machine that is busy


class Skipped(Exception):
    pass


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
        """SIGSTOP, until it has reached every thread: on a busy machine the others run on for a while."""
        os.kill(self.pid, signal.SIGSTOP)
        tasks = pathlib.Path(f'/proc/{self.pid}/task')
        until('the stop', lambda: all(task.joinpath('stat').read_text().rpartition(')')[2].split()[0] == 'T'
                                      for task in tasks.iterdir()))

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


def until(what, holds):
    """Looks again and again until it holds; what it then returned."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        value = holds()
        if value:
            return value
        assert time.monotonic() < deadline, f'{what}: not within {PATIENCE_S} s'
        time.sleep(0.02)


def run(names):
    failed = skipped = passed = 0
    for name, test in list(names.items()):
        if not inspect.isfunction(test) or test.__module__ != '__main__' or \
                inspect.signature(test).parameters:
            continue
        try:
            test()
            passed += 1
            print(f'ok       {name}')
        except Skipped as why:
            skipped += 1
            print(f'skipped  {name}: {why}')
        except Exception:  # pylint: disable=broad-except
            failed += 1
            print(f'FAILED   {name}\n{traceback.format_exc()}')
    if failed == 0 and passed == 0:
        sys.exit(77 if skipped else 1)
    sys.exit(1 if failed else 0)
