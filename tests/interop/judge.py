# SPDX-License-Identifier: MIT
"""Judges what came of the cases of strings.py, in each format: one record a case, and all of it.

An AssertionError or wire.Bad says what is wrong; checkers.py forges each thing, and sees it refused.
"""
import re

import wire
from speech import Text

PRI_INFO = '30'  # daemon
PRETTY = re.compile(r'\d\d:\d\d:\d\d\.\d{3} info   ')
MARK = 'thole.truncated'


# ---- values that may be cut ----

def _is_cut(part, whole):
    return len(part) < len(whole) and whole.startswith(part)


def _check_fields(fields, expected, mark, is_long, what):
    """Texts of fields, unescaped. Of a long case's a text may be the beginning of what was said, with the mark."""
    fields = dict(fields)
    marked = fields.pop(mark, None)
    assert list(fields) == list(expected), (what, list(fields), list(expected))
    assert is_long or marked is None, (what, fields)
    for key, value in expected.items():
        good = value.reads(fields[key]) or is_long and isinstance(value, Text) and _is_cut(fields[key], value.value)
        assert good, (what, key, fields[key][:200], value)


# ---- files ----

def check_json(lines, cases):
    """The records; what they cut is counted to the byte."""
    records = [wire.parse_json(line) for line in lines]
    assert len(records) == len(cases), (len(records), len(cases))
    for n, (record, case) in enumerate(zip(records, cases)):
        what = (n, case)
        fields = dict(list(record.items())[4:])
        marked = int(fields.pop(MARK, 0))
        assert (record['level'], record['logger']) == ('info', case.logger), (what, record)
        assert list(fields) == [key for key, _ in case.expected(n)], (what, list(fields))
        lost = _lost(record['msg'], case.msg, case) if record['msg'] != case.msg else 0
        for key, value in case.expected(n):
            if not value.json_is(fields[key]):
                lost += _lost(fields[key], value.value, case)
        assert lost == marked and (marked > 0) == case.long, (what, lost, marked)
    return records


def _lost(part, whole, case):
    """Bytes of what was said that are not in a text that was cut; U+FFFD stands for one byte."""
    good = case.long and isinstance(part, str) and isinstance(whole, str) and _is_cut(part, whole)
    assert good, (case, str(part)[:200], str(whole)[:200])
    kept = sum(1 if c == '\ufffd' else len(c.encode()) for c in part)
    return len(case.data) - kept


def check_logfmt(lines, cases, records):
    assert len(lines) == len(cases), (len(lines), len(cases))
    for n, (line, case, record) in enumerate(zip(lines, cases, records)):
        fields = wire.parse_logfmt(wire.check_line(line))
        envelope = [fields.pop(key) for key in wire.ENVELOPE]
        assert envelope[:3] == [record['time'], 'info', case.logger], (n, case, envelope)
        assert envelope[3] == case.msg or case.long and _is_cut(envelope[3], case.msg), (n, case, envelope)
        _check_fields(fields, wire.logfmt_names(case.expected(n)), MARK, case.long, (n, case))


def check_pretty(lines, cases, records):
    """Time, level, logger, message, blanks, fields."""
    assert len(lines) == len(cases), (len(lines), len(cases))
    for n, (line, case, record) in enumerate(zip(lines, cases, records)):
        text = wire.check_line(line)
        head = PRETTY.match(text)
        assert head and text[:12] == record['time'][11:23], (n, case, text[:200])
        logger = f'{case.logger}  ' if case.logger else ''
        begin = f'{logger}{wire.bare_text(record["msg"])}'
        assert text[head.end():].startswith(begin), (n, case, text[:200])
        rest = text[head.end() + len(begin):].lstrip(' ')
        _check_fields(wire.parse_logfmt(rest), wire.logfmt_names(case.expected(n)), MARK, case.long, (n, case))


# ---- syslog ----

def header_name(data):
    return re.sub(rb'[^!-~]', b'_', data)[:48].decode()


def tag_name(data):
    return re.sub(rb'[^A-Za-z0-9_.-]', b'_', data)[:32].decode()


class Form:
    """Of syslog: how names and texts are written, and thole's own mark."""

    def __init__(self, names, shown, mark):
        self.names, self.shown, self.mark = names, shown, mark


MODERN = Form(wire.sd_names, wire.shown, 'thole_truncated')
LEGACY = Form(wire.logfmt_names, lambda text: text, MARK)


