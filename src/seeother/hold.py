"""What is held back of an answer until the flow has spoken.

A flow decides about head and cookies after the view has run, and a message is acknowledged before
the last byte of its page. So an answer is held back up to the point where that can be decided:

* of an HTML page at most 64 KiB, and it is planted on the way; of a compressed one 64 KiB of its
  text (`core.coding`);
* of everything else the head only;
* of a submission that must be settled first (separate) the whole answer, up to 1 MiB, as the app
  made it: a page may be kept as it is (`page`), and is planted only where it is not (`plant`).

An answer of which the app says `SeeOther: off` is not planted and not kept; the header goes no
further.

`Hold` knows no protocol: an adapter tells it what the app says and asks whether to go on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Final

from .core.coding import CODED, Planting, Recoding, Untouched, coding_of, decoded
from .core.headers import switch
from .core.values import Headers, Response

__all__ = [
    "PAGE_BYTES",
    "SUBMISSION_BYTES",
    "Hold",
    "Planting",
    "can_plant",
    "is_html",
    "names_charset",
]

PAGE_BYTES: Final = 64 << 10
SUBMISSION_BYTES: Final = 1 << 20
HTML: Final = (b"text/html", b"application/xhtml+xml")
XML: Final = b"application/xhtml+xml"  # one unclosed <input> and a browser shows an error instead
TELLING: Final = frozenset({b"content-encoding", b"cache-control", b"content-type"})
IDENTITY: Final = frozenset({b"", b"identity"})
# Charsets in which the bytes of `<form` need not mean `<form`.
NOT_ASCII: Final = (b"utf-16", b"utf-32", b"utf-7", b"ucs-", b"unicode", b"iso-2022", b"hz-")


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
        self._recoding: Recoding | None = None
        self._coding = b""
        self._off = self._begun = False
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
        headers, self._off = switch(head.headers)
        head = head if headers is head.headers else replace(head, headers=headers)
        self.head, self._held, self._size, self.complete = head, [], 0, False
        self._planting, self._recoding, self._coding, self._begun = None, None, b"", False
        page = is_html(head)
        if page:
            self._look_at(head)
        self._limit = PAGE_BYTES if page else 0
        if self._everything:
            self._limit = SUBMISSION_BYTES

    def add(self, chunk: bytes, *, last: bool) -> bool:
        """The app said a piece of its body; True when the flow may go on."""
        if self._everything:
            self._keep(chunk, chunk)
        elif self._recoding is not None:
            self._recoding.add(chunk, last=last)
            self._size = self._recoding.size
        else:
            self._keep(chunk, self._planted(chunk, last=last))
        self.complete = last
        return last or self._size > self._limit or (self._limit == 0 and bool(chunk))

    @property
    def kept_head(self) -> Response | None:
        """The head of the page that could be kept of this answer: it says of no coding."""
        return None if self.head is None or self._off else self._plain(self.head)

    def page(self) -> Response | None:
        """The whole answer as the app made it, decoded, if it is complete."""
        head = self.kept_head
        if head is None or not (self._everything and self.complete):
            return None
        body: bytes | None = b"".join(self._held)
        if self._coding:
            body = decoded(self._coding, body or b"", SUBMISSION_BYTES)
        return None if body is None else replace(head, body=body)

    def plant(self) -> None:
        """It is sent as the answer of this request: plant what was held back as it came."""
        if not self._everything:
            return
        self._everything = False
        held, self._held = b"".join(self._held), []
        if self._recoding is not None:
            self._recoding.add(held, last=self.complete)
        else:
            self._held = [self._planted(held, last=self.complete)]

    @property
    def unseen(self) -> bool:
        """Is there more of a page than could be looked at before its head has to be decided?"""
        if self._recoding is not None and self._recoding.pending:
            return True
        active = self._planting is not None or self._recoding is not None
        return active and self._size > 0 and not self.complete

    def leave(self) -> None:
        """Plant into nothing that comes from here on."""
        if self._recoding is not None:
            self._recoding.leave()
        elif self._planting is not None:
            self._held.append(self._planting.close())
            self._planting = Untouched()

    def through(self, chunk: bytes, *, last: bool) -> bytes:
        """A piece that comes after the head was sent: planted, not held back."""
        if self._recoding is not None:
            return self._recoding.through(chunk, last=last)
        return self._planted(chunk, last=last)

    def release(self) -> bytes:
        """Everything that was held back."""
        self._begin()
        held, self._held = b"".join(self._held), []
        return held

    def fitted(self, head: Response) -> Response:
        """The head with a Content-Length that is true: planting adds bytes."""
        self._begin()
        changes = self._planting is not None or self._recoding is not None
        if not changes or head.header(b"content-length") is None:
            return head
        if self._recoding is not None and self._recoding.as_is:
            return head
        kept = [pair for pair in head.headers if pair[0] != b"content-length"]
        if self.complete:
            kept.append((b"content-length", b"%d" % sum(map(len, self._held))))
        return Response(head.status, tuple(kept))

    def _look_at(self, head: Response) -> None:
        """A page may be planted, and decoded for that."""
        self._coding = coding_of(head.headers)
        planting = None if self._off else self._planter(self._plain(head))
        if planting is not None and self._coding:
            self._recoding = Recoding(self._coding, planting, SUBMISSION_BYTES)
        else:
            self._planting = planting

    def _plain(self, head: Response) -> Response:
        """The head without the coding, where that can be undone."""
        if not self._coding:
            return head
        return replace(head, headers=tuple(pair for pair in head.headers if pair[0] != CODED))

    def _keep(self, came: bytes, kept: bytes) -> None:
        self._size += len(came)
        if kept:
            self._held.append(kept)

    def _planted(self, chunk: bytes, *, last: bool) -> bytes:
        if self._planting is None:
            return chunk
        planted = self._planting.feed(chunk) if chunk else b""
        return planted + self._planting.close() if last else planted

    def _begin(self) -> None:
        """What is compressed comes out now, once."""
        if self._recoding is not None and not self._begun:
            self._begun = True
            self._held = [self._recoding.begin(last=self.complete)]


def is_html(head: Response) -> bool:
    """Is it a page?"""
    return _kind(head).startswith(HTML)


def names_charset(head: Response) -> bool:
    """Does the head say how the page is encoded?"""
    return b"charset=" in _kind(head)


def can_plant(head: Response) -> bool:
    """May its bytes be looked at and added to (security rule 20)?"""
    whole = head.status >= 200 and head.status not in (204, 205, 206, 304)
    return whole and _is_readable(tuple([pair for pair in head.headers if pair[0] in TELLING]))


@lru_cache(maxsize=64)  # an app says few different things
def _is_readable(told: Headers) -> bool:
    said = tuple((name, value.lower()) for name, value in told)
    plain = IDENTITY.issuperset(_listed(said, b"content-encoding"))
    free = b"no-transform" not in _listed(said, b"cache-control")
    kind, _, more = b",".join(_listed(said, b"content-type")).partition(b";")
    charset = more.partition(b"charset=")[2].lstrip(b"\"'").startswith(NOT_ASCII)
    return plain and free and kind.strip() != XML and not charset


def _kind(head: Response) -> bytes:
    for name, value in head.headers:
        if name == b"content-type":
            return value.lower()
    return b""


def _listed(said: Headers, name: bytes) -> list[bytes]:
    """What a header lists in all its lines."""
    return [item.strip() for key, line in said if key == name for item in line.split(b",")]
