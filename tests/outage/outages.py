# SPDX-License-Identifier: MIT
"""Receivers that go away and come back beside a daemon that logs 2,000 records a second to a
datagram and a stream socket of syslog's, a UDP port and a file: nobody waits, nothing is lost that
could be kept, all that is lost is counted and said, and all is well again within two seconds.
"""
import json
import math

from kit import (S, Daemon, Folder, Receiver, check_announced, check_calls, check_kept,
                 check_offered, check_once_in_order, most_in_a_second, notices, now, numbered,
                 recovery_ns, sink_of, wait)
from claims import run

RATE, THREADS = 2000, 3
WARM_S, AFTER_S = 1.5, 2.5
QUEUE = 1 << 20       # queue=, by default
MAX_TRIES = 20        # a second, while a target is down
RECOVERY_NS = 2 * S
KINDS = ('dgram', 'stream', 'udp')
# What a receiver has read and not put down when it is killed: one datagram, one read of a stream.
READ = {'dgram': 1, 'stream': 65536, 'udp': 1}


def kernel_holds(kind, size):
    """How many records of so many bytes the kernel takes for a receiver that reads none, at most."""
    if kind == 'dgram':
        with open('/proc/sys/net/unix/max_dgram_qlen') as text:
            return int(text.read()) + 1
    with open('/proc/sys/net/core/wmem_default' if kind == 'stream' else
              '/proc/sys/net/core/rmem_max') as text:
        return math.ceil(2 * int(text.read()) / size)


