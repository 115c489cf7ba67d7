# SPDX-License-Identifier: MIT
"""The checkers' must-fail partners: each accepts what is right, and refuses the same with one thing forged."""
import struct

import compare
import judge
import speech
import strings
import wire
from claims import run

TIME = '2026-01-02T03:04:05.000006Z'
VALUE = 'a"b]c\\d\ne'
CASE = strings.Case('v', VALUE.encode(), fields=[('v', strings.Text(VALUE))])
LONG_CASE = strings.Case('v', b'A' * 9000, fields=[('v', strings.Text(b'A' * 9000))])
LONG_MESSAGE = strings.Case('m', b'\n' * 9000, msg='\n' * 9000)
PID = 77

JSON = (f'{{"time":"{TIME}","level":"info","logger":"hostile","msg":"value","n":0,"v":"a\\"b]c\\\\d\\ne",'
        '"end":"here"}')
LOGFMT = f'time={TIME} level=info logger=hostile msg=value n=0 v="a\\"b]c\\\\d\\x0ae" end=here'
PRETTY = '03:04:05.000 info   hostile  value                    n=0 v="a\\"b]c\\\\d\\x0ae" end=here'
RFC3164 = '<30>Jan  2 03:04:05 interop_hostile[77]: value logger=hostile n=0 v="a\\"b]c\\\\d\\x0ae" end=here'
SD = '[thole@32473 n="0" v="a\\"b\\]c\\\\d\\x0ae" end="here"]'
RFC5424 = f'<30>1 {TIME} host interop_hostile 77 hostile {SD} value'
ROW = {'pri': '30', 'time': TIME, 'host': 'host', 'app': 'interop_hostile', 'pid': '77', 'msgid': 'hostile', 'sd': SD,
       'msg': 'value'}
LEGACY_ROW = {**ROW, 'msgid': '', 'sd': '-', 'msg': ' value logger=hostile n=0 v="a\\"b]c\\\\d\\x0ae" end=here'}


def refused(check, *arguments):
    """What the checker says; it must say something."""
    try:
        check(*arguments)
    except (AssertionError, wire.Bad) as error:
        return str(error)
    raise RuntimeError(f'{check.__name__} accepts {arguments!r:.500}')


def records(text=JSON, case=CASE):
    return judge.check_json([text.encode()], [case])


def _check_forgeries(check, line, forgeries):
    """Of (old, new): the line with new for old, which the checker must refuse. `check` takes lines."""
    check([line.encode()])
    refused(check, [])
    refused(check, [line.encode(), line.encode()])
    for old, new in forgeries:
        assert old in line, (old, line)
        refused(check, [line.replace(old, new, 1).encode(errors='surrogateescape')])


# What no line may hold, whatever its format.
EVERYWHERE = [('value', f'va{c}lue') for c in (
    '\n', '\r', '\0', '\x1b', '\x7f', '\x85', '\u2028', '\u2029', '\t', '\udcff')]


def forged_json_is_refused():
    _check_forgeries(lambda lines: judge.check_json(lines, [CASE]), JSON, [
        *EVERYWHERE, ('"level":"info"', '"level":"emerg"'), ('"level":"info"', '"level":"loud"'), ('"n":0', '"n":1'),
        ('"n":0', '"n":"0"'), ('"n":0', '"n":0,"n":0'), ('"n":0', '"n":0,"x":0'), (',"end":"here"', ''),
        ('"logger":"hostile","msg":"value"', '"msg":"value","logger":"hostile"'), ('c\\\\d', 'cd'),
        ('"}', '","x":"y"}'),
        ('"end":"here"', '"end":"here","thole.truncated":1'), ('value', 'valu'), ('"logger":"hostile"', '"logger":""'),
        ('.000006Z', '.000Z'), ('.000006Z', '.000006+00:00'), ('}', '}{}'), ('{', '')])


def cut_of_json_that_is_not_told_or_told_wrong_is_refused():
    def line(kept, mark):
        return (f'{{"time":"{TIME}","level":"info","logger":"hostile","msg":"value","n":0,"v":"{kept}",'
                f'"end":"here"{mark}}}').encode()
    judge.check_json([line('A' * 8000, ',"thole.truncated":1000')], [LONG_CASE])
    for kept, mark in (('A' * 8000, ''), ('A' * 8000, ',"thole.truncated":999'), ('A' * 9000, ',"thole.truncated":1'),
                       ('B' * 8000, ',"thole.truncated":1000')):
        refused(judge.check_json, [line(kept, mark)], [LONG_CASE])


def forged_logfmt_is_refused():
    _check_forgeries(lambda lines: judge.check_logfmt(lines, [CASE], records()), LOGFMT, [
        *EVERYWHERE, ('level=info', 'level=emerg'), ('n=0', 'n=1'), ('n=0', 'n=0 n=0'), ('n=0', 'n=0 x=1'),
        (' end=here', ''), ('\\x0a', '\\n'), ('\\x0a', ''), ('c\\\\d', 'c\\d'), ('n=0', 'n='), ('n=0', 'n=0 '),
        ('n=0', 'n 0'), ('value', 'va lue'), ('e" end', 'e end'), ('e" end', 'e"end'),
        ('a\\"b', 'a"b'), ('here', 'here '), ('here', 'thére'),
        ('end=here', 'end=here thole.truncated=1')])


