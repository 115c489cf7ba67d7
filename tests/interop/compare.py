# SPDX-License-Identifier: MIT
"""Compares what a receiver, or a file, has of speaker.c's records with speech.py.

An AssertionError or wire.Bad says what differs; checkers.py forges each thing, and sees it refused.
"""
import datetime
import functools
import socket

import speech
import wire

record_of = functools.cache(speech.Record)
HOST = socket.gethostname()
DAEMON = 3


def check_reference(data, count):
    """JSON is right field by field, in order; the times by n."""
    times = []
    for n, line in enumerate(wire.lines_of(data)):
        record, expected = wire.parse_json(line), record_of(n)
        envelope = [record.pop(key) for key in wire.ENVELOPE]
        assert envelope[1:] == [expected.level, expected.logger, expected.msg], (n, envelope)
        assert list(record) == [key for key, _ in expected.fields], (n, list(record))
        for key, value in expected.fields:
            assert value.json_is(record[key]), (n, key, record[key], value)
        times.append(envelope[0])
    assert len(times) == count
    return times


# ---- headers ----

class Header:
    """What the records of one run have in their headers."""

    def __init__(self, times, pid, facility=DAEMON, app='interop_speaker'):
        self.times, self.pid, self.facility, self.app = times, str(pid), facility, app

    def check(self, record, n):
        severity = wire.SEVERITIES[wire.LEVELS.index(record_of(n).level)]
        assert record['pri'] == str(self.facility * 8 + severity), (n, record)
        assert (record['app'], record['pid']) == (self.app, self.pid), (n, record)

    def check_modern(self, record, n):
        self.check(record, n)
        assert record['host'] == HOST, (n, record)
        assert time_of(record) == datetime.datetime.fromisoformat(self.times[n].replace('Z', '+00:00')), (n, record)
        msgid = record_of(n).logger[:32] or '-'
        assert (record['msgid'] or '-') == msgid, (n, record)  # syslog-ng: a field that is - is empty


def time_of(record):
    return datetime.datetime.fromisoformat(record['time'].replace('Z', '+00:00'))


# ---- fields ----

def check_modern(receiver, source, records, header, sdid='thole@32473', seq=False):
    """RFC 5424: every record once, each of its fields; the elements beside it as they should be."""
    seen = set()
    for record in records:
        elements = wire.parse_sd(record['sd'])
        meta = elements.pop('meta', None)
        if seq:
            assert meta == {'sequenceId': str(len(seen) + 1)}, record
        else:  # syslog-ng adds one to what comes from a local source
            assert meta is None or (receiver, source) == ('syslog-ng', 'modern'), record
        assert list(elements) == [sdid], record
        n = int(elements[sdid]['n'])
        expected = record_of(n)
        _check_params(elements[sdid], wire.sd_names(expected.fields), n)
        assert record['msg'] == _as_shown(receiver, wire.bare_text(expected.msg)), (n, record, expected.msg)
        header.check_modern(record, n)
        seen.add(n)
    assert len(records) == len(seen) == len(header.times)
    assert seen == set(range(len(seen)))


def _check_params(params, expected, n):
    assert list(params) == list(expected), (n, list(params), list(expected))
    for name, value in expected.items():
        assert value.reads(params[name], wire.shown), (n, name, params[name], value)


def _as_shown(receiver, msg):
    """A receiver's own way with messages: syslog-ng takes a byte order mark off."""
    return msg.removeprefix('\ufeff') if receiver == 'syslog-ng' else msg


def check_legacy(records, header, check_time, seq=False):
    """RFC 3164: message, logger and fields in one text; logfmt after the message."""
    seen = set()
    for record in records:
        n = _number_of(record)
        expected = record_of(n)
        head = wire.bare_text(expected.msg)
        fields = wire.parse_logfmt(_behind(record['msg'], head, n))
        if expected.logger:
            assert fields.pop('logger', None) == expected.logger, record
        if seq:
            assert fields.pop('thole.seq', None) == str(len(seen) + 1), record
        names = wire.logfmt_names(expected.fields)
        assert list(fields) == list(names), (n, list(fields), list(names))
        for name, value in names.items():
            assert value.reads(fields[name]), (n, name, fields[name], value)
        header.check(record, n)
        check_time(record, n)
        seen.add(n)
    assert len(records) == len(seen) == len(header.times)
    assert seen == set(range(len(seen)))


def _number_of(record):
    return int(record['msg'].partition(' n=')[2].partition(' ')[0])


def _behind(text, head, n):
    """What follows the message and a blank. Receivers skip the blanks that a message begins with."""
    text, head = text.lstrip(' '), head.lstrip(' ')
    if head:
        assert text.startswith(f'{head} '), (n, text, head)
        return text[len(head) + 1:]
    return text


def is_same_second(header):
    def check(record, n):
        sent = datetime.datetime.fromisoformat(header.times[n].replace('Z', '+00:00'))
        assert time_of(record) == sent.replace(microsecond=0), (n, record, sent)
    return check
