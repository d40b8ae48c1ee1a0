"""The nouns: frozen values that travel between adapter, flow and store.

Nothing here knows a framework or a database. A `Request` carries its own time and its own source
of randomness, so that the core needs neither a clock nor an entropy pool and every test can choose
both. The *mutable* part of a request (its visit) lives with the adapters, in `seeother.visit`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Set
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

from .cookie import SetCookie
from .frozen import quick

Headers = tuple[tuple[bytes, bytes], ...]
Category = str
Kind = Literal["accepted", "rejected"]

# An encoder of json is made anew for every list, and for a text it is not: so rows are put together
# here, of texts.
_JSON: Final = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False)
_ASCII: Final = json.JSONEncoder(separators=(",", ":"))

ACCEPTED: Final[Kind] = "accepted"
REJECTED: Final[Kind] = "rejected"


@quick
@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request as the core sees it; header names are lower-case bytes.

    `root` + `path` is the path as sent (percent-encoded), `query` the raw query string, `now`
    seconds since the epoch, `entropy(n)` gives n unpredictable bytes.
    """

    method: str
    scheme: str
    host: str
    root: str
    path: str
    query: bytes
    headers: Headers
    now: float
    entropy: Callable[[int], bytes] = field(compare=False, repr=False)
    _first: dict[bytes, bytes] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        # A dozen headers are asked for in every request; of two with one name the first counts.
        object.__setattr__(self, "_first", dict(reversed(self.headers)))

    def header(self, name: bytes) -> bytes | None:
        """The first value of a header, or None."""
        return self._first.get(name)

    def has(self, names: frozenset[bytes]) -> bool:
        """Does it carry one of these headers?"""
        return not names.isdisjoint(self._first)

    def all(self, name: bytes) -> list[bytes]:
        """Every value of a header; hardly a request has two headers of one name."""
        if len(self._first) == len(self.headers):
            return [self._first[name]] if name in self._first else []
        return [value for key, value in self.headers if key == name]

    @property
    def origin(self) -> str:
        """`scheme://host[:port]` under which the client reached us."""
        return f"{self.scheme}://{self.host}"

    @property
    def url(self) -> str:
        """The absolute URL, query included."""
        query = self.query.decode("latin-1")
        return f"{self.origin}{self.root}{self.path}" + (f"?{query}" if query else "")


@quick
@dataclass(frozen=True, slots=True)
class Response:
    """One HTTP response with its whole body; header names are lower-case bytes."""

    status: int
    headers: Headers = ()
    body: bytes = b""

    def header(self, name: bytes) -> str | None:
        """The first value of a header as text, or None."""
        for key, value in self.headers:
            if key == name:
                return text_of(value)
        return None

    def all(self, name: bytes) -> tuple[bytes, ...]:
        """Every value of a header."""
        return tuple([value for key, value in self.headers if key == name])


def text_of(value: bytes) -> str:
    """A header's value as text: UTF-8 where it is, as some frameworks send it, else Latin-1."""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")


@quick
@dataclass(frozen=True, slots=True)
class Flash:
    """A one-time message: text, a category as in Flask and Django, perhaps a link to the thing."""

    text: str
    category: Category = "message"
    link: str | None = None


@quick
@dataclass(frozen=True, slots=True)
class Draft:
    """Rejected input and what is wrong with it, kept across the redirect.

    `who` is the principal whose it is, empty for nobody who is signed in (security rule 4).
    """

    values: tuple[tuple[str, str], ...] = ()
    errors: tuple[tuple[str, str], ...] = ()
    who: str = ""

    def old(self, name: str) -> str | None:
        """The value that was typed into a field, or None."""
        return next((value for key, value in self.values if key == name), None)

    def error(self, name: str) -> str | None:
        """What is wrong with a field, or None."""
        return next((text for key, text in self.errors if key == name), None)


class Key(NamedTuple):
    """The ledger's key: id from the token (issue time first), variant from the input."""

    id: bytes
    variant: bytes


@quick
@dataclass(frozen=True, slots=True)
class Outcome:
    """The recorded answer of a submission: never a body. `cookies` are sealed (`core.again`)."""

    kind: Kind
    status: int
    location: str | None = None
    receipt: bytes | None = None
    headers: Headers = ()
    cookies: bytes = b""


