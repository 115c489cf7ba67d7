# SPDX-License-Identifier: MIT
"""What speaker.c logs, computed from the same draws on its own: of each record its envelope and fields.

Nothing here knows how thole writes a value: each says itself whether a text reads as it.
"""
import errno
import ipaddress
import math
import os
import struct
from fractions import Fraction

from wire import LEVELS, Number, decode, digits, is_padded, shortest_float

PER_CONNECTION, BOUND_AT, SYMBOLS = 16, 8, 12
MASK = 2**64 - 1
TEXTS = [symbol if isinstance(symbol, bytes) else symbol.encode() for symbol in (
    'a', 'Z', '0', ' ', '=', '"', '\\', ']',
    '[', '<', '%', "'", '#', '{', '\n', '\t',
    '\x1b[31m', '\r', '\x7f', '\x85', 'ü', 'ß', '€', '日',
    '😀', '\u200f', '\ufeff', '\u2028', '\u2029', '\x01', '\ufffd', b'\xff')]
LOGGERS = ('interop.http', 'interop.tls-1_2', '', 'interop.of.more.than.thirty-two.bytes')


# ---- the draws ----

def draw(n, k):
    x = (n * 64 + k + 1) * 0x9E3779B97F4A7C15 & MASK
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 & MASK
    x = (x ^ x >> 27) * 0x94D049BB133111EB & MASK
    return x ^ x >> 31