def forged_pretty_line_is_refused():
    _check_forgeries(lambda lines: judge.check_pretty(lines, [CASE], records()), PRETTY, [
        *EVERYWHERE, ('info   ', 'emerg  '), ('03:04', '03:05'), ('n=0', 'n=1'), ('n=0', 'n=0 x=1'), (' end=here', ''),
        ('value', 'other'), ('hostile', 'honest'), ('\\x0a', ''), ('a\\"b', 'a"b'), ('info', '\x1b[1minfo')])


def forged_rfc5424_is_refused():
    _check_forgeries(lambda lines: judge.check_rfc5424(lines, [CASE], records()), RFC5424, [
        *EVERYWHERE, ('<30>', '<34>'), ('<30>', '<192>'), ('<30>', '<30> '), ('>1 ', '>2 '), ('000006Z', '000007Z'),
        ('000006Z', '000006789Z'), ('host ', ''), ('host ', 'a host '), ('interop', 'other'), (' 77 ', ' - 77 '),
        ('n="0"', 'n="1"'), ('n="0"', 'n="0" x="1"'), ('n="0"', 'n="0" n="0"'), ('n="0" ', ''), (' end="here"', ''),
        ('\\]', ']'), ('a\\"b', 'a"b'), ('\\\\d', '\\d'), ('n="0"', 'n.x="0"'), ('n="0"', 'n="0"  '),
        ('"] value', '"] [x@1 y="z"] value'), ('"] value', '"][x@1 y="z"] value'), ('"] value', '"]value'),
        ('"] value', '"] '), ('"] value', '" value'), ('value', 'other'), ('hostile [', 'honest ['),
        ('value', '\ufeffvalue'),
        ('end="here"', 'end="here" thole_truncated="1"'), ('value', 'val...')])


def forged_rfc3164_is_refused():
    _check_forgeries(lambda lines: judge.check_rfc3164(lines, [CASE], records()), RFC3164, [
        *EVERYWHERE, ('<30>', '<34>'), ('Jan  2', 'Jan 2'), ('Jan  2', 'jan  2'), ('interop', 'host interop'),
        ('[77]', ''),
        ('n=0', 'n=1'), ('n=0', 'n=0 x=1'), (' end=here', ''), ('\\x0a', ''), ('a\\"b', 'a"b'), ('value', 'other'),
        (': value', ':value'), ('hostile n', 'honest n'), ('end=here', 'end=here thole.truncated=1')])


def cut_of_syslog_must_be_marked_and_whole():
    """Of a record that was cut: the message's beginning and "...", parameters whole or not at all, the mark."""
    long_json = records(f'{{"time":"{TIME}","level":"info","logger":"hostile","msg":"value","n":0,"v":"{"A" * 8000}",'
                        '"end":"here","thole.truncated":1000}', LONG_CASE)
    cut = f'<30>1 {TIME} host interop_hostile 77 hostile [thole@32473 n="0" end="here" thole_truncated="9000"] value'

    def check(line, case=LONG_CASE, said=long_json):
        judge.check_rfc5424([line.encode()], [case], said)
    check(cut)
    check(cut.replace('value', 'val...'))
    for old, new in ((' thole_truncated="9000"', ''), ('="9000"', '="999"'), ('n="0" ', ''), ('value', 'val'),
                     ('value', 'vax...'), ('n="0"', f'n="0" v="{"A" * 7000}"'), ('n="0"', 'n="0" x="1"')):
        refused(check, cut.replace(old, new))
    escapes = records(f'{{"time":"{TIME}","level":"info","logger":"hostile","msg":"{chr(92)}n{chr(92)}n","n":0,'
                      '"end":"here","thole.truncated":8998}', LONG_MESSAGE)
    cut = cut.replace('9000', '8999').replace('value', '\\x0a...')
    check(cut, LONG_MESSAGE, escapes)
    for half in ('\\...', '\\x...', '\\x0...', '\\x0a\\x0...'):
        refused(check, cut.replace('\\x0a...', half), LONG_MESSAGE, escapes)


def _check_rows(check, row, forgeries):
    check([row])
    refused(check, [])
    refused(check, [row, row])
    for key, value in forgeries:
        refused(check, [{**row, key: value}])


