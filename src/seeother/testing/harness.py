"""What the promises stand on: a clock that is set, a store that is asked until it answers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cached_property
from typing import Any, Final, TypeVar

from ..core.ops import Busy, Claim, Close, Echo, Granted, Lookup, Op, Open, Settle, Take
from ..core.values import ACCEPTED, Changes, Flash, Key, Outcome, Receipt, SessionWrite
from ..errors import StoreBusy
from ..stores.base import Clock, Store

__all__ = [
    "ANN",
    "BOB",
    "LEASE",
    "PATIENCE",
    "START",
    "WHOLE",
    "FakeClock",
    "Harness",
    "claim",
    "key",
    "named",
    "outcome",
    "page",
    "receipt",
    "together",
    "write",
]

R = TypeVar("R")
T = TypeVar("T")

START: Final = 1_700_000_000.0
LEASE: Final = 30.0
FOR_EVER: Final = 60.0
PATIENCE: Final = 10.0
WHOLE: Final = bytes(16)
ANN: Final = b"a" * 16
BOB: Final = b"b" * 16


class FakeClock:
    """A clock that moves when it is told to; in seconds.

    >>> clock = FakeClock(100.0)
    >>> clock.tick(2.5)
    >>> clock()
    102.5
    """

    def __init__(self, now: float = START) -> None:
        self.now = now

    def __call__(self) -> float:
        """The time."""
        return self.now

    def tick(self, seconds: float) -> None:
        """Let time pass (or, with a negative number, go back)."""
        self.now += seconds


class Harness:
    """The store under test, made anew for each promise, and short ways to ask it."""

    def make(self, clock: Clock) -> Store:
        """A new, empty store on this clock, its limits the usual ones. Override this."""
        raise NotImplementedError

    def reopen(self, store: Store) -> Store:
        """The same data through another object, as after a restart. Durable stores override it."""
        return store

    @cached_property
    def clock(self) -> FakeClock:
        """The clock of the store."""
        return FakeClock()

    @cached_property
    def store(self) -> Store:
        """The store."""
        return self.make(self.clock)

    def teardown_method(self) -> None:
        """Close what a test has opened."""
        if "store" in self.__dict__:
            self.store.shut()

    def ask(self, op: Op[R]) -> R:
        """Ask until the store is not busy."""
        end = time.monotonic() + FOR_EVER
        while time.monotonic() < end:
            try:
                reply: R = self.store.perform(op)
            except StoreBusy:
                continue
            if not isinstance(reply, Busy):
                return reply
        raise AssertionError(f"busy for {FOR_EVER:.0f} s: {op}")

    # The usual course of things --------------------------------------------------------------

    def granted(self, claim: Claim) -> Granted:
        """A claim that has to be granted."""
        reply = self.ask(claim)
        assert isinstance(reply, Granted), f"{reply} instead of a grant"
        return reply

    def settle(self, claim: Claim, grant: Granted, what: Outcome | None = None, **more: Any) -> Any:
        """Settle a claim; `more`: receipt, session, keep."""
        done = what or outcome()
        op = Settle(claim.key, grant, claim.fingerprint, done, page_keeping=claim.page_keeping)
        return self.ask(replace(op, **more))

    def done(self, claim: Claim, what: Outcome | None = None, **more: Any) -> Granted:
        """Claim and settle."""
        grant = self.granted(claim)
        self.settle(claim, grant, what, **more)
        return grant

    def lookup(self, claim: Claim, echo: Echo | None = None) -> Any:
        """Look for the outcome of a claim."""
        keeping = claim.page_keeping
        return self.ask(Lookup(claim.key, claim.fingerprint, PATIENCE, keeping, echo))

    def take(self, *receipts: bytes, visitor: bytes = ANN, lease_id: bytes = b"lease-1") -> Any:
        """Take messages for a page."""
        return self.ask(Take(visitor, receipts, lease_id, 60.0))

    def shown(self, *receipts: bytes, lease_id: bytes = b"lease-1") -> None:
        """Say that a page has shown them."""
        self.ask(Close(shown=receipts, lease_id=lease_id))

    def unshown(self, *receipts: bytes, lease_id: bytes = b"lease-1") -> None:
        """Say that a page has not shown them."""
        self.ask(Close(unshown=receipts, lease_id=lease_id))

    def leave(self, left: Receipt) -> None:
        """Leave a receipt, as a page that redirects does."""
        self.ask(Close(receipt=left))

    def waiting(self, visitor: bytes = ANN, **where: Any) -> tuple[bytes, ...]:
        """The receipts that wait for a page; `where`: mark, orphans."""
        return self.ask(Open(visitor, messages=True, **where)).waiting

    def session(self, sid: bytes) -> dict[str, bytes] | None:
        """A session as a dict; None where there is none."""
        rows = self.ask(Open(sid=sid)).session
        return None if rows is None else dict(rows)

    def save(self, write: SessionWrite) -> None:
        """Write a session at the end of a page."""
        self.ask(Close(session=write))


def named(name: str, size: int = 16) -> bytes:
    """Bytes that a test can call by a name."""
    return name.encode().ljust(size, b".")[:size]


def key(name: str = "token", variant: bytes | None = None, *, issued: float = START) -> Key:
    """A key: a token issued at a time (seconds), and the variant of its input."""
    return Key(int(issued).to_bytes(4, "big") + named(name, 12), variant or named("input"))


def claim(where: Key | None = None, fp: str = "input", by: str = "worker", **more: Any) -> Claim:
    """A claim with the usual durations; `more`: takeover, retry_safe, page_keeping, keep."""
    return Claim(where or key(), named(fp), named(by), LEASE, PATIENCE, **more)


def outcome(where: str = "/done", kind: Any = ACCEPTED, receipt: bytes | None = None) -> Outcome:
    """A redirect as an outcome."""
    return Outcome(kind, 303, where, receipt)


def receipt(name: str = "receipt", *texts: str, visitor: bytes = ANN, **more: Any) -> Receipt:
    """A receipt with messages; `more`: draft."""
    messages = tuple(Flash(text, "success", f"/{text}") for text in texts)
    digest = more.pop("echo", named("echo"))
    return Receipt(named(name, 8), visitor, more.pop("key", None), digest, messages, **more)


def page(name: str = "receipt") -> bytes:
    """The id of a receipt."""
    return named(name, 8)


def write(sid: bytes, *deletes: str, fresh: bool = False, **more: Any) -> SessionWrite:
    """A change set; `more`: sets (a dict), cleared."""
    sets = tuple(more.pop("sets", {}).items())
    return SessionWrite(sid, Changes(sets, deletes, **more), fresh)


def together(job: Callable[[T], R], over: Iterable[T]) -> list[R]:
    """Do a job for each of these at once, on threads of their own; results, or the first error."""
    items = list(over)
    gate, out = threading.Barrier(len(items)), dict[int, R]()
    errors: list[BaseException] = []

    def run(number: int, item: T) -> None:
        gate.wait()
        try:
            out[number] = job(item)
        except BaseException as error:  # noqa: BLE001  it is raised below, in the test
            errors.append(error)

    threads = [threading.Thread(target=run, args=one) for one in enumerate(items)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return [out[number] for number in range(len(items))]
