# SPDX-License-Identifier: MIT
"""Compiles calls of the macros, with every compiler it is given, in every promised language.

A good file compiles without a warning in all of them. A bad file does not compile, and the first
line that tells of an error holds the text that the file itself names:

    /* wants: TEXT */              in every language
    /* wants c: TEXT */            in C; likewise c++
    /* only: c gcc */              for what only one language, or one compiler, can refuse

usage: compile.py INCLUDE good|bad FILE LANGUAGE=COMPILER...
"""
import os
import pathlib
import re
import subprocess
import sys

WARNINGS = ['-Wall', '-Wextra', '-Wpedantic', '-Wshadow', '-Wconversion', '-Wwrite-strings']
C_WARNINGS = ['-Wstrict-prototypes', '-Wmissing-prototypes']
STANDARDS = {
    'c': ['c11', 'gnu11', 'c17'],
    'c++': ['c++11', 'c++14', 'c++17', 'c++20'],
}
# A file's many ways to be wrong need no more than the oldest and the newest.
STANDARDS_BAD = {'c': ['c11'], 'c++': ['c++11', 'c++20']}


def compile_file(include, path, language, compiler, standard, flags):
    # At -O2 too, where more calls are constants: a literal must not depend on it.
    run = subprocess.run([compiler, f'-std={standard}', '-x', language, '-D_GNU_SOURCE', '-c',
                          '-o', os.devnull, '-I', include, *flags, path],
                         text=True, stderr=subprocess.PIPE, check=False,
                         env={**os.environ, 'LC_ALL': 'C'})
    return run.returncode, run.stderr


def check_good(include, path, language, compiler):
    flags = [*WARNINGS, *(C_WARNINGS if language == 'c' else []), '-Werror']
    for standard in STANDARDS[language]:
        for optimize in ('-O0', '-O2'):
            status, output = compile_file(include, path, language, compiler, standard,
                                          [*flags, optimize])
            yield status == 0, f'{compiler} {standard} {optimize}', output


def wanted_text(text, language):
    for tag in (f'wants {language}', 'wants'):
        found = re.search(r'/\* %s: (.*?) \*/' % re.escape(tag), text)
        if found:
            return found.group(1)
    return None


def is_meant(text, language, compiler):
    only = re.search(r'/\* only: (.*?) \*/', text)
    words = only.group(1).split() if only else []
    family = 'clang' if 'clang' in pathlib.Path(compiler).name else 'gcc'
    return all(word in (language, family) for word in words)


def check_bad(include, path, language, compiler):
    text = pathlib.Path(path).read_text()
    wanted = wanted_text(text, language)
    if not is_meant(text, language, compiler):
        return
    for standard in STANDARDS_BAD[language]:
        for optimize in ('-O0', '-O2'):
            status, output = compile_file(include, path, language, compiler, standard, [optimize])
            first = next((line for line in output.splitlines() if 'error' in line), '')
            holds = status != 0 and wanted is not None and wanted in first
            yield holds, f'{compiler} {standard} {optimize}: wants {wanted!r}, got {first!r}', ''


def main():
    include, kind, path, *compilers = sys.argv[1:]
    check = check_good if kind == 'good' else check_bad
    results = [result for pair in compilers
               for result in check(include, path, *pair.split('=', 1))]
    for holds, what, output in results:
        if not holds:
            print(what, output, sep='\n')
    failed = sum(not holds for holds, _, _ in results)
    print(f'{pathlib.Path(path).name}: {len(results)} compiled, {failed} not as it should be')
    if not results:
        return 77  # none of the compilers that can refuse it is here
    return 1 if failed else 0


sys.exit(main())
