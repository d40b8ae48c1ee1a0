"""The promises about pages: what is planted, what is said to caches, what passes untouched."""

from __future__ import annotations

import threading
import zlib
from collections.abc import Iterator

import pytest

from ...core.values import Headers, Response
from .browser import TOKEN, Browser, token, tokens
from .harness import FORM, WAIT, Harness, board
from .stage import HTML, Ask, Call, Streamed, fetch, page

FORMS = {
    "post": (1, '<form method="post">'),
    "upper case": (1, "<FORM METHOD=POST>"),
    "own path": (1, '<form method="post" action="/save">'),
    "own origin": (1, '<form method="post" action="http://localhost:8000/save">'),
    "get": (0, '<form method="get">'),
    "no method": (0, "<form>"),
    "foreign": (0, '<form method="post" action="https://other.example/">'),
    "protocol relative": (0, '<form method="post" action="//other.example/">'),
    "new window": (0, '<form method="post" target="_blank">'),
    "switched off": (0, '<form method="post" data-seeother="off">'),
    "in a comment": (0, '<!-- <form method="post"> -->'),
    "in a script": (0, '<script>"<form method=post>"</script>'),
}
SAVE = FORM.replace("<form", '<form action="/save"')
UNTOUCHED: dict[str, tuple[bytes, Headers]] = {
    "json": (b"application/json", ()),
    "plain text": (b"text/plain", ()),
    "compressed": (b"text/html", ((b"content-encoding", b"x-own"),)),
    "no-transform": (b"text/html", ((b"cache-control", b"no-transform"),)),
}
CACHED: Headers = (
    (b"cache-control", b"public, max-age=600"),
    (b"expires", b"Thu, 01 Jan 2032 00:00:00 GMT"),
    (b"etag", b'"1"'),
    (b"last-modified", b"Thu, 01 Jan 2026 00:00:00 GMT"),
    (b"accept-ranges", b"bytes"),
    (b"surrogate-control", b"max-age=600"),
    (b"cdn-cache-control", b"max-age=600"),
    (b"content-md5", b"Q2hlY2sgSW50ZWdyaXR5IQ=="),
    (b"vary", b"Accept"),
    (b"x-own", b"kept"),
)


