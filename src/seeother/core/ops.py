"""The questions of a flow, as values, and the answers it may get.

A flow is a plain generator that yields an op and is sent the reply (PEP 342); `yield from op` has
the reply's exact type, because `Op.__iter__` says so. Who answers is not the flow's business: a
driver asks a store, a test sends what it likes. Ops carry durations in seconds, never instants:
the store's clock is the only clock.

`lane` is where an op may run under asyncio: on a reader thread, on the one writer thread of the
process, or on the event loop itself (everything that waits). `leads_on`: a read that most often is
followed by a write, so where the writer has nothing to do the read may run there as well.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, ClassVar, Generic, TypeVar

from .frozen import quick
from .values import Flash, Handled, Key, Outcome, Receipt, SessionWrite

R = TypeVar("R")
T = TypeVar("T")


class Lane(IntEnum):
    """Where an op may run: a thread of a higher lane may run all lower ones."""

    READ = 1
    WRITE = 2
    LOOP = 3


class Op(Generic[R]):
    """One question; `reply = yield from SomeOp(...)` is typed as `R`."""

    __slots__ = ()
    verb: ClassVar[str] = ""
    lane: ClassVar[Lane] = Lane.WRITE

    @property
    def leads_on(self) -> bool:
        """Is this a read that a write is likely to follow?"""
        return False

    def __iter__(self) -> Generator[Op[Any], Any, R]:
        reply: R = yield self
        return reply


Flow = Generator[Op[Any], Any, T]


# Answers ------------------------------------------------------------------------------------


@quick
@dataclass(frozen=True, slots=True)
class Granted:
    """You are the one who runs it; every write of yours names this fence and claim id."""

    fence: int
    claim_id: bytes


@quick
@dataclass(frozen=True, slots=True)
class Settled:
    """It was done before: the recorded outcome and its age in seconds.

    `taken`: a page took the message of its receipt already, so a replay has to arm it again.
    """

    outcome: Outcome
    age: float
    taken: bool = False


@dataclass(frozen=True, slots=True)
class Edited:
    """The token was used with other input (`on_edit` "confirm" and "refuse")."""

    outcome: Outcome
    age: float


@dataclass(frozen=True, slots=True)
class InFlight:
    """Somebody is running it right now."""


@dataclass(frozen=True, slots=True)
class InDoubt:
    """Somebody ran it and nobody knows how it ended."""


@dataclass(frozen=True, slots=True)
class Busy:
    """The store is locked by another writer; ask again."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """A lookup found nothing that could be replayed."""


@dataclass(frozen=True, slots=True)
class Done:
    """It is written."""


@dataclass(frozen=True, slots=True)
class Fenced:
    """Another holder has the row; `winner` is its outcome, if there is one already.

    `edited`: that holder sent other input, so its outcome is not the answer to this one.
    """

    winner: Outcome | None = None
    edited: bool = False


@quick
@dataclass(frozen=True, slots=True)
class Opened:
    """What a visit starts with: its session, the draft under its mark, the receipts to take.

    `unseen`: seconds since the session was written last. `known`: the visitor has a receipt under
    this mark, also where nothing is kept with it (any more); a store need not say so. `elsewhere`:
    the messages under this mark are leased to another page right now, if messages were asked for.
    """

    session: tuple[tuple[str, bytes], ...] | None = None
    draft: bytes = b""
    waiting: tuple[bytes, ...] = ()
    unseen: float = 0.0
    known: bool = field(default=False, compare=False)
    elsewhere: bool = field(default=False, compare=False)


@quick
@dataclass(frozen=True, slots=True)
class Taken:
    """The messages of one receipt, leased to this page; `again` = this was done before."""

    receipt: bytes
    messages: tuple[Flash, ...]
    again: bool = False


@dataclass(frozen=True, slots=True)
class Paused:
    """How long a pause took, in seconds; `crowded` = a later duplicate needed the seat."""

    seconds: float
    crowded: bool = False


ClaimReply = Granted | Settled | Edited | InFlight | InDoubt | Busy


# Questions about the ledger -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Echo:
    """The other half of a double click: the receipt its page showed and what was sent there."""

    receipt: bytes
    digest: bytes
    visitor: bytes
    within: float


@quick
@dataclass(frozen=True, slots=True)
class Lookup(Op[Settled | InFlight | InDoubt | Unknown]):
    """Is there an outcome to replay, or somebody at it? A read, never behind a writer.

    A lapsed claim reads as in doubt; whether it may be taken over only a claim can tell.
    """

    verb: ClassVar[str] = "lookup"
    lane: ClassVar[Lane] = Lane.READ
    key: Key
    fingerprint: bytes
    patience: float
    page_keeping: bool = False
    echo: Echo | None = None

    @property
    def leads_on(self) -> bool:
        """To the claim: most submissions are sent once."""
        return True


@quick
@dataclass(frozen=True, slots=True)
class Claim(Op[ClaimReply]):
    """May I be the one who runs it? Durations in seconds.

    `keep` False: no row will be kept. `renew`: the driver prolongs the lease while the view runs.
    """

    verb: ClassVar[str] = "claim"
    key: Key
    fingerprint: bytes
    claim_id: bytes
    lease: float
    patience: float
    takeover: bool = False
    retry_safe: bool = False
    page_keeping: bool = False
    keep: bool = True
    renew: bool = False


@dataclass(frozen=True, slots=True)
class Renew(Op[Done | Fenced]):
    """I am still at it."""

    verb: ClassVar[str] = "renew"
    key: Key
    grant: Granted
    lease: float


@quick
@dataclass(frozen=True, slots=True)
class Settle(Op[Done | Fenced]):
    """Outcome, session changes and receipt in one step; in joined mode also the COMMIT."""

    verb: ClassVar[str] = "settle"
    key: Key
    grant: Granted
    fingerprint: bytes
    outcome: Outcome
    receipt: Receipt | None = None
    session: SessionWrite | None = None
    page_keeping: bool = False
    keep: bool = True


@dataclass(frozen=True, slots=True)
class Abandon(Op[Done | Fenced]):
    """It had no effect; give it back. In joined mode the ROLLBACK.

    A grant with fence 0 means "whatever fence I may have got": its answer was lost.
    """

    verb: ClassVar[str] = "abandon"
    key: Key
    grant: Granted


@dataclass(frozen=True, slots=True)
class Doubt(Op[Done | Fenced]):
    """I cannot know whether it had an effect."""

    verb: ClassVar[str] = "doubt"
    key: Key
    grant: Granted


@dataclass(frozen=True, slots=True)
class Resolve(Op[Done | Fenced]):
    """Somebody found out: it happened (with this outcome), or it did not."""

    verb: ClassVar[str] = "resolve"
    key: Key
    happened: bool
    outcome: Outcome | None = None


HolderOp = Renew | Settle | Abandon | Doubt | Resolve


# Questions about receipts and sessions ------------------------------------------------------


@quick
@dataclass(frozen=True, slots=True)
class Open(Op[Opened]):
    """Session, draft and waiting receipts of a visit; a read.

    `mark` is the receipt that the URL names; `orphans` asks for the visitor's own receipts that
    nobody took for `orphan_age` seconds.
    """

    verb: ClassVar[str] = "open"
    lane: ClassVar[Lane] = Lane.READ
    visitor: bytes | None = None
    sid: bytes | None = None
    mark: bytes | None = None
    messages: bool = False
    orphans: bool = False
    orphan_age: float = 5.0

    @property
    def leads_on(self) -> bool:
        """To taking the messages that the mark announces."""
        return self.messages and self.mark is not None


@quick
@dataclass(frozen=True, slots=True)
class Take(Op[tuple[Taken, ...] | Busy]):
    """Lease the messages of these receipts for `lease` seconds, each to one page only."""

    verb: ClassVar[str] = "take"
    visitor: bytes
    receipts: tuple[bytes, ...]
    lease_id: bytes
    lease: float


@quick
@dataclass(frozen=True, slots=True)
class Close(Op[Done | Busy]):
    """The end of a visit: session changes, a new receipt, what was shown and what was not."""

    verb: ClassVar[str] = "close"
    session: SessionWrite | None = None
    receipt: Receipt | None = None
    shown: tuple[bytes, ...] = ()
    unshown: tuple[bytes, ...] = ()
    lease_id: bytes = b""


@dataclass(frozen=True, slots=True)
class Rearm(Op[Done | Busy]):
    """A replay: show the message once more. Older than `fresh` seconds: as "already done".

    A message that still waits is left alone, so this writes only where somebody saw it before.
    """

    verb: ClassVar[str] = "rearm"
    receipt: bytes
    fresh: float


# Questions to the driver --------------------------------------------------------------------


@quick
@dataclass(frozen=True, slots=True)
class Handle(Op[Handled]):
    """Run the view. The driver knows how, and on which thread."""

    verb: ClassVar[str] = "handle"
    lane: ClassVar[Lane] = Lane.LOOP
    grant: Granted | None = None
    opened: Opened | None = None
    taken: tuple[Taken, ...] = ()


@dataclass(frozen=True, slots=True)
class Pause(Op[Paused]):
    """Wait for the holder of `key` in this process at most `limit` seconds, or nap."""

    verb: ClassVar[str] = "pause"
    lane: ClassVar[Lane] = Lane.LOOP
    key: Key | None
    nap: float
    limit: float


@dataclass(frozen=True, slots=True)
class Watch(Op[bool]):
    """Wait until nobody in any process has this submission locked, at most `limit` seconds.

    Only asked of stores that can. False: nobody had, so there is nothing to wait for.
    """

    verb: ClassVar[str] = "watch"
    key: Key
    limit: float


@dataclass(frozen=True, slots=True)
class Reconcile(Op[bool | None]):
    """Ask the app whether a submission in doubt happened: yes, no, or it does not know."""

    verb: ClassVar[str] = "reconcile"
    lane: ClassVar[Lane] = Lane.WRITE
    key: Key


@dataclass(frozen=True, slots=True)
class Report(Op[None]):
    """Tell the operators: something happened that should not."""

    verb: ClassVar[str] = "report"
    lane: ClassVar[Lane] = Lane.READ
    what: str
    key: Key | None = None
