"""Answers without an end, or nearly: memory is bounded, and every byte arrives as it was.

8 MiB each; SCALE=256 makes it 2 GiB.
"""

import asyncio
import os
import re
import tracemalloc
from collections.abc import Callable, Iterator
from hashlib import blake2b
from io import BytesIO
from typing import Any

import pytest

from seeother import asgi, wsgi
from seeother.testing.adapter.stage import SECRET

SIZE = int((8 << 20) * float(os.environ.get("SCALE", "1")))
PIECE = 1 << 16
MOST = 6 << 20  # bytes that may be held at any time: 1 MiB of an answer, some times over
HEAD = 1 << 18  # where tokens may stand in what comes here
TOKEN = re.compile(rb'<input type="hidden" name="so_token" value="[^"]*">')
FORM = b'<form method="post" action="/other">'
BODY = b"a=1"
FORMS = "application/x-www-form-urlencoded"
# What an answer is: its type, how it begins, what is repeated, and how many tokens it gets.
KINDS: dict[str, tuple[str, bytes, bytes, int]] = {
    "a download": ("application/octet-stream", b"", bytes(range(256)), 0),
    "a page without a form": ("text/html", b"<!doctype html>", b"<p>a line of text & more", 0),
    "tags without an end": ("text/html", FORM, b"<a><b><input name=x>" * 64 + b"x" * 9999, 1),
    "one tag without an end": ("text/html", b'<form method="post" action="', b"a" * 100, 0),
    "one attribute after the other": ("text/html", b'<form method="post"', b" a=b", 0),
    "a comment without an end": ("text/html", FORM + b"</form><!--", b"-", 1),
    "a script without an end": ("text/html", FORM + b"</form><script>", b"</scrip", 1),
    "nothing but tag openers": ("text/html", b"", b"<", 0),
    "a title without an end": ("text/html", FORM + b"</form><title>", b"</titl", 1),
}

SENT = ("a download", "tags without an end")
SLOW = ("one attribute after the other", "nothing but tag openers")  # a 64th of it


def pieces(kind: str, size: int) -> Iterator[bytes]:
    """So many bytes at least."""
    _, begin, again, _ = KINDS[kind]
    block = again * (PIECE // len(again) + 1)
    yield begin
    sent = len(begin)
    while sent < size:
        yield block
        sent += len(block)


class Whole:
    """The digest of all, wherever pieces begin and end."""

    def __init__(self) -> None:
        self.tokens, self._kept, self._digest = 0, b"", blake2b()
        self._settled = False

    def read(self, piece: bytes) -> None:
        """The next bytes; of the first ones the tokens are taken out."""
        if self._settled:
            self._digest.update(piece)
            return
        self._kept += piece
        if len(self._kept) > HEAD:
            self.end()

    def end(self) -> bytes:
        """Nothing follows, or no token does."""
        if not self._settled:
            self._settled = True
            plain, self.tokens = TOKEN.subn(b"", self._kept)
            self._digest.update(plain)
            self._kept = b""
        return self._digest.digest()


def through_wsgi(method: str, head: list[tuple[str, str]], body: Callable[[], Any]) -> Whole:
    """What a client gets of this answer under WSGI."""

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", head)
        return body()

    said, reader = list[Any](), Whole()
    outer = wsgi.SeeOther(app, secret=SECRET, store="memory://")
    environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": "/",
        "HTTP_HOST": "h",
        "HTTP_SEC_FETCH_SITE": "same-origin",
        "wsgi.input": BytesIO(BODY),
        **({"CONTENT_TYPE": FORMS, "CONTENT_LENGTH": "3"} if method == "POST" else {}),
    }

    def respond(*more: Any) -> Any:
        said.append(more)

    answer: Any = outer(environ, respond)
    for piece in answer:
        reader.read(piece)
    getattr(answer, "close", lambda: None)()
    outer.driver.shut()
    assert said[0][0] == "200 OK"
    return reader


def through_asgi(method: str, head: list[tuple[str, str]], body: Callable[[], Any]) -> Whole:
    """What a client gets of this answer under ASGI."""
    reader = Whole()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        raw = [(name.lower().encode(), value.encode()) for name, value in head]
        await send({"type": "http.response.start", "status": 200, "headers": raw})
        for piece in body():
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def receive() -> Any:
        return {"type": "http.request", "body": BODY if method == "POST" else b""}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            reader.read(message["body"])
        else:
            assert message["status"] == 200

    headers = [(b"host", b"h"), (b"sec-fetch-site", b"same-origin")]
    if method == "POST":
        headers += [(b"content-type", FORMS.encode()), (b"content-length", b"3")]
    scope = {"type": "http", "method": method, "path": "/", "headers": headers}
    outer = asgi.SeeOther(app, secret=SECRET, store="memory://")
    asyncio.run(outer({**scope, "http_version": "1.1", "query_string": b""}, receive, send))
    outer.driver.shut()
    return reader


THROUGH = {"wsgi": through_wsgi, "asgi": through_asgi}


@pytest.mark.parametrize("protocol", THROUGH)
@pytest.mark.parametrize(
    ("kind", "method"), [*((kind, "GET") for kind in KINDS), *((kind, "POST") for kind in SENT)]
)
def test_a_long_answer(kind: str, method: str, protocol: str) -> None:
    """Held back and decided within bounds; what goes out is what came, and the tokens."""
    media, _, _, tokens = KINDS[kind]
    plain, size = Whole(), SIZE // 64 if kind in SLOW else SIZE
    for piece in pieces(kind, size):
        plain.read(piece)
    through = THROUGH[protocol]
    through(method, [("Content-Type", media)], lambda: pieces(kind, PIECE))  # what is made once
    tracemalloc.start()
    try:
        found = through(method, [("Content-Type", media)], lambda: pieces(kind, size))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (found.end(), found.tokens) == (plain.end(), tokens)
    assert peak < MOST


@pytest.mark.parametrize("protocol", THROUGH)
@pytest.mark.parametrize("said", ["0", "10", "999999999"])
@pytest.mark.parametrize("kind", ["a download", "a page without a form", "tags without an end"])
def test_a_length_that_lies(kind: str, said: str, protocol: str) -> None:
    """What an app says of its length is not believed: the same bytes, and nothing is set aside."""
    media, _, _, tokens = KINDS[kind]
    plain = Whole()
    for piece in pieces(kind, 4 * PIECE):
        plain.read(piece)
    head = [("Content-Type", media), ("Content-Length", said)]
    tracemalloc.start()
    try:
        found = THROUGH[protocol]("GET", head, lambda: pieces(kind, 4 * PIECE))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    if said != "0":
        assert (found.end(), found.tokens) == (plain.end(), tokens)
    assert peak < MOST
