"""The promises about compressed pages: decoded, planted, compressed again, or left as they are."""

from __future__ import annotations

import gzip
import random
import threading
import zlib
from collections.abc import Callable, Iterator
from typing import Final

import pytest

from ...core.values import Headers, Response
from .browser import TOKEN, tokens
from .harness import FORM, WAIT, Harness
from .stage import HTML, Answer, Ask, Behaviour, Call, Streamed, fetch, page

SAVE: Final = FORM.replace("<form", '<form action="/save"')
CODINGS: Final[dict[str, tuple[bytes, Callable[[bytes], bytes]]]] = {
    "gzip": (b"gzip", gzip.compress),
    "its old name": (b"X-GZip", gzip.compress),
    "two members": (b"gzip", lambda body: gzip.compress(body[:99]) + gzip.compress(body[99:])),
    "deflate": (b"deflate", zlib.compress),
    "bare deflate": (b"deflate", lambda body: zlib.compress(body, wbits=-15)),
}
LIVE: Headers = (
    HTML,
    (b"etag", b'"1"'),
    (b"vary", b"Accept-Encoding"),
    (b"cache-control", b"max-age=600"),
)
PLAIN = page(SAVE).body
ZIPPED = gzip.compress(PLAIN)
GZIP = (b"content-encoding", b"gzip")
# What is compressed and passes as it is: a status, headers, a body.
UNTOUCHED: dict[str, tuple[int, Headers, bytes]] = {
    "another coding": (200, ((b"content-encoding", b"br"),), b"\x0b\x02\x80form\x03"),
    "coded twice": (200, ((b"content-encoding", b"gzip, gzip"),), gzip.compress(ZIPPED)),
    "coded in two lines": (200, (GZIP, GZIP), gzip.compress(ZIPPED)),
    "no-transform": (200, (GZIP, (b"cache-control", b"no-transform")), ZIPPED),
    "no page": (200, ((b"content-type", b"text/css"), GZIP), ZIPPED),
    "a part": (206, (GZIP, (b"content-range", b"bytes 0-9/99")), ZIPPED[:10]),
    "broken off": (200, (GZIP,), ZIPPED[:-12]),
    "damaged": (200, (GZIP,), ZIPPED[:30] + b"\xff\xff\xff" + ZIPPED[33:]),
    "not compressed at all": (200, (GZIP,), PLAIN),
    "empty": (200, (GZIP,), b""),
    "without a form": (200, (GZIP, (b"etag", b'"1"')), gzip.compress(page("<p>Hello").body)),
}


def text_of(answer: Answer) -> bytes:
    """The text of a compressed answer, which must be whole."""
    coding = (answer.header("content-encoding") or "").lower()
    inflate = zlib.decompressobj(15 if coding == "deflate" else 31)
    text = inflate.decompress(answer.body)
    assert inflate.eof and not inflate.unused_data
    return text


def read(answer: Answer) -> Answer:
    """The same, decoded."""
    return Answer(answer.status, answer.headers, text_of(answer))


def cut(body: bytes, size: int) -> Iterator[bytes]:
    """A body in pieces."""
    return (body[at : at + size] for at in range(0, len(body), size))


def streaming(head: Headers, body: bytes) -> Behaviour:
    """A view that answers with this, piece by piece."""
    return lambda _call: Streamed(200, head, cut(body, 7000))


