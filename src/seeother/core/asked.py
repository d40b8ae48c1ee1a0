"""What an app is asked for, where it differs from what the browser asked.

A page that comes planted must first come at all, whole, and in a coding that can be undone. So of a
request that may be answered by a page some headers are changed on the way to the app:

| header | who | becomes |
|---|---|---|
| Accept-Encoding | whoever may be sent a page | gzip, deflate, identity of what it lists |
| If-None-Match, If-Modified-Since, If-Range, Range | a navigation by GET or HEAD | nothing |

The second line is for pages that a browser kept from before: the app sees no change and says 304,
and the old token comes back (security rule 20); or it sends a part, into which nothing is planted.
Images, styles, scripts and downloads keep all of theirs, and so do scripts that fetch data.

Who is asking is told by Sec-Fetch-Dest, and where a browser does not send it, or says `empty` as
for `fetch()`, by Accept: navigations name `text/html` there. Scripts that swap parts of a page
(htmx) say `*/*`, so these may be sent a page, too; they only lose br and zstd. Who says neither
where it comes from, nor `text/html`, nor that a script asks, and shows no cookie, is no browser
that could send a form in: a program, which keeps what it asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final

from .coding import CODINGS
from .values import Request

CODING: Final = b"accept-encoding"
CONDITIONS: Final = frozenset({b"if-none-match", b"if-modified-since", b"if-range", b"range"})
DEST, ACCEPT = b"sec-fetch-dest", b"accept"
# What scripts add where the browser itself does not say that a script is asking.
SCRIPTED: Final = frozenset({b"x-requested-with", b"hx-request", b"turbo-frame", b"x-up-version"})
BROWSER: Final = SCRIPTED | {b"cookie"}
READ: Final = CONDITIONS | BROWSER | {CODING, DEST, ACCEPT}
WINDOWS: Final = frozenset({b"document", b"iframe", b"frame", b"embed", b"object"})
UNSAID: Final = (None, b"empty")
UNCODED: Final = b"identity"
KEPT: Final = frozenset({*CODINGS, UNCODED})
NEVER: Final = re.compile(rb"[qQ][ \t]*=[ \t]*0(?:\.0*)?")
NOTHING: Final[Mapping[bytes, bytes | None]] = {}

Changes = Mapping[bytes, bytes | None]


def asked(request: Request) -> Changes:
    """The headers that the app is to see otherwise: their new values, None where it sees none.

    >>> said = ((b"sec-fetch-dest", b"document"), (b"accept-encoding", b"gzip, br"))
    >>> asked(Request("GET", "http", "h", "", "/", b"", said, 0.0, bytes))
    {b'accept-encoding': b'gzip'}
    """
    said = [pair for pair in request.headers if pair[0] in READ]
    found = dict(said)
    coding, conditional = found.get(CODING), not CONDITIONS.isdisjoint(found)
    if coding is None and not conditional:
        return NOTHING
    if len(said) > len(found) and coding is not None:  # in several lines
        coding = b", ".join([value for name, value in said if name == CODING])
    conditional = conditional and request.method in ("GET", "HEAD")
    bare = BROWSER.isdisjoint(found)
    return _changes(found.get(DEST), found.get(ACCEPT), coding, conditional=conditional, bare=bare)


@lru_cache(maxsize=64)  # a browser has few ways to ask
def _changes(
    dest: bytes | None, accept: bytes | None, coding: bytes | None, *, conditional: bool, bare: bool
) -> Changes:
    """The same for what decides; of a conditional request all of `CONDITIONS` go."""
    unsaid = dest in UNSAID
    navigates = dest in WINDOWS or (unsaid and accept is not None and b"text/html" in accept)
    parts = unsaid and (accept is None or b"*/*" in accept) and not (bare and dest is None)
    if not (navigates or parts):
        return NOTHING
    changes: dict[bytes, bytes | None] = {}
    if navigates and conditional:
        changes.update(dict.fromkeys(CONDITIONS))
    if coding is not None and (known := undoable(coding)) != coding:
        changes[CODING] = known
    return changes


def apply(changes: Changes, headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Headers with these changes.

    >>> apply({b"range": None, b"a": b"2"}, ((b"range", b"bytes=0-"), (b"a", b"1"), (b"b", b"1")))
    [(b'b', b'1'), (b'a', b'2')]
    """
    kept = [pair for pair in headers if pair[0] not in changes]
    return kept + [(name, value) for name, value in changes.items() if value is not None]


@lru_cache(maxsize=64)  # browsers have few of them
def undoable(value: bytes) -> bytes:
    """Accept-Encoding with nothing in it that could not be undone (RFC 9110 section 12.5.3).

    `*` stands for what can be. Where nothing would be left to choose, it stays as it is.

    >>> undoable(b"gzip, deflate, br, zstd"), undoable(b"br;q=1.0, gzip;q=0.5, *;q=0")
    (b'gzip, deflate', b'gzip;q=0.5, *;q=0')
    >>> undoable(b"br"), undoable(b"*"), undoable(b"br, identity;q=0")
    (b'identity', b'gzip, deflate', b'br, identity;q=0')
    """
    listed: dict[bytes, bytes] = {}
    for member in value.split(b","):
        name, _, weight = member.partition(b";")
        if name.strip():
            listed[name.strip().lower()] = weight.strip()
    kept = {name: weight for name, weight in listed.items() if name in KEPT}
    others = listed.get(b"*")
    if others is not None and _refused(others):
        kept[b"*"] = others
    elif others is not None:
        kept = {b"gzip": others, b"deflate": others, **kept}
    if kept == listed or not _leaves_any(kept):
        return value
    members = [name + (b";" + weight if weight else b"") for name, weight in kept.items()]
    return b", ".join(members) or UNCODED


def _leaves_any(kept: Mapping[bytes, bytes]) -> bool:
    """May it be sent in any way at all?"""
    coded = any(name in CODINGS and not _refused(weight) for name, weight in kept.items())
    return coded or not _refused(kept.get(UNCODED, kept.get(b"*", b"")))


def _refused(weight: bytes) -> bool:
    return NEVER.fullmatch(weight) is not None
