# SPDX-License-Identifier: MIT
"""Datagrams that the network loses in silence are found by seq=1, and by nothing else; what the
kernel refuses to send is counted. In a network namespace of the test's own, with nftables.
"""
import json
import os
import re
import shutil
import subprocess
import sys

from kit import (S, Daemon, Folder, Receiver, check_announced, check_calls, check_kept,
                 check_once_in_order, most_in_a_second, notices, now, recovery_ns, sink_of, wait)
from claims import Skipped, run

RECORDS = 10000
INSIDE = 'OUTAGE_INSIDE'  # of the environment: the namespace is ours
SEQUENCE = re.compile(r'\[meta sequenceId="(\d+)"\]')


def _enter():
    """This program again, in a namespace; 77 where that cannot be had."""
    lacking = [tool for tool in ('unshare', 'nft', 'ip') if not shutil.which(tool)]
    if os.getuid() != 0:
        lacking.append('root')
    if lacking:
        print(f"skipped: there is no {', no '.join(lacking)} here")
        sys.exit(77)
    if subprocess.run(['unshare', '-n', 'true'], check=False, stderr=subprocess.DEVNULL).returncode:
        print('skipped: no network namespace can be had here')
        sys.exit(77)
    os.environ[INSIDE] = '1'
    os.execvp('unshare', ['unshare', '-n', sys.executable, *sys.argv])


def nft(text):
    done = subprocess.run(['nft', '-f', '-'], input=text, text=True, capture_output=True, check=False)
    if done.returncode:
        raise Skipped(f'nft: {done.stderr.strip()}')


def _make_chains():
    subprocess.run(['ip', 'link', 'set', 'lo', 'up'], check=True)
    nft('''table ip outage
           delete table ip outage
           table ip outage {
               chain in { type filter hook input priority 0; }
               chain out { type filter hook output priority 0; }
           }''')


def expect_loss(rule, percent):
    """Of 10,000 records so many per cent are lost, say the ids alone; the ledger knows of none."""
    _make_chains()
    with Folder() as folder:
        receiver = Receiver('udp', 0, folder / 'udp').start()
        if rule:
            nft(f'add rule ip outage in udp dport {receiver.where} {rule}')
        udp = sink_of(receiver, '?seq=1')
        report = Daemon(10000, 2, [udp, 'null:'], f'records={RECORDS}', log='info,thole=off').end()
        receiver.end()
        check_calls(report)
        records = receiver.records()
        check_once_in_order(records, 'udp')
        ids = [int(SEQUENCE.search(text).group(1)) for _, text in records]
        assert ids == sorted(set(ids)), 'the ids do not rise'
        lost = 100 * (ids[-1] - len(ids)) / ids[-1]
        sink = report['sinks'][udp]
        assert sink['written'] == sink['offered'] == RECORDS, sink
        assert lost == percent, f'{lost} % by the ids, not {percent} %'
        return f'{len(ids)} of {ids[-1]} came: {lost} % lost; the ledger: written {sink["written"]}'


def every_fifth_datagram_lost_is_twenty_per_cent():
    return expect_loss('numgen inc mod 5 0 drop', 20)


def every_fourth_datagram_lost_is_twenty_five_per_cent():
    return expect_loss('numgen inc mod 4 0 drop', 25)


def network_that_loses_nothing_is_none():
    return expect_loss(None, 0)


def datagrams_that_a_filter_refuses_to_send_wait_and_come_later():
    """The output hook's drop makes send() fail with EPERM."""
    _make_chains()
    with Folder() as folder:
        receiver = Receiver('udp', 0, folder / 'udp').start()
        udp, log = sink_of(receiver), folder / 'a.log'
        daemon = Daemon(2000, 2, [udp, f'file:{log}'])
        wait(0.5)
        down = now()
        nft(f'add rule ip outage out udp dport {receiver.where} drop')
        wait(2.5)
        nft('flush chain ip outage out')
        up = now()
        wait(2.5)
        report = daemon.end()
        receiver.end()
        check_calls(report)
        records, sink = receiver.records(), report['sinks'][udp]
        with open(log) as lines:
            said = [json.loads(line) for line in lines]
        check_once_in_order(records, 'udp')
        check_kept(sink, records, 0)
        check_announced(sink, said, records)
        outages = notices(said, 'sink down', sink)
        assert [outage['err_name'] for outage in outages] == ['EPERM'], outages
        assert len(notices(said, 'sink recovered', sink)) == 1
        tries = most_in_a_second(report, 'calls', 'udp', down + S // 5, up)
        took = recovery_ns(records, up)
        assert 0 < tries < 20 and took <= 2 * S, (tries, took)
        return f"offered {sink['offered']} came {len(records)} dropped {sink['dropped']} " \
            f'calls/s {tries} back after {took / S:.2f} s'


if __name__ == '__main__':
    if INSIDE not in os.environ:
        _enter()
    run(globals())
