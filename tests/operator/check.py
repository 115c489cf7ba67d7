# SPDX-License-Identifier: MIT
"""thole check: what a configuration means, or where it is wrong."""
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile

from kit import THOLE, Skipped, daemon, run, thole


def good_configuration_is_said_in_plain_words():
    out, err = thole('check', '--sinks', 'file:/tmp/d.log?mode=0600&level=warn udp://127.0.0.1',
                     '--log', 'info,net{peer=10.0.0.0/8}=debug,db=off',
                     '--limits', 'children=10,overflow=block:20')
    assert err == '', err
    for words in ('2 sinks', 'appends to the file /tmp/d.log', 'warn and above', 'mode=0600',
                  'UDP datagrams to 127.0.0.1 port 514', 'rfc5424', '3 rules',
                  'net{peer=10.0.0.0/8}=debug', 'children of net', 'db and all below it: nothing',
                  'children=10: ', 'default 65536', 'waits up to 20 ms'):
        assert words in out, f'{words!r} is not in\n{out}'
    assert 'queue' not in out, out
    assert thole('check', 'file:/tmp/d.log')[0].startswith('THOLE_SINKS: 1 sink\n')


def keys_of_a_file_are_said_in_plain_words():
    out, err = thole('check', 'file:/tmp/a.log?rotate=64K&keep=3&sync=warn '
                     'file:/tmp/b.log?rotate=daily&sync=200&rate=5/s file:/tmp/c.log?keep=4')
    assert err == '', err
    for words in ('before it is larger than 64K; the last 3 rotated files are kept',
                  'warn and above are on the disk before the next batch',
                  'with the first record of a day (UTC); the last 7 rotated files are kept',
                  'on the disk within 200 ms', 'at most 5 a second', 'nothing without rotate='):
        assert out.count(words) == 1, f'{words!r} is not in\n{out}'


def errors_are_the_words_of_the_daemon():
    texts = {'THOLE_LOG': 'info,net=debgu', 'THOLE_SINKS': 'fil:/tmp/x stderr:?colour=never',
             'THOLE_LIMITS': 'children=0,quue=1M'}
    _, err = thole('check', '--log', texts['THOLE_LOG'], '--sinks', texts['THOLE_SINKS'],
                   '--limits', texts['THOLE_LIMITS'], wanted=2)
    assert err.startswith('THOLE_LOG:10: unknown level "debgu" (did you mean "debug"?)\n'
                          '    info,net=debgu\n             ^\n'), err
    with daemon(env=texts) as d:
        os.set_blocking(d.process.stderr.fileno(), False)
        said = d.process.stderr.read().decode()
    blocks = [block for block in err.split('THOLE_') if block]
    assert len(blocks) == 5 and all(block in said for block in blocks), f'{err}\n{said}'


def sinks_that_contradict_one_another_are_found():
    _, err = thole('check', 'file:/tmp/x?mode=0600 file:/tmp/x?mode=0644', wanted=2)
    assert 'THOLE_SINKS:' in err and 'mode' in err, err


def empty_variable_is_unset_and_a_blank_one_says_what_then_holds():
    sinks = 'stderr:, pretty on a terminal, JSON lines otherwise\n'
    log = 'every logger writes info and above\n'
    for arguments, wanted in ((('',), 'THOLE_SINKS is empty, which means unset: ' + sinks),
                              ((' ',), 'THOLE_SINKS has no sink in it: ' + sinks),
                              (('--log', ''), 'THOLE_LOG is empty, which means unset: ' + log),
                              (('--log', ' ,'), 'THOLE_LOG has no rule in it: ' + log),
                              (('--limits', ''), 'THOLE_LIMITS is empty, which means unset: '
                               'every limit has its default\n')):
        out, err = thole('check', *arguments)
        assert (out, err) == (wanted, ''), f'{arguments}: {out}{err}'


def blank_sinks_mean_stderr_to_the_daemon_too():
    with daemon(env={'THOLE_SINKS': ' '}) as d:
        line = d.process.stderr.readline()
    assert line.startswith(b'{"time"'), line


