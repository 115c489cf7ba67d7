# SPDX-License-Identifier: MIT
"""Rules that one look at the text can keep; comments and strings do not count.

- tests are declared with THL_TEST, never with a bare Test() (tests/support/test.h says why);
- no sleep in a test: a test that waits for time is a test that fails at times;
- the environment is read with secure_getenv(), in src/settings.c, lifecycle.c, thole.c and
  cli/environment.c alone;
- functions have at most 70 lines, files of src/ and sinks/ at most 500.
usage: text.py ROOT
"""
import pathlib
import re
import sys

FUNCTION_LINES = 70
FILE_LINES = 500
BARE_TEST = re.compile(r'^\s*(Parameterized)?Test(Suite)?\s*\(', re.M)
SLEEP = re.compile(r'\b(sleep|usleep|nanosleep|clock_nanosleep)\s*\(')
PLAIN_GETENV = re.compile(r'\bgetenv\s*\(')
GETENV = re.compile(r'\bsecure_getenv\s*\(')
READERS = ('settings.c', 'lifecycle.c', 'thole.c', 'cli/environment.c')
SKIPPED = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'', re.S)


def code_of(path):
    """The text with comments and literals blanked; lines stay where they are."""
    return SKIPPED.sub(lambda m: re.sub(r'[^\n]', ' ', m.group()), path.read_text())


def line_of(text, at):
    return text.count('\n', 0, at) + 1


def matches(root, paths, pattern, what):
    for path in paths:
        text = code_of(path)
        for found in pattern.finditer(text):
            at = found.end() - 1
            yield f'{path.relative_to(root)}:{line_of(text, at)}: {what}'


def functions(text):
    """(first line, lines) of each body that opens in the first column, as our style has it."""
    lines, start = text.splitlines(), None
    for number, line in enumerate(lines, 1):
        if line == '{':
            start = number
        elif line == '}' and start is not None:
            yield start, number - start + 1
            start = None


def check_lengths(root, paths):
    for path in paths:
        text = code_of(path)
        if path.is_relative_to(root / 'src') or path.is_relative_to(root / 'sinks'):
            if text.count('\n') > FILE_LINES:
                yield f'{path.relative_to(root)}: {text.count(chr(10))} lines, over {FILE_LINES}'
        for start, length in functions(text):
            if length > FUNCTION_LINES:
                yield (f'{path.relative_to(root)}:{start}: a function of {length} lines, '
                       f'over {FUNCTION_LINES}')


def main():
    root = pathlib.Path(sys.argv[1])
    tests = sorted((root / 'tests').rglob('*.[ch]'))
    shipped = sorted([*(root / 'src').rglob('*.[ch]'), *(root / 'sinks').rglob('*.[ch]')])
    benches = sorted((root / 'bench').rglob('*.[ch]'))
    readers = {root / 'src' / name for name in READERS}
    faults = [
        *matches(root, [p for p in tests if p.parent.name != 'support'], BARE_TEST,
                 'a bare Test(); declare it with THL_TEST'),
        *matches(root, tests, SLEEP, 'a sleep in a test'),
        *matches(root, shipped, PLAIN_GETENV, 'getenv() trusts a setuid program\'s caller'),
        *matches(root, [p for p in shipped if p not in readers], GETENV,
                 'the environment is read here'),
        *check_lengths(root, [*shipped, *tests, *benches]),
    ]
    count = len(tests) + len(shipped) + len(benches)
    print(*faults, f'text: {count} files, {len(faults)} faults', sep='\n')
    return 1 if faults or count == 0 else 0


sys.exit(main())
