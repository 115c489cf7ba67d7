# SPDX-License-Identifier: MIT
"""Each C file is named in its folder's meson.build: a test that nobody lists never runs.

usage: listed.py ROOT
"""
import pathlib
import re
import sys

FOLDERS = ['src', 'src/cli', 'sinks', 'tests/unit', 'tests/system', 'tests/fault', 'tests/fuzz', 'tests/race', 'tests/sanity']


def unlisted(root, folder):
    build = root / folder / 'meson.build'
    words = set(re.findall(r"'([^'\n]*)'", build.read_text())) if build.exists() else set()
    for path in sorted((root / folder).glob('*.c')):
        if not {path.name, path.stem} & words:
            yield f'{path.relative_to(root)}: not listed in {folder}/meson.build'


def main():
    root = pathlib.Path(sys.argv[1])
    faults = [fault for folder in FOLDERS for fault in unlisted(root, folder)]
    count = sum(len(list((root / folder).glob('*.c'))) for folder in FOLDERS)
    print(*faults, f'listed: {count} files, {len(faults)} faults', sep='\n')
    return 1 if faults or count == 0 else 0


sys.exit(main())
