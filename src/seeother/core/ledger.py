"""The life of a submission: theory, one table, a small engine.

A submission is one intention of a person: one rendered form, sent. Its name is the token in the
form; its place in the ledger is the key (id from the token, variant from the input). A row is born
when somebody *claims* the submission and it ends *settled*, with an outcome that is given again
to everybody who sends the same submission again.

    (no row) --claim--> CLAIMED(fence n, lease) --settle--> SETTLED, accepted: final and replayed
                          |  ^   \\                \\-> SETTLED, rejected: replayed for a while,
                          |  |    \\                     then it may be claimed again, fence n+1
                          |  |     `--doubt / lapse--> IN DOUBT --late settle, resolve--> SETTLED
                          |  `-- claim after the lease ran out, where a take-over is allowed
                          `--abandon--> (no row); after a take-over in separate: IN DOUBT instead

Three ideas carry everything:

* **The row is the truth, the lease is a guess.** A lease that ran out proves nothing about the
  worker that held it; it may only be slow. Where the effect commits together with the row (joined,
  fenced, hooked) a take-over is harmless, because the late commit of the first holder finds another
  fence and rolls its effect back. Where it does not (separate), nobody may run the view again and
  the honest state is IN DOUBT.
* **A fence is a number that only grows** (and a claim id that tells two first claims apart). Every
  write of a holder names both; one that does not match is refused and the holder gets the row of
  the winner.
* **Taint.** After a take-over in separate mode "the second attempt failed cleanly" says nothing
  about the first one, so abandoning such a claim leaves IN DOUBT and not a free row.

In joined mode on SQLite the row of a claim is never visible: claim is lock plus read, settle is the
only write, and a crash leaves nothing at all. The same table decides there.

`step(row, ask, now)` is pure. Stores load a row, ask, and keep what comes back, inside one atomic
step of their own. The table below is also the source of the diagram in ARCHITECTURE.md.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, StrEnum
from typing import Final, NamedTuple

from .frozen import quick
from .ops import (
    Abandon,
    Claim,
    ClaimReply,
    Done,
    Doubt,
    Edited,
    Fenced,
    Granted,
    HolderOp,
    InDoubt,
    InFlight,
    Renew,
    Resolve,
    Settle,
    Settled,
)
from .values import REJECTED, Outcome

PAGE_KEEPING_SECONDS: Final = 5.0


class State(StrEnum):
    """Where a row stands; no row at all is None."""

    CLAIMED = "claimed"
    SETTLED = "settled"
    IN_DOUBT = "in doubt"


@quick
@dataclass(frozen=True, slots=True)
class Row:
    """A row of the ledger (without its key)."""

    state: State
    fence: int
    claim_id: bytes
    fingerprint: bytes
    lease_until: float = 0.0
    tainted: bool = False
    page_keeping: bool = False
    outcome: Outcome | None = None
    settled_at: float = 0.0


class Case(Enum):
    """What an ask meets. The first nine meet a claim, the rest a holder or an operator."""

    ABSENT = "no row"
    MINE = "done before by this very claim, its answer was lost"
    LIVE = "claimed and inside its lease"
    LAPSED = "lease ran out, take-over not allowed"
    TAKEABLE = "lease ran out, take-over allowed"
    FINAL = "settled, to be replayed"
    REOPENED = "rejected long ago or corrected since; or page-keeping and over"
    EDITED = "settled or claimed with other input"
    DOUBTFUL = "in doubt"
    HELD = "this fence holds the row"
    TAINTED = "this fence holds it after a take-over of unknown fate"
    LOST = "another fence holds it, or nobody"

    __hash__ = object.__hash__  # each is one object, and Enum's own is code in Python


class Move(NamedTuple):
    """Where the row goes (`KEEP`: it stays as it is) and what is answered."""

    to: State | str | None
    reply: type[object]


KEEP: Final = "keep"

TABLE: Final[dict[tuple[str, Case], Move]] = {
    ("claim", Case.ABSENT): Move(State.CLAIMED, Granted),
    ("claim", Case.MINE): Move(KEEP, Granted),
    ("claim", Case.LIVE): Move(KEEP, InFlight),
    ("claim", Case.LAPSED): Move(State.IN_DOUBT, InDoubt),
    ("claim", Case.TAKEABLE): Move(State.CLAIMED, Granted),
    ("claim", Case.FINAL): Move(KEEP, Settled),
    ("claim", Case.REOPENED): Move(State.CLAIMED, Granted),
    ("claim", Case.EDITED): Move(KEEP, Edited),
    ("claim", Case.DOUBTFUL): Move(KEEP, InDoubt),
    ("renew", Case.HELD): Move(State.CLAIMED, Done),
    ("renew", Case.TAINTED): Move(State.CLAIMED, Done),
    ("renew", Case.LOST): Move(KEEP, Fenced),
    ("settle", Case.HELD): Move(State.SETTLED, Done),
    ("settle", Case.TAINTED): Move(State.SETTLED, Done),
    ("settle", Case.DOUBTFUL): Move(State.SETTLED, Done),
    ("settle", Case.MINE): Move(KEEP, Done),
    ("settle", Case.LOST): Move(KEEP, Fenced),
    ("release", Case.HELD): Move(None, Done),
    ("release", Case.TAINTED): Move(State.IN_DOUBT, Done),
    ("release", Case.DOUBTFUL): Move(None, Done),
    ("release", Case.LOST): Move(KEEP, Fenced),
    ("abandon", Case.HELD): Move(None, Done),
    ("abandon", Case.TAINTED): Move(State.IN_DOUBT, Done),
    ("abandon", Case.DOUBTFUL): Move(KEEP, Done),
    ("abandon", Case.LOST): Move(KEEP, Fenced),
    ("doubt", Case.HELD): Move(State.IN_DOUBT, Done),
    ("doubt", Case.TAINTED): Move(State.IN_DOUBT, Done),
    ("doubt", Case.DOUBTFUL): Move(KEEP, Done),
    ("doubt", Case.LOST): Move(KEEP, Fenced),
    ("resolve", Case.DOUBTFUL): Move(State.SETTLED, Done),
    ("resolve undone", Case.DOUBTFUL): Move(None, Done),
    ("resolve", Case.LOST): Move(KEEP, Fenced),
    ("resolve undone", Case.LOST): Move(KEEP, Fenced),
}

Answer = ClaimReply | Done | Fenced
PLAIN: Final[dict[type[object], Answer]] = {
    InFlight: InFlight(),
    InDoubt: InDoubt(),
    Done: Done(),
}


def step(row: Row | None, ask: Claim | HolderOp, now: float) -> tuple[Row | None, Answer]:
    """One atomic step of a row: what it becomes, and what the asker is told.

    `now` is the store's clock, in seconds. A row that comes back as the same object needs no write.

    >>> from seeother.core.ops import Claim
    >>> from seeother.core.values import Key
    >>> claim = Claim(Key(b"i" * 16, b"v" * 16), b"f" * 16, b"c" * 16, lease=30.0, patience=10.0)
    >>> row, answer = step(None, claim, now=100.0)
    >>> row.state.value, row.fence, answer
    ('claimed', 1, Granted(fence=1, claim_id=b'cccccccccccccccc'))
    >>> step(row, claim, now=101.0)[1] == answer      # the answer was lost, the same claim again
    True
    """
    case = _case_of_claim(row, ask, now) if isinstance(ask, Claim) else _case_of_holder(row, ask)
    move = TABLE[_name(ask), case]
    after = row if move.to == KEEP else _moved(row, ask, move.to, now)
    return after, _answer(move.reply, row, after, ask, now)


def _name(ask: Claim | HolderOp) -> str:
    """The ask as the table calls it; a Settle that keeps no row is a release."""
    match ask:
        case Resolve() if not ask.happened:
            return "resolve undone"
        case Settle() if not ask.keep:
            return "release"
        case _:
            return ask.verb


def _case_of_claim(row: Row | None, claim: Claim, now: float) -> Case:
    if row is None:
        return Case.ABSENT
    same = row.fingerprint == claim.fingerprint
    match row.state:
        case State.CLAIMED if row.claim_id == claim.claim_id:
            return Case.MINE
        case State.CLAIMED if now < row.lease_until:
            return Case.LIVE
        case State.CLAIMED:
            if row.outcome is not None and not same:
                return Case.EDITED
            # What is declared safe to run again is one input; another may have its effect already.
            allowed = claim.takeover and (same or not claim.retry_safe)
            return Case.TAKEABLE if allowed else Case.LAPSED
        case State.IN_DOUBT:
            return Case.TAKEABLE if claim.retry_safe and same and row.tainted else Case.DOUBTFUL
        case State.SETTLED:  # pragma: no branch - exhaustive
            return _case_of_settled(row, claim, same, now - row.settled_at)


def _case_of_settled(row: Row, claim: Claim, same: bool, age: float) -> Case:
    if row.outcome is not None and row.outcome.kind == REJECTED:
        return Case.FINAL if same and age <= claim.patience else Case.REOPENED
    if not same:
        return Case.EDITED
    over = row.page_keeping and claim.page_keeping and age > PAGE_KEEPING_SECONDS
    return Case.REOPENED if over else Case.FINAL


def _case_of_holder(row: Row | None, ask: HolderOp) -> Case:
    if row is None:
        return Case.LOST
    if isinstance(ask, Resolve):
        return Case.DOUBTFUL if row.state is State.IN_DOUBT else Case.LOST
    if ask.grant.fence not in (0, row.fence) or row.claim_id != ask.grant.claim_id:
        return Case.LOST
    if isinstance(ask, Settle) and row.state is State.SETTLED and row.outcome == ask.outcome:
        return Case.MINE if ask.keep else Case.LOST
    giving_back = isinstance(ask, Settle) and not ask.keep
    if row.tainted and giving_back and row.state is not State.SETTLED:
        return Case.TAINTED
    if row.state is State.IN_DOUBT and not isinstance(ask, Renew):
        return Case.DOUBTFUL
    if row.state is not State.CLAIMED:
        return Case.LOST
    return Case.TAINTED if row.tainted else Case.HELD


def _moved(
    row: Row | None, ask: Claim | HolderOp, to: State | str | None, now: float
) -> Row | None:
    if to is None:
        return _before(row)
    match ask:
        case Claim() if to is State.CLAIMED:
            return _granted(row, ask, now)
        case Settle() if to is State.SETTLED:
            assert row is not None
            # Only the answer tells whether a script that may stay on its page has left it.
            stays, until = row.page_keeping and ask.page_keeping, row.lease_until
            head = (State.SETTLED, row.fence, row.claim_id, row.fingerprint, until)
            return Row(*head, row.tainted, stays, ask.outcome, now)
        case Resolve():
            assert row is not None
            return replace(row, state=State.SETTLED, outcome=ask.outcome, settled_at=now)
        case Renew():
            assert row is not None
            return replace(row, lease_until=now + ask.lease)
        case Claim() | Settle() | Abandon() | Doubt():  # pragma: no branch - exhaustive
            assert row is not None
            return replace(row, state=State.IN_DOUBT)


def _before(row: Row | None) -> Row | None:
    """The row without the attempt that is given back: nothing, or what was accepted before it."""
    if row is None or row.outcome is None:
        return None
    return replace(row, state=State.SETTLED)


def _granted(row: Row | None, claim: Claim, now: float) -> Row:
    taken_over = row is not None and row.state is not State.SETTLED
    # Page-keeping, and over: what was accepted stays so, whatever becomes of the new attempt.
    accepted = row is not None and row.outcome is not None and row.outcome.kind != REJECTED
    return Row(
        State.CLAIMED,
        fence=row.fence + 1 if row else 1,
        claim_id=claim.claim_id,
        fingerprint=claim.fingerprint,
        lease_until=now + claim.lease,
        tainted=bool(row and row.tainted) or (taken_over and claim.retry_safe),
        page_keeping=claim.page_keeping,
        outcome=row.outcome if row is not None and accepted else None,
        settled_at=row.settled_at if row is not None and accepted else 0.0,
    )


def _answer(
    reply: type[object], row: Row | None, after: Row | None, ask: Claim | HolderOp, now: float
) -> Answer:
    if reply is Granted:
        assert after is not None
        return Granted(after.fence, after.claim_id)
    if reply is Settled or reply is Edited:
        assert row is not None and row.outcome is not None
        kind = Settled if reply is Settled else Edited
        return kind(row.outcome, now - row.settled_at)
    if reply is Fenced:
        return _fenced(row, ask)
    return PLAIN[reply]


def _fenced(row: Row | None, ask: Claim | HolderOp) -> Fenced:
    """Who lost the row gets the outcome of the winner, unless the winner sent something else."""
    if row is None:
        return Fenced()
    if isinstance(ask, Settle) and ask.fingerprint != row.fingerprint:
        return Fenced(edited=True)
    return Fenced(row.outcome if row.state is State.SETTLED else None)
