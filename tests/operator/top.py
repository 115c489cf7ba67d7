# SPDX-License-Identifier: MIT
"""thole top: once as text and JSON, and on a terminal, which it leaves as it found it."""
import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import tempfile
import termios
import time

from kit import PATIENCE_S, THOLE, Daemon, daemon, line_of, run, thole, thole_json

ENTER, LEAVE = b'\x1b[?1049h', b'\x1b[?1049l'


def picture_as_text_names_all():
    with daemon('leak') as d:
        out, _ = thole('top', d.pid, '--once', wanted=1)
        for words in (f'{d.app}  pid {d.pid}', 'records/s', 'called ', 'app.conn', f'file:{d.log}',
                      'tick', 'accepted', line_of('leaks here'), 'looks leaked: 20 of 20'):
            assert words in out, f'{words!r} is not in\n{out}'
        assert '\x1b' not in out and not re.search(r' $', out, re.M), out


def picture_as_json_adds_up():
    with daemon() as d:
        top = thole_json('top', d.pid)
        p = top['process']
        assert p['called'] == p['routed'] + p['dropped'] + p['suppressed'] + p['queued'], p
        assert top['rate'] > 0 and top['app'] == d.app and p['children'] == 1, top
        (sink,) = top['sinks']
        assert sink['offered'] == sink['written'] + sink['dropped'] + sink['suppressed'] + \
            sink['pending'] and sink['state'] == 'ok', sink
        assert [s['msg'] for s in top['sites'] if s['rate'] > 0] == ['tick'], top['sites']
        assert {'', 'app.conn'} <= {x['name'] for x in top['loggers']}, top['loggers']
        assert [c['site'] for c in top['children']] == [line_of('lives here')]


class Screen:
    """A terminal with thole top in it."""

    def __init__(self, *arguments, columns=80, rows=24, **env):
        self.master, slave = pty.openpty()
        self.slave = slave
        self.resize(columns, rows)
        self.before = termios.tcgetattr(slave)
        environment = {**os.environ, 'TERM': 'xterm', **env}
        if 'NO_COLOR' not in env:
            environment.pop('NO_COLOR', None)
        self.process = subprocess.Popen([THOLE, 'top', *map(str, arguments)], stdin=slave,
                                        stdout=slave, stderr=subprocess.PIPE, env=environment,
                                        start_new_session=True, preexec_fn=self.take)
        self.seen = b''

    @staticmethod
    def take():
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    def resize(self, columns, rows):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack('HHHH', rows, columns, 0, 0))

    def read_until(self, what, holds):
        deadline = time.monotonic() + PATIENCE_S
        while not holds(self.seen):
            assert time.monotonic() < deadline, f'{what}: not seen in {self.seen!r}'
            if select.select([self.master], [], [], 0.1)[0]:
                self.seen += os.read(self.master, 65536)

    def press(self, key):
        os.write(self.master, key)

    def end(self):
        """(exit status, stderr); the terminal must be as it was."""
        self.read_until('the end', lambda seen: LEAVE in seen)
        status = self.process.wait(timeout=PATIENCE_S)
        err = self.process.stderr.read().decode()
        assert termios.tcgetattr(self.slave) == self.before, 'the terminal is not as it was'
        assert self.seen.index(ENTER) == 0 and self.seen.endswith(LEAVE), self.seen[-40:]
        for on, off in ((b'\x1b[?25l', b'\x1b[?25h'), (b'\x1b[?7l', b'\x1b[?7h')):
            assert self.seen.count(on) == self.seen.count(off) == 1, 'cursor or wrap is not back'
        return status, err

    def frames(self):
        """Lists of lines, without what only styles them."""
        for frame in self.seen.split(b'\x1b[H')[2:]:
            text = re.sub(rb'\x1b\[[0-9;?]*[a-zA-Z]', b'', frame).decode()
            yield [line.rstrip('\r') for line in text.split('\n')]  # the terminal adds one, too

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stderr.close()
        os.close(self.master)
        os.close(self.slave)


@contextlib.contextmanager
def screen(*arguments, **more):
    s = Screen(*arguments, **more)
    try:
        yield s
    finally:
        s.close()


def count_frames(n):
    return lambda seen: seen.count(b'\x1b[J') >= n


