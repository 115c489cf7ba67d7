# SPDX-License-Identifier: MIT
"""The kit itself: what it says of a receiver is so."""
import contextlib
import os
import pathlib
import socket
import subprocess
import sys
import tempfile

import kit
from claims import run, until


def _send(receiver, source, text):
    family = socket.AF_INET if source == 'udp' else socket.AF_UNIX
    with socket.socket(family, socket.SOCK_DGRAM) as s:
        s.setblocking(False)
        s.sendto(text.encode(), ('127.0.0.1', receiver.port) if source == 'udp' else receiver.path(source))


def _each():
    for name in kit.KINDS:
        with kit.receiver(name) as receiver:
            yield receiver


def record_sent_is_a_record_read():
    for receiver in _each():
        for source in ('udp', 'modern'):
            _send(receiver, source, '<29>1 2026-01-02T03:04:05.000006Z h.example.org app 12 id [a@1 k="v"] hello')
            record, = receiver.wait(source, 1)
            assert record['sd'].startswith('[a@1 k="v"]'), record
            assert {**record, 'sd': ''} == {
                'pri': '29', 'time': record['time'], 'host': 'h.example.org', 'app': 'app', 'pid': '12', 'msgid': 'id',
                'sd': '', 'msg': 'hello'}, record
            assert record['time'].startswith('2026-01-02T03:04:05.000006'), record
        _send(receiver, 'devlog', '<29>Jan  2 03:04:05 app[12]: hello')
        record, = receiver.wait('devlog', 1)
        assert (record['app'], record['pid'], record['msg'].strip()) == ('app', '12', 'hello'), record


def stopped_receiver_reads_nothing_until_it_goes_on():
    for receiver in _each():
        receiver.stop()
        _send(receiver, 'modern', '<29>1 - - app - - - kept')
        with contextlib.suppress(BlockingIOError):
            while True:  # until its queue is full: then nobody reads
                _send(receiver, 'modern', '<29>1 - - app - - - full')
        assert receiver.records('modern') == []
        receiver.go_on()
        assert receiver.wait('modern', 1)[0]['msg'] == 'kept'


def killed_receiver_starts_again_on_its_paths_and_port():
    for receiver in _each():
        _send(receiver, 'modern', '<29>1 - - app - - - before')
        receiver.wait('modern', 1)
        receiver.kill()
        try:
            _send(receiver, 'modern', '<29>1 - - app - - - lost')
        except ConnectionRefusedError:
            pass
        else:
            raise AssertionError('somebody listens still')
        receiver.start()
        for source in ('udp', 'modern'):
            _send(receiver, source, '<29>1 - - app - - - after')
        receiver.wait('udp', 1)
        assert [record['msg'] for record in receiver.wait('modern', 2)] == ['before', 'after']
        receiver.end()


def _runs(pid):
    """A zombie does not."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return pathlib.Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0] != 'Z'
    return False


def receiver_dies_with_its_test():
    program = ('import kit, os, signal, sys\n'
               'with kit.receiver(sys.argv[1]) as r:\n'
               '    print(r.process.pid, flush=True)\n'
               '    os.kill(os.getpid(), signal.SIGKILL)\n')
    kit.programs()
    for name in kit.KINDS:
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run([sys.executable, '-c', program, name], cwd=kit.HERE, capture_output=True,
                                  env={**os.environ, 'TMPDIR': folder}, check=False, timeout=kit.PATIENCE_S)
            pid = int(done.stdout)
            until(f'the end of {name}', lambda gone=pid: not _runs(gone))


run(globals())
