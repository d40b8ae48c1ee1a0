"""Who is signed in, as far as anybody outside of the app can know (security rule 4).

A visitor is a browser and no user: two people may use it one after the other, and what is kept for
one must not be shown to the other. An adapter that knows the user says so. In zero-code mode nobody
does, so the principal is a digest of what the browser shows to prove who it is: `Authorization`,
the policy's `identity_headers`, and the app's cookies of that kind.

Which cookies those are the app itself tells: `HttpOnly` in its Set-Cookie. The look of a name tells
it, too: this process need not have seen the app set it, and some frameworks let scripts read their
sessions. Which names counted is kept beside the digest, so later no knowledge is needed to compare,
and a cookie of statistics that changes with every page does not hurt. A token against forgery says
nothing about who it is, and never counts.

What counts are the values as they stand *after* an answer: a login's own answer belongs to who is
signed in by it. So Set-Cookie is read as the browser will read it: a line for another path is never
sent here, one that has expired deletes (RFC 6265 sections 5.1.1, 5.1.4, 5.2, 5.3).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence, Set
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import blake2b
from typing import Final, NamedTuple

from .cookie import read_cookie, sent_names
from .entry import Greeting
from .keys import frame
from .values import Request

SIZE: Final = 16
SESSION_LIKE: Final = re.compile(
    rb"sess|sid|auth|token|log_?in|user|uid|remember|jwt|identity|ticket|account|sso|saml"
    rb"|\A__(?:host|secure)-",
    re.IGNORECASE,
)
# Against forgery, and two kinds of statistics that call what they count a session.
NOBODY: Final = re.compile(rb"[cx]srf|\A_hj|\Aintercom-", re.IGNORECASE)
MONTHS: Final = b"jan feb mar apr may jun jul aug sep oct nov dec".split()
EMPTY: Final = (b"", b'""')
NOTHING: Final[Mapping[bytes, bytes]] = {}
_DATE: Final = re.compile(rb"(\d{1,2})[ -]([a-z]{3})[ -](\d{4}|\d{2}) +(\d\d):(\d\d):(\d\d)")
_SECONDS: Final = re.compile(rb"-?\d+")


class Line(NamedTuple):
    """A Set-Cookie line: name and value, and its attributes by their names in lower case."""

    name: bytes
    value: bytes
    told: Mapping[bytes, bytes]


def unreadable(lines: Iterable[bytes]) -> set[bytes]:
    """The names that Set-Cookie lines keep from scripts.

    >>> unreadable([b"session=a; Path=/; HttpOnly", b"theme=dark"])
    {b'session'}
    """
    return {line.name for line in map(_read, lines) if b"httponly" in line.told}


def telling(greeting: Greeting, lines: Iterable[bytes], known: Set[bytes]) -> list[bytes]:
    """The names of the cookies that say who it is, of those sent and those set by the answer.

    `known` are those that the app's answers so far kept from scripts (`unreadable`).
    """
    read = list(lines)
    names, kept = greeting.names, {*known, *unreadable(read)}
    ours = {name.encode() for name in (names.visitor, names.session, names.hint)}
    found = {*sent_names(_sent(greeting)), *(_read(line).name for line in read)} - ours
    return sorted(
        name
        for name in found
        if (name in kept or SESSION_LIKE.search(name)) and not NOBODY.search(name)
    )


def principal(greeting: Greeting, names: Sequence[bytes], lines: Iterable[bytes] = ()) -> bytes:
    """A digest of who it is once these Set-Cookie lines have been taken."""
    sent, request = _sent(greeting), greeting.request
    values = {name: read_cookie(sent, name) for name in names}
    for line in map(_read, lines):
        if line.name in values and _comes_here(line, request):
            values[line.name] = None if _ended(line, request.now) else line.value
    parts = [b"-" if value is None else b"=" + value for value in values.values()]
    return blake2b(frame(greeting.principal.encode(), *parts), digest_size=SIZE).digest()


def signs_out(greeting: Greeting, lines: Iterable[bytes], known: Set[bytes]) -> bool:
    """Does an answer take away what said who it is?"""
    ended = {
        line.name
        for line in map(_read, lines)
        if line.value in EMPTY or _ended(line, greeting.request.now)
    }
    if not ended or not (ended := ended & sent_names(_sent(greeting))):
        return False
    return not ended.isdisjoint(telling(greeting, (), known))


def _sent(greeting: Greeting) -> list[bytes]:
    return greeting.request.all(b"cookie")


def _read(line: bytes) -> Line:
    pair, semicolon, attributes = line.partition(b";")
    name, _, value = pair.partition(b"=")
    return Line(name.strip(), value.strip(), _told(attributes) if semicolon else NOTHING)


@lru_cache(maxsize=64)  # the cookies of an app change in their values
def _told(attributes: bytes) -> Mapping[bytes, bytes]:
    split = [one.partition(b"=") for one in attributes.split(b";")]
    return {key.strip().lower(): found.strip() for key, _, found in split}


def _comes_here(line: Line, request: Request) -> bool:
    """Will the browser send it to the path of this request?"""
    here = (request.root + request.path).encode("utf-8", "surrogateescape")
    path = line.told.get(b"path", b"")
    if not path.startswith(b"/"):
        path = here.rpartition(b"/")[0] or b"/"
    return here == path or here.startswith(path if path.endswith(b"/") else path + b"/")


def _ended(line: Line, now: float) -> bool:
    """Does the line delete its cookie? Max-Age counts before Expires."""
    seconds = _SECONDS.fullmatch(line.told.get(b"max-age", b""))
    if seconds is not None:
        return int(seconds[0]) <= 0
    found = _DATE.search(line.told.get(b"expires", b"").lower())
    if found is None or found[2] not in MONTHS:
        return False
    day, year, hour, minute, second = (int(found[n]) for n in (1, 3, 4, 5, 6))
    year += 0 if year > 99 else 1900 if year > 69 else 2000
    month = MONTHS.index(found[2]) + 1
    try:
        ends = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return False
    return ends.timestamp() <= now
