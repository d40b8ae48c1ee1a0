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
KEY_BYTES: Final = 32
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


def sign_key(ring: Keyring, key: Key) -> str:
    """A ledger key as it stands in a waiting page's URL.

    >>> ring = Keyring.make([b"s" * 32], "docs")
    >>> text = sign_key(ring, Key(b"i" * 16, b"v" * 16))
    >>> open_key(ring, text), open_key(ring, "w." + "A" * 54)
    (Key(id=b'iiiiiiiiiiiiiiii', variant=b'vvvvvvvvvvvvvvvv'), None)
    """
    raw = key.id + key.variant
    return PREFIX + encode(raw + mac(ring.current.mark, MAC_BYTES, b"waiting", raw))


def open_key(ring: Keyring, text: str) -> Key | None:
    """The ledger key in a mark of ours, else None."""
    raw = (
        decode(text.removeprefix(PREFIX), KEY_BYTES + MAC_BYTES)
        if text.startswith(PREFIX)
        else None
    )
    if raw is None:
        return None
    named, tag = raw[:KEY_BYTES], raw[KEY_BYTES:]
    for key in ring.keys:
        if hmac.compare_digest(tag, mac(key.mark, MAC_BYTES, b"waiting", named)):
            return Key(named[:16], named[16:])
    return None


def cut_wait(ring: Keyring, query: bytes, name: str | None) -> tuple[bytes, Key | None]:
    """A query without its waiting mark, and the key that it named."""
    prefix = f"{name}={PREFIX}".encode()
    if name is None or prefix not in query:
        return query, None
    kept, found = [], None
    for pair in query.split(b"&"):
        value = pair.partition(b"=")[2].decode("latin-1")
        key = open_key(ring, value) if pair.startswith(prefix) else None
        if key is None:
            kept.append(pair)
        found = key or found
    return b"&".join(kept), found


def wait_for(entry: Entry, policy: Policy) -> Response:
    """303 to the waiting page of a submission, on its own path."""
    request = entry.greeting.request
    query = request.query.decode("latin-1")
    here = request.root + request.path + (f"?{query}" if query else "")
    assert policy.mark is not None
    return Response(303, redirect(303, add(here, policy.mark, sign_key(policy.ring, entry.key))))


def waited(key: Key, policy: Policy) -> Flow[Waited]:
    """What became of it: a read."""
    found = yield from Lookup(key, key.variant, policy.patience)
    match found:
        case Settled():
            return Waited(Fate.SETTLED, found.outcome)
        case InFlight():
            return Waited(Fate.RUNNING)
        case InDoubt():
            return Waited(Fate.IN_DOUBT)
        case _:
            return Waited(Fate.GONE)
