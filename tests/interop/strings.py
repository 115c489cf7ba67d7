# SPDX-License-Identifier: MIT
"""Hostile strings, and hostile.c's cases of them with what each must read."""
import re
import socket
import struct

from speech import Integer, Text, Value
from wire import decode

LONG = 65536
KEY_MAX = 240  # bytes of a key that leave thole

CONTROLS = [bytes([c]) for c in (*range(1, 32), 127)] + [chr(c).encode() for c in range(0x80, 0xA0)]
CHARACTERS = [c.encode() for c in (
    '\u2028', '\u2029', '\u200e', '\u200f', '\u202a', '\u202b', '\u202c', '\u202d', '\u202e', '\u2066', '\u2067',
    '\u2068', '\u2069', '\u061c', '\u200b', '\u200d', '\u00ad', '\ufeff', '\ufffd', '\ufffe', '\uffff', '\ud7ff',
    '\ue000', '\U0001f600', '\U000e0001', '\U0010ffff', 'e\u0301', '\u00a0', '\u3000', '\u1680')]
INVALID = [bytes.fromhex(text) for text in (
    '80', 'bf', 'c0', 'c080', 'c0af', 'c1bf', 'e08080', 'e080af', 'e09fbf', 'f0808080', 'f08080af', 'f08fbfbf',
    'eda080', 'edafbf', 'edb080', 'edbfbf', 'eda080edb080',  # surrogates, alone and as a pair
    'f4908080', 'f5808080', 'f7bfbfbf', 'f888808080', 'fc8480808080', 'fe', 'ff', 'feff', 'fffe',
    'c3', 'e2', 'e282', 'f0', 'f09f', 'f09f98',  # cut at the end of the text
    'c341', 'e28241', 'f09f9841', 'c3c3a4', 'e282c3a4', 'f09f98e282ac', '9b33316d', '85', 'c20a', 'e2800a')]
TEXTS = [text.encode() for text in (
    '', ' ', '  two  blanks  ', '"', '\\', ']', '[', '=', '\\"', '"]', ']"\\', '\\\\"', '\\]', '\\n', '\\x0a',
    '\\u000a', 'trailing\\', '\x1b[31mred\x1b[0m', '\x1b]0;title\x07', '\x1b[2J\x1b[H', '\x9b31m', '\r\n', 'one\ntwo',
    'one\rtwo', 'one\0two', '\0', 'a\0', '\0b', '\t', '\v\f\b\a',
    '\n<34>1 2026-01-02T03:04:05.000006Z h su 1 id - forged', '<34>1 2026-01-02T03:04:05.000006Z h su 1 id - forged',
    '<34>Jan  2 03:04:05 su[1]: forged', '<0>forged', '34 <34>1 - - - - - - forged', 'h su[1]: forged', 'su[1]: forged',
    '" x="forged', '"] forged', '"][forged@1 x="y"] forged', '\\"] forged', '- forged', '-', '[x@1 y="z"] forged',
    '","level":"emerg', '"}\n{"time":"2026-01-02T03:04:05.000006Z","level":"emerg","logger":"","msg":"forged"}',
    '" msg="forged', ' msg=forged level=emerg', 'n=999999', '" n="999999', '@cee:{"msg":"forged"}', '%s%n%d%%', '%',
    '#012', '{}', '[]', 'null', 'true', '1e5', '-0', 'NaN', '${HOST}', '$(echo)', '`id`', "'", '../../etc/passwd',
    'ünïcödé', 'ключ', '鍵', '😀')]