def limits_that_bound_one_another_are_said_as_they_hold():
    out, _ = thole('check', '--limits', 'record=512,context=8K')
    assert 'context=256: ' in out and 'context=8192 was said' in out and 'half' in out, out
    assert 'was said' not in thole('check', '--limits', 'context=8K,record=16K')[0]


def other_spellings_of_a_target_are_named():
    out, _ = thole('check', 'file:/dev/stdout file:/dev/../dev/stderr null: stdout:')
    assert out.count('the same as stdout:') == 1 and 'the same as stderr:' in out, out
    assert 'the same as that of file:/dev/stdout' in out and '3 targets' in out, out


def target_that_a_run_would_refuse_is_remarked_and_not_touched():
    with tempfile.TemporaryDirectory() as folder:
        place = pathlib.Path(folder)
        (place / 'file').touch()
        (place / 'link').symlink_to('file')
        os.mkfifo(place / 'fifo')
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(place / 'socket'))
        before = sorted(os.listdir(folder))
        for uri, words in ((f'file:{folder}', 'it is a folder'), (f'file:{folder}/', 'it is a folder'),
                           (f'file:{folder}/link', 'a symbolic link'),
                           (f'file:{folder}/none/x', f'there is no folder {folder}/none/'),
                           (f'file:{folder}/file/x', 'Not a directory'),
                           (f'file:{folder}/socket', 'no regular file, FIFO or character'),
                           (f'syslog:{folder}/none', 'no socket there'),
                           (f'syslog:{folder}/file', 'it is no socket'),
                           ('udp://nosuch.invalid', 'the name does not resolve')):
            out, err = thole('check', uri)
            assert err == '' and 'cannot be opened: ' in out and words in out, f'{uri}: {out}'
        for uri in 'file', 'new', 'fifo':
            assert 'remark' not in thole('check', f'file:{folder}/{uri}')[0], uri
        assert 'remark' not in thole('check', f'syslog:{folder}/socket udp://127.0.0.1 null:')[0]
        assert sorted(os.listdir(folder)) == before


def file_that_the_caller_may_not_write_is_remarked():
    setpriv = shutil.which('setpriv')
    if os.geteuid() != 0 or not setpriv:
        raise Skipped('only root can be somebody else')
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        (pathlib.Path(folder) / 'file').touch()
        done = subprocess.run([setpriv, '--reuid=65534', '--clear-groups', THOLE, 'check',
                               f'file:{folder}/file file:{folder}/new'], capture_output=True, check=False)
        if done.returncode == 127 or b'ermission' in done.stderr:
            raise Skipped('the program lies where others may not go')
        out = done.stdout.decode()
        assert 'you may not write it' in out and 'you may not make files in' in out, done


def environment_is_read_with_its_prefix():
    env = {**os.environ, 'THOLE_LOG': 'nonsense', 'ECHOD_LOG': 'net=debug'}
    for name in 'THOLE_SINKS', 'THOLE_LIMITS':
        env.pop(name, None)
    out, _ = thole('check', '--env', '--prefix', 'ECHOD', env=env)
    assert 'ECHOD_LOG: 1 rule' in out and 'ECHOD_SINKS is unset' in out, out
    assert 'THOLE_LOG:1: ' in thole('check', '--env', env=env, wanted=2)[1]


def grammar_of_all_variables_is_printed():
    for out in thole('check')[0], thole('check', 'help')[0]:
        for name in 'THOLE_LOG', 'THOLE_SINKS', 'THOLE_LIMITS', 'site-rate', 'overflow':
            assert name in out, name


def control_bytes_of_a_text_stay_out_of_the_terminal():
    out, _ = thole('check', 'file:/tmp/%1b[31m')
    assert '\x1b' not in out, out
    assert '\x1b' not in thole('check', '--log', 'a\x1b[31m=x', wanted=2)[1]


run(globals())
