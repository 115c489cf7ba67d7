# SPDX-License-Identifier: MIT
"""Compiles each public header alone, without a warning, in every language it promises.

C89 and C99 get the functions only. C89 is compiled without -Wpedantic, which would refuse the
bool and uint64_t of any interface.
usage: headers.py INCLUDE c|c++ COMPILER
"""
import pathlib
import subprocess
import sys

WARNINGS = ['-Wall', '-Wextra', '-Wpedantic', '-Wshadow', '-Wconversion', '-Werror']
STANDARDS = {
    'c': ['c89', 'gnu89', 'c99', 'c11', 'gnu11', 'c17'],
    'c++': ['c++11', 'c++14', 'c++17', 'c++20'],
}


def compile_alone(header, include, language, compiler, standard):
    flags = [w for w in WARNINGS if w != '-Wpedantic' or '89' not in standard]
    if language == 'c++':
        flags.append('-Wold-style-cast')
    text = f'#include <thole/{header.name}>\n#include <thole/{header.name}>\n'
    run = subprocess.run([compiler, f'-std={standard}', *flags, '-x', language, '-fsyntax-only',
                          '-I', include, '-'], input=text, text=True, stderr=subprocess.PIPE,
                         check=False)
    if run.returncode:
        print(f'{header.name} as {standard}:\n{run.stderr}')
    return run.returncode == 0


def main():
    include, language, compiler = sys.argv[1:]
    headers = sorted((pathlib.Path(include) / 'thole').glob('*.h'))
    results = [compile_alone(header, include, language, compiler, standard)
               for header in headers for standard in STANDARDS[language]]
    print(f'headers: {len(results)} compiled, {results.count(False)} failed')
    return 0 if results and all(results) else 1


sys.exit(main())
