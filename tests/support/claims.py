# SPDX-License-Identifier: MIT
"""Tests in python3: a test is a function without parameters whose name is its claim.

run(globals()) runs them all, says which failed, and exits with 1 then, with 77 when all were skipped. Waiting is for
events, and bounded.
"""
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


def run(names):
    failed = skipped = passed = 0
    for name, test in list(names.items()):
        if not inspect.isfunction(test) or test.__module__ != '__main__' or \
                inspect.signature(test).parameters or name.startswith('_'):
            continue
        began = time.monotonic()
        try:
            test()
            passed += 1
            print(f'ok       {name} ({time.monotonic() - began:.1f} s)', flush=True)
        except Skipped as why:
            skipped += 1
            print(f'skipped  {name}: {why}', flush=True)
        except Exception:  # pylint: disable=broad-except
            failed += 1
            print(f'FAILED   {name}\n{traceback.format_exc()}', flush=True)
    if failed == 0 and passed == 0:
        sys.exit(77 if skipped else 1)
    sys.exit(1 if failed else 0)
