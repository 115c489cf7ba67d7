# SPDX-License-Identifier: MIT
"""Tests in python3: a test is a function without parameters whose name is its claim.

run(globals()) runs them all, says which failed, and exits with 1 then, with 77 when all were skipped. Waiting is for
events, and bounded.
"""
import concurrent.futures
import inspect
import os
import pathlib
import signal
import sys
import time
import traceback

PATIENCE_S = 20  # for what takes milliseconds, on a machine that is busy


class Skipped(Exception):
    pass


def until(what, holds, patience_s=PATIENCE_S, every_s=0.02):
    """Looks again and again until it holds; what it then returned."""
    deadline = time.monotonic() + patience_s
    while True:
        value = holds()
        if value:
            return value
        assert time.monotonic() < deadline, f'{what}: not within {patience_s} s'
        time.sleep(every_s)


def stop_process(pid):
    """SIGSTOP, until it has reached every thread: on a busy machine the others run on for a while."""
    os.kill(pid, signal.SIGSTOP)
    tasks = pathlib.Path(f'/proc/{pid}/task')
    until('the stop', lambda: all(task.joinpath('stat').read_text().rpartition(')')[2].split()[0] == 'T'
                                  for task in tasks.iterdir()))


def _outcome(test):
    began = time.monotonic()
    try:
        figures = test() or ''
        return 'ok', f'({time.monotonic() - began:.1f} s) {figures}'
    except Skipped as why:
        return 'skipped', str(why)
    except Exception:  # pylint: disable=broad-except
        return 'FAILED', '\n' + traceback.format_exc()


def run(names, at_once=1):
    """Those that the program's arguments name, or all; what a test returns is printed beside its name."""
    wanted, verdicts = sys.argv[1:], set()
    tests = {name: test for name, test in names.items()
             if inspect.isfunction(test) and test.__module__ == '__main__' and not name.startswith('_') and
             not inspect.signature(test).parameters and (not wanted or name in wanted)}
    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        running = {pool.submit(_outcome, test): name for name, test in tests.items()}
        for done in concurrent.futures.as_completed(running):
            verdict, text = done.result()
            verdicts.add(verdict)
            print(f'{verdict:8} {running[done]} {text}', flush=True)
    if not verdicts or verdicts == {'skipped'}:
        sys.exit(77 if verdicts else 1)
    sys.exit(1 if 'FAILED' in verdicts else 0)
