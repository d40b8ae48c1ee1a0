"""The waiting page: what a duplicate sees when the first one is still running.

A POST that has waited for `patience` seconds is sent to `?so=w.<id, variant, MAC>` on its own path.
The adapter answers that GET before the app does: a small page that asks again every second
(`Refresh: 1`, understood by every browser, also without script), until there is an outcome
and the page becomes a redirect to it. The address names the ledger's key under a MAC: nobody can
ask about submissions that he did not send.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

from .headers import redirect
from .keys import Keyring, decode, encode, mac
from .mark import add
from .ops import Flow, InDoubt, InFlight, Lookup, Settled
from .policy import Policy
from .values import Key, Outcome, Response

if TYPE_CHECKING:
    from .entry import Entry

PREFIX: Final = "w."
SHORT: Final = 32
LONG: Final = 48
MAC_BYTES: Final = 8


class Fate(Enum):
    """What became of a submission that somebody waits for."""

    RUNNING = "running"
    SETTLED = "settled"
    GONE = "gone"
    IN_DOUBT = "in doubt"


@dataclass(frozen=True, slots=True)
class Waited:
    """The fate, and the outcome where there is one."""

    fate: Fate
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True)
class Awaited:
    """The submission that somebody waits for: its key in the ledger, and what was sent under it.

    Both are the same where each input has a row of its own; only then the address is the short one.
    """

    key: Key
    fingerprint: bytes


def sign_wait(ring: Keyring, awaited: Awaited) -> str:
    """A submission as it stands in a waiting page's URL.

    >>> ring = Keyring.make([b"s" * 32], "docs")
    >>> text = sign_wait(ring, Awaited(Key(b"i" * 16, b"v" * 16), b"v" * 16))
    >>> len(text), open_wait(ring, text).key, open_wait(ring, "w." + "A" * 54)
    (56, Key(id=b'iiiiiiiiiiiiiiii', variant=b'vvvvvvvvvvvvvvvv'), None)
    """
    key, sent = awaited.key, awaited.fingerprint
    raw = key.id + key.variant + (sent if sent != key.variant else b"")
    return PREFIX + encode(raw + mac(ring.current.mark, MAC_BYTES, b"waiting", raw))


def open_wait(ring: Keyring, text: str) -> Awaited | None:
    """The submission in a mark of ours, else None."""
    if not text.startswith(PREFIX):
        return None
    spelt = text.removeprefix(PREFIX)
    raw = decode(spelt, SHORT + MAC_BYTES) or decode(spelt, LONG + MAC_BYTES)
    if raw is None:
        return None
    named, tag = raw[:-MAC_BYTES], raw[-MAC_BYTES:]
    for key in ring.keys:
        if hmac.compare_digest(tag, mac(key.mark, MAC_BYTES, b"waiting", named)):
            return Awaited(Key(named[:16], named[16:SHORT]), named[-16:])
    return None


def cut_wait(ring: Keyring, query: bytes, name: str | None) -> tuple[bytes, Awaited | None]:
    """A query without its waiting mark, and the submission that it named."""
    prefix = f"{name}={PREFIX}".encode()
    if name is None or prefix not in query:
        return query, None
    kept: list[bytes] = []
    found: Awaited | None = None
    for pair in query.split(b"&"):
        value = pair.partition(b"=")[2].decode("latin-1")
        awaited = open_wait(ring, value) if pair.startswith(prefix) else None
        if awaited is None:
            kept.append(pair)
        found = awaited or found
    return b"&".join(kept), found


def wait_for(entry: Entry, policy: Policy) -> Response:
    """303 to the waiting page of a submission, on its own path."""
    request = entry.greeting.request
    query = request.query.decode("latin-1")
    here = request.root + request.path + (f"?{query}" if query else "")
    assert policy.mark is not None
    name = sign_wait(policy.ring, Awaited(entry.key, entry.fingerprint))
    return Response(303, redirect(303, add(here, policy.mark, name)))


def waited(awaited: Awaited, policy: Policy) -> Flow[Waited]:
    """What became of it: a read.

    Where the effect commits with the row a lapsed claim is no doubt: nothing happened, and whoever
    sends the form again runs it.
    """
    found = yield from Lookup(awaited.key, awaited.fingerprint, policy.patience)
    match found:
        case Settled():
            return Waited(Fate.SETTLED, found.outcome)
        case InFlight():
            return Waited(Fate.RUNNING)
        case InDoubt() if policy.mode in (None, "separate"):
            return Waited(Fate.IN_DOUBT)
        case _:
            return Waited(Fate.GONE)