class Scene:
    """The daemon and its receivers; `down` and `up` are when the outage began and was over."""

    def __init__(self, folder):
        self.folder = folder
        self.first = {kind: self.receiver(kind, 1).start() for kind in KINDS}
        self.second = {}
        self.log = folder / 'a.log'
        sinks = [sink_of(receiver) for receiver in self.first.values()] + [f'file:{self.log}']
        self.names = dict(zip((*KINDS, 'file'), sinks))
        self.daemon = Daemon(RATE, THREADS, sinks)
        self.down = self.up = self.report = None
        self.figures = []
        wait(WARM_S)

    def receiver(self, kind, number):
        where = self.folder / kind if kind != 'udp' else \
            self.first['udp'].where if number > 1 else 0
        return Receiver(kind, where, self.folder / f'{kind}.{number}')

    def begin(self):
        self.down = now()

    def over(self):
        self.up = now()

    def start_second(self, *kinds):
        for kind in kinds:
            self.second[kind] = self.receiver(kind, 2).start()

    def end(self):
        wait(AFTER_S)
        self.report = self.daemon.end()
        for receiver in (*self.first.values(), *self.second.values()):
            receiver.end()
        with open(self.log) as lines:
            self.records_of_log = [json.loads(line) for line in lines]
        check_calls(self.report)
        assert self.report['flushed'] == 0 and self.report['stopped'] == 0, self.report
        file = self.sink('file')
        assert file['written'] == file['offered'] == len(self.records_of_log), file

    def sink(self, kind):
        return self.report['sinks'][self.names[kind]]

    def records(self, kind):
        parts = [parts[kind].records() for parts in (self.first, self.second) if kind in parts]
        return sum(parts, [])

    def size(self, kind):
        """Of its shortest record."""
        return min(len(text) for _, text in self.records(kind))

    def check_books(self, kind, kernel):
        sink, records = self.sink(kind), self.records(kind)
        check_once_in_order(records, kind)
        check_offered(self.report, sink, self.records_of_log)
        lost = check_kept(sink, records, kernel)
        check_announced(sink, self.records_of_log, records)
        self.figures.append(f"{kind}: offered {sink['offered']} came {len(records)} "
                            f"dropped {sink['dropped']} in the kernel {lost}")

    def check_queue(self, kind):
        """What was dropped had no place: the queue keeps 7/8 of its bytes for such records."""
        sink, longest = self.sink(kind), max(len(text) for _, text in self.records(kind))
        called = sum(self.down <= at <= self.up for _, _, _, at in
                     numbered((0, json.dumps(record, separators=(',', ':')))
                              for record in self.records_of_log))
        room = QUEUE * 7 // 8 // (longest + 1)
        assert sink['dropped'] <= max(0, called - room), \
            f'{kind}: {sink} though {called} came while it was down, and there is room for {room}'

    def check_health(self, kind):
        for message in 'sink down', 'sink recovered':
            assert len(notices(self.records_of_log, message, self.sink(kind))) == 1, (kind, message)

    def check_tries_while_down(self, kind, settle_s=0.0):
        """A try is a call on the socket or a wait for room there. settle_s: until the kernel has
        taken what it takes."""
        begin = self.down + int(settle_s * S)
        calls, waits = (most_in_a_second(self.report, what, kind, begin, self.up)
                        for what in ('calls', 'waits'))
        assert 0 < max(calls, waits) < MAX_TRIES, f'{kind}: {calls} calls, {waits} waits in a second'
        before = most_in_a_second(self.report, 'calls', kind, self.down - S - S // 5, self.down)
        # Several datagrams may go in one call; many calls are seen all the same.
        assert before >= RATE / 10, f'{kind}: only {before} calls in a second before the outage'
        self.figures[-1] += f' calls/s {calls} waits/s {waits}'

    def check_recovery(self, kind):
        took = recovery_ns(self.records(kind), self.up)
        assert took <= RECOVERY_NS, f'{kind}: recovered after {took / S:.2f} s'
        self.figures[-1] += f' back after {took / S:.2f} s'

    def text(self):
        report = self.report
        return f"\n           log call: median {report['median_ns']} ns, worst " \
            f"{report['worst_ns'] / 1e6:.2f} ms; {report['samples']} looks at the ledger" + \
            ''.join(f'\n           {figure}' for figure in self.figures)


def clean_restart_loses_nothing_but_what_the_kernel_had():
    with Folder() as folder:
        scene = Scene(folder)
        scene.begin()
        for receiver in scene.first.values():
            receiver.end()
        scene.start_second(*KINDS)
        scene.over()
        scene.end()
        for kind in KINDS:
            scene.check_books(kind, kernel_holds(kind, scene.size(kind)))
            assert scene.sink(kind)['dropped'] == 0, scene.sink(kind)
            scene.check_recovery(kind)
        return scene.text()


def receivers_stopped_for_ten_seconds_miss_only_what_was_counted():
    with Folder() as folder:
        scene = Scene(folder)
        scene.begin()
        for receiver in scene.first.values():
            receiver.pause()
        wait(10)
        scene.over()
        for receiver in scene.first.values():
            receiver.resume()
        scene.end()
        for kind in 'dgram', 'stream':
            scene.check_books(kind, 0)
            scene.check_queue(kind)
            scene.check_health(kind)
            scene.check_tries_while_down(kind, settle_s=1)
            scene.check_recovery(kind)
        # What overflows a UDP receiver's buffer nobody knows: tests/outage/netns.py counts it.
        scene.check_books('udp', scene.sink('udp')['offered'])
        scene.check_recovery('udp')
        return scene.text()


def killed_receivers_lose_what_the_kernel_had_and_find_the_rest_three_seconds_later():
    with Folder() as folder:
        scene = Scene(folder)
        scene.begin()
        for receiver in scene.first.values():
            receiver.kill()
        wait(3)
        scene.start_second(*KINDS)
        scene.over()
        scene.end()
        for kind in KINDS:
            size = scene.size(kind)
            scene.check_books(kind, kernel_holds(kind, size) + READ[kind] // size + 1)
            scene.check_queue(kind)
            scene.check_health(kind)
            scene.check_tries_while_down(kind)
            scene.check_recovery(kind)
        return scene.text()


def path_bound_anew_beside_the_living_receiver_is_followed_and_nothing_is_lost():
    with Folder() as folder:
        scene = Scene(folder)
        scene.begin()
        scene.start_second('dgram', 'stream')
        scene.over()
        scene.end()
        for kind in KINDS:
            scene.check_books(kind, 0)
            assert scene.sink(kind)['dropped'] == 0, scene.sink(kind)
            assert not notices(scene.records_of_log, 'sink down', scene.sink(kind)), kind
        for kind in 'dgram', 'stream':
            came = next(numbered(scene.second[kind].records()))[0]
            assert came - scene.up <= RECOVERY_NS, f'{kind}: followed after {(came - scene.up) / S:.2f} s'
            scene.figures.append(f'{kind}: followed after {(came - scene.up) / S:.2f} s')
        return scene.text()


def closed_port_costs_one_record_and_the_others_nothing():
    with Folder() as folder:
        scene = Scene(folder)
        scene.first['udp'].close_port()
        wait(0.05)  # the receiver has no answer for it
        scene.begin()
        wait(3)
        scene.first['udp'].open_port()
        wait(0.05)
        scene.over()
        scene.end()
        for kind in 'dgram', 'stream':
            scene.check_books(kind, 0)
            assert scene.sink(kind)['dropped'] == 0, scene.sink(kind)
        # One is sent before its refusal can be known; others may come after the last look.
        scene.check_books('udp', kernel_holds('udp', scene.size('udp')))
        scene.check_queue('udp')
        scene.check_health('udp')
        scene.check_tries_while_down('udp')
        scene.check_recovery('udp')
        return scene.text()


if __name__ == '__main__':
    run(globals(), at_once=5)
