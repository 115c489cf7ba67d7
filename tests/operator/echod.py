# SPDX-License-Identifier: MIT
"""The sample daemon with 2,000 connections: its leak is named, one connection of it is traced."""
import contextlib
import json
import os
import pathlib
import resource
import socket
import subprocess
import tempfile
import time

from kit import PATIENCE_S, Skipped, run, thole, thole_json, until

ECHOD = os.environ['THOLE_ECHOD']
SOURCE = pathlib.Path(os.environ['THOLE_ECHOD_SOURCE'])
CONNECTIONS = 2000


def line_with(text):
    """"echod.c:LINE" of the only line that holds the text."""
    (number,) = [n for n, line in enumerate(SOURCE.read_text().splitlines(), 1) if text in line]
    return f'{SOURCE.name}:{number}'


class Echod:
    def __init__(self, folder, *arguments, log=''):
        self.log = pathlib.Path(folder) / 'log'
        environment = {**os.environ, 'THOLE_SINKS': f'file:{self.log}', 'THOLE_LOG': log}
        self.process = subprocess.Popen([ECHOD, '0', *arguments], stdout=subprocess.PIPE,
                                        env=environment)
        self.port = int(self.process.stdout.readline())
        self.pid = self.process.pid

    def records(self):
        """What it logged; the last line may not be whole yet."""
        text = self.log.read_text()
        return [json.loads(line) for line in text[:text.rfind('\n') + 1].splitlines()]

    def connect(self, source='127.0.0.1'):
        s = socket.create_connection(('127.0.0.1', self.port), PATIENCE_S, (source, 0))
        s.sendall(b'hello there\n')
        assert s.recv(100) == b'hello there\n'
        return s

    def end(self):
        self.process.terminate()
        self.process.wait(PATIENCE_S)
        self.process.stdout.close()


@contextlib.contextmanager
def echod(*arguments, **more):
    with tempfile.TemporaryDirectory() as folder:
        running = Echod(folder, *arguments, **more)
        try:
            yield running
        finally:
            running.end()


@contextlib.contextmanager
def connections(e, n):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < n + 100:
        raise Skipped(f'{n} connections take as many descriptors')
    if soft < n + 100:
        resource.setrlimit(resource.RLIMIT_NOFILE, (n + 100, hard))
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(e.connect()) for _ in range(n)]


def leaking_line_is_named_among_2000_connections():
    site = line_with('thole_child(&request,')
    with echod('--leak') as e, connections(e, CONNECTIONS) as open_ones:
        for s in open_ones[:100]:
            s.close() # their requests outlive them
        answer = until('the verdict', lambda: (a := thole_json('leaks', e.pid, wanted=None))
                       ['suspects'] and a)
        suspects = [s for s in answer['sites'] if s['suspect']]
        assert [s['site'] for s in suspects] == [site], answer
        assert suspects[0]['live'] == CONNECTIONS and suspects[0]['oldest_s'] >= 1, suspects
        for command in ('leaks', e.pid), ('top', e.pid, '--once'):
            out, _ = thole(*command, wanted=1)
            (row,) = [line for line in out.splitlines() if line.startswith(f'{site} ') and
                      'LEAKS?' in line]
            assert row.split()[1] == str(CONNECTIONS), row


def unmodified_echod_looks_fine_with_2000_connections_and_after():
    with echod(log='warn') as e: # what may not log is no sign
        with connections(e, CONNECTIONS):
            began = time.monotonic()
            while time.monotonic() - began < 4: # past the time that any sign needs to show
                answer = thole_json('leaks', e.pid)
                assert answer['sites'][0]['live'] == CONNECTIONS, answer
        until('their end', lambda: thole_json('leaks', e.pid)['children'] == 0)


def rule_traces_the_clients_of_one_network_alone():
    sources = ['127.0.0.1', '127.0.0.2', '127.0.0.3']
    with echod(log='info,echod.conn{peer=127.0.0.2/32}=trace') as e:
        for source in sources:
            e.connect(source).close()
        until('their ends', lambda: sum(r['msg'] == 'closed' for r in e.records()) == 3)
        seen = {source: {r['level'] for r in e.records()
                         if r.get('peer', '').startswith(source + ':')} for source in sources}
        assert seen == {'127.0.0.1': {'info'}, '127.0.0.2': {'info', 'debug', 'trace'},
                        '127.0.0.3': {'info'}}, seen


def one_living_connection_is_traced_for_a_while():
    with echod() as e, connections(e, 20) as open_ones:
        thole('level', e.pid, 'echod.conn{conn=17}=trace', '--for', '1s')

        def talk():
            for s in open_ones:
                s.sendall(b'more\n')
                assert s.recv(100) == b'more\n'
        talk()
        until('the end of the rule', lambda: any(r['msg'] == 'levels restored'
                                                 for r in e.records()))
        before = len([r for r in e.records() if r['level'] == 'trace'])
        talk()
        e.connect().close()
        until('a later record', lambda: any(r.get('conn') == 21 and r['msg'] == 'closed'
                                            for r in e.records()))
        traced = [r for r in e.records() if r['level'] in ('trace', 'debug')]
        assert before > 0 and {r['conn'] for r in traced} == {17}, traced
        assert len([r for r in traced if r['level'] == 'trace']) == before, traced


run(globals())
