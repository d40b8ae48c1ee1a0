"""What a page fetches before its view runs: session, draft, messages; and how a flow asks again.

A message goes to one page only, so a page leases what it is about to show. Who presses Enter ten
times leaves a trail of landing pages that the browser has thrown away; the last one, which he sees,
may find the message leased by one of those. Its adapter hears that nobody is there any more and
gives the message back, so the page waits a moment for that, and only then shows none.
"""

from __future__ import annotations

from typing import Any, Final, TypeVar

from ..errors import StoreError
from .entry import Greeting
from .fingerprint import session_id
from .ops import Busy, Flow, Op, Open, Opened, Pause, Take, Taken
from .policy import Policy

R = TypeVar("R")

# All in seconds.
NAP: Final = 0.002
LONGEST_NAP: Final = 0.05
PAGE_LEASE: Final = 60.0
TAKE_PATIENCE: Final = 2.0
TRAIL_PATIENCE: Final = 0.5
ORPHAN_AGE: Final = 5.0
NOTHING: Final = Opened()


def opened_for(greeting: Greeting, policy: Policy) -> Flow[Opened]:
    """Session, draft and messages; without marks only the hint leads a message to its page."""
    orphans = (greeting.hinted or greeting.sid is not None) and greeting.takes_orphans
    nothing = greeting.mark is None and greeting.sid is None and not orphans
    if nothing or (greeting.visitor is None and greeting.sid is None):
        return NOTHING
    sid = None if greeting.sid is None else session_id(greeting.sid)
    orphans, age = orphans and greeting.visitor is not None, ORPHAN_AGE if policy.mark else 0.0
    messages = greeting.takes_messages
    ask = Open(greeting.visitor_id, sid, greeting.mark, messages, orphans, age)
    opened = yield from ask
    waited, nap = 0.0, NAP
    while opened.elsewhere and waited < TRAIL_PATIENCE:
        paused = yield from Pause(None, nap, TRAIL_PATIENCE - waited)
        waited, nap = waited + paused.seconds, min(2 * nap, LONGEST_NAP)
        opened = yield from ask
    return opened


def taken_by(
    greeting: Greeting, opened: Opened, lease_id: bytes, policy: Policy
) -> Flow[tuple[Taken, ...]]:
    """Lease the messages that wait; a page without them is better than none."""
    visitor_id = greeting.visitor_id
    if visitor_id is None:
        return ()
    take = Take(visitor_id, opened.waiting, lease_id, PAGE_LEASE)
    try:
        reply = yield from insist(take, min(policy.patience, TAKE_PATIENCE))
    except StoreError:
        return ()  # the page without its message, which waits on
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
