# SPDX-License-Identifier: MIT
"""Runs a lint on a small tree with one fault, and passes its status on: a lint that finds nothing
must not be one that cannot. usage: bad.py CASE [CC NM]
"""
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).parent
LONG_BODY = 'static void\nlong_one(void)\n{\n' + '    step();\n' * 70 + '}\n'
FOUR_LINES = ('/* Does it.\n *\n * Ownership: none.\n * Threads: any.\n * Errors: none.\n'
              ' * Since: 0.1\n */\nint thole_do(int x);\n')

# case: (lint, {path: text})
TREES = {
    'upward': ('layers', {'src/ring.c': '#include "emit.h"\n', 'src/emit.h': ''}),
    'unlisted': ('layers', {'src/stray.c': '#include <stdio.h>\n'}),
    'header_ring': ('layers', {'src/buf.h': '#include "escape.h"\n',
                               'src/escape.h': '#include "buf.h"\n'}),
    'sink_sees_core': ('layers', {'src/buf.h': '', 'sinks/file.c': '#include "buf.h"\n'}),
    'cli_sees_core': ('layers', {'src/ring.h': '', 'src/cli/top.c': '#include "ring.h"\n'}),
    'no_files': ('layers', {}),
    'undocumented': ('header_docs', {'include/thole/thole.h': 'int thole_do(int x);\n'}),
    'four_lines': ('header_docs', {'include/thole/thole.h': FOUR_LINES}),
    'unlisted_test': ('listed', {'tests/unit/a.c': '', 'tests/unit/meson.build': "['b']"}),
    'bare_test': ('text', {'tests/unit/a.c': 'Test(suite, name)\n{\n}\n'}),
    'sleep': ('text', {'tests/unit/a.c': 'void f(void)\n{\n    usleep(1);\n}\n'}),
    'getenv': ('text', {'src/ring.c': 'const char *p = getenv("HOME");\n'}),
    'environment': ('text', {'sinks/file.c': 'const char *p = secure_getenv("HOME");\n'}),
    'long_function': ('text', {'src/ring.c': LONG_BODY}),
    'long_file': ('text', {'src/ring.c': 'int x;\n' * 501}),
}
# case: (shared library, static library)
LIBRARIES = {
    'stray_export': ('int thole_a; int thl_b;', 'int thole_a;'),
    'stray_global': ('int thole_a;', 'int thole_a; int thl_b; int helper;'),
    'no_symbols': ('', 'int thole_a;'),
}


def lint(name, *arguments):
    return subprocess.run([sys.executable, HERE / f'{name}.py', *arguments], check=False).returncode


def run_tree(case, root):
    name, files = TREES[case]
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return lint(name, root)


def run_libraries(case, root, cc, nm):
    shared, static = LIBRARIES[case]
    (root / 'shared.c').write_text(shared + '\n')
    (root / 'static.c').write_text(static + '\n')
    subprocess.run([cc, '-shared', '-fPIC', '-nostdlib', '-o', root / 'shared.so',
                    root / 'shared.c'], check=True)
    subprocess.run([cc, '-c', '-o', root / 'static.o', root / 'static.c'], check=True)
    return lint('symbols', nm, root / 'shared.so', root / 'static.o')


def main():
    case = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        if case in LIBRARIES:
            return run_libraries(case, root, *sys.argv[2:4])
        return run_tree(case, root)


sys.exit(main())
