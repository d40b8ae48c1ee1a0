"""Compressed pages: decoded on the way, planted, and compressed again (RFC 9110 section 8.4).

Many apps compress their pages themselves, and a form in a compressed page needs its token as much
as any other. Of all codings two can be undone with the standard library: gzip (RFC 1952) and
deflate (RFC 1950; some send it bare, RFC 1951, and browsers take both). Others are not asked for
(`core.asked`), and pass as they are where they come all the same.

**Bounds.** A few hundred bytes can decode to a gigabyte. So nothing is decoded as a whole: text
comes out in pieces of at most `PIECE` bytes, and each is planted and compressed before the next one
is made. Work is bounded, too: beyond the first `FREE` bytes a page may not decode to more than
`RATIO` times of what came, which is more than HTML reaches and a sixteenth of what a bomb can do.

**Damage.** As long as nothing was sent, a page that cannot be decoded passes as the app made it.
After that it ends where it could no longer be read, without the mark of its end, so that a browser
sees what it would have seen without us: a page that breaks off.

**What was not changed is not touched.** A page that is known to hold no form keeps its own bytes,
and so its length and its ETag. Only others are compressed anew, at the fastest level.

**Compression and secrets.** The length of a compressed page that mirrors input tells whether a
guess was right (BREACH). A token is a new random name each time it is rendered, so nobody can guess
twice at the same one. What an app sends plain is never compressed here.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from enum import Enum
from typing import Any, Final, Protocol

from .values import Headers

__all__ = [
    "CODED",
    "CODINGS",
    "FREE",
    "PIECE",
    "RATIO",
    "Decoder",
    "Planting",
    "Recoding",
    "Undecodable",
    "Untouched",
    "coding_of",
    "decoded",
]

CODED: Final = b"content-encoding"
GZIP: Final = 31  # zlib's `wbits`: with the header and the checksum of gzip
ZLIB: Final = 15
BARE: Final = -15
CODINGS: Final = {b"gzip": GZIP, b"x-gzip": GZIP, b"deflate": ZLIB}
GZIP_MAGIC: Final = b"\x1f\x8b"
PIECE: Final = 64 << 10
SLICE: Final = 16 << 10  # zlib copies what it could not use yet: short slices keep that linear
FREE: Final = 16 << 20
RATIO: Final = 64
FASTEST: Final = 1
DEFLATED: Final = 8  # the method in the header of RFC 1950


class Planting(Protocol):
    """A stream through which a page passes (`seeother.core.html.Planter`)."""

    def feed(self, data: bytes, /) -> bytes:
        """A piece of the page, planted."""
        ...

    def close(self) -> bytes:
        """The end of the page."""
        ...


class Undecodable(ValueError):
    """The rest cannot be decoded: it is damaged, or a bomb."""


class Decoder:
    """Undoes one of `CODINGS`, piece by piece.

    Several gzip members one after the other are one text (RFC 1952 section 2.2). What follows the
    end and is no member is left out, as browsers do.

    >>> decoder = Decoder(b"gzip")
    >>> b"".join(decoder.feed(zlib.compress(b"Hello", wbits=31))), decoder.whole
    (b'Hello', True)
    """

    def __init__(self, coding: bytes) -> None:
        self._wbits = CODINGS[coding]
        self._inflate: Any = None  # zlib does not name its type
        self._start = b""  # too short to tell what begins
        self._members = self._fed = self._made = 0
        self._over = False

    @property
    def whole(self) -> bool:
        """Is it complete as it is? So is nothing at all."""
        return self._inflate is None and (self._members > 0 or not self._start)

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The text of these bytes, in pieces. Raises Undecodable; nothing is to be fed after it."""
        for at in range(0, len(data), SLICE):
            if self._over:
                return
            piece = data[at : at + SLICE]
            self._fed += len(piece)
            yield from self._slice(piece)

    def _slice(self, data: bytes) -> Iterator[bytes]:
        while True:
            if self._inflate is None:
                data = self._begun(data)
                if self._inflate is None:
                    return
            text, data = self._inflated(data)
            if text:
                yield text
            if not data and len(text) < PIECE:  # at PIECE, zlib may still hold text back
                return

    def _begun(self, data: bytes) -> bytes:
        """Begin a member where there is one: two bytes tell. Returns what is to be decoded."""
        data, self._start = self._start + data, b""
        if len(data) < len(GZIP_MAGIC):
            self._start = data
            return b""
        if self._members and not (self._wbits == GZIP and data.startswith(GZIP_MAGIC)):
            self._over = True
            return b""
        bare = self._wbits == ZLIB and not _has_zlib_header(data)
        self._inflate = zlib.decompressobj(BARE if bare else self._wbits)
        return data

    def _inflated(self, data: bytes) -> tuple[bytes, bytes]:
        """The next piece, and what is left to decode."""
        try:
            text = self._inflate.decompress(data, PIECE)
        except zlib.error as error:
            raise Undecodable(str(error)) from error
        self._made += len(text)
        if self._made > FREE + RATIO * self._fed:
            raise Undecodable(f"more than {RATIO} times as long as what came")
        left: bytes = self._inflate.unconsumed_tail
        if self._inflate.eof:
            left, self._inflate = self._inflate.unused_data, None
            self._members += 1
        return text, left


def _has_zlib_header(data: bytes) -> bool:
    """RFC 1950 section 2.2: the method, and a check over both bytes."""
    return data[0] & 15 == DEFLATED and int.from_bytes(data[:2], "big") % 31 == 0


