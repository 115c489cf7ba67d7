# SPDX-License-Identifier: MIT
"""The shared library exports thole_* and nothing else; the static one shares no other name.

In the static library thl_ names are shared between its objects, so they are allowed there.
No symbol at all is a fault too: then the check is blind. usage: symbols.py NM SHARED STATIC
"""
import subprocess
import sys


def names(nm, flags, library):
    run = subprocess.run([nm, *flags, '--defined-only', library], check=True, text=True,
                         stdout=subprocess.PIPE)
    rows = [line.split() for line in run.stdout.splitlines()]
    return [row[-1] for row in rows if len(row) >= 3]


def check(library, found, prefixes):
    if not found:
        yield f'{library}: no symbols at all'
    for name in sorted(set(found)):
        if not name.startswith(prefixes):
            yield f'{library}: stray symbol {name}'


def main():
    nm, shared, static = sys.argv[1:]
    exported = names(nm, ['--dynamic', '--extern-only'], shared)
    shared_names = names(nm, ['--extern-only'], static)
    faults = [*check(shared, exported, ('thole_',)),
              *check(static, shared_names, ('thole_', 'thl_'))]
    print(*faults, f'symbols: {len(exported)} exported, {len(shared_names)} in the static library, '
          f'{len(faults)} faults', sep='\n')
    return 1 if faults else 0


sys.exit(main())
