# SPDX-License-Identifier: MIT
"""The processes of the incident: started, asked and measured from outside, ended one by one."""
import json
import os
import select
import signal
import socket
import subprocess
import time

PAGE_KIB = os.sysconf("SC_PAGE_SIZE") // 1024
REST_READINGS, REST_PAUSE_S = 10, 0.05
PATIENCE_S = 30  # for anything that should happen at once, on a machine busy with other things


class Failure(Exception):
    pass


def read_line(process, what):
    """The next line of its stdout, with a deadline; processes announce so that they are ready."""
    line, deadline = b"", time.monotonic() + PATIENCE_S
    while not line.endswith(b"\n"):
        ready, _, _ = select.select([process.stdout], [], [], deadline - time.monotonic())
        byte = os.read(process.stdout.fileno(), 1) if ready else b""
        if not byte:
            raise Failure(f"{what} said nothing (exit status {process.poll()})")
        line += byte
    return line.decode()


class Process:
    def __init__(self, arguments, environment=None):
        self.name = os.path.basename(arguments[0])
        self.process = subprocess.Popen(arguments, stdout=subprocess.PIPE, env=environment)
        self.pid = self.process.pid

    def ended(self, timeout):
        """Whether it has ended, waiting at most `timeout` seconds for that."""
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            return False
        return True

    def last_words(self):
        """The rest of its output, once it ends."""
        try:
            return self.process.communicate(timeout=PATIENCE_S)[0].decode()
        except subprocess.TimeoutExpired:
            raise Failure(f"{self.name} does not end") from None

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.last_words()

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(PATIENCE_S)
        self.process.stdout.close()


class Receiver(Process):
    def __init__(self, program, path):
        super().__init__([program, path])
        self.port = int(read_line(self.process, self.name))

    def counts(self):
        return json.loads(self.stop())


class Echod(Process):
    def __init__(self, program, environment, *arguments):
        super().__init__([program, "0", *arguments], environment)
        self.port = int(read_line(self.process, self.name))
        self.askers = set()  # our own addresses: the log must show these connections as well

    def stats(self):
        """Its ledger. The asker is a connection too: it is taken out of what is counted."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_S) as sock:
            self.askers.add("%s:%d" % sock.getsockname())
            time.sleep(0.01)  # its own record goes ahead, or the ledger would never be at rest
            sock.sendall(b"STATS\n")
            answer = json.loads(sock.makefile().readline())
        answer["served"] -= len(self.askers)
        answer["open"] -= 1
        return answer

    def settled(self):
        """The ledger, as soon as all connections are closed and all records with their sinks."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            stats = self.stats()
            waiting = stats["queued"] + sum(sink["pending"] for sink in stats["sinks"])
            if stats["open"] == 0 and waiting == 0:
                return stats
        raise Failure(f"echod does not come to rest: {stats}")

    def resident_kib(self):
        """Exact, unlike statm, which the kernel sums up lazily; at rest: the same for a while."""
        seen = []
        while len(seen) < REST_READINGS or len(set(seen[-REST_READINGS:])) > 1:
            if len(seen) == 10 * REST_READINGS:
                raise Failure("resident memory does not come to rest")
            if seen:
                time.sleep(REST_PAUSE_S)
            with open(f"/proc/{self.pid}/smaps_rollup") as rollup:
                seen.append(next(int(line.split()[1]) for line in rollup if line[:4] == "Rss:"))
        return seen[-1]

    def resident_kib_quickly(self):
        with open(f"/proc/{self.pid}/statm") as statm:
            return int(statm.read().split()[1]) * PAGE_KIB

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def descriptors_of_thole(self):
        """Every descriptor that is neither inherited nor one of those echod opens: its epoll, its
        signalfd, its TCP sockets. Only exact while no connection comes or goes."""
        links = []
        own = {"anon_inode:[eventpoll]", "anon_inode:[signalfd]"}
        tcp = {f"socket:[{inode}]" for inode in tcp_inodes()}
        for fd in sorted(map(int, os.listdir(f"/proc/{self.pid}/fd"))):
            link = os.readlink(f"/proc/{self.pid}/fd/{fd}")
            if link in own:
                own.remove(link)  # a second one would be thole's
            elif fd > 2 and link not in tcp:
                links.append(link)
        return links


def tcp_inodes():
    with open("/proc/net/tcp") as table:
        next(table)
        return {line.split()[9] for line in table}
