# SPDX-License-Identifier: MIT
"""thole ls, thole help, and what is no command."""
import os

from kit import THOLE, daemon, run, thole, thole_json


def row_of(out, pid):
    return [line for line in out.splitlines() if line.split()[:1] == [str(pid)]]


def running_daemons_are_listed_with_rate_and_children():
    with daemon('leak') as d, daemon() as other:
        out, _ = thole('ls', wanted=1)
        (row,) = row_of(out, d.pid)
        words = row.split()
        assert words[1] == d.app and words[2].endswith('s') and float(words[3]) > 0, row
        assert words[4:] == ['21', '0', '1', 'call', 'site'], row
        (row,) = row_of(out, other.pid)
        assert row.split()[4:] == ['1', '0', '-'], row


def list_as_json_says_the_same():
    with daemon('leak') as d, daemon() as other, daemon() as stopped:
        stopped.stop()
        try:
            listed = thole_json('ls', wanted=1)
        finally:
            stopped.go_on()
        by_pid = {p['pid']: p for p in listed['processes']}
        p = by_pid[d.pid]
        assert p['app'] == d.app and p['error'] is None and p['rate'] > 0 and p['uptime_s'] >= 0, p
        assert (p['children'], p['drops'], p['suspects']) == (21, 0, 1), p
        assert by_pid[other.pid]['suspects'] == 0 and listed['refused'] >= 0, listed
        assert 'it is stopped' in by_pid[stopped.pid]['error'], listed


def long_name_shifts_no_column():
    with daemon(app='a' * 40) as long, daemon() as other:
        out, _ = thole('ls', wanted=None)  # others may leak
        end = out.splitlines()[0].index('CHILDREN') + len('CHILDREN')
        for pid in long.pid, other.pid:
            (row,) = row_of(out, pid)
            assert row[end - 1] == '1' and row[end] == ' ', out


def forked_process_is_not_listed():
    with daemon('fork') as d:
        out, _ = thole('ls', wanted=None)
        assert row_of(out, d.pid) and not row_of(out, d.child), out


def ended_process_is_not_listed():
    with daemon() as d:
        pid = d.pid
    assert not row_of(thole('ls', wanted=None)[0], pid)


def help_and_version_are_printed():
    out, _ = thole('--version')
    assert out == 'thole 0.1.0\n', out
    out, _ = thole('--help')
    for command in 'ls', 'top', 'leaks', 'level', 'check':
        assert f'  thole {command}' in out, out
        assert f'thole {command}' in thole('help', command)[0]
        assert thole(command, '--help') == thole('help', command)


def unknown_words_are_answered_with_the_near_one():
    assert 'did you mean "leaks"' in thole('leeks', wanted=2)[1]
    assert 'did you mean "--interval"' in thole('top', '1', '--intervall=1s', wanted=2)[1]
    assert 'is missing' in thole('leaks', wanted=2)[1]
    assert 'usage' in thole(wanted=2)[1] or 'thole ls' in thole(wanted=2)[1]
    assert 'one word too many' in thole('ls', 'x', wanted=2)[1]


def full_disk_is_an_error():
    if os.path.exists('/dev/full'):
        with open('/dev/full', 'wb') as full:
            import subprocess
            done = subprocess.run([THOLE, '--help'], stdout=full, stderr=subprocess.PIPE,
                                  check=False)
            assert done.returncode == 2 and b'cannot be written' in done.stderr, done


run(globals())
