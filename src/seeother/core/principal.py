"""Who is signed in, as far as anybody outside of the app can know (security rule 4).

A visitor is a browser and no user: two people may use it one after the other, and what is kept for
one must not be shown to the other. An adapter that knows the user says so. In zero-code mode nobody
does, so the principal is a digest of what the browser shows to prove who it is: `Authorization`,
the policy's `identity_headers`, and those cookies of the app that no script may read.

Which cookies those are the app itself tells: `HttpOnly` in its Set-Cookie. Of a name that it has
not set in this process's life, the look of the name decides. Which names counted is kept beside the
digest, so later no knowledge is needed to compare, and a cookie of statistics that changes with
every page does not hurt.

What counts are the values as they stand *after* an answer: a login's own answer belongs to who is
signed in by it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Final

from .cookie import read_cookie, sent_names
from .entry import Greeting
from .keys import frame

SIZE: Final = 16
SESSION_LIKE: Final = re.compile(
    rb"sess|sid|auth|token|log_?in|user|remember|jwt|identity", re.IGNORECASE
)
_ENDED: Final = re.compile(
    rb";\s*(?:max-age\s*=\s*(?:-|0+\s*(?:;|\Z))|expires\s*=[^;]*\b1970\b)", re.IGNORECASE
)


def said_of(lines: Iterable[bytes]) -> dict[bytes, bool]:
    """The names that Set-Cookie lines set, and whether scripts are kept from reading them.

    >>> said_of([b"session=a; Path=/; HttpOnly", b"theme=dark"])
    {b'session': True, b'theme': False}
    """
    out: dict[bytes, bool] = {}
    for line in lines:
        pair, *attributes = line.split(b";")
        flags = [attribute.strip().lower() for attribute in attributes]
        out[pair.partition(b"=")[0].strip()] = b"httponly" in flags
    return out


def telling(greeting: Greeting, lines: Iterable[bytes], known: Mapping[bytes, bool]) -> list[bytes]:
    """The names of the cookies that say who it is, of those sent and those set by the answer.

    `known` is what the app's earlier answers said of its names (`said_of`).
    """
    set_now = said_of(lines)
    said = {**known, **set_now}
    names = greeting.names
    ours = {name.encode() for name in (names.visitor, names.session, names.hint)}
    found = {*sent_names(_lines(greeting)), *set_now} - ours
    return sorted(n for n in found if said.get(n, SESSION_LIKE.search(n) is not None))


def principal(greeting: Greeting, names: Sequence[bytes], lines: Iterable[bytes] = ()) -> bytes:
    """A digest of who it is once these Set-Cookie lines have been taken."""
    sent = _lines(greeting)
    values = {name: read_cookie(sent, name) for name in names}
    for line in lines:
        name, _, rest = line.partition(b"=")
        if name.strip() in values:
            ended = _ENDED.search(rest) is not None
            values[name.strip()] = None if ended else rest.partition(b";")[0].strip()
    parts = [b"-" if value is None else b"=" + value for value in values.values()]
    return blake2b(frame(greeting.principal.encode(), *parts), digest_size=SIZE).digest()


def _lines(greeting: Greeting) -> list[bytes]:
    return [value for name, value in greeting.request.headers if name == b"cookie"]
