# SPDX-License-Identifier: MIT
"""What cannot be looked into is refused in words, and never harms who is looked at or who looks."""
import contextlib
import os
import random
import shutil
import struct
import subprocess
import sys
import time

from kit import DAEMON, THOLE, Skipped, daemon, run, thole

COMMANDS = (('leaks',), ('top', '--once'), ('top', '--json'), ('level', 'a=info'))
F_ADD_SEALS, F_SEAL_SHRINK = 1033, 2
VERSION_AT, BYTES_AT, PID_AT = 8, 16, 24  # src/arena_layout.h


def refused(pid, *words):
    """By every command, with all the words, and no other way out."""
    for command in COMMANDS:
        out, err = thole(command[0], pid, *command[1:], wanted=2)
        assert out == '' and all(word in err for word in words), f'{command}: {err}'


@contextlib.contextmanager
def impostor(content, seal=False, own=True):
    """The pid of a process that holds a memfd with this content."""
    code = ('import os,fcntl,sys\n'
            'fd = os.memfd_create("thole:impostor", os.MFD_ALLOW_SEALING)\n'
            'data = sys.stdin.buffer.read()\n'
            'os.write(fd, data)\n'
            f'at = {PID_AT}\n'
            f'if {own} and len(data) > at + 8: os.pwrite(fd, os.getpid().to_bytes(8, sys.byteorder), at)\n'
            f'if {seal}: fcntl.fcntl(fd, {F_ADD_SEALS}, {F_SEAL_SHRINK})\n'
            'print("ready", flush=True)\n'
            'import signal; signal.pause()\n')
    process = subprocess.Popen([sys.executable, '-c', code], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE)
    try:
        process.stdin.write(content)
        process.stdin.close()
        assert process.stdout.readline() == b'ready\n'
        yield process.pid
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def arena_of(pid):
    """A copy of a daemon's arena, without its queues."""
    for fd in os.listdir(f'/proc/{pid}/fd'):
        if os.readlink(f'/proc/{pid}/fd/{fd}').startswith('/memfd:thole:'):
            with open(f'/proc/{pid}/fd/{fd}', 'rb') as arena:
                return bytearray(arena.read(1 << 20))
    raise AssertionError('no arena')


def real_arena(grown=False):
    with daemon() as d:
        thole('leaks', d.pid)
        arena = arena_of(d.pid)
    if grown:
        size, = struct.unpack_from('=Q', arena, BYTES_AT)
        arena.extend(bytes(size - len(arena)))
    return arena


def process_that_is_not_there_is_refused():
    refused(2**22 + 1, 'no such process')


def process_without_thole_is_refused():
    with subprocess.Popen(['cat'], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
        refused(process.pid, '(cat)', 'does not log through thole')
        process.stdin.close()
    assert 'no process of the name' in thole('leaks', 'nobody-has-this-name', wanted=2)[1]


def garbage_is_refused():
    generator = random.Random(1)
    for content in b'', b'\0' * 4096, generator.randbytes(1 << 20):
        with impostor(content) as pid:
            refused(pid, 'its arena')


def arena_that_is_cut_short_is_refused():
    for size in 100, 4096, 8192, 1 << 16:
        with impostor(bytes(real_arena()[:size])) as pid:
            refused(pid, 'its arena', 'short')


def arena_of_another_version_is_refused():
    arena = real_arena(grown=True)
    struct.pack_into('=I', arena, VERSION_AT, 77)
    with impostor(bytes(arena)) as pid:
        refused(pid, 'of another version (77, of library 0.1.0; this is program 0.1.0 and reads ',
                'use the program thole of the version')
        assert 'of another version' in thole('ls', wanted=None)[0]


def arena_that_could_be_cut_is_refused():
    with impostor(bytes(real_arena(grown=True))) as pid:
        refused(pid, 'not sealed')


def arena_of_another_process_is_not_shown():
    with impostor(bytes(real_arena(grown=True)), seal=True, own=False) as pid:
        refused(pid, 'does not log through thole')
        assert str(pid) not in thole('ls', wanted=None)[0].split()


def arena_whose_daemon_never_answers_is_refused_in_time():
    with impostor(bytes(real_arena(grown=True)), seal=True) as pid:
        began = time.monotonic()
        _, err = thole('leaks', pid, wanted=2)
        assert 'no answer in 2 s' in err and time.monotonic() - began < 6, err
        assert 'no answer' in thole('ls', wanted=None)[0]


def stopped_daemon_is_named_as_such_in_time():
    with daemon() as d:
        d.stop()
        try:
            began = time.monotonic()
            _, err = thole('leaks', d.pid, wanted=2)
            assert time.monotonic() - began < 6
            assert 'no answer in 2 s' in err and f'kill -CONT {d.pid}' in err, err
            assert 'it is stopped' in thole('ls', wanted=None)[0]
        finally:
            d.go_on()
        thole('leaks', d.pid)


def other_users_are_refused_and_the_daemon_goes_on():
    if os.geteuid() != 0:
        raise Skipped('only root can be somebody else')
    setpriv = shutil.which('setpriv')
    if not setpriv:
        raise Skipped('no setpriv')
    if subprocess.run([setpriv, '--reuid=65534', '--clear-groups', THOLE, '--version'],
                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                      check=False).returncode != 0:
        raise Skipped('the program lies where others may not go')
    with daemon() as d:
        for command in ['leaks', d.pid], ['top', d.pid, '--once'], ['level', d.pid, 'a=trace']:
            done = subprocess.run([setpriv, '--reuid=65534', '--clear-groups', THOLE,
                                   *map(str, command)], capture_output=True, check=False)
            err = done.stderr.decode()
            assert done.returncode == 2, done
            assert 'no permission, it belongs to root: run thole as root\n' in err, err
        done = subprocess.run([setpriv, '--reuid=65534', '--clear-groups', THOLE, 'ls'],
                              capture_output=True, check=False)
        assert done.returncode == 0 and b'other users' in done.stderr, done
        thole('leaks', d.pid)


def closed_arena_is_named_as_such_to_the_daemons_own_user():
    own = []
    if os.geteuid() == 0:
        if not shutil.which('setpriv'):
            raise Skipped('no setpriv')
        own = [shutil.which('setpriv'), '--reuid=65534', '--clear-groups']
        if subprocess.run([*own, 'test', '-x', DAEMON], check=False).returncode != 0:
            raise Skipped('the program lies where others may not go')
    env = {**os.environ, 'THOLE_SINKS': 'null:'}
    with subprocess.Popen([*own, DAEMON, 'closer', 'closefrom'], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, env=env) as process:
        try:
            process.stdout.readline()
            done = subprocess.run([*own, THOLE, 'leaks', str(process.pid)], capture_output=True,
                                  check=False)
            if done.returncode == 0:
                raise Skipped('this user may open the mappings of others')
            words = b'it has closed the descriptor of its arena (as closefrom(3) does)'
            assert done.returncode == 2 and words in done.stderr, done
            done = subprocess.run([*own, THOLE, 'ls'], capture_output=True, check=False)
            (row,) = [line for line in done.stdout.decode().splitlines()
                      if line.split()[:1] == [str(process.pid)]]
            assert "closed its arena's descriptor: run thole as root" in row, row
        finally:
            process.stdin.close()
            process.wait()


run(globals())