def screen_fits_and_q_leaves_it():
    with daemon('leak') as d, screen(d.pid, '--interval', '100ms') as s:
        s.read_until('three pictures', count_frames(3))
        s.press(b'q')
        assert s.end() == (1, '')
        first = next(s.frames())
        assert all(len(line) <= 80 for line in first), first
        assert len(first) <= 24 and d.app in first[0] and 'q quits' in first[0], first
        shown = '\n'.join(first)
        for words in 'app.conn', line_of('leaks here'), '20 of 20 outlive the child':
            assert words in shown, f'{words!r} is not in\n{shown}'
        assert b'\x1b[1;31m' in s.seen, 'a suspect is not coloured'


def screen_of_any_size_is_filled_and_no_more():
    with daemon('leak') as d:
        for columns, rows in ((80, 24), (40, 10), (20, 3), (1, 1), (200, 60)):
            with screen(d.pid, '--interval=100ms', columns=columns, rows=rows) as s:
                s.read_until('two pictures', count_frames(2))
                s.press(b'q')
                s.end()
                for frame in s.frames():
                    assert len(frame) <= rows, frame
                    assert all(len(line) <= columns for line in frame), frame


def new_size_is_taken_at_once():
    with daemon() as d, screen(d.pid, '--interval=1h') as s:
        s.read_until('a picture', count_frames(1))
        s.resize(120, 30)
        s.read_until('the wide one', lambda seen: count_frames(2)(seen) and b'SAMPLE' in seen)
        s.press(b'q')
        assert s.end() == (0, '')


def signals_leave_the_terminal_as_it_was():
    with daemon() as d:
        for how in signal.SIGINT, signal.SIGTERM, signal.SIGHUP, b'\x03':
            with screen(d.pid) as s:
                s.read_until('a picture', count_frames(1))
                if isinstance(how, bytes):
                    s.press(how)
                else:
                    s.process.send_signal(how)
                assert s.end() == (0, ''), how


def end_of_the_daemon_is_said():
    with daemon() as d, screen(d.pid, '--interval=1h') as s:
        s.read_until('a picture', count_frames(1))
        d.end()
        status, err = s.end()
        assert status == 2 and f'pid {d.pid} ({d.app}) has ended' in err, err


def silence_is_shown_over_the_last_picture_until_it_ends():
    with daemon() as d, screen(d.pid, '--interval=100ms') as s:
        s.read_until('a picture', count_frames(1))
        d.stop()
        try:
            s.read_until('silence', lambda seen: re.search(rb'no answer for [1-9]', seen))
        finally:
            d.go_on()
        s.read_until('answers', lambda seen: b'no answer' not in seen[seen.rindex(b'\x1b[H'):] and
                     count_frames(1)(seen[seen.rindex(b'\x1b[H'):]))
        s.press(b'q')
        assert s.end() == (0, '')
        silent = [frame for frame in s.frames() if 'no answer for' in frame[0]]
        assert silent and all(line_of('lives here') in '\n'.join(frame) for frame in silent)


def death_of_a_silent_daemon_is_said():
    with tempfile.TemporaryDirectory() as folder:
        d = Daemon(folder)
        with screen(d.pid, '--interval=100ms') as s:
            s.read_until('a picture', count_frames(1))
            d.stop()
            s.read_until('silence', lambda seen: b'no answer for' in seen)
            d.process.kill()
            d.end()
            status, err = s.end()
            assert status == 2 and f'pid {d.pid} ({d.app}) has ended' in err, err


def long_names_do_not_shift_the_columns_of_plain_text():
    with daemon(env={'THOLE_SINKS': f'null: fault:{"n" * 50}'}) as d:
        out, _ = thole('top', d.pid, '--once')
    (table,) = [part.splitlines() for part in out.split('\n\n') if part.startswith('SINK')]
    for head in 'WRITTEN', 'LAG':
        end = table[0].index(head) + len(head)
        for row in table[1:]:
            assert row[end - 1] != ' ' and row[end] == ' ', '\n'.join(table)
    assert len(table) == 3 and 'n' * 50 in table[2], table


def no_color_means_none():
    with daemon('leak') as d, screen(d.pid, NO_COLOR='1') as s:
        s.read_until('a picture', count_frames(1))
        s.press(b'q')
        s.end()
        assert not re.search(rb'\x1b\[[0-9;]*3[0-9]m', s.seen), s.seen


def dumb_terminal_gets_plain_text():
    with daemon() as d, screen(d.pid, TERM='dumb') as s:
        s.read_until('a picture', lambda seen: line_of('lives here').encode() in seen)
        assert s.process.wait(timeout=PATIENCE_S) == 0
        assert b'\x1b' not in s.seen, s.seen


run(globals())