@quick
@dataclass(frozen=True, slots=True)
class Receipt:
    """What travels with a redirect: owns the messages and the draft of one outcome.

    `visitor` is the hash of the visitor's cookie: nobody else can open it. `echo` is a digest of
    the canonical input under the visitor's secret (the other half of a double click).
    """

    id: bytes
    visitor: bytes
    key: Key | None
    echo: bytes
    messages: tuple[Flash, ...] = ()
    draft: bytes = b""

    @property
    def carries(self) -> bool:
        """Is there anything in it that a page could show?"""
        return bool(self.messages or self.draft)


Update = Callable[[bytes | None], bytes]


@quick
@dataclass(frozen=True, slots=True)
class Changes:
    """What one visit did to its session: keys set, deleted and updated, or all of them cleared.

    `updates` are functions of what the store holds at the moment of writing (`session.change`).
    """

    sets: tuple[tuple[str, bytes], ...] = ()
    deletes: tuple[str, ...] = ()
    cleared: bool = False
    updates: tuple[tuple[str, Update], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.sets or self.deletes or self.cleared or self.updates)


@quick
@dataclass(frozen=True, slots=True)
class SessionWrite:
    """A change set and the session it belongs to (ids are hashes of cookies).

    `fresh`: this write creates the session. `moves`: it goes on under `sid` what was `moves` so far
    (rotation). `ends`: this session ends; with `fresh`, `sid` is its successor and gets nothing.
    """

    sid: bytes
    changes: Changes
    fresh: bool = False
    moves: bytes | None = None
    ends: bytes | None = None


@quick
@dataclass(frozen=True, slots=True)
class KeptPage:
    """A page that answers a submission, whole and as the app made it, to be kept and shown later.

    `cookies`: those of the app's that no script may read, as far as it has said so.
    """

    response: Response
    cookies: Set[bytes]


@quick
@dataclass(frozen=True, slots=True)
class Handled:
    """What the view did: its answer, and what it left in its visit.

    `final`: settled already, nothing is to be added. `repeat`: a 307 is meant as one; under ASGI
    it may be no more than Starlette's default. `page`: keep the answer, redirect to it (zero-code).
    `visitor`: the browser is somebody else's from now on, and what is left is for the visitor of
    this new cookie.
    """

    response: Response
    flashes: tuple[Flash, ...] = ()
    draft: Draft | None = None
    session: SessionWrite | None = None
    shown: bool = False
    rendered: bool = False
    cookies: tuple[SetCookie, ...] = ()
    final: bool = False
    repeat: bool = True
    page: KeptPage | None = None
    visitor: bytes | None = None


def pack_outcome(outcome: Outcome) -> bytes:
    """An outcome as the bytes that the ledger keeps."""
    headers = [[k.decode("latin-1"), v.decode("latin-1")] for k, v in outcome.headers]
    said = _ASCII.encode(headers) if headers else "[]"
    location = "null" if outcome.location is None else _ASCII.encode(outcome.location)
    receipt = f'"{outcome.receipt.hex()}"' if outcome.receipt else "null"
    cookies = f',"{outcome.cookies.hex()}"' if outcome.cookies else ""
    row = f'["{outcome.kind[0]}",{outcome.status},{location},{receipt},{said}{cookies}]'
    return row.encode()


def unpack_outcome(data: bytes) -> Outcome:
    """The inverse of `pack_outcome`."""
    kind, status, location, receipt, headers, *cookies = json.loads(data.decode())
    return Outcome(
        ACCEPTED if kind == "a" else REJECTED,
        status,
        location,
        bytes.fromhex(receipt) if receipt else None,
        tuple((k.encode("latin-1"), v.encode("latin-1")) for k, v in headers),
        bytes.fromhex("".join(cookies)),
    )


def pack_messages(messages: tuple[Flash, ...]) -> bytes:
    """Messages as the bytes that a receipt keeps."""
    return f"[{','.join(map(_packed, messages))}]".encode()


def _packed(message: Flash) -> str:
    link = "null" if message.link is None else _JSON.encode(message.link)
    return f"[{_JSON.encode(message.text)},{_JSON.encode(message.category)},{link}]"


def unpack_messages(data: bytes) -> tuple[Flash, ...]:
    """The inverse of `pack_messages`."""
    return tuple(Flash(*row) for row in json.loads(data.decode()))
