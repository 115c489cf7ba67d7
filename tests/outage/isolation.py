# SPDX-License-Identifier: MIT
"""One target stalls for ever beside a daemon that logs 10,000 records a second: the others (a UDP
receiver, a syslog socket, a file) get each record as soon as before, no log call waits, and
thole_stop() returns in time.
"""
import contextlib
import errno
import fcntl
import os

from kit import (S, Daemon, Folder, Receiver, check_calls, check_once_in_order, now, sink_of, wait,
                 worst_second_ms)
from claims import run

RATE, THREADS = 10000, 2
WARM_S, LASTS_S = 0.3, 2
DELAY_MS = 50
STOP_MS, STOP_MORE_MS = 500, 300  # what daemon.c gives thole_stop(); the way out of a busy machine
OTHERS = ('udp', 'dgram', 'file')


# ---- what stalls: each gives the sink's URI and the daemon's arguments ----

@contextlib.contextmanager
def full_fifo(folder):
    """A reader that never reads."""
    path = folder / 'fifo'
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    fcntl.fcntl(reader, fcntl.F_SETPIPE_SZ, 4096)
    yield [f'file:{path}'], []
    os.close(reader)


@contextlib.contextmanager
def stopped_receivers(folder):
    receivers = [Receiver(kind, folder / f'stalled-{kind}', folder / f'stalled.{kind}').start()
                 for kind in ('dgram', 'stream')]
    for receiver in receivers:
        receiver.pause()
    yield [sink_of(receiver) for receiver in receivers], []
    for receiver in receivers:
        receiver.kill()


@contextlib.contextmanager
def hanging_write(folder):
    path = folder / 'hung.log'
    yield [f'file:{path}'], [f'hang={path}']


def hanging(operation):
    @contextlib.contextmanager
    def stall(_):
        yield [f'hang:{operation}'], []
    return stall


# ---- the claim ----

class Late(AssertionError):
    pass


def expect_no_delay(*stalls):
    """A busy machine is late now and then; a sink that delays others is so each time."""
    for last in (False, False, True):
        try:
            return try_once(*stalls)
        except Late:
            if last:
                raise


def try_once(*stalls):
    with Folder() as folder, contextlib.ExitStack() as stack:
        stalled, arguments = [], ['flush=0']
        for stall in stalls:
            sinks, more = stack.enter_context(stall(folder))
            stalled += sinks
            arguments += more
        log = folder / 'a.log'
        receivers = {'udp': Receiver('udp', 0, folder / 'udp'),
                     'dgram': Receiver('dgram', folder / 'log', folder / 'dgram'),
                     'file': Receiver('file', log, folder / 'file')}
        for receiver in receivers.values():
            receiver.start()
        others = [sink_of(receiver) for receiver in receivers.values()]
        daemon = Daemon(RATE, THREADS, [*stalled, *others], *arguments)
        wait(WARM_S)
        begin = now()
        daemon.reopen()
        wait(LASTS_S)
        end = begin + LASTS_S * S
        report = daemon.end()
        for receiver in receivers.values():
            receiver.end()
        return check(report, receivers, stalled, begin, end)


def check(report, receivers, stalled, begin, end):
    check_calls(report)
    for name in stalled:
        sink = report['sinks'][name]
        assert sink['dropped'] > 0, f'it did not stall: {sink}'
        assert sink['pending'] == 0, sink
    delays = []
    for kind, receiver in receivers.items():
        sink, records = report['sinks'][sink_of(receiver)], receiver.records()
        check_once_in_order(records, kind)
        assert sink['offered'] == sink['written'] == len(records), (sink, len(records))
        delay = worst_second_ms(records, begin, end)
        if delay >= DELAY_MS:
            raise Late(f'{kind}: {delay:.1f} ms')
        delays.append(f'{kind} {delay:.2f} ms')
    stop_ms = report['stop_ns'] / 1e6
    assert report['stopped'] == -errno.ETIMEDOUT, report['stopped']
    if stop_ms >= STOP_MS + STOP_MORE_MS:
        raise Late(f'thole_stop({STOP_MS}) took {stop_ms:.0f} ms')
    return f"{', '.join(delays)}; log call: median {report['median_ns']} ns, worst " \
        f"{report['worst_ns'] / 1e6:.2f} ms; thole_stop({STOP_MS}): {stop_ms:.0f} ms"


def full_fifo_delays_no_other_target():
    return expect_no_delay(full_fifo)


def stopped_syslog_receivers_delay_no_other_target():
    return expect_no_delay(stopped_receivers)


def write_that_hangs_delays_no_other_target():
    return expect_no_delay(hanging_write)


def open_that_hangs_delays_no_other_target():
    return expect_no_delay(hanging('open'))


def reopen_that_hangs_delays_no_other_target():
    return expect_no_delay(hanging('reopen'))


def write_of_a_plug_in_that_hangs_delays_no_other_target():
    return expect_no_delay(hanging('write'))


def all_of_them_at_once_delay_no_other_target():
    return expect_no_delay(full_fifo, stopped_receivers, hanging_write, hanging('open'),
                           hanging('reopen'), hanging('write'))


if __name__ == '__main__':
    run(globals())
