# SPDX-License-Identifier: MIT
"""thole leaks: the census, its verdict, and its exit status."""
import json
import os
import subprocess

from kit import PATIENCE_S, THOLE, Skipped, daemon, line_of, run, thole, thole_json, until


def leaking_program_is_named_by_file_and_line():
    with daemon('leak') as d:
        site = line_of('leaks here')
        out, err = thole('leaks', d.pid, wanted=1)
        row = next(line for line in out.splitlines() if line.startswith(site))
        assert row.split()[1:3] == ['20', '20'], row
        assert 'LEAKS?' in row and 'conn=' in row, row
        assert 'looks leaked: 20 of 20 outlive the child logger that they were made of' in out, out
        assert '1 looks leaked' in out and err == '', out + err


def leaking_program_is_named_in_json():
    with daemon('leak') as d:
        answer = thole_json('leaks', d.pid, wanted=1)
        first = answer['sites'][0]
        assert list(answer)[0] == 'sites' and list(first)[:5] == \
            ['site', 'live', 'peak', 'oldest_s', 'suspect'], answer
        assert first['site'] == line_of('leaks here') and first['suspect'] is True, first
        assert first['live'] == first['peak'] == first['made'] == 20, first
        assert first['last_logged_s'] is None and 'outlive' in first['why'], first
        other = answer['sites'][1]
        assert other['site'] == line_of('lives here') and other['suspect'] is False, other
        assert other['why'] is None, other


def correct_program_looks_fine():
    with daemon() as d:
        out, _ = thole('leaks', d.pid)
        assert line_of('lives here') in out and ' fine ' in out, out
        assert 'looks leaked' not in out.splitlines()[1], out
        assert [s['suspect'] for s in thole_json('leaks', d.pid)['sites']] == [False]


def context_drives_no_terminal():
    with daemon() as d:
        out, _ = thole('leaks', d.pid)
        assert '\x1b' not in out and 'x1b[31m' in out, out


def silent_children_are_suspect_after_the_limit_that_was_asked_for():
    with daemon() as d:
        def is_suspect():
            answer = thole_json('leaks', d.pid, '--silent=1s', wanted=None)
            return answer['sites'] and answer['sites'][0]['suspect'] and answer
        answer = until('silence', is_suspect)
        assert answer['silent_limit_s'] == 1 and answer['sites'][0]['silent'] == 1, answer
        out, _ = thole('leaks', d.pid, '--silent', '1s', wanted=1)
        assert '1 of 1 have been silent for more than 1 s' in out, out
        assert thole_json('leaks', d.pid)['silent_limit_s'] == 3600


def observers_with_limits_of_their_own_get_their_own_census():
    with daemon() as d:
        for _ in range(40):
            asked = [subprocess.Popen([THOLE, 'leaks', str(d.pid), '--json', f'--silent={s}s'],
                                      stdout=subprocess.PIPE) for s in (100, 200, 300, 400)]
            limits = [json.loads(p.communicate(timeout=PATIENCE_S)[0])['silent_limit_s']
                      for p in asked]
            assert limits == [100, 200, 300, 400], limits


def program_is_found_by_its_name():
    with daemon('leak', app=f'named-{os.getpid()}') as d:
        assert thole_json('leaks', d.app, wanted=1)['pid'] == d.pid
        with daemon(app=d.app) as other:
            _, err = thole('leaks', d.app, wanted=2)
            assert str(d.pid) in err and str(other.pid) in err, err


def closed_descriptor_is_no_hindrance():
    if os.geteuid() != 0:
        raise Skipped('mappings of other processes are for root')
    with daemon('leak', 'closefrom') as d:
        assert thole_json('leaks', d.pid, wanted=1)['suspects'] == 1


def forked_process_does_not_show_its_parents_arena():
    with daemon('leak', 'fork') as d:
        _, err = thole('leaks', d.child, wanted=2)
        assert f'pid {d.child}' in err and 'thole_start' in err, err
        thole('leaks', d.pid, wanted=1)


run(globals())
