"""The session cookie of before: signed values, read once and upgraded to a session of ours.

Frameworks that keep a session in a signed cookie leave browsers full of them. Such a cookie is read
as the first values of a session, so that nobody is signed out by a change of middleware. But it is
a bearer of values that nothing can call back, and a sign-out has to stay one. So of each old cookie
two ids are derived: the *heir* is the session that goes on from it, *used* is a row that says that
this has happened. From then on the cookie stands for its heir, and for nothing where that has ended
or was rotated; its values are never read again.

* Who merely reads writes nothing: `look` gives the values, and both rows are missing still.
* `adopt` claims `used` and writes the heir. The claim is decided under the store's lock, so of many
  requests at once one writes; the others wait for it, a moment, and go on in the same session.
* A lost answer costs nothing: the browser shows the old cookie again and is in the heir.
* Both ids come from what was signed and from the signature, decoded: another spelling of the same
  signature is the same cookie, and who does not have the cookie cannot guess the ids.
* `used` outlives the cookie: it is as young as its adoption at least, and adapters take no cookie
  that is older than a session may be idle or live (`limit`).

What it cannot know: that two cookies, signed at different times, were of one session. Who kept an
earlier copy has those values until the copy is too old, as before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

from ..errors import StoreBusy
from .entry import COOKIE_BYTES
from .fetching import insist
from .fingerprint import session_id
from .keys import mac
from .ops import Busy, Close, Flow, Open, Opened, Pause
from .policy import Policy
from .values import Changes, SessionWrite

Rows = tuple[tuple[str, bytes], ...]

AT: Final = "used"
USED: Final = b"1"
BETWEEN: Final = 2.0  # seconds in which the heir of a fresh claim may still be on its way
NAP: Final = 0.01


@dataclass(frozen=True, slots=True)
class Old:
    """An old cookie that was verified: its values as rows, and the two ids (see above)."""

    rows: Rows
    heir: bytes
    used: bytes

    @classmethod
    def of(cls, signed: bytes, signature: bytes, rows: Rows) -> Self:
        """From the bytes that were signed, and the signature as raw bytes."""
        heir = mac(b"", COOKIE_BYTES, b"heir of an old cookie", signed, signature)
        return cls(rows, heir, mac(b"", COOKIE_BYTES, b"used old cookie", signed, signature))


def limit(max_age: float, policy: Policy) -> float:
    """How many seconds old an old cookie may be: no older than the row that says it was used."""
    return min(max_age, policy.session_idle, policy.session_lifetime)


def look(old: Old) -> Flow[Opened | None]:
    """The heir as it is now; None where there is none yet and the cookie's own values count."""
    while True:
        used = yield from Open(sid=session_id(old.used))
        if used.session is None:
            return None
        opened = yield from Open(sid=session_id(old.heir))
        if opened.session is not None or used.unseen > BETWEEN:
            return opened
        yield from Pause(None, NAP, BETWEEN)


def adopt(old: Old, patience: float) -> Flow[Opened]:
    """Make the heir, unless somebody did; returns it as it is. Raises StoreBusy."""
    found = yield from look(old)
    if found is not None:
        return found
    fresh: list[bool] = []

    def claim(stored: bytes | None) -> bytes:
        fresh.append(stored is None)
        return USED

    yield from _written(old.used, Changes(updates=((AT, claim),)), patience)
    if fresh[-1]:
        yield from _written(old.heir, Changes(old.rows), patience)
    return (yield from look(old)) or Opened()


def _written(secret: bytes, changes: Changes, patience: float) -> Flow[None]:
    write = SessionWrite(session_id(secret), changes, fresh=True)
    if isinstance((yield from insist(Close(session=write), patience)), Busy):
        raise StoreBusy("an old session could not be upgraded")
