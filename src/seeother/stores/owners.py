"""Whose claim is it, and is that process still alive?

A lease is a guess about a worker that cannot be asked. On its own machine it can be: a row of a
claim (separate, fenced, hooked) names its owner, and a process that opens the store ends the leases
of those owners that are provably dead, so that nobody waits half a minute for a killed worker. What
a lapsed claim means stays the ledger's business (a doubt, or a take-over): only the waiting ends.

An owner is one line of text: `HOST BOOT NAMESPACE PID START`. A process id means something only
within one kernel (its boot id) and one process namespace (containers with the host's network share
its name, too), and only together with the moment that its process started, because numbers are used
again. What cannot be known here is "-", and whatever cannot be proved counts as alive: a claim of
another host, another container, an earlier boot runs out by itself as before.

Joined mode writes no claims, so the index of what is not settled stays empty and costs it nothing.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Final

from . import schema
from .connect import begin, committed

PROC: Final = Path("/proc")
UNKNOWN: Final = "-"
ENDED: Final = "ended"
SWEEP_MS: Final = 500
# Fields of /proc/PID/stat after the name, which may contain anything (proc_pid_stat(5)).
STATE, THREADS, START = 0, 17, 19


def me() -> str:
    """This process as the owner of a claim.

    >>> is_dead(me())
    False
    """
    return _of(os.getpid())


def is_dead(owner: str) -> bool:
    """Is it proved that this owner's process has ended? False for every other machine."""
    with suppress(ValueError, OverflowError):
        place, pid, start = owner.rsplit(" ", 2)
        return place == _place() and _has_ended(int(pid), start)
    return False


def _has_ended(pid: int, start: str) -> bool:
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)  # signal 0 asks and sends nothing
    except ProcessLookupError:
        return True
    except PermissionError:
        pass  # it is there, under another user
    now = _start(pid)
    return UNKNOWN not in (now, start) and now != start


def sweep(connection: sqlite3.Connection, now: float) -> None:
    """End the leases of dead owners; only reads where there are none.

    It is a courtesy: where another process writes for long, or nothing can be written at all, the
    leases run out by themselves.
    """
    with suppress(sqlite3.Error):
        found = connection.execute(schema.OWNERS, (now,)).fetchall()
        dead = [owner for (owner,) in found if is_dead(owner)]
        if dead and begin(connection, SWEEP_MS):
            with committed(connection):
                connection.executemany(schema.LAPSE, [(now, owner, now) for owner in dead])


@lru_cache(maxsize=1)
def _of(pid: int) -> str:
    return f"{_place()} {pid} {_start(pid)}"


def _place() -> str:
    """Where process ids mean what they mean here."""
    boot, space = UNKNOWN, UNKNOWN
    with suppress(OSError):
        boot = (PROC / "sys/kernel/random/boot_id").read_text().strip()
        space = str((PROC / "self/ns/pid").readlink())
    return f"{os.uname().nodename} {boot} {space}"


def _start(pid: int) -> str:
    """When a process started, in ticks since boot; "ended" for one that waits to be reaped.

    Unknown where there is no /proc, or one that shows other processes than ours.
    """
    try:
        if str((PROC / "self").readlink()) != str(os.getpid()):
            return UNKNOWN
        stat = (PROC / str(pid) / "stat").read_bytes()
    except OSError:
        return UNKNOWN
    fields = stat.rpartition(b")")[2].split()
    # The first thread may have ended while others still run.
    over = fields[STATE] in (b"Z", b"X") and int(fields[THREADS]) <= 1
    return ENDED if over else fields[START].decode()