def words(size: int) -> str:
    """So much text that does not get much shorter."""
    return random.Random(1).randbytes(size // 2).hex()  # noqa: S311 - nothing secret


class CompressedPromises(Harness):
    """What an adapter promises through which the bytes of every answer pass."""

    @pytest.mark.parametrize("size", [None, 1, 1000])
    @pytest.mark.parametrize("how", CODINGS)
    def test_a_compressed_page_is_planted(self, how: str, size: int | None) -> None:
        """Decoded, planted, coded as it was; every other byte of its text unchanged."""
        coding, encode = CODINGS[how]
        body = encode(PLAIN)
        head: Headers = (*LIVE, (b"content-encoding", coding))
        length = (b"content-length", str(len(body)).encode())

        def view(_call: Call) -> Response | Streamed:
            whole = Response(200, (*head, length), body)
            return whole if size is None else Streamed(200, head, cut(body, size))

        answer = self.visit(view).get()
        assert len(tokens(read(answer))) == 1
        assert TOKEN.sub("", read(answer).text).encode() == PLAIN
        assert answer.header("content-encoding") == coding.decode()
        assert answer.header("content-length") == (str(len(answer.body)) if size is None else None)
        varies = (answer.header("vary") or "").split(", ")
        assert [name for name in varies if name != "Cookie"] == ["Accept-Encoding"]
        assert answer.header("cache-control") == "private, no-cache"
        assert answer.header("etag") is None

    @pytest.mark.parametrize("streamed", [False, True])
    def test_a_large_compressed_page_is_planted_and_whole(self, streamed: bool) -> None:
        """2 MB with forms at both ends: planted, every other byte as it was, the length true."""
        plain = page(SAVE, words(1 << 21), SAVE).body
        body = gzip.compress(plain)
        length = (b"content-length", str(len(body)).encode())

        def view(_call: Call) -> Response | Streamed:
            if streamed:
                return Streamed(200, (*LIVE, GZIP), cut(body, 7000))
            return Response(200, (*LIVE, GZIP, length), body)

        answer = self.visit(view).get()
        assert len(tokens(read(answer))) == 2
        assert TOKEN.sub("", read(answer).text).encode() == plain
        assert answer.header("content-length") in (None, str(len(answer.body)))

    @pytest.mark.parametrize("kind", UNTOUCHED)
    def test_what_cannot_be_planted_is_not_touched(self, kind: str) -> None:
        """It arrives with its own headers and bytes: what is wrong with it is not our affair."""
        status, headers, body = UNTOUCHED[kind]
        named = any(name == b"content-type" for name, _ in headers)
        length = (b"content-length", str(len(body)).encode())
        head: Headers = (*(() if named else (HTML,)), *headers, length)
        answer = fetch(self.serve(lambda _call: Response(status, head, body)), Ask())
        assert (answer.status, answer.body) == (status, body)
        names = {name for name, _ in head}
        for name in names - {b"cache-control"}:
            lines = [value.decode() for key, value in head if key == name]
            assert answer.all(name.decode()) == lines

    def test_head_of_a_compressed_page(self) -> None:
        """HEAD: what the app says of it, and nothing else."""
        length = (b"content-length", str(len(ZIPPED)).encode())
        browser = self.visit(lambda _call: Response(200, (*LIVE, GZIP, length), ZIPPED))
        answer = browser.get(method="HEAD")
        assert (answer.status, answer.body) == (200, b"")
        assert answer.header("content-length") == str(len(ZIPPED))
        assert answer.header("etag") == '"1"'

    def test_what_is_plain_stays_plain(self) -> None:
        """A page that the app did not compress is not compressed for it."""
        answer = self.visit(lambda _call: page(SAVE)).get(accept_encoding="gzip, deflate")
        assert (answer.header("content-encoding"), len(tokens(answer))) == (None, 1)

    def test_a_compressed_page_is_not_held_back_for_long(self) -> None:
        """With 64 KiB of its text told, its reader can read while the app makes the rest."""
        going = threading.Event()
        encoder = zlib.compressobj(wbits=31)

        def pieces() -> Iterator[bytes]:
            yield encoder.compress(page(SAVE, words(70_000)).body)
            yield encoder.flush(zlib.Z_SYNC_FLUSH)
            assert going.wait(WAIT)
            yield encoder.compress(SAVE.encode()) + encoder.flush()

        stream = self.serve(lambda _call: Streamed(200, (*LIVE, GZIP), pieces())).open(Ask())
        inflate, parts, text = zlib.decompressobj(31), iter(stream), b""
        while len(text) < 60_000:
            text += inflate.decompress(next(parts))
        going.set()
        text += b"".join(inflate.decompress(part) for part in parts)
        stream.close()
        assert inflate.eof and len(TOKEN.findall(text.decode())) == 2

    def test_a_page_of_which_nobody_sees_the_end_is_personal(self) -> None:
        """Its last form gets a token after its head was sent, so the head says that it will."""
        for coded in (False, True):
            plain = page(words(200_000), SAVE).body
            body = gzip.compress(plain) if coded else plain
            head = (*LIVE, *((GZIP,) if coded else ()))
            browser = self.visit(streaming(head, body))
            answer = browser.get()
            assert len(tokens(read(answer) if coded else answer)) == 1
            assert answer.header("cache-control") == "private, no-cache"
            assert (answer.header("etag"), len(browser.cookies)) == (None, 1)

    def test_a_page_for_everybody_stays_one(self) -> None:
        """What the app gives to shared caches gets no token behind its head."""
        public: Headers = (HTML, (b"cache-control", b"public, max-age=60"), (b"etag", b'"1"'))
        for coded in (False, True):
            plain = page(words(200_000), SAVE).body
            body = gzip.compress(plain) if coded else plain
            head = (*public, *((GZIP,) if coded else ()))
            browser = self.visit(streaming(head, body))
            answer = browser.get()
            assert answer.body == body
            assert answer.header("cache-control") == "public, max-age=60"
            assert (answer.header("etag"), browser.cookies) == ('"1"', {})