class PagePromises(Harness):
    """Planting, caches, streams, HEAD."""

    # Planting ------------------------------------------------------------------------------------

    @pytest.mark.parametrize("kind", FORMS)
    def test_a_token_is_planted_where_it_belongs(self, kind: str) -> None:
        """One in every form that posts to this site and window, none anywhere else."""
        many, start = FORMS[kind]
        browser = self.visit(lambda _call: page(f"{start}<input name=a></form>"))
        assert len(tokens(browser.get())) == many

    def test_each_form_has_a_token_of_its_own(self) -> None:
        """Three forms on a page, three tokens, and all three are three submissions."""
        browser = self.visit(lambda call: board(call) if call.method == "POST" else page(FORM * 3))
        for name in tokens(browser.get()):
            browser.post({"message": "a", "so_token": name})
        assert self.effects.all() == ["a", "a", "a"]

    def test_a_hidden_field_of_the_view_works(self) -> None:
        """`visit.field()` in a form is enough, and no second token is planted beside it."""

        def written(call: Call) -> Response:
            form = FORM.replace("<button", f"{call.visit.field()}<button")
            return board(call) if call.method == "POST" else page(form)

        for planting in (True, False):
            browser = self.visit(written, inject=planting)
            sent = {"message": "a", "so_token": token(browser.get())}
            assert browser.post(sent).location == browser.post(sent).location
        assert self.effects.all() == ["a", "a"]

    @pytest.mark.parametrize("streamed", [False, True])
    def test_a_large_page_is_planted_and_whole(self, streamed: bool) -> None:
        """300 KB with forms at both ends: planted, every other byte as it was, the length true."""
        middle = "".join(f"<p>paragraph {n} \N{SNOWMAN}" for n in range(12_000))
        plain = page(SAVE, middle, SAVE)
        body = plain.body

        def large(_call: Call) -> Response | Streamed:
            cut = (body[at : at + 7000] for at in range(0, len(body), 7000))
            return Streamed(200, (HTML,), cut) if streamed else plain

        answer = self.visit(large).get()
        assert len(tokens(answer)) == 2
        assert TOKEN.sub("", answer.text).encode() == body
        assert answer.header("content-length") in (None, str(len(answer.body)))

    @pytest.mark.parametrize("kind", UNTOUCHED)
    def test_other_answers_pass_untouched(self, kind: str) -> None:
        """What is no page, or may not be changed, arrives with its own headers and bytes."""
        media, more = UNTOUCHED[kind]
        body = FORM.encode() if kind != "compressed" else zlib.compress(FORM.encode())
        length = (b"content-length", str(len(body)).encode())
        head: Headers = ((b"content-type", media), length, *more)
        answer = fetch(self.serve(lambda _call: Response(200, head, body)), Ask())
        assert (answer.status, answer.body, answer.all("set-cookie")) == (200, body, [])
        said = {name.lower(): value for name, value in answer.headers}
        assert said == {name.decode(): value.decode() for name, value in head}

    # What is said about a page -------------------------------------------------------------------

    def test_a_planted_page_is_personal(self) -> None:
        """No shared cache may keep a page with a token, and no validator may bring it back."""
        browser = self.visit(lambda _call: page(FORM, headers=CACHED))
        first, answer = browser.get(), browser.get()
        assert first.header("cache-control") == "private, no-cache"
        assert answer.header("cache-control") == "private, no-cache"
        assert answer.header("vary") == "Accept, Cookie"
        gone = {k.decode() for k, _ in CACHED} - {"cache-control", "vary", "x-own"}
        assert not gone & {name.lower() for name, _ in answer.headers}
        assert answer.header("x-own") == "kept"

    def test_a_page_without_a_form_stays_public(self) -> None:
        """Nothing personal in it, nothing changed at it: its own caching headers stand."""
        client = self.serve(lambda _call: page("<p>hello</p>", headers=CACHED))
        answer = fetch(client, Ask())
        assert answer.header("cache-control") == "public, max-age=600"
        assert (answer.header("etag"), answer.all("set-cookie")) == ('"1"', [])

    @pytest.mark.parametrize("scheme", ["http", "https"])
    def test_the_visitor_cookie(self, scheme: str) -> None:
        """HttpOnly, SameSite=Lax, Path=/; on https also Secure and `__Host-`. Set once."""
        browser = Browser(self.serve(board), scheme)
        (line,) = browser.get().all("set-cookie")
        assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(line.split("; "))
        secure = scheme == "https"
        assert (line.startswith("__Host-so-"), "Secure" in line.split("; ")) == (secure, secure)
        assert browser.get().all("set-cookie") == []

    def test_head_has_the_headers_of_get(self) -> None:
        """HEAD: the status and type of the GET, no body, no token, no cookie."""
        browser = self.visit(board)
        answer = browser.get(method="HEAD")
        assert (answer.status, answer.body) == (200, b"")
        assert answer.header("content-type") == "text/html; charset=utf-8"
        assert answer.all("set-cookie") == []

    # Streams -------------------------------------------------------------------------------------

    @pytest.mark.parametrize("kind", [b"text/event-stream", b"application/octet-stream"])
    def test_a_stream_is_not_held_back(self, kind: bytes) -> None:
        """The first piece arrives while the app still waits to make the second."""
        read = threading.Event()

        def pieces() -> Iterator[bytes]:
            yield b"one"
            assert read.wait(WAIT)
            yield b"two"

        head = ((b"content-type", kind),)
        client = self.serve(lambda _call: Streamed(200, head, pieces()))
        stream = client.open(Ask())
        parts = iter(stream)
        got = next(piece for piece in parts if piece)
        read.set()
        assert (stream.status, got + b"".join(parts)) == (200, b"onetwo")
        assert got == b"one"
        stream.close()

    def test_a_stream_hears_that_its_client_left(self) -> None:
        """An endless answer ends when its reader goes away: nothing runs on for nobody."""
        closed = threading.Event()

        def pieces() -> Iterator[bytes]:
            try:
                while True:
                    yield b"tick"
            finally:
                closed.set()

        head = ((b"content-type", b"text/event-stream"),)
        client = self.serve(lambda _call: Streamed(200, head, pieces()))
        stream = client.open(Ask())
        assert next(iter(stream)) == b"tick"
        stream.close()
        assert closed.wait(WAIT)

    @pytest.mark.parametrize("status", [204, 304])
    def test_an_empty_answer_stays_empty(self, status: int) -> None:
        """204 and 304 have no body, and none is made."""
        answer = fetch(self.serve(lambda _call: Response(status)), Ask())
        assert (answer.status, answer.body, answer.all("set-cookie")) == (status, b"", [])