def check_params(form, params, case, record, n):
    """Whole parameters only: each as the JSON has it, and none is missing but of a record that says so."""
    what = (n, case, {name: text[:100] for name, text in params.items()})
    expected = form.names(case.expected(n))
    params, fields = dict(params), dict(list(record.items())[4:])
    marked = params.pop(form.mark, None) if form.mark not in expected else None
    before = fields.pop(MARK, 0)
    assert case.long or marked is None, what
    assert int(marked or 0) >= int(before), (what, marked, before)
    assert 'n' in params and [name for name in expected if name in params] == list(params), what
    assert len(params) == len(expected) or marked is not None, what
    said = form.names(fields.items())
    for name, text in params.items():
        is_text = isinstance(expected[name], Text)
        assert text == form.shown(said[name]) if is_text else expected[name].reads(text), (what, name)


def check_message(text, case, record, n, blanks=''):
    """As the JSON has it; or its beginning and "...". `blanks`: what may be missing at the front of either."""
    whole = wire.bare_text(record['msg'])
    whole = whole.lstrip(blanks) if blanks else whole
    if text != whole:
        good = text.endswith('...') and (_is_cut(text[:-3], whole) or blanks and not whole)
        assert case.long and good, (n, case, text[:200], whole[:200])
        assert not re.search(r'(?<!\\)(\\\\)*\\(x.?)?\Z', text[:-3]), (n, case, text[-40:])  # no half escape


def _check_modern(elements, msg, case, record, n):
    assert list(elements) == ['thole@32473'], (n, case, elements)
    check_params(MODERN, elements['thole@32473'], case, record, n)
    check_message(msg, case, record, n)


def check_rfc5424(lines, cases, records, app='interop_hostile'):
    assert len(lines) == len(cases), (len(lines), len(cases))
    for n, (line, case, record) in enumerate(zip(lines, cases, records)):
        parsed = wire.parse_rfc5424(line)
        assert (parsed['pri'], parsed['time'], parsed['app']) == (PRI_INFO, record['time'], app), (n, case, parsed)
        assert parsed['msgid'] == (case.logger[:32] or '-'), (n, case, parsed)
        _check_modern(parsed['elements'], parsed['msg'], case, record, n)


def check_rfc3164(lines, cases, records, app='interop_hostile'):
    assert len(lines) == len(cases), (len(lines), len(cases))
    for n, (line, case, record) in enumerate(zip(lines, cases, records)):
        parsed = wire.parse_rfc3164(line)
        assert (parsed['pri'], parsed['app']) == (PRI_INFO, app), (n, case, parsed)
        _check_legacy_text(parsed['text'], case, record, n, blanks='')


def _check_legacy_text(text, case, record, n, blanks):
    """Message, logger, fields. The fields begin where the logger does, or the context's n."""
    tail = f' logger={case.logger} n={n}' if case.logger else f' n={n}'
    least = 0 if case.long else len(wire.bare_text(record['msg']).lstrip(' '))
    if blanks:
        text = f' {text.lstrip(blanks)}'
    at = text.find(tail, least)
    assert at >= 0 and text[0] == ' ', (n, case, text[:200])
    check_message(text[1:at], case, record, n, blanks)
    fields = wire.parse_logfmt(text[at + 1:])
    fields.pop('logger', None)
    check_params(LEGACY, fields, case, record, n)


# ---- at the receivers ----

def _check_received_header(record, pid):
    assert (record['pri'], record['app'], record['pid']) == (PRI_INFO, 'interop_hostile', str(pid)), record


def check_received(receiver, received, cases, records, pid):
    """In the order they were sent."""
    assert len(received) == len(cases), (receiver, len(received), len(cases))
    for n, (row, case, record) in enumerate(zip(received, cases, records)):
        _check_received_header(row, pid)
        assert (row['msgid'] or '-') == (case.logger[:32] or '-'), (n, case, row)
        elements = wire.parse_sd(row['sd'])
        if receiver == 'syslog-ng':
            elements.pop('meta', None)  # its own
            record = {**record, 'msg': record['msg'].removeprefix('\ufeff')}  # which it takes off
        _check_modern(elements, row['msg'], case, record, n)


def check_received_legacy(receiver, received, cases, records, pid):
    assert len(received) == len(cases), (receiver, len(received), len(cases))
    for n, (row, case, record) in enumerate(zip(received, cases, records)):
        _check_received_header(row, pid)
        _check_legacy_text(row['msg'], case, record, n, blanks=' ')
