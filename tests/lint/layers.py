# SPDX-License-Identifier: MIT
"""Each file of src/ includes headers of its own floor and of those below, and no headers in a ring.

The table is DESIGN.md's, section 7. A file that is not in it fails: a new file is given its floor
here, on purpose. Sinks see <thole/...>, libc, and what the sinks share.
The operator's program (src/cli/) sees its own headers and the lower floors. usage: layers.py ROOT
"""
import pathlib
import re
import sys

# From the ground up; a name stands for its .c and its .h.
FLOORS = [
    ('base', 'arena_layout buf clock compiler console descriptors errname escape escape_scan lock '
             'network number number_addr number_digits number_double number_powers thread verdict '
             'zone'),
    ('values', 'config config_condition config_error config_limits config_log config_sinks '
               'config_text config_uri field field_text level record view'),
    ('storage', 'arena block pool quota rack rack_lock ring site slab slab_context'),
    ('output', 'format format_json format_logfmt format_pretty format_rfc3164 format_rfc5424 '
               'format_value format_write phrase phrase_context scheme target'),
    ('front', 'census child emission emit emit_fast flood logger notice producer rules scope'),
    ('writer', 'bell dispatch dispatch_record last_thread lifecycle lifecycle_fork '
               'lifecycle_state lifecycle_stop '
               'merge news observe outbox '
               'outbox_end outbox_fallback outbox_health outbox_serve '
               'outbox_state outbox_thread report settings wipe writer'),
    ('facade', 'testkit thole'),
]
# What looks upward all the same, and why.
ALLOWED = {
    ('config', 'format'): 'the names of the formats are configuration words',
}
# The operator's program sees the lower floors, and of the upper ones these.
CLI_HEADERS = {'arena_layout.h', 'scheme.h', 'target.h'}
SINK_HEADERS = {'dgram.h', 'descriptor.h', 'file_keys.h', 'file_lines.h', 'file_path.h',
                'file_rotate.h', 'file_state.h', 'pipe.h'}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.M)


def floors():
    return {name: height for height, (_, names) in enumerate(FLOORS) for name in names.split()}


def includes(path):
    return INCLUDE.findall(path.read_text())


def check_core(root):
    height = floors()
    for path in sorted((root / 'src').glob('*.[ch]')):
        if path.stem not in height:
            yield f'{path.relative_to(root)}: on no floor (name it in tests/lint/layers.py)'
            continue
        for kind, name in includes(path):
            target = pathlib.PurePath(name)
            if kind == '<' or (path.stem, target.stem) in ALLOWED:
                continue
            if str(target) != target.name or target.stem not in height:
                yield f'{path.relative_to(root)}: includes "{name}", which is on no floor'
            elif height[target.stem] > height[path.stem]:
                yield (f'{path.relative_to(root)}: {FLOORS[height[path.stem]][0]} includes '
                       f'"{name}" of {FLOORS[height[target.stem]][0]}, which stands above it')


def check_rings(root):
    below = {path.name: [name for kind, name in includes(path) if kind == '"']
             for path in (root / 'src').rglob('*.h')}

    def walk(name, trail):
        if name in trail:
            yield ' -> '.join([*trail[trail.index(name):], name]) + ': headers in a ring'
            return
        for target in below.get(name, []):
            yield from walk(target, [*trail, name])

    found = {frozenset(message.split(':')[0].split(' -> ')): message
             for name in below for message in walk(name, [])}
    yield from found.values()


def check_cli(root):
    own = {path.name for path in (root / 'src' / 'cli').glob('*.h')}
    lower = {name for _, names in FLOORS[:2] for name in names.split()}
    for path in sorted((root / 'src' / 'cli').glob('*.[ch]')):
        for kind, name in includes(path):
            if kind == '<' or name in own or name in CLI_HEADERS:
                continue
            if not name.endswith('.h') or name[:-2] not in lower:
                yield f'{path.relative_to(root)}: the operator\'s program includes "{name}"'


def check_sinks(root):
    own_libc = re.compile(r'^(thole/\w+|[a-z0-9_]+|(sys|netinet|arpa|net|linux)/[a-z0-9_]+)\.h$')
    for path in sorted((root / 'sinks').glob('*.[ch]')):
        for kind, name in includes(path):
            if kind == '"' and name not in SINK_HEADERS:
                yield f'{path.relative_to(root)}: a sink includes "{name}"'
            if kind == '<' and not own_libc.match(name):
                yield f'{path.relative_to(root)}: a sink includes <{name}>'


def main():
    root = pathlib.Path(sys.argv[1])
    faults = [*check_core(root), *check_rings(root), *check_cli(root),
              *check_sinks(root)]
    files = len(list((root / 'src').glob('*.[ch]')))
    print(*faults, f'layers: {files} files, {len(faults)} faults', sep='\n')
    return 1 if faults or files == 0 else 0


sys.exit(main())