def coding_of(headers: Headers) -> bytes:
    """The coding of an answer, if it is a single one that can be undone; else nothing.

    >>> coding_of(((b"content-encoding", b"GZip"),)), coding_of(((b"content-encoding", b"br"),))
    (b'gzip', b'')
    """
    said = [value.strip().lower() for name, value in headers if name == CODED]
    return said[0] if len(said) == 1 and said[0] in CODINGS else b""


def decoded(coding: bytes, body: bytes, most: int) -> bytes | None:
    """A whole body, decoded; None where it is damaged, incomplete or longer than `most` bytes.

    >>> decoded(b"deflate", zlib.compress(b"Hello"), 100)
    b'Hello'
    """
    decoder, pieces, size = Decoder(coding), list[bytes](), 0
    try:
        for piece in decoder.feed(body):
            pieces.append(piece)
            size += len(piece)
            if size > most:
                return None
    except Undecodable:
        return None
    return b"".join(pieces) if decoder.whole else None


class State(Enum):
    """What has become of a page on its way."""

    HELD = "nothing was sent, everything can still be decided"
    AS_IS = "it passes as the app made it"
    CODING = "it is planted and compressed anew"
    ENDED = "it is complete"
    BROKEN = "it could be read no further: nothing follows"


AFTER_DAMAGE: Final = {State.HELD: State.AS_IS, State.CODING: State.BROKEN}


class Recoding:
    """A compressed page that passes through a planting.

    `add` takes it until `begin` gives its first bytes; then `through` takes and gives it. `size` is
    how much is held back: the text, or its code where that is longer. At most `most` bytes of text
    are looked at before `begin`; `pending` tells that there are more.
    """

    def __init__(self, coding: bytes, planting: Planting, most: int) -> None:
        self._decoder, self._planting, self._most = Decoder(coding), planting, most
        self._encoder: Any = zlib.compressobj(FASTEST, zlib.DEFLATED, CODINGS[coding])
        self._state = State.HELD
        self._raw: list[bytes] = []
        self._text: list[bytes] = []
        self._planted: list[bytes] = []
        self._later: list[Iterator[bytes]] = []  # what is yet to be decoded
        self._out: list[bytes] = []
        self._sizes = [0, 0]

    @property
    def size(self) -> int:
        """Bytes that were taken and not given."""
        return max(self._sizes)

    @property
    def pending(self) -> bool:
        """Is there something that was not looked at?"""
        return self._state is State.HELD and bool(self._later)

    @property
    def as_is(self) -> bool:
        """Does it pass as the app made it?"""
        return self._state is State.AS_IS

    def add(self, data: bytes, *, last: bool) -> None:
        """A piece that is held back."""
        self._raw.append(data)
        self._sizes[0] += len(data)
        if self._state is State.HELD:
            self._later.append(self._decoder.feed(data))
            self._decode(self._most)
        if last and not self._later:
            self._end()

    def begin(self, *, last: bool) -> bytes:
        """Everything that was held back; from now on nothing is. `last`: it is all of the page."""
        held, self._raw = self._raw, []
        if self._state is State.HELD:
            self._state = State.CODING if any(held) else State.AS_IS
            self._compress(b"".join(self._planted))
            self._text, self._planted = [], []
            self._rest(last=last)
        return b"".join(held) if self.as_is else self._flushed()

    def through(self, data: bytes, *, last: bool) -> bytes:
        """A piece that is not held back."""
        if self.as_is:
            return data
        self._later.append(self._decoder.feed(data))
        self._rest(last=last)
        return self._flushed()

    def leave(self) -> None:
        """Plant no more. Where nothing was planted so far, it passes as the app made it."""
        if self._state is State.HELD:
            self._planted.append(self._planting.close())
            self._planting = Untouched()
            self._state = State.HELD if self._changed else State.AS_IS

    @property
    def _changed(self) -> bool:
        return b"".join(self._planted) != b"".join(self._text)

    def _rest(self, *, last: bool) -> None:
        if self._state is State.CODING:
            self._decode()
            if last:
                self._end()
        self._later.clear()

    def _decode(self, most: float = math.inf) -> None:
        """Take what is there to take, until more than `most` bytes are held back."""
        try:
            while self._later and self._sizes[1] <= most:
                text = next(self._later[0], None)
                if text is None:
                    del self._later[0]
                else:
                    self._take(text)
        except Undecodable:
            self._later.clear()
            if self._state is State.CODING:
                self._compress(self._planting.close())
            self._state = AFTER_DAMAGE[self._state]

    def _take(self, text: bytes) -> None:
        planted = self._planting.feed(text)
        if self._state is State.CODING:
            self._compress(planted)
            return
        self._sizes[1] += len(text)
        self._text.append(text)
        self._planted.append(planted)

    def _end(self) -> None:
        """Nothing follows; whether it is whole is known now."""
        whole = self._decoder.whole
        if self._state is State.HELD:
            self._planted.append(self._planting.close())
            if not (whole and self._changed):
                self._state = State.AS_IS
                return
            self._state = State.CODING
            self._compress(b"".join(self._planted))
        elif self._state is State.CODING:
            self._compress(self._planting.close())
        if self._state is State.CODING and whole:
            self._out.append(self._encoder.flush())
            self._state = State.ENDED

    def _compress(self, text: bytes) -> None:
        self._out.append(self._encoder.compress(text))

    def _flushed(self) -> bytes:
        """What is compressed, to its last byte: who gets it can read all of it."""
        if self._out and self._state is not State.ENDED:
            self._out.append(self._encoder.flush(zlib.Z_SYNC_FLUSH))
        out, self._out = b"".join(self._out), []
        return out


class Untouched:
    """A planting that plants nothing."""

    def feed(self, data: bytes, /) -> bytes:
        """The same."""
        return data

    def close(self) -> bytes:
        """Nothing was held back."""
        return b""
