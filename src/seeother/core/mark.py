"""The mark `?so=<receipt>` on a landing URL, and the bare `?so` on an action.

A receipt's id is 8 random bytes; in a URL it stands with 8 bytes of MAC, so that an invented mark
costs no store access. The mark goes into the query, before any fragment, and only where it can come
back to us. On the way in it is cut out again byte by byte, so that the app sees the query it knows;
nothing else of the query is touched (security rule 24).

A bare `so` (no equals sign) marks the action of a form that posts to its page's own URL. Without it
Back shows the landing page with a new token beside the old text (measured in both browsers). It is
ours on a request that may change something, and in a Location, where it is what such a form left in
the address.
"""

from __future__ import annotations

import re
from hmac import compare_digest
from typing import Final, NamedTuple

from .keys import Keyring, decode, encode
from .token import FIELD

RANDOM: Final = 8
_TOKEN: Final = FIELD.encode() + b"="
_A_TOKEN: Final = re.compile(_TOKEN + rb"[A-Za-z0-9_-]{56}(?:(?:~|%7E)[A-Za-z0-9_-]*)?")


class Cut(NamedTuple):
    """A query without its mark, and the receipt that the mark named."""

    query: bytes
    receipt: bytes | None


def sign(ring: Keyring, receipt: bytes) -> str:
    """A receipt's id as it stands in a URL: 22 URL-safe characters."""
    return encode(receipt + ring.current.receipt_tag(receipt))


def named(random: bytes, *, page: bool) -> bytes:
    """A receipt's id: random, but for one bit that says whether a page is kept under it.

    So it is still known when the page had to make room for others.

    >>> [names_page(named(b"12345678", page=page)) for page in (True, False)]
    [True, False]
    """
    return bytes((random[0] | 1 if page else random[0] & ~1,)) + random[1:]


def names_page(receipt: bytes) -> bool:
    """Is, or was, a page kept under this receipt?"""
    return bool(receipt[0] & 1)


def open_mark(ring: Keyring, text: str) -> bytes | None:
    """The receipt id in a mark of ours, else None.

    >>> ring = Keyring.make([b"s" * 32], "docs")
    >>> open_mark(ring, sign(ring, b"12345678")), open_mark(ring, "A" * 22)
    (b'12345678', None)
    """
    raw = decode(text, 2 * RANDOM)
    if raw is None:
        return None
    for key in ring.keys:
        if compare_digest(raw[RANDOM:], key.receipt_tag(raw[:RANDOM])):
            return raw[:RANDOM]
    return None


def cut(ring: Keyring, query: bytes, name: str | None, *, unsafe: bool) -> Cut:
    """Take our marks out of a query string; all other bytes stay as they are.

    `unsafe`: a bare `so` is ours only on a request that may change something. Of several marks the
    last one counts.
    """
    query = _without_token(query)
    if not query or name is None or (bare := name.encode()) not in query:
        return Cut(query, None)
    kept: list[bytes] = []
    receipt = None
    for pair in query.split(b"&"):
        key, _, value = pair.partition(b"=")
        found = open_mark(ring, value.decode("latin-1")) if key == bare and value else None
        if found is not None:
            receipt = found
        elif not (unsafe and pair == bare):
            kept.append(pair)
    return Cut(b"&".join(kept), receipt)


def _without_token(query: bytes) -> bytes:
    """A button with `formmethod=get` puts the token of its form into the address (rule 21)."""
    if _TOKEN not in query:
        return query
    return b"&".join([pair for pair in query.split(b"&") if not _A_TOKEN.fullmatch(pair)])


def add(location: str, name: str, value: str | None) -> str:
    """Put a mark into a location's query, before its fragment; `value` None = bare.

    >>> add("/list?page=2#end", "so", "abc")
    '/list?page=2&so=abc#end'
    """
    url, hash_, fragment = location.partition("#")
    pair = name if value is None else f"{name}={value}"
    path, _, query = url.partition("?")
    return f"{path}?{query and query + '&'}{pair}{hash_}{fragment}"


def strip(location: str, name: str | None, ring: Keyring) -> str:
    """A location without any mark of ours; one that has none stays as it is.

    >>> ring = Keyring.make([b"s" * 32], "docs")
    >>> strip(add("/list?page=2#end", "so", sign(ring, b"12345678")), "so", ring)
    '/list?page=2#end'
    """
    if "?" not in location:
        return location
    url, hash_, fragment = location.partition("#")
    path, _, before = url.partition("?")
    after = cut(ring, before.encode(), name, unsafe=True).query.decode()
    if after == before:
        return location
    return f"{path}{after and '?' + after}{hash_}{fragment}"
