"""The two conversations, each read from top to bottom.

`submission` runs a view at most once per submission and gives everybody else its outcome; `page`
surrounds any request that fetches or leaves something. Both are plain generators that yield ops and
never wait, never read a clock and never touch a database: a driver does that for them, and a test
can do it by hand. The yields are the list of all places where a crash can hit, so crash tests are
generated from them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

from ..errors import EditRefused, StoreBusy
from .cookie import SetCookie
from .entry import Entry, Greeting
from .fingerprint import session_id
from .headers import redirect
from .ops import (
    Abandon,
    Busy,
    Claim,
    Close,
    Edited,
    Fenced,
    Flow,
    Granted,
    Handle,
    InDoubt,
    InFlight,
    Lookup,
    Op,
    Open,
    Opened,
    Pause,
    Rearm,
    Report,
    Settle,
    Settled,
    Take,
    Taken,
)
from .policy import Policy
from .record import Record, Verdict, hint_cookie, judge_answer, record, record_page
from .values import Handled, Outcome, Response

R = TypeVar("R")

NAP: Final = 0.002
LONGEST_NAP: Final = 0.05
FRESH: Final = 10.0
PAGE_LEASE: Final = 60.0
TAKE_PATIENCE: Final = 2.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back to the client, and one word for the log: new, replayed, waited, page."""

    response: Response
    word: str = "page"
    cookies: tuple[SetCookie, ...] = ()
    handled: Handled | None = None


def submission(entry: Entry, policy: Policy) -> Flow[Answer]:
    """Run the view of a submission once, or give the outcome of the time that it ran (joined).

    Raises StoreBusy when nobody could be asked within `patience` seconds, EditRefused by policy,
    and whatever the view raises, after its effect was rolled back.
    """
    waited, nap = 0.0, NAP
    while True:
        if entry.named:
            found = yield from Lookup(
                entry.key, entry.fingerprint, policy.patience, entry.page_keeping, entry.echo
            )
            if isinstance(found, Settled):
                return (yield from _replay(entry, found, policy, waited))
        reply = yield from _claim(entry, policy)
        match reply:
            case Granted():
                return (yield from _run(entry, reply, policy))
            case Settled():
                return (yield from _replay(entry, reply, policy, waited))
            case Edited():
                raise EditRefused("the token was used with other input")
            case InFlight() | InDoubt() | Busy():
                left = policy.patience - waited
                paused = yield from Pause(entry.key, nap, max(left, 0.0))
                if left <= 0 or paused.crowded:
                    raise StoreBusy(f"{type(reply).__name__} for {waited:.1f} s")
                waited, nap = waited + paused.seconds, min(2 * nap, LONGEST_NAP)


def _claim(entry: Entry, policy: Policy) -> Claim:
    return Claim(
        entry.key,
        entry.fingerprint,
        entry.claim_id,
        policy.lease,
        policy.patience,
        takeover=True,
        page_keeping=entry.page_keeping,
        keep=entry.named,
    )


def _run(entry: Entry, grant: Granted, policy: Policy) -> Flow[Answer]:
    """The view, and its effect, outcome, messages and session in one COMMIT; or a ROLLBACK."""
    try:
        handled = yield from Handle(grant)
        verdict = judge_answer(handled)
        if verdict is Verdict.UNDO:
            yield from Abandon(entry.key, grant)
            return Answer(handled.response, "undone", handled=handled)
        kept = record(entry, handled, verdict, policy)
        reply = yield from _settle(entry, grant, kept, handled)
    except Exception:
        yield from Abandon(entry.key, grant)
        raise
    if isinstance(reply, Fenced):
        yield from Report("fenced", entry.key)
        if reply.winner is None:
            raise StoreBusy("another worker took this submission over and is still at it")
        return Answer(_of(reply.winner), "replayed")
    return Answer(
        kept.response, "new" if verdict is Verdict.ACCEPT else verdict.value, kept.cookies, handled
    )


def _settle(entry: Entry, grant: Granted, kept: Record, handled: Handled) -> Settle:
    return Settle(
        entry.key,
        grant,
        entry.fingerprint,
        kept.outcome,
        kept.receipt,
        handled.session,
        entry.page_keeping,
        keep=entry.named and kept.keep,
    )


def _replay(entry: Entry, found: Settled, policy: Policy, waited: float) -> Flow[Answer]:
    """The recorded outcome once more; only a message that somebody saw already costs a write."""
    if found.taken and found.outcome.receipt is not None:
        yield from insist(Rearm(found.outcome.receipt, FRESH), policy.patience)
    hint = hint_cookie(entry.greeting) if found.outcome.receipt else ()
    return Answer(_of(found.outcome), "waited" if waited else "replayed", hint)


def _of(outcome: Outcome) -> Response:
    """The answer that an outcome stands for; without a Location the adapter renders a page."""
    if outcome.location is None:
        return Response(outcome.status, outcome.headers)
    return Response(outcome.status, redirect(outcome.status, outcome.location, outcome.headers))


def page(greeting: Greeting, policy: Policy) -> Flow[Answer]:
    """Surround a view: fetch what it may show, keep what it leaves, acknowledge what was shown.

    A request that has nothing to fetch and leaves nothing makes no op but Handle.
    """
    opened = yield from _open(greeting)
    lease_id = greeting.request.entropy(8) if opened.waiting else b""
    taken = yield from _take(greeting, opened, lease_id, policy)
    try:
        handled = yield from Handle(opened=opened, taken=taken)
    except Exception:
        if taken:
            yield from Close(unshown=tuple(t.receipt for t in taken), lease_id=lease_id)
        raise
    kept = record_page(greeting, handled, taken, policy)
    if kept.close is not None:
        reply = yield from insist(replace(kept.close, lease_id=lease_id), policy.patience)
        if isinstance(reply, Busy) and handled.session is not None:
            raise StoreBusy("the session could not be written")
    return Answer(kept.response, "page", kept.cookies, handled)


def _open(greeting: Greeting) -> Flow[Opened]:
    orphans = greeting.takes_orphans and (greeting.hinted or greeting.sid is not None)
    nothing = greeting.mark is None and greeting.sid is None and not orphans
    if nothing or (greeting.visitor is None and greeting.sid is None):
        return Opened()
    return (
        yield from Open(
            greeting.visitor_id,
            None if greeting.sid is None else session_id(greeting.sid),
            greeting.mark,
            messages=greeting.takes_messages,
            orphans=orphans and greeting.visitor is not None,
        )
    )


def _take(
    greeting: Greeting, opened: Opened, lease_id: bytes, policy: Policy
) -> Flow[tuple[Taken, ...]]:
    if not opened.waiting or greeting.visitor_id is None:
        return ()
    take = Take(greeting.visitor_id, opened.waiting, lease_id, PAGE_LEASE)
    reply = yield from insist(take, min(policy.patience, TAKE_PATIENCE))
    return () if isinstance(reply, Busy) else reply


def insist(op: Op[R], patience: float) -> Flow[R]:
    """Ask a store again while it is busy, for at most `patience` seconds."""
    waited, nap = 0.0, NAP
    while True:
        reply: Any = yield from op
        if not isinstance(reply, Busy) or waited >= patience:
            return reply  # type: ignore[no-any-return]
        paused = yield from Pause(None, nap, patience - waited)
        waited, nap = waited + paused.seconds, min(2 * nap, LONGEST_NAP)
