# SPDX-License-Identifier: MIT
"""rsyslog itself restarts, is stopped and is killed beside a daemon that logs to its /dev/log, its
UDP port and a file. tests/interop/ unpacks it; it skips where that cannot be had.
"""
import contextlib
import importlib.util
import json
import pathlib
import sys

from kit import (S, Daemon, Folder, check_announced, check_calls, check_kept, check_offered,
                 check_once_in_order, notices, now, numbered, wait)
from claims import run, until

INTEROP = pathlib.Path(__file__).resolve().parent.parent / 'interop'
RATE, THREADS = 1000, 2
WARM_S, AFTER_S, PATIENCE_NS = 1, 1, 2 * S
KERNEL = 12  # datagrams on its socket: max_dgram_qlen and one, and one in its hands
IN_RSYSLOG = RATE // 2  # what it has read and not written when it is killed


def _interop_kit():
    sys.path.append(str(INTEROP))
    spec = importlib.util.spec_from_file_location('interop_kit', INTEROP / 'kit.py')
    kit = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(kit)
    return kit


def _records(receiver, source):
    """As kit.py has them, without a time of arrival: rsyslog has none that we could compare."""
    return [(0, f"{record['sd']} {record['msg']}") for record in receiver.records(source)]


def _came_after(receiver, up):
    return any(at >= up for _, _, _, at in numbered(_records(receiver, 'devlog')[-2000:]))


def _outage(fail, lasts_s, mend, kernel):
    """What happened, as figures. How much of UDP is lost unseen nobody knows."""
    with _interop_kit().receiver('rsyslog') as receiver, Folder() as folder:
        log = folder / 'a.log'
        devlog, port = f"syslog:{receiver.path('devlog')}", f'udp://127.0.0.1:{receiver.port}'
        daemon = Daemon(RATE, THREADS, [devlog, port, f'file:{log}'])
        with contextlib.ExitStack() as stack:
            stack.callback(daemon.process.kill)
            wait(WARM_S)
            fail(receiver)
            wait(lasts_s)
            up = now()
            mend(receiver)
            ready = now()
            until('the recovery', lambda: _came_after(receiver, up), every_s=0.01)
            took = now() - ready
            wait(AFTER_S)
            report = daemon.end()
            stack.pop_all()
        with open(log) as lines:
            said = [json.loads(line) for line in lines]
        check_calls(report)
        assert took <= PATIENCE_NS, f'it took {took / S:.2f} s'
        figures = [f'back after {took / S:.2f} s']
        for name, source in (devlog, 'devlog'), (port, 'udp'):
            sink = report['sinks'][name]
            with contextlib.suppress(AssertionError):  # the last may be on their way to its file
                until('all', lambda: len(_records(receiver, source)) == sink['written'], 1)
            records = _records(receiver, source)
            check_once_in_order(records, source)
            check_offered(report, sink, said)
            gone = check_kept(sink, records, kernel if source == 'devlog' else sink['written'])
            check_announced(sink, said, records)
            assert len(notices(said, 'sink down', sink)) == len(notices(said, 'sink recovered', sink))
            figures.append(f"{source}: offered {sink['offered']} stored {len(records)} dropped "
                           f"{sink['dropped']} lost outside {gone}")
        return '; '.join(figures)


def restarted_rsyslog_misses_nothing_but_what_the_kernel_had():
    return _outage(lambda r: r.end(), 1, lambda r: r.start(), KERNEL)


def stopped_rsyslog_gets_all_of_it_later():
    return _outage(lambda r: r.stop(), 3, lambda r: r.go_on(), 0)


def killed_rsyslog_misses_what_it_had_in_its_hands():
    return _outage(lambda r: r.kill(), 2, lambda r: r.start(), KERNEL + IN_RSYSLOG)


if __name__ == '__main__':
    run(globals(), at_once=3)
