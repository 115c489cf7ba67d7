# SPDX-License-Identifier: MIT
"""Debian's rsyslog and syslog-ng side by side in a folder, without installing either (the packages conflict).

The packages and those libraries of theirs that the machine lacks are downloaded once a folder, by the machine's own
apt-get, and unpacked; root is not needed. Where that cannot be, Unavailable says why.
usage: receivers.py FOLDER
"""
import contextlib
import fcntl
import os
import pathlib
import shutil
import subprocess
import sys
import time

WANTED = ('rsyslog', 'syslog-ng-core')
OWN_LIBC = ('libc6', 'libc-bin')  # one from elsewhere would not go with the machine's loader
PATIENCE_S = 100  # for all of it: a test's own time is longer
DOUBT_S = 600  # after a failure: so long it is not tried again


class Unavailable(Exception):
    pass


class Programs:
    """Where the receivers and what they load lie below a folder of unpacked packages."""

    def __init__(self, root):
        self.rsyslogd = self._only(root, 'sbin/rsyslogd')
        self.rsyslog_modules = self._only(root, 'rsyslog/imuxsock.so').parent
        self.syslog_ng = self._only(root, 'sbin/syslog-ng')
        self.syslog_ng_modules = self._only(root, 'libsyslogformat.so').parent
        folders = {path.parent for path in root.rglob('lib*.so*')}
        self.libraries = ':'.join(map(str, sorted(folders)))

    @staticmethod
    def _only(root, name):
        found = sorted(root.rglob(name))
        if not found:
            raise Unavailable(f'no {name} in the packages')
        return found[0]


def _run(deadline, *command, **more):
    return subprocess.run(command, stdin=subprocess.DEVNULL, timeout=max(deadline - time.monotonic(), 1), **more)


def _apt(folder, deadline, *arguments):
    """What apt-get printed. The machine's lists of packages are used, until ours had to be fetched."""
    options = ['-o', 'Acquire::Retries=1', '-o', 'Acquire::http::Timeout=20', '-o', 'APT::Sandbox::User=root']
    if (folder / 'lists').is_dir():
        options += ['-o', f'Dir::State::Lists={folder}/lists', '-o', f'Dir::Cache={folder}/cache']
    run = _run(deadline, 'apt-get', *options, *arguments, cwd=folder, check=False, capture_output=True, text=True,
               env={**os.environ, 'LC_ALL': 'C'})
    if run.returncode != 0:
        raise Unavailable(f'apt-get {arguments[0]}: {run.stderr.strip()[-300:]}')
    return run.stdout


def _missing(folder, deadline):
    """The packages, and what apt would install along with each."""
    names = set(WANTED)
    for package in WANTED:
        plan = _apt(folder, deadline, 'install', '--simulate', '--no-install-recommends', package)
        names |= {line.split()[1] for line in plan.splitlines() if line.startswith('Inst ')}
    return sorted(names - set(OWN_LIBC))


def _download(folder, deadline):
    try:
        _apt(folder, deadline, 'download', *_missing(folder, deadline))
    except Unavailable:
        (folder / 'lists' / 'partial').mkdir(parents=True)
        (folder / 'cache').mkdir()
        _apt(folder, deadline, 'update')
        _apt(folder, deadline, 'download', *_missing(folder, deadline))


def _unpack(folder, deadline, root):
    fresh = folder / 'fresh'
    for package in sorted(folder.glob('*.deb')):
        _run(deadline, 'dpkg', '-x', package, fresh, check=True)
        package.unlink()
    fresh.rename(root)


def _fetch(folder, root):
    for program in ('apt-get', 'dpkg'):
        if not shutil.which(program):
            raise Unavailable(f'no {program} here')
    for left in ('fresh', 'lists', 'cache'):
        shutil.rmtree(folder / left, ignore_errors=True)
    deadline = time.monotonic() + PATIENCE_S
    try:
        _download(folder, deadline)
        _unpack(folder, deadline, root)
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f'the packages were not here within {PATIENCE_S} s') from error
    except (subprocess.SubprocessError, OSError) as error:
        raise Unavailable(f'the packages: {error}') from error


@contextlib.contextmanager
def _alone(folder):
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / 'lock', 'w', encoding='ascii') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def programs(folder):
    """The receivers' programs, fetched when they are not there yet; or Unavailable."""
    folder = pathlib.Path(folder).absolute()
    root, refusal = folder / 'root', folder / 'refusal'
    with _alone(folder):
        if not root.is_dir():
            if refusal.exists() and time.time() - refusal.stat().st_mtime < DOUBT_S:
                raise Unavailable(refusal.read_text())
            try:
                _fetch(folder, root)
            except Unavailable as why:
                refusal.write_text(str(why))
                raise
    return Programs(root)


if __name__ == '__main__':
    try:
        found = programs(sys.argv[1])
    except Unavailable as reason:
        sys.exit(f'receivers: {reason}')
    print(found.rsyslogd, found.syslog_ng, sep='\n')
