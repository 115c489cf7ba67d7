# SPDX-License-Identifier: MIT
"""Every public function has a comment that ends with the five lines, in order.

Exempt: names that end in _ (the macros' own) and the value helpers of field.h, which are static
inline and do nothing but pack a value. usage: header_docs.py ROOT
"""
import pathlib
import re
import sys

LINES = ['Ownership', 'Threads', 'Blocking', 'Errors', 'Since']
COMMENT = re.compile(r'/\*.*?\*/', re.S)
FUNCTION = re.compile(r'\b(thole_\w+)\s*\(')


def without_preprocessor(text):
    """Blanks directives and their continuation lines, so that offsets stay what they were."""
    out, inside = [], False
    for line in text.splitlines(keepends=True):
        inside = inside or line.lstrip().startswith('#')
        out.append(re.sub(r'[^\n]', ' ', line) if inside else line)
        inside = inside and line.rstrip('\n').endswith('\\')
    return ''.join(out)


def declarations(text):
    """Yields (offset, name) of each function at file level."""
    code = COMMENT.sub(lambda m: re.sub(r'[^\n]', ' ', m.group()), without_preprocessor(text))
    code = code.replace('extern "C" {', ' ' * len('extern "C" {'))
    depth, start = 0, 0
    for at, char in enumerate(code):
        if char == '{':
            if depth == 0 and '(' in code[start:at]:
                yield from first_function(code, start, at)
            depth += 1
        elif char == '}':
            depth = max(0, depth - 1)
            start = at + 1
        elif char == ';' and depth == 0:
            yield from first_function(code, start, at)
            start = at + 1


def first_function(code, start, end):
    statement = code[start:end]
    found = FUNCTION.search(statement)
    if found and not statement.lstrip().startswith('typedef'):
        begin = start + len(statement) - len(statement.lstrip())
        yield begin, found.group(1), statement.lstrip().startswith('static')


def is_complete(comment):
    labels = re.findall(r'^\s*\*\s+(%s): \S' % '|'.join(LINES), comment, re.M)
    return labels == LINES


def check(path):
    text = path.read_text()
    comments = [(m.end(), m.group()) for m in COMMENT.finditer(text)]
    count, faults = 0, []
    for begin, name, is_static in declarations(text):
        if name.endswith('_') or (is_static and path.name == 'field.h'):
            continue
        count += 1
        above = [body for end, body in comments if end <= begin and not text[end:begin].strip()]
        if not above or not is_complete(above[-1]):
            line = text.count('\n', 0, begin) + 1
            faults.append(f'{path.name}:{line}: {name} lacks the five lines ({", ".join(LINES)})')
    return count, faults


def main():
    results = [check(path) for path in
               sorted((pathlib.Path(sys.argv[1]) / 'include' / 'thole').glob('*.h'))]
    count = sum(n for n, _ in results)
    faults = [fault for _, found in results for fault in found]
    print(*faults, f'header docs: {count} functions, {len(faults)} faults', sep='\n')
    return 1 if faults or count == 0 else 0


sys.exit(main())
