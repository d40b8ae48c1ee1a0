"""Planting: a hidden field into every form that posts to this site, all other bytes untouched.

A page passes through a `Planter` in chunks of any size, and the same bytes come out for every way
of cutting it. `plant` does the same with a whole document.

**Which forms.** Those that a browser would see as forms, with method POST, that post to this origin
and into this window. Not those in comments, scripts, `<template>` (its clones would share one
token), inside another form (browsers ignore them), or marked `data-seeother="off"`.

**What a stream can know.** Whether a form may have a token depends on more than its start tag: a
`<button formaction>` may send it elsewhere, `{{ seeother_field() }}` may already stand in it. So
from its start tag on a form is held back until its end, at most `HOLD` bytes; what comes later in
it is not known. What comes after it may matter as well: a `<base>`, or a button outside with
`form="id"`. So nothing is decided before `HOLD` bytes from the first form on were read, or the page
has ended; only a page that is longer may tell too late. `plant` reads to the end. A form in a
declarative shadow root is never planted. None of this is what the defence rests on: a token alone
never passes a cross-site check.

**In an open `<select>`** older browsers see no forms, newer ones do. A form that begins there is
left alone, one that ends there stays open.

**`<noscript>`** is text for one browser and markup for another. A form that begins and ends in one
is planted; otherwise what stands in it opens and closes nothing outside, and a form counts as open
if it is open for either browser.

Where only a browser's repair of broken markup could tell, the rest of the page is left alone, and
so is a form that is still open there.

**Pages seen before.** A template's pages begin alike up to the end of their forms, so where the
fields go is remembered for the heads seen last. What is remembered is a pure function of the bytes;
a page is read anew from its first byte as soon as one more form comes.
"""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final

from .action import Page
from .planting import HOLD, FormTag, Known, Piece, Plantable, Walk, filled

__all__ = ["HOLD", "UNREAD", "FormTag", "Page", "Plantable", "Planter", "Unlabelled", "plant"]

UNREAD: Final = 1 << 20  # bytes that are kept to be read later at most
HEADS: Final = 32  # pages whose beginning is remembered
HEAD_BYTES: Final = 1 << 14

_FORM: Final = re.compile(rb"<form[\t\n\f\r />]", re.IGNORECASE)
_FORM_END: Final = b"</form>"
_ESCAPE: Final = b"\x1b"
# What may become the start of a form when more bytes come.
_CUT_OFF: Final = re.compile(rb"<(?:f(?:o(?:r(?:m)?)?)?)?\Z", re.IGNORECASE)
# What may be a form, or tell about forms that stand before it.
_FORM_OR_BASE: Final = re.compile(rb"<(?:form|base)[\t\n\f\r />]", re.IGNORECASE)
_LATER: Final = (b"<form", b"<base", b"formaction")


class Planter:
    """Plants into a page that passes through in chunks.

    `field` is the markup to plant right after a form's start tag, or a callable that makes it for
    a `FormTag` (None: not into this one). `page` says where the page stands; without it, absolute
    addresses count as foreign and no action is marked.

    >>> planter = Planter(b"<input type=hidden name=so_token value=t>")
    >>> planter.feed(b"<p>Hello<form meth"), planter.feed(b"od=post></for"), planter.feed(b"m></p>")
    (b'<p>Hello', b'', b'')
    >>> planter.close()
    b'<form method=post><input type=hidden name=so_token value=t></form></p>'
    """

    def __init__(self, field: Plantable, *, page: Page | None = None) -> None:
        self._field, self._page = field, page
        self._walk = Walk(page, Known())
        self._early: list[bytes] | None = None  # from the first form on, as long as it is read
        self._early_size = 0
        self._known_head = b""  # its planting was known, the walk has not seen it
        self._fed = 0  # to the walk
        self._unread: list[bytes] = []
        self._unread_size = 0
        self._sent = 0  # of what the walk will release
        self._tail = b""

    def feed(self, data: bytes) -> bytes:
        """Take a chunk; returns the bytes that are ready, all but the last `HOLD` of what came."""
        if self._early is not None:
            return self._read_early(data)
        data, self._tail = self._tail + data, b""
        if not self._walk.settled:
            return self._read(data)
        found = _FORM.search(data)
        if not found:
            return self._pass(data)
        if self._walk.waiting is not None:  # it is the first one
            before, self._early = data[: found.start()], []
            self._unread.append(before)
            self._unread_size += len(before)
            return before + self._read_early(data[found.start() :])
        # Most pages have their forms at the top and their length below: no need to read on there.
        head, end, rest = data.rpartition(_FORM_END)
        if not (end and rest):
            return self._read(data)
        return self._read(head + end) + self.feed(rest)

    def close(self) -> bytes:
        """End the page; returns the bytes that were held back."""
        ready = self._end_early(final=True) if self._early is not None else b""
        return ready + (self._tail if self._walk.settled else self._read(b"", final=True))

    def give_up(self) -> bytes:
        """End it here: nobody can read on. A form that is open is left alone."""
        ready = self._end_early() if self._early is not None else b""
        if self._walk.settled:
            return ready + self._tail
        self._walk.give_up()
        return ready + self._read(b"", final=True)

    def _read_early(self, data: bytes) -> bytes:
        """Keep what comes, until enough is known to decide about the first forms."""
        assert self._early is not None
        self._early.append(data)
        self._early_size += len(data)
        if self._early_size < HOLD:
            return b""
        data = b"".join(self._early)
        self._early = [data[:HOLD]]
        return self._end_early() + self.feed(data[HOLD:])

    def _end_early(self, *, final: bool = False) -> bytes:
        """Plant into the first forms, from memory if the page begins like another."""
        data, self._early = b"".join(self._early or ()), None
        pieces = None
        head, end, rest = (b"".join((*self._unread, data)) if self._unread else data).rpartition(
            _FORM_END
        )
        size = len(head) + len(end)
        if not self._fed and self._unread_size < size <= HEAD_BYTES:
            pieces = _pieces(head + end, rest, self._page)
        if pieces is None:
            ready = self._read(data, final=final)
            self._walk.settle()
            return ready + (b"" if final else self._read(b""))
        self._walk.settle()
        self._known_head, sent = head + end, self._unread_size
        self._unread, self._unread_size = [], 0
        return filled(pieces, self._field)[sent:] + self._pass(rest)

    def _pass(self, data: bytes) -> bytes:
        """Hand on what holds no form and is in none; it is read as soon as a form comes."""
        cut = _CUT_OFF.search(data, max(0, len(data) - len(b"<form")))
        if cut:
            data, self._tail = data[: cut.start()], cut[0]
        self._unread.append(data)
        self._unread_size += len(data)
        if self._unread_size > UNREAD:
            self._read(b"")
        return data

    def _read(self, data: bytes, *, final: bool = False) -> bytes:
        """Walk through what was handed on unread, then through this, and return what is ready."""
        if self._known_head:
            self._walk.feed(self._known_head)
            self._walk.release(len(self._known_head))
            self._fed, self._known_head = len(self._known_head), b""
        self._sent += self._unread_size
        self._fed += self._unread_size + len(data)
        data = b"".join((*self._unread, data))
        self._unread, self._unread_size = [], 0
        self._walk.feed(data, final=final)
        ready = filled(self._walk.release(None if final else self._fed), self._field)
        known = min(self._sent, len(ready))
        self._sent -= known
        return ready[known:]