def forged_record_of_a_receiver_is_refused():
    _check_rows(lambda rows: judge.check_received('rsyslog', rows, [CASE], records(), PID), ROW, [
        ('pri', '34'), ('app', '1'), ('pid', '78'), ('msgid', 'x'), ('sd', '-'), ('sd', SD + '[meta sequenceId="1"]'),
        ('sd', SD.replace('n="0"', 'n="1"')), ('sd', SD.replace('here', 'there')), ('msg', 'value '), ('msg', '')])
    judge.check_received('syslog-ng', [{**ROW, 'sd': SD + '[meta sequenceId="1"]'}], [CASE], records(), PID)
    _check_rows(lambda rows: judge.check_received_legacy('rsyslog', rows, [CASE], records(), PID), LEGACY_ROW, [
        ('pri', '34'), ('app', '1'), ('pid', '78'), ('msg', 'value'), ('msg', LEGACY_ROW['msg'].replace('n=0', 'n=1')),
        ('msg', LEGACY_ROW['msg'].replace(' value', ' other')), ('msg', LEGACY_ROW['msg'].replace('here', 'there')),
        ('msg', LEGACY_ROW['msg'] + ' x=1')])


# ---- of fields.py ----

SPOKEN = compare.record_of(0)


def _header():
    return compare.Header([TIME], PID)


def _text_of(value):
    return value.WORDS[value.value] if isinstance(value, speech.Word) else str(value.value)


def _spoken():
    fields = [(key, _text_of(value)) for key, value in SPOKEN.fields]
    sd = ''.join(f' {key}="{text}"' for key, text in fields)
    row = {'pri': '31', 'time': TIME, 'host': compare.HOST, 'app': 'interop_speaker', 'pid': str(PID),
           'msgid': SPOKEN.logger, 'sd': f'[thole@32473{sd}]', 'msg': SPOKEN.msg}
    tail = ''.join(f' {key}={text}' for key, text in fields)
    msg = f' {SPOKEN.msg} logger={SPOKEN.logger}{tail}'
    return row, {**row, 'sd': '-', 'time': TIME.replace('.000006', ''), 'msg': msg}


def forged_field_or_header_is_refused():
    row, legacy = _spoken()
    sd, msg = row['sd'], legacy['msg']
    changed = [(' n="0"', ' n="1"'), ('bool="false"', 'bool="true"'), ('char="-87"', 'char="169"'),
               (' null="null"', ''), ('null="null"', 'null=""'), ('hex="0xf', 'hex="0xe'), ('short=', 'shorts=')]
    _check_rows(lambda rows: compare.check_modern('rsyslog', 'udp', rows, _header()), row, [
        ('pri', '30'), ('pri', '23'), ('time', TIME.replace('6Z', '7Z')), ('time', TIME.replace('.000006', '')),
        ('host', 'other'), ('app', '1'), ('pid', '78'), ('msgid', '-'), ('msg', ''),
        ('sd', sd + '[meta sequenceId="1"]'), ('sd', sd.replace('32473', '1')),
        *(('sd', sd.replace(*change)) for change in changed)])
    assert all(old in sd for old, _ in changed), sd
    _check_rows(lambda rows: compare.check_legacy(rows, _header(), compare.is_same_second(_header())), legacy, [
        ('pri', '30'), ('app', '1'), ('pid', '78'), ('time', '2026-01-02T03:04:06Z'), ('msg', msg + ' x=1'),
        ('msg', msg.replace('integers', 'integer')), ('msg', msg.replace('logger=', 'loggers=')),
        *(('msg', msg.replace(old.replace('"', ''), new.replace('"', ''))) for old, new in changed if '""' not in new)])


def lost_or_repeated_number_is_refused():
    row, _ = _spoken()
    first, second = ({**row, 'sd': row['sd'] + f'[meta sequenceId="{i}"]'} for i in (1, 2))
    compare.check_modern('rsyslog', 'udp', [first], _header(), seq=True)
    refused(compare.check_modern, 'rsyslog', 'udp', [second], _header(), 'thole@32473', True)
    refused(compare.check_modern, 'rsyslog', 'udp', [row], _header(), 'thole@32473', True)


def numbers_of_another_value_are_refused():
    inf, nan = float('inf'), float('nan')
    tenth = struct.unpack('f', struct.pack('f', 0.1))[0]
    for value, good, bad in (
            (speech.Real(0.1), '0.1', ('0.10000000000000001', '0.10', '0.2', '-0.1')),
            (speech.Real(-0.0), '-0', ('0',)),
            (speech.Real(1e300), '1e300', ('1e301', '1.0000000000000001e300', '1.0e300')),
            (speech.Real(nan), 'NaN', ('Infinity', '0')),
            (speech.Real(inf), 'Infinity', ('-Infinity', 'NaN', '1e300')),
            (speech.Single(tenth), '0.1', ('0.10000000149011612', '0.2', '0.10')),
            (speech.Seconds(1500000000), '1.5', ('1.50', '1.4', '1.5e0')),
            (speech.Integer(7), '7', ('07', '7.0', '8')),
            (speech.Word(None), 'null', ('', 'false'))):
        assert value.reads(good), (value, good)
        for text in bad:
            assert not value.reads(text), (value, text)
    assert not speech.Text('7').json_is(wire.Number('7')) and not speech.Integer(7).json_is('7')
    assert not speech.Word(True).json_is('true') and not speech.Real(nan).json_is(wire.Number('NaN'))


run(globals())
