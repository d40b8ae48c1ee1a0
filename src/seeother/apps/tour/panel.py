"""The panel below every page of a lesson, and how it gets there.

A lesson's page is the lesson's own, down to the last byte; the panel is put before its `</body>`.
Nothing else of an answer changes: not its status, its cookies, or what it says to caches; only its
Content-Length is made true again. A page that is compressed, too long or not HTML stays as it is.

The panel holds no form: a token planted into it would be one more thing that changes.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from markupsafe import Markup, escape

from ...channel import Message, Send

MOST: Final = 512 << 10  # bytes of a page that are held back
PARTIAL: Final = (204, 205, 206)
HTML: Final = b"text/html"
BODY_END: Final = re.compile(rb"</body\s*>", re.IGNORECASE)
LONG: Final = re.compile(r"(=[^&#]{4})[^&#]{3,}")
BREAK: Final = re.compile(r"([/?])")
HEAD_END: Final = re.compile(rb"</head\s*>", re.IGNORECASE)
VIEWPORT: Final = re.compile(rb"<meta[^>]*\bname\s*=\s*[\"']?viewport", re.IGNORECASE)
CSP: Final = (
    b"default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none';"
    b" frame-ancestors 'none'"
)
HEADERS: Final = (
    (b"content-security-policy", CSP),
    (b"referrer-policy", b"same-origin"),
    (b"x-content-type-options", b"nosniff"),
)

Headers = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Answer:
    """The head of an answer, and its body as far as it was held back."""

    status: int
    headers: Headers
    body: bytes
    whole: bool

    @property
    def location(self) -> str | None:
        """Where it leads."""
        return next((v.decode("latin-1") for k, v in self.headers if k == b"location"), None)

    @property
    def takes_panel(self) -> bool:
        """Is it a page that something can be put into?"""
        said = {name: value.lower() for name, value in self.headers}
        plain = said.get(b"content-encoding", b"identity") == b"identity"
        free = b"no-transform" not in said.get(b"cache-control", b"")
        page = said.get(b"content-type", b"").startswith(HTML)
        shows = self.status not in PARTIAL and not 300 <= self.status < 400
        return page and plain and free and shows and self.whole


@dataclass
class Framed:
    """`send` for a lesson: holds its answer back until `finish` has made the panel for it."""

    send: Send
    finish: Callable[[Answer], Awaitable[tuple[bytes, bytes]]]
    bodiless: bool = False
    status: int = 0
    location: str | None = None
    _head: Message | None = None
    _held: list[bytes] = field(default_factory=list)
    _size: int = 0

    async def __call__(self, message: Message) -> None:
        """One message of the lesson's answer."""
        if message["type"] == "http.response.start":
            self._head = message
        elif self._head is None:
            await self.send(message)
        else:
            await self._piece(message.get("body", b""), last=not message.get("more_body", False))

    async def _piece(self, body: bytes, *, last: bool) -> None:
        self._held.append(body)
        self._size += len(body)
        if last or self._size > MOST:
            await self._go(last=last)

    async def _go(self, *, last: bool) -> None:
        assert self._head is not None
        start, body = self._head, b"".join(self._held)
        self._head, self._held = None, []
        headers = [(bytes(k).lower(), bytes(v)) for k, v in start.get("headers", ())]
        answer = Answer(start["status"], headers, body, last)
        self.status, self.location = answer.status, answer.location
        head, panel = await self.finish(answer)
        if answer.takes_panel and not self.bodiless:
            body = framed(body, head, panel)
        headers = fitted(answer, len(body), bodiless=self.bodiless)
        await self.send({**start, "headers": headers})
        await self.send({"type": "http.response.body", "body": body, "more_body": not last})


def framed(page: bytes, head: bytes, panel: bytes) -> bytes:
    """A page with something at the end of its head, and something at the end of its body.

    A phone is told not to shrink the page, where the page does not say so itself.

    >>> framed(b"<head><meta name=viewport></head><body>x</body>", b"<link>", b"<aside>")
    b'<head><meta name=viewport><link></head><body>x<aside></body>'
    """
    if head in page:
        head = b""
    elif VIEWPORT.search(page) is None:
        head = b'<meta name="viewport" content="width=device-width, initial-scale=1">' + head
    found = HEAD_END.search(page)
    if found is None:
        head, panel = b"", head + panel
    else:
        page = page[: found.start()] + head + page[found.start() :]
    ends = list(BODY_END.finditer(page))
    at = ends[-1].start() if ends else len(page)
    return page[:at] + panel + page[at:]


def fitted(answer: Answer, size: int, *, bodiless: bool) -> Headers:
    """The headers with a true length, and with those that keep a page from harm."""
    headers = list(answer.headers)
    if answer.takes_panel:
        headers = [(k, v) for k, v in headers if k != b"content-length"]
        if not bodiless:
            headers.append((b"content-length", str(size).encode()))
    named = {name for name, _ in headers}
    headers = [(k, styled(v) if k == b"content-security-policy" else v) for k, v in headers]
    return [*headers, *((k, v) for k, v in HEADERS if k not in named)]


def styled(policy: bytes) -> bytes:
    """A content security policy that lets the panel's style sheet in.

    >>> styled(b"default-src 'none'; style-src 'sha256-x'")
    b"default-src 'none'; style-src 'self' 'sha256-x'"
    """
    return policy.replace(b"style-src ", b"style-src 'self' ", 1)


def summed(words: Iterable[str], most: int = 8) -> list[tuple[str, int]]:
    """What was recorded, and how often, in the order given; the first few only.

    >>> summed(["guess 41", "guess 42", "guess 41"])
    [('guess 41', 2), ('guess 42', 1)]
    """
    counted: dict[str, int] = {}
    for word in words:
        counted[word] = counted.get(word, 0) + 1
    return list(counted.items())[:most]


def shown(path: str) -> Markup:
    """A path as it is shown: it may break after each part, and long values are cut.

    >>> str(shown("/tour/first?so=abcdefghijkl&x=<"))
    '/<wbr>tour/<wbr>first?<wbr>so=abcd…&amp;x=&lt;'
    """
    cut = LONG.sub(r"\1…", path)
    return Markup(BREAK.sub(r"\1<wbr>", str(escape(cut))))  # noqa: S704 - escaped just before