class Unlabelled(Planter):
    r"""Plants into a page of which the head does not say how it is encoded.

    It may be ISO-2022-JP: its `<meta>` says so, or a browser guesses it. There the bytes of `<form`
    are other characters after an escape, and the page is left alone from the first one on.

    >>> planter = Unlabelled(b"!")
    >>> planter.feed(b"<form method=post></form> \x1b$B<form method=post></form>")
    b'<form method=post>!</form> \x1b$B<form method=post></form>'
    """

    _lost = False

    def feed(self, data: bytes) -> bytes:
        """Take a chunk; see `Planter.feed`."""
        if self._lost:
            return data
        before, escape, after = data.partition(_ESCAPE)
        if not escape:
            return super().feed(data)
        ready = super().feed(before) + self.give_up()
        self._lost = True
        return ready + escape + after

    def close(self) -> bytes:
        """End the page; see `Planter.close`."""
        return b"" if self._lost else super().close()


def _pieces(head: bytes, rest: bytes, page: Page | None) -> tuple[Piece, ...] | None:
    """The beginning of a page, cut where it is to be planted; None where more is to be read."""
    if _FORM_OR_BASE.search(rest):
        return None
    pieces, named = _remembered(head, page)
    return None if named and b"formaction" in rest.lower() else pieces


@lru_cache(maxsize=HEADS)
def _remembered(head: bytes, page: Page | None) -> tuple[tuple[Piece, ...] | None, bool]:
    """The same without a look at the rest, and whether buttons there may name one of the forms."""
    walk = Walk(page, Known())
    walk.feed(head)
    walk.settle()
    if not walk.settled:
        return None, False
    pieces = tuple(_joined(walk.release(len(head))))
    return pieces, any(not isinstance(one, bytes) and b"id" in one.bare.lower() for one in pieces)


def _joined(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """The same pieces, none of them followed by another of mere text."""
    text: list[bytes] = []
    for piece in pieces:
        if isinstance(piece, bytes):
            text.append(piece)
        else:
            yield from (b"".join(text), piece)
            text = []
    yield b"".join(text)


def plant(html: bytes, field: Plantable, *, page: Page | None = None) -> bytes:
    """Plant a hidden field into every form of a document that posts to its own site.

    Arguments as for `Planter`. All other bytes are untouched; a document without such a form comes
    back as it is.

    >>> page = Page("https://board.example", "/", "")
    >>> plant(b'<form method="post" action="/">', b"<input ...>", page=page)
    b'<form method="post" action="/?so"><input ...>'
    >>> plant(b'<form method="post" action="https://other.example/">', b"<input ...>", page=page)
    b'<form method="post" action="https://other.example/">'
    """
    if not _FORM.search(html):
        return html
    walk = Walk(page, Known())
    end = html.rfind(_FORM_END) + len(_FORM_END)
    after = html[end:].lower()
    if end < len(_FORM_END) or any(word in after for word in _LATER):
        end = len(html)
    walk.feed(html[:end])
    if end < len(html):
        walk.settle()
        if walk.settled:
            return filled(walk.release(end), field) + html[end:]
    walk.feed(html[end:], final=True)
    return filled(walk.release(), field)