def draw_bits(n, k, bits):
    x, top = draw(n, k), 2**bits - 1
    return {0: 0, 1: top, 2: top // 2 + 1, 3: top // 2}.get(x & 7, x >> 3 & top)


def draw_signed(n, k, bits):
    x = draw_bits(n, k, bits)
    return x - 2**bits if x >= 2**(bits - 1) else x


def draw_text(n, k):
    return b''.join(TEXTS[draw(n, k + 1 + i) % 32] for i in range(draw(n, k) % (SYMBOLS + 1)))


def draw_double(n, k):
    return struct.unpack('<d', struct.pack('<Q', draw(n, k)))[0]


def draw_float(n, k):
    return struct.unpack('<f', struct.pack('<I', draw(n, k) & 0xFFFFFFFF))[0]


def draw_ipv4(n, k):
    return f'{ipaddress.IPv4Address(draw_bits(n, k, 32))}:{draw_bits(n, k + 1, 16)}'


def draw_ipv6(n, k):
    zeros = draw(n, k)
    groups = [0 if zeros >> i & 1 else draw(n, k + 1 + i) & 0xFFFF for i in range(8)]
    if zeros >> 8 & 7 == 0:
        groups[:6] = 0, 0, 0, 0, 0, 0xFFFF
    address = ipaddress.IPv6Address(b''.join(group.to_bytes(2, 'big') for group in groups))
    mapped = address.ipv4_mapped  # RFC 5952, 5
    return f'[{f"::ffff:{mapped}" if mapped else address}]:{draw_bits(n, k + 9, 16)}'


def signed(x):
    return x - 2**64 if x >= 2**63 else x


# ---- values ----

class Value:
    """What a field must read: json_is() of a parsed value of JSON, reads() of a text, unescaped."""

    def __init__(self, value):
        self.value = value

    def __repr__(self):
        return f'{type(self).__name__}({self.value!r})'

    def reads(self, text, escaped=lambda text: text):
        """`escaped`: what the format made of the text of strings, where it is more than quoting."""
        return text == escaped(str(self.value))

    def json_is(self, parsed):
        return isinstance(parsed, Number) and self.reads(parsed)


class Text(Value):
    """A string of any bytes."""

    def __init__(self, data):
        super().__init__(decode(data) if isinstance(data, bytes) else data)

    def json_is(self, parsed):
        return isinstance(parsed, str) and not isinstance(parsed, Number) and self.reads(parsed)


class Integer(Value):
    pass


class Word(Value):
    """true, false, null."""

    WORDS = {True: 'true', False: 'false', None: 'null'}

    def reads(self, text, escaped=None):
        return text == self.WORDS[self.value]

    def json_is(self, parsed):
        return parsed is self.value


class Seconds(Value):
    """A duration of so many nanoseconds."""

    def reads(self, text, escaped=None):
        return Fraction(text) == Fraction(self.value, 10**9) and 'e' not in text and not is_padded(text)


class Real(Value):
    """The shortest text that reads back as the same number."""

    LENGTH = 24  # -1.7976931348623157e-308

    NAMES = {'NaN': math.isnan, 'Infinity': lambda x: x == math.inf, '-Infinity': lambda x: x == -math.inf}

    def reads(self, text, escaped=None):
        if not math.isfinite(self.value) or text in self.NAMES:
            return text in self.NAMES and self.NAMES[text](self.value)
        return struct.pack('d', float(text)) == struct.pack('d', self.value) and \
            digits(text) == digits(repr(self.value)) and not is_padded(text) and len(text) <= self.LENGTH

    def json_is(self, parsed):
        return isinstance(parsed, Number) == math.isfinite(self.value) and self.reads(parsed)


class Single(Real):
    """The same for a float."""

    def reads(self, text, escaped=None):
        if not math.isfinite(self.value) or text in self.NAMES:
            return super().reads(text)
        return struct.pack('f', float(text)) == struct.pack('f', self.value) and \
            len(digits(text)) <= shortest_float(self.value) and not is_padded(text)


def hexadecimal(x):
    return Text(f'{x:#x}')


def pointer(x):
    return hexadecimal(x) if x else Word(None)


def error(key, number):
    """Three fields."""
    name = errno.errorcode[number].replace('EDEADLOCK', 'EDEADLK')  # of one number's two names the usual one
    return [(key, Integer(number)), (f'{key}_name', Text(name)), (f'{key}_text', Text(os.strerror(number)))]


# ---- records ----

class Record:
    def __init__(self, n):
        self.n = n
        self.level = LEVELS[n % len(LEVELS)]
        self.logger = LOGGERS[n // PER_CONNECTION % 4]
        self.msg, event = (_integers, _reals, _texts, _fields)[n % 4](n)
        keys = [key for key, _ in event]
        self.fields = [field for field in _context(n) if field[0] not in keys] + event


def _context(n):
    c = n // PER_CONNECTION
    fields = [('conn', Integer(c)), ('peer', Text(draw_ipv6(c, 50) if c & 1 else draw_ipv4(c, 60)))]
    if n % PER_CONNECTION >= BOUND_AT:
        fields.append(('user', Text(draw_text(c, 16))))
    return fields


def _integers(n):
    fields = [('n', Integer(n)), ('bool', Word(bool(draw(n, 1) & 1)))]
    kinds = (('char', 8), ('schar', 8), ('uchar', -8), ('short', 16), ('ushort', -16), ('int', 32), ('uint', -32),
             ('long', 64), ('ulong', -64), ('llong', 64), ('ullong', -64))
    for k, (name, bits) in enumerate(kinds, 2):
        fields.append((name, Integer(draw_signed(n, k, bits) if bits > 0 else draw_bits(n, k, -bits))))
    return 'integers', [*fields, ('enum', Integer(70000 if draw(n, 13) & 1 else 0)),
                        ('hex', hexadecimal(draw_bits(n, 14, 64))), ('null', Word(None))]


def _reals(n):
    special = (0.0, -0.0, math.inf, -math.inf, 5e-324, 0.1, math.nan)
    return 'reals', [
        ('n', Integer(n)), ('float', Single(draw_float(n, 1))), ('double', Real(draw_double(n, 2))),
        ('special', Real(special[draw(n, 3) % 7])), ('whole', Real(float(draw(n, 4) >> 12))),
        ('decimal', Real((draw(n, 5) >> 40) / 100)), ('unit', Real((draw(n, 6) >> 11) * 2.0**-53)),
        ('ns', Seconds(signed(draw(n, 7)))), ('us', Seconds((draw(n, 8) >> 24) * 10**3)),
        ('ms', Seconds(-(draw(n, 9) >> 40) * 10**6)),
        ('s', Seconds(max(min(signed(draw(n, 10)) * 10**9, 2**63 - 1), -2**63 + 1))),
        ('flag', Word(bool(draw(n, 11) & 1))), ('pointer', pointer(draw(n, 12))), ('nowhere', Word(None))]


def _texts(n):
    text = draw_text(n, 1)
    data = struct.pack('<QQ', draw(n, 33), draw(n, 34))[:draw(n, 32) % 17]
    return 'texts', [
        ('n', Integer(n)), ('text', Text(text)), ('raw', Text(b'\0' + draw_text(n, 16))), ('bytes', Text(data.hex())),
        ('peer4', Text(draw_ipv4(n, 36))), ('peer6', Text(draw_ipv6(n, 38))), ('local', Text(b'/' + text)),
        *error('err', 1 + draw(n, 35) % 39), ('secret', Text('***')), ('empty', Text(''))]


def _fields(n):
    text = draw_text(n, 1)
    return decode(draw_text(n, 16)), [
        ('n', Integer(n)), ('dotted.key', Text(text)), ('dotted_key', Text(text)),
        ('with blank = "quoted"]', Integer(draw_signed(n, 32, 64))), ('schlüssel', Word(bool(draw(n, 33) & 1))),
        ('a-key-of-more-than-thirty-two-bytes', Real(draw_double(n, 34))), ('time_', Seconds(signed(draw(n, 35)))),
        ('thole_own', hexadecimal(draw_bits(n, 38, 64))), ('msg_', Single(draw_float(n, 39))),
        ('peer', Text(draw_ipv4(n, 36))), *error('e', 1 + draw(n, 40) % 39), ('p', pointer(draw_bits(n, 41, 64))),
        ('b', Text(text.hex())), ('', Word(None)), ('secret', Text('***'))]
