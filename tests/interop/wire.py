# SPDX-License-Identifier: MIT
"""Strict readers of what thole writes; Bad says what breaks a rule. Written from the RFCs and the README alone.

They accept one way of writing each thing: what a lenient reader would forgive is a fault of ours.
"""
import json
import re
import struct

SD_NAME = re.compile(r'[A-Za-z0-9_-]{1,32}')
SD_ID = re.compile(r'[A-Za-z0-9_-]{1,32}|[A-Za-z0-9_-]+@[0-9]+')
SD_ESCAPE = re.compile(r'\\(["\\\]])|\\x[0-9a-f]{2}|\\u202[89]')  # the others are what thole writes for controls
RFC3339 = re.compile(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z')
LEVELS = ('trace', 'debug', 'info', 'notice', 'warn', 'error', 'crit', 'alert', 'emerg')
SEVERITIES = (7, 7, 6, 5, 4, 3, 2, 1, 0)
ENVELOPE = ('time', 'level', 'logger', 'msg')
BARE = re.compile(r'[!#-<>-\[\]-~]+')  # neither blank nor " = \
KEY = re.compile(r'[^="\x00-\x20\x7f-\x9f\u2028\u2029]+')


class Bad(Exception):
    pass


class Number(str):
    """A number of JSON as it was written."""


# ---- characters ----

def decode(data):
    """Text of any bytes: one U+FFFD for each byte that belongs to no valid shortest-form sequence."""
    out, at = [], 0
    while at < len(data):
        for size in (1, 2, 3, 4):
            try:
                out.append(data[at:at + size].decode())
                break
            except UnicodeDecodeError:
                continue
        else:
            out.append('\ufffd')
            size = 1
        at += size
    return ''.join(out)


def is_control(c):
    return c < '\x20' or '\x7f' <= c <= '\x9f' or c in '\u2028\u2029'


def shown(text):
    """Outside JSON a control character is written as text."""
    return ''.join(c if not is_control(c) else f'\\u{ord(c):04x}' if ord(c) > 0xFF else f'\\x{ord(c):02x}'
                   for c in text)


def bare_text(text):
    """As a message is written outside JSON: the backslash, too."""
    return shown(text.replace('\\', '\\\\'))


def check_line(data):
    """One line of bytes: valid UTF-8 without a control character."""
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise Bad(f'invalid UTF-8: {error}') from error
    for c in text:
        if is_control(c):
            raise Bad(f'a control character: U+{ord(c):04X} in {text!r:.200}')
    return text


def lines_of(data):
    """Each ended by LF, and nothing after the last."""
    *lines, rest = data.split(b'\n')
    if rest:
        raise Bad(f'an unfinished line: {rest!r:.200}')
    return lines


# ---- json ----

def _unique(pairs):
    keys = [key for key, _ in pairs]
    if len(set(keys)) < len(keys):
        raise Bad(f'a key twice: {keys}')
    return dict(pairs)


def parse_json(data):
    """A line: a dict in the order of the line; numbers are kept as text."""
    text = check_line(data)
    try:
        record = json.loads(text, object_pairs_hook=_unique, parse_int=Number, parse_float=Number,
                            parse_constant=Number)
    except ValueError as error:
        raise Bad(f'not JSON: {error}: {text:.200}') from error
    if tuple(record)[:4] != ENVELOPE:
        raise Bad(f'the envelope is {tuple(record)[:4]}')
    if not RFC3339.fullmatch(record['time']) or record['level'] not in LEVELS:
        raise Bad(f'the envelope says {record["time"]}, {record["level"]}')
    return record


# ---- structured data ----

def _sd_value(text, at):
    """From behind the opening quote: the value, and where its closing quote is."""
    out = []
    while at < len(text):
        c = text[at]
        if c == '"':
            return ''.join(out), at
        if c == ']':
            raise Bad(f'a ] without its backslash: {text[at - 20:at + 20]!r}')
        if c == '\\':
            escape = SD_ESCAPE.match(text, at)
            if not escape:
                raise Bad(f'an escape {text[at:at + 6]!r}')
            c = escape[1] or escape[0]
            at = escape.end() - 1
        out.append(c)
        at += 1
    raise Bad(f'a value without an end: {text!r:.200}')


def _sd_params(text, at):
    params = []
    while text[at:at + 1] == ' ':
        end = text.find('="', at)
        name = text[at + 1:end]
        if end < 0 or not SD_NAME.fullmatch(name):
            raise Bad(f'a name {name!r:.80}')
        value, at = _sd_value(text, end + 2)
        params.append((name, value))
        at += 1
    if text[at:at + 1] != ']':
        raise Bad(f'an element without its ]: {text[at:at + 40]!r}')
    return params, at + 1


def take_sd(text):
    """Structured data (RFC 5424, 6.3) at the beginning: a dict of elements, each a dict of its parameters, unescaped;
    and the rest."""
    if text[:1] == '-':
        return {}, text[1:]
    elements, at = [], 0
    while text[at:at + 1] == '[':
        end = min(found for found in (text.find(' ', at), text.find(']', at), len(text)) if found >= 0)
        if not SD_ID.fullmatch(text[at + 1:end]):
            raise Bad(f'an SD-ID {text[at + 1:end]!r:.80}')
        params, next_at = _sd_params(text, end)
        elements.append((text[at + 1:end], _unique(params)))
        at = next_at
    if not elements:
        raise Bad(f'no element: {text[:40]!r}')
    return _unique(elements), text[at:]


def parse_sd(text):
    elements, rest = take_sd(text)
    if rest:
        raise Bad(f'behind the elements: {rest!r:.80}')
    return elements


# ---- syslog ----

RFC5424 = re.compile(r'<(\d{1,3})>1 (\S+) ([!-~]{1,255}) ([!-~]{1,48}) ([!-~]{1,128}) ([!-~]{1,32}) ')
RFC3164 = re.compile(r'<(\d{1,3})>((?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [ 123]\d \d\d:\d\d:\d\d) '
                     r'([A-Za-z0-9_.-]{1,32})\[(\d+)\]:')


def parse_rfc5424(data):
    """A whole record: pri, time, host, app, pid, msgid, elements, msg."""
    text = check_line(data)
    head = RFC5424.match(text)
    if not head or not RFC3339.fullmatch(head[2]) or not 0 <= int(head[1]) <= 191:
        raise Bad(f'no header: {text:.200}')
    elements, rest = take_sd(text[head.end():])
    if rest and (rest[0] != ' ' or rest == ' '):
        raise Bad(f'behind the elements: {rest!r:.80}')
    return dict(zip(('pri', 'time', 'host', 'app', 'pid', 'msgid'), head.groups()), elements=elements, msg=rest[1:])


def parse_rfc3164(data):
    """pri, time, app, pid and the text behind the colon."""
    text = check_line(data)
    head = RFC3164.match(text)
    if not head:
        raise Bad(f'no header: {text:.200}')
    return dict(zip(('pri', 'time', 'app', 'pid'), head.groups()), text=text[head.end():])


# ---- logfmt ----

def _quoted(text, at):
    """From behind the opening quote: the text, and where its closing quote is."""
    out = []
    while at < len(text):
        c = text[at]
        if c == '"':
            return ''.join(out), at
        if c == '\\':
            escape = re.compile(r'\\(["\\])|\\x([0-9a-f]{2})|\\u(202[89])').match(text, at)
            if not escape:
                raise Bad(f'an escape {text[at:at + 6]!r}')
            out.append(escape[1] or chr(int(escape[2] or escape[3], 16)))
            at = escape.end()
        else:
            out.append(c)
            at += 1
    raise Bad(f'a quote without an end: {text!r:.200}')


def parse_logfmt(text):
    """key=value, one blank between two: a dict of texts, unescaped."""
    pairs, at = [], 0
    while at < len(text):
        key = KEY.match(text, at)
        if not key or text[key.end():key.end() + 1] != '=':
            raise Bad(f'no key: {text[at:at + 40]!r}')
        at = key.end() + 1
        if text[at:at + 1] == '"':
            value, at = _quoted(text, at + 1)
            at += 1
        else:
            bare = BARE.match(text, at)
            if not bare:
                raise Bad(f'no value: {text[at:at + 40]!r}')
            value, at = bare[0], bare.end()
        pairs.append((key[0], value))
        if text[at:at + 1] not in ('', ' ') or text[at:] == ' ':
            raise Bad(f'no blank: {text[at:at + 40]!r}')
        at += 1
    return _unique(pairs)


# ---- names ----

def _first_of_equals(pairs):
    out = {}
    for key, value in pairs:
        out.setdefault(key, value)
    return out


def sd_names(fields):
    """Fields by their names in structured data: mapped, cut; of two that become equal the first stays."""
    def name(key):
        return re.sub(rb'[^A-Za-z0-9_-]', b'_', key.encode())[:32].decode() or '_'
    return _first_of_equals((name(key), value) for key, value in fields)


def logfmt_names(fields):
    def name(key):
        return ''.join('_' if is_control(c) or c in ' ="' else c for c in key) or '_'
    return _first_of_equals((name(key), value) for key, value in fields)


# ---- numbers ----

def is_padded(text):
    """With zeros that say nothing."""
    mantissa = text.lower().split('e')[0]
    return '.' in mantissa and mantissa[-1] in '.0'


def digits(text):
    """The significant ones."""
    return text.lower().split('e')[0].replace('.', '').lstrip('-').strip('0')


def shortest_float(value):
    """How many digits tell this float from its neighbours."""
    for count in range(1, 10):
        text = f'{value:.{count - 1}e}'
        try:
            if struct.pack('f', float(text)) == struct.pack('f', value):
                return len(digits(text))
        except OverflowError:
            continue
    raise AssertionError(value)
