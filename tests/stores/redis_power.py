"""A power cut under Redis: what was told, what was on the disk, and what is there afterwards.

kill -9 cannot show this, because the page cache survives it. So a real server runs under strace
while workers claim and settle: every write to its append-only file, every sync of it and every
answer is in the log, in the order in which the kernel saw them. After each settle its worker has
the server echo the submission's name; a name in the log is one that somebody had been told of.

A cut is any moment of that log. What had been synced by then is on the disk, and of the rest any
part from the front. A server is started on that, and asked for everything that had been told.

    python -m tests.stores.redis_power --settles 2000 --cuts 100
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import threading
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any, Final, NamedTuple

from seeother.core.ops import Granted, Lookup, Settle, Settled
from seeother.stores.redis import RedisStore
from seeother.testing.harness import PATIENCE, claim, key, outcome
from tests.servers.redis import RedisServer

WORKERS: Final = 4
FUTURE: Final = 2e9
TRACED: Final = "trace=write,writev,fdatasync,fsync"
STRACE: Final = ("strace", "-f", "-qq", "-ttt", "-y", "-s", "64", "-e", "signal=none", "-e", TRACED)
LINE: Final = re.compile(r"(\d+) +(\d+\.\d+) (.*)")
WROTE: Final = re.compile(r"write\(\d+<[^>]*\.aof>, .*\) += (\d+)")
BEGUN: Final = re.compile(r"write\(\d+<[^>]*\.aof>, .*<unfinished \.\.\.>$")
ENDED: Final = re.compile(r"<\.\.\. write resumed>.*\) += (\d+)")
SYNC: Final = re.compile(r"(?:fdatasync|fsync)\(\d+<[^>]*\.aof>(.*)")
TOLD: Final = re.compile(r'writev?\(\d+<(?:TCP|socket)[^>]*>, .*"\$\d+\\r\\n(told-\d+-\d+)')


class Moment(NamedTuple):
    """What there was after one line of the log."""

    seconds: float
    written: int  # bytes of the append-only file
    synced: int  # of them, on the disk for certain
    told: int  # how many names had been said, in their order


class Recorded(RedisServer):
    """A server under strace."""

    def prepare(self) -> None:
        """Its log stands beside the data."""
        super().prepare()
        self.log = self.home.with_suffix(".strace")
        self.command += ["--auto-aof-rewrite-percentage", "0"]
        self.command = [*STRACE, "-o", str(self.log), *self.command]

    def stop(self) -> None:
        """The server itself, not strace, which would only let go of it; strace ends with it."""
        if self.process is not None and self.process.poll() is None:
            (child,) = (
                Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
                .read_text()
                .split()
            )
            os.kill(int(child), signal.SIGKILL)
            self.process.wait()

    def close(self) -> None:
        """The log, too."""
        super().close()
        self.log.unlink(missing_ok=True)


class Found(RedisServer):
    """A server on what a cut has left."""

    def __init__(self, before: Path, length: int) -> None:
        super().__init__()
        shutil.copytree(before, self.home, dirs_exist_ok=True)
        (log,) = (path for path in self.home.rglob("*.aof"))
        os.truncate(log, length)


def play(server: Recorded, settles: int) -> None:
    """Claim and settle from several threads until so many were told."""
    store = RedisStore.from_url(f"{server.url}?prefix=power")
    store.prepare()

    def work(worker: int) -> None:
        client: Any = store.client
        for n in range(settles // WORKERS):
            mine = claim(key(f"{worker}-{n}", issued=FUTURE))
            grant = store.claim(mine)
            assert isinstance(grant, Granted)
            store.settle(Settle(mine.key, grant, mine.fingerprint, outcome()))
            client.echo(f"told-{worker}-{n}")

    threads = [threading.Thread(target=work, args=(n,)) for n in range(WORKERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    store.shut()


def read(log: Path) -> tuple[list[str], list[Moment]]:
    """The names in the order in which they were told, and the moments of the recording."""
    names: list[str] = []
    moments: list[Moment] = []
    begun: dict[str, int] = {}  # by thread: how much was written when its sync began
    writing: set[str] = set()  # threads whose write to the file has not come back yet
    written = synced = 0
    for pid, seconds, call in lines(log):
        if wrote := WROTE.match(call):
            written += int(wrote[1])
        elif BEGUN.match(call):
            writing.add(pid)
            continue
        elif pid in writing and (ended := ENDED.match(call)):
            writing.discard(pid)
            written += int(ended[1])
        elif sync := SYNC.match(call):
            begun[pid] = written
            if not sync[1].endswith("<unfinished ...>"):
                synced = max(synced, begun.pop(pid))
        elif call.startswith(("<... fdatasync resumed", "<... fsync resumed")) and pid in begun:
            synced = max(synced, begun.pop(pid))
        elif told := TOLD.match(call):
            names.append(told[1])
        else:
            continue
        moments.append(Moment(seconds, written, synced, len(names)))
    return names, moments


def lines(log: Path) -> Iterator[tuple[str, float, str]]:
    """Thread, time and call of each line."""
    with log.open(errors="replace") as opened:
        for line in opened:
            if found := LINE.match(line.rstrip("\n")):
                yield found[1], float(found[2]), found[3]


def missing_after(server: Recorded, cut: Moment, names: list[str], length: int) -> list[str]:
    """Which of the told ones a server does not know that starts on so much of the file."""
    with Found(server.home, length) as found:
        store = RedisStore.from_url(f"{found.url}?prefix=power")
        lost = [name for name in names[: cut.told] if not knows(store, name)]
        store.shut()
    return lost


def knows(store: RedisStore, name: str) -> bool:
    """Is this submission settled?"""
    mine = claim(key(name.removeprefix("told-"), issued=FUTURE))
    return isinstance(store.lookup(Lookup(mine.key, mine.fingerprint, PATIENCE)), Settled)


def times(names: list[str], moments: list[Moment]) -> dict[str, float]:
    """When each of these was told, in seconds."""
    said = (after for before, after in pairwise(moments) if after.told > before.told)
    return {name: moment.seconds for name, moment in zip(names, said, strict=True)}


class Lost(NamedTuple):
    """What cuts have taken: the most by one of them, and how long ago the oldest had been told."""

    names: int = 0
    seconds: float = 0.0

    def or_more(self, lost: list[str], when: dict[str, float], cut: Moment) -> Lost:
        """After one more cut."""
        oldest = max((cut.seconds - when[name] for name in lost), default=0.0)
        return Lost(max(self.names, len(lost)), max(self.seconds, oldest))


class Run(NamedTuple):
    """A recording and its cuts: how many were told, and what is lost by a cut and by kill -9."""

    told: int
    power: Lost
    killed: Lost


def run(sync: str, settles: int, cuts: int, dice: Random) -> Run:
    """Record a server, and cut it so many times."""
    server = Recorded(sync)
    try:
        server.start()
        play(server, settles)
        server.stop()
        names, moments = read(server.log)
        when = times(names, moments)
        begun = next(n for n, one in enumerate(moments) if one.told)
        power, killed = Lost(), Lost()
        for cut in dice.sample(moments[begun:], min(cuts, len(moments) - begun)):
            length = dice.randint(cut.synced, cut.written)
            power = power.or_more(missing_after(server, cut, names, length), when, cut)
            killed = killed.or_more(missing_after(server, cut, names, cut.written), when, cut)
        return Run(len(names), power, killed)
    finally:
        server.close()


def main() -> None:
    """Print a line for each setting."""
    options = argparse.ArgumentParser()
    options.add_argument("--settles", type=int, default=2000)
    options.add_argument("--cuts", type=int, default=50)
    options.add_argument("--seed", type=int, default=1)
    asked = options.parse_args()
    for sync in ("always", "everysec"):
        found = run(sync, asked.settles, asked.cuts, Random(asked.seed))
        print(f"appendfsync {sync}: {found.told:,} told, {asked.cuts} cuts")
        for what, lost in (("power cut", found.power), ("kill -9", found.killed)):
            print(f"  {what}: at most {lost.names:,} lost, told up to {lost.seconds:.2f} s before")


if __name__ == "__main__":
    main()
