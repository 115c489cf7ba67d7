# SPDX-License-Identifier: MIT
"""What the other tests here rely on can fail: each detector sees the fault that it is for."""
import re

from kit import (S, Daemon, Folder, Receiver, check_announced, check_calls, check_kept,
                 check_offered, check_once_in_order, now, sink_of, wait, worst_second_ms)
from claims import run


def refused(said, detector, *arguments):
    try:
        detector(*arguments)
    except AssertionError as why:
        assert re.search(said, str(why)), f'refused for another reason: {why}'
        return
    raise AssertionError(f'{detector.__name__} sees no fault where "{said}" is one')


def log_call_that_blocks_is_seen():
    daemon = Daemon(10000, 2, ['rude:'], 'limits=overflow=block:200,queue=16K,record=512')
    wait(1)
    report = daemon.end()
    refused('log calls blocked', check_calls, report)
    return f"{report['blocked']} calls, worst {report['worst_ns'] / 1e6:.1f} ms"


def sink_that_delays_the_others_is_seen():
    with Folder() as folder:
        receiver = Receiver('udp', 0, folder / 'out').start()
        daemon = Daemon(1000, 2, ['rude:', sink_of(receiver)])
        begin = now()
        wait(2)
        daemon.end()
        receiver.end()
        delay = worst_second_ms(receiver.records(), begin, begin + S)
        assert delay > 50, f'a writer that is held up for 100 ms a time delays by {delay} ms alone'
        return f'{delay:.1f} ms'


def record(i):
    return 0, f'<30>outage[1]: numbered t=1 i={i} at=5'


def loss_repetition_and_disorder_are_seen():
    sink = {'name': 's', 'offered': 4, 'written': 3, 'dropped': 1, 'pending': 0,
            'cause': {'down': 1}}
    records = [record(i) for i in range(3)]
    log = [{'logger': ''}] * 3 + [{'logger': 'thole'}]
    report = {'logged': 4, 'queue_dropped': 1}
    assert check_kept(sink, records, 0) == 0
    check_offered(report, sink, log)
    refused('logged', check_offered, report, {**sink, 'offered': 2}, log)
    refused('logged', check_offered, report, {**sink, 'offered': 5}, log)
    refused('2 are in the log', check_offered, report, sink, log[1:])
    check_once_in_order(records, 's')
    refused('1 records lost', check_kept, sink, records[1:], 0)
    refused('-1 records lost', check_kept, sink, [*records, record(3)], 0)
    refused('offered', check_kept, {**sink, 'offered': 5}, records, 0)
    refused('record 2 of thread 1 after 2', check_once_in_order, [*records, record(2)], 's')
    refused('record 0 of thread 1 after 2', check_once_in_order, [*records, record(0)], 's')
    refused('nothing came', check_once_in_order, [], 's')


def drops_that_are_not_announced_are_seen():
    sink = {'name': 's', 'cause': {'down': 3, 'refused': 2}}
    notice = {'logger': 'thole', 'msg': 'records dropped', 'sink': 's', 'cause': 'down', 'count': 3,
              'info': 3}
    other = {**notice, 'cause': 'refused', 'count': 2, 'info': 2}
    came = [(0, 'records dropped')] * 2
    check_announced(sink, [notice, other], came)
    refused('announced', check_announced, sink, [notice], came)
    refused('announced', check_announced, sink, [notice, other, other], came)
    refused('announced', check_announced, sink, [notice, {**other, 'count': 1, 'info': 1}], came)
    refused('count', check_announced, sink, [notice, {**other, 'info': 1}], came)


if __name__ == '__main__':
    run(globals())
