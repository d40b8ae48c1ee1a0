"""What is held back of an answer until the flow has spoken.

A flow decides about head and cookies after the view has run, and a message is acknowledged before
the last byte of its page. So an answer is held back up to the point where that can be decided:

* of an HTML page at most 64 KiB, and it is planted on the way;
* of everything else the head only;
* of a submission that must be settled first (separate) the whole answer, up to 1 MiB, as the app
  made it: a page may be kept as it is (`page`), and is planted only where it is not (`plant`).

`Hold` knows no protocol: an adapter tells it what the app says and asks whether to go on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final, Protocol

from .core.values import Response

PAGE_BYTES: Final = 64 << 10
SUBMISSION_BYTES: Final = 1 << 20
HTML: Final = (b"text/html", b"application/xhtml+xml")
XML: Final = b"application/xhtml+xml"  # one unclosed <input> and a browser shows an error instead
TELLING: Final = frozenset({b"content-encoding", b"cache-control", b"content-type"})
IDENTITY: Final = frozenset({b"", b"identity"})
# Charsets in which the bytes of `<form` need not mean `<form`.
NOT_ASCII: Final = (b"utf-16", b"utf-32", b"utf-7", b"ucs-", b"unicode", b"iso-2022", b"hz-")


class Planting(Protocol):
    """A stream through which a page passes (`seeother.core.html.Planter`)."""

    def feed(self, data: bytes, /) -> bytes:
        """A piece of the page, planted."""
        ...

    def close(self) -> bytes:
        """The end of the page."""
        ...


class Hold:
    """One answer on its way out.

    `planter(response)` gives the planting for a page or None; `everything`: hold back the whole
    answer, as far as it fits.
    """

    def __init__(
        self, planter: Callable[[Response], Planting | None], *, everything: bool = False
    ) -> None:
        self._planter = planter
        self._everything = everything
        self._planting: Planting | None = None
        self._held: list[bytes] = []
        self._size = 0
        self._limit = 0
        self.head: Response | None = None
        self.complete = False

    @property
    def bare(self) -> bool:
        """Is there nothing to hold back or to plant, so that the body may pass as it is?"""
        return self._limit == 0 and self._planting is None and not self._held

    def start(self, head: Response) -> None:
        """The app named its status and headers; naming them again makes a new answer."""
        self.head, self._held, self._size, self.complete = head, [], 0, False
        page = is_html(head)
        self._planting = self._planter(head) if page else None
        self._limit = PAGE_BYTES if page else 0
        if self._everything:
            self._limit = SUBMISSION_BYTES

    def add(self, chunk: bytes, *, last: bool) -> bool:
        """The app said a piece of its body; True when the flow may go on."""
        self._keep(chunk if self._everything else self._through(chunk, last=last))
        self.complete = last
        return last or self._size > self._limit or (self._limit == 0 and bool(chunk))

    def page(self) -> Response | None:
        """The whole answer as the app made it, if it is complete."""
        if self.head is None or not (self._everything and self.complete):
            return None
        return replace(self.head, body=b"".join(self._held))

    def plant(self) -> None:
        """It is sent as the answer of this request: plant what was held back as it came."""
        if self._everything:
            self._everything = False
            self._held = [self._through(b"".join(self._held), last=self.complete)]

    def through(self, chunk: bytes, *, last: bool) -> bytes:
        """A piece that comes after the head was sent: planted, not held back."""
        return self._through(chunk, last=last)

    def release(self) -> bytes:
        """Everything that was held back."""
        held, self._held = b"".join(self._held), []
        return held

    def fitted(self, head: Response) -> Response:
        """The head with a Content-Length that is true: planting adds bytes."""
        if self._planting is None or head.header(b"content-length") is None:
            return head
        kept = tuple((k, v) for k, v in head.headers if k != b"content-length")
        if self.complete:
            size = sum(len(piece) for piece in self._held)
            kept = (*kept, (b"content-length", str(size).encode()))
        return Response(head.status, kept)

    def _keep(self, chunk: bytes) -> None:
        if chunk:
            self._held.append(chunk)
            self._size += len(chunk)

    def _through(self, chunk: bytes, *, last: bool) -> bytes:
        if self._planting is None:
            return chunk
        planted = self._planting.feed(chunk) if chunk else b""
        return planted + self._planting.close() if last else planted


def is_html(head: Response) -> bool:
    """Is it a page?"""
    kind = next((v for k, v in head.headers if k == b"content-type"), b"")
    return kind.lower().startswith(HTML)


def can_plant(head: Response) -> bool:
    """May its bytes be looked at and added to (security rule 20)?"""
    said = [(name, value.lower()) for name, value in head.headers if name in TELLING]
    plain = IDENTITY.issuperset(_listed(said, b"content-encoding"))
    free = b"no-transform" not in _listed(said, b"cache-control")
    whole = head.status >= 200 and head.status not in (204, 205, 206, 304)
    kind, _, more = b",".join(_listed(said, b"content-type")).partition(b";")
    charset = more.partition(b"charset=")[2].lstrip(b"\"'").startswith(NOT_ASCII)
    return plain and free and whole and kind.strip() != XML and not charset


def _listed(said: list[tuple[bytes, bytes]], name: bytes) -> list[bytes]:
    """What a header lists in all its lines."""
    return [item.strip() for key, line in said if key == name for item in line.split(b",")]
