"""Reading a form body within bounds, whoever delivers the bytes.

The length is judged before a byte is read (RFC 9112 section 6, RFC 9110 sections 15.5.12 and
15.5.14), the sum while they come in, and a body shorter than it said is refused: a truncated form
is not the form that the person sent.
"""

from __future__ import annotations

import re
from typing import Final

from ..errors import BadForm, LengthRequired, TooLarge
from .values import Request

FORMS: Final = frozenset({b"application/x-www-form-urlencoded", b"multipart/form-data"})
DIGITS: Final = re.compile(rb"[0-9]{1,18}")


def is_form(request: Request) -> bool:
    """Does it say that its body is an HTML form?"""
    kind = request.header(b"content-type") or b""
    return kind.partition(b";")[0].strip().lower() in FORMS


class Body:
    """Collects a body; `most` is the largest that is accepted, in bytes.

    Raises LengthRequired, TooLarge or BadForm at once where the headers say enough.
    `framed` tells that whoever delivers the bytes also says where they end (HTTP/2, or a server
    that decodes chunks), so that a missing length is no fault.
    """

    def __init__(self, request: Request, most: int, *, framed: bool = False) -> None:
        self._most = most
        self._data = bytearray()
        self.expected = _length(request, framed=framed)
        if self.expected is not None and self.expected > most:
            raise TooLarge(f"Content-Length {self.expected}, at most {most} bytes are accepted")

    def add(self, chunk: bytes) -> None:
        """One more piece. Raises TooLarge as soon as it is too much."""
        self._data += chunk
        if len(self._data) > self._most:
            raise TooLarge(f"more than {self._most} bytes")

    @property
    def so_far(self) -> bytes:
        """What was added, also where that is too much."""
        return bytes(self._data)

    def whole(self) -> bytes:
        """All of it. Raises BadForm if it is not as long as it said."""
        if self.expected is not None and len(self._data) != self.expected:
            raise BadForm(f"Content-Length {self.expected}, but {len(self._data)} bytes arrived")
        return bytes(self._data)


def _length(request: Request, *, framed: bool) -> int | None:
    values = request.all(b"content-length")
    if not values and framed:
        return None
    if not values:
        raise LengthRequired("a form body needs a Content-Length")
    if len(values) > 1:
        raise BadForm(f"there are {len(values)} Content-Length headers")
    text = values[0].strip(b" \t")
    if not DIGITS.fullmatch(text):
        raise BadForm(f"Content-Length {text[:40]!r} is not a number")
    return int(text)