LONGS = [b'A' * LONG, 'ü'.encode() * (LONG // 2), '€'.encode() * (LONG // 3), '😀'.encode() * (LONG // 4),
         b'\n' * LONG, b'"' * LONG, b'\\' * LONG, b']' * LONG, b'\xff' * LONG, b'\x1b[31m' * (LONG // 5),
         b'\xe2\x82' * (LONG // 2), b'x' + '😀'.encode() * (LONG // 4), b' ' * LONG]
STRINGS = [*CONTROLS, *CHARACTERS, *INVALID, *TEXTS, *(b'before ' + s + b' after' for s in CONTROLS + INVALID),
           bytes(range(1, 256)), bytes(range(256)), b'\n'.join([b'x'] * 100)]


class Anything(Value):
    """A text that need not be known."""

    def reads(self, text, escaped=None):
        return True

    def json_is(self, parsed):
        return True


class Case:
    """What hostile.c is told, and the record that must come of it."""

    def __init__(self, letter, data, **record):
        self.letter, self.data = letter, data
        self.logger, self.msg, self.fields = 'hostile', 'value', []
        self.end = True
        self.long = len(data) >= 8000
        self.__dict__.update(record)

    def __repr__(self):
        return f'{self.letter} {self.data[:60]!r}'

    def frame(self):
        return struct.pack('<cI', self.letter.encode(), len(self.data)) + self.data

    def expected(self, n):
        return [('n', Integer(n)), *self.fields, *([('end', Text('here'))] if self.end else [])]


def key_of(data):
    """A key as it leaves thole."""
    text = decode(data[:KEY_MAX + 4])
    while len(text.encode()) > KEY_MAX:
        text = text[:-1]
    if text in ('time', 'level', 'logger', 'msg'):
        return f'{text}_'
    return re.sub(r'\Athole\.', 'thole_', text)


def keys_case(keys):
    """Of two that are equal the later wins, and stands where it stands."""
    last = {}
    for i, key in enumerate(keys):
        last.pop(key_of(key), None)
        last[key_of(key)] = Integer(i)
    return Case('k', b''.join(key + b'\0' for key in keys), msg='keys', fields=list(last.items()), long=False)


def _values():
    for s in (*STRINGS, *LONGS):
        value = [('v', Text(s))]
        yield Case('v', s, fields=value)
        yield Case('x', s, fields=value)
        yield Case('d', s, fields=value)
        if len(s) < LONG / 2:
            yield Case('b', s, fields=[('v', Text(s.hex()))])
        if b'\0' not in s:
            yield Case('c', s, fields=value)
            yield Case('m', s, msg=decode(s))
            yield Case('f', s, msg=decode(s), end=False)
            yield Case('l', s, msg='nothing', logger=re.sub(rb'[^A-Za-z0-9_.-]', b'_', s[:128]).decode(), long=False)
            yield keys_case([s])


def _addresses():
    family = struct.pack('=H', socket.AF_UNIX)
    for s in STRINGS:
        if len(s) <= 108:
            path = '@' + decode(s[1:]) if s[:1] == b'\0' else decode(s.split(b'\0')[0])
            yield Case('a', family + s, fields=[('v', Text(path if s else 'unix:'))])
    four, six = (struct.pack('=H', number) for number in (socket.AF_INET, socket.AF_INET6))
    for data in (b'', b'\x02', family[:1], four, four + b'\n' * 5, six + b'\n' * 20, b'\xff' * 28, b'\n' * 200,
                 b'\0' * 128, family + b'\x1b[31m' * 100):
        yield Case('a', data, fields=[('v', Anything(None))])


def _errnos():
    for e in (0, 1, 2, 11, 35, 41, 58, 95, 133, 134, 512, 4095, 99999, -1, -2, 2**31 - 1, -2**31):
        yield Case('e', struct.pack('=i', e), fields=[
            ('v', Integer(e)), ('v_name', Anything(None)), ('v_text', Anything(None))])


def _collisions():
    envelope = [b'time', b'level', b'logger', b'msg']
    yield keys_case(envelope)
    yield keys_case([*envelope, *(key + b'_' for key in envelope)])
    yield keys_case([*(key + b'_' for key in envelope), *envelope])
    yield keys_case([b'Time', b'TIME', b'time ', b'time\n', b'tim\xff', b'message', b'level\x01'])
    yield keys_case([b'thole.truncated', b'thole.stale', b'thole.seq', b'thole_seq', b'thole.', b'thole',
                      b'tholex', b'src'])
    yield keys_case([b'a.b', b'a_b', b'a b', b'a:b', b'a\nb', b'a=b', b'a"b', b'a]b', b'a\xffb', 'aüb'.encode()])
    yield keys_case([b'sequenceId', b'meta', b'host', b'app'])
    yield keys_case([b'k' * 32 + bytes([c]) for c in range(65, 75)])
    yield keys_case([b'k' * KEY_MAX + bytes([c]) for c in range(65, 68)])
    yield keys_case([bytes([c]) + b'k' * 300 for c in range(65, 68)])
    yield keys_case([b'', b'_', b' ', b'\n', b'.', b'__'])
    yield keys_case([b'same', b'other', b'same'])


CASES = [*_values(), *_addresses(), *_errnos(), *_collisions()]
# More long keys than one record has room for: the record must not tell less than it was told, and be silent about it.
CROWDED = keys_case([bytes([c]) + b'k' * 300 for c in range(65, 77)])
