# SPDX-License-Identifier: MIT
"""Runs a program that must fail and say why: must_fail.py WANTED PROGRAM [ARGUMENT...]

Exits 1, which meson's should_fail turns into a success, only when the program failed and printed
WANTED. A program that fails for another reason (it does not start, it crashes) gives 0, and with
that a failed test: a dead detector must not look like a detection.
"""
import os
import subprocess
import sys


def main():
    wanted, command = sys.argv[1], sys.argv[2:]
    if command[0].endswith('.py'):
        command = [sys.executable, *command]
    run = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                         stderr=subprocess.STDOUT, env={**os.environ, 'LC_ALL': 'C'}, check=False)
    output = run.stdout.decode(errors='replace')
    print(output, end='')
    if run.returncode == 0:
        print('must_fail: the program succeeded')
        return 0
    if wanted not in output:
        print(f'must_fail: status {run.returncode}, but {wanted!r} was not printed')
        return 0
    return 1


sys.exit(main())
