"""The cookies of an outcome, for the browser that did not get them.

A double click throws the first answer away, and a lost connection loses it: the session that a
login began is then known to nobody. So an accepted answer's Set-Cookie lines are recorded with the
outcome and given again with a replay, but only (security rule 5)

* to the same visitor: they are sealed under his cookie;
* to who was signed in when the form was sent for the first time (`Entry.who`), or to nobody if
  nobody was: as the requests came, for both halves of a double-clicked sign-in come without one;
* within two minutes;
* to a browser whose cookies of these names stand as they did at the first time, so that nothing
  newer is rolled back.

A sign-out stays one. Where an adapter hears of it there is another visitor. Where an app knows
nothing of us its answer ends its session's cookie, and then the browser may look as it did before
the sign-in; so that answer also names a session of ours that does not exist, for two minutes
(`seeother.visit`), and the sender is another one.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Final

from .cookie import read_cookie
from .entry import Entry
from .policy import Policy
from .seal import NONCE, can_seal, seal, unseal

SECONDS: Final = 120
PURPOSE: Final = "cookies"


def keep_cookies(entry: Entry, lines: Iterable[bytes], policy: Policy) -> bytes:
    """Set-Cookie lines as sealed bytes; empty where there are none or nobody could open them."""
    kept, greeting = [line.decode("latin-1") for line in lines], entry.greeting
    if not kept or not entry.named or greeting.visitor is None or not can_seal():
        return b""
    plain = json.dumps([greeting.request.now, kept, _standing(entry, kept)]).encode()
    nonce = greeting.request.entropy(NONCE)
    return seal(
        policy.ring,
        plain,
        purpose=PURPOSE,
        row=_row(entry),
        visitor=greeting.visitor,
        nonce=nonce,
        who=entry.who,
    )


def cookies_again(entry: Entry, kept: bytes, policy: Policy) -> tuple[bytes, ...]:
    """The Set-Cookie lines for a replay; none where a rule above says no."""
    greeting = entry.greeting
    if not kept or greeting.visitor is None:
        return ()
    row, visitor = _row(entry), greeting.visitor
    plain = unseal(policy.ring, kept, purpose=PURPOSE, row=row, visitor=visitor, who=entry.who)
    if plain is None:
        return ()
    at, lines, standing = json.loads(plain)
    fresh = abs(greeting.request.now - at) <= SECONDS
    same = _standing(entry, lines) == standing
    return tuple(line.encode("latin-1") for line in lines) if fresh and same else ()


def _standing(entry: Entry, lines: Iterable[str]) -> list[str | None]:
    """The values that the request carries under the names of these lines."""
    sent = entry.greeting.request.all(b"cookie")
    names = (line.partition("=")[0].strip().encode("latin-1") for line in lines)
    values = (read_cookie(sent, name) for name in names)
    return [None if value is None else value.decode("latin-1") for value in values]


def _row(entry: Entry) -> bytes:
    return entry.key.id + entry.key.variant
