"""The promises about what costs nobody anything: requests that only read, and two at once."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Final

import pytest

from ...core.values import Response
from .browser import Browser, token
from .harness import FORM, WAIT, Harness, board, together
from .stage import Call, page

JSON: Final = (b"content-type", b"application/json")
# What is asked for, and whether its answer brings the visitor cookie to a stranger.
READS: Final[tuple[tuple[str, dict[str, str], bool], ...]] = (
    ("/plain", {}, False),
    ("/session", {}, False),
    ("/json", {}, False),
    ("/json", {"sec_fetch_mode": "cors", "sec_fetch_dest": "empty"}, False),
    ("/missing", {}, False),
    ("/moved", {}, False),
    ("/plain", {"method": "OPTIONS"}, False),
    ("/form", {"method": "HEAD"}, False),
    ("/form", {}, True),
    ("/form", {"sec_purpose": "prefetch"}, True),
    ("/", {}, True),  # a page that asks for messages, and there are none
    ("/?so=used", {}, True),
)


def reading(call: Call) -> Response:
    """An app of pages that write nothing, and of the one form of the board."""
    match call.path:
        case "/plain":
            return page("<p>plain")
        case "/form":
            return page(FORM)
        case "/session":
            return page("<p>", str(call.visit.session.get("name")))
        case "/json":
            return Response(200, (JSON,), b"{}")
        case "/missing":
            return page("<p>not found", status=404)
        case "/moved":
            return Response(302, ((b"location", b"/plain"),))
        case "/set":
            call.visit.session["name"] = "Ann"
            return page("<p>set")
        case _:
            return board(call)


class QuietPromises(Harness):
    """Reads write nothing and set nothing; requests of one session do not wait for each other."""

    @pytest.mark.parametrize("known", [False, True], ids=["a stranger", "a known visitor"])
    def test_a_read_writes_nothing(self, known: bool) -> None:
        """Not a byte of the file or of its log changes; the visitor's cookie is the only one.

        It comes with a page that has a form, once. A visitor who is known has a session, a visitor
        cookie, and a landing page whose message he has seen.
        """
        client = self.serve(reading)
        somebody = Browser(client)
        somebody.get("/set")
        landing = somebody.submit({"message": "a"}).location
        assert "Saved a." in somebody.get(landing).text  # and everything that is made once is made
        for path, headers, cookie in READS:
            browser = somebody if known else Browser(client)
            target = landing if known and "?" in path else path
            before = bytes_of(self._store)
            answers = [browser.get(target, **headers) for _ in range(2)]
            assert bytes_of(self._store) == before, target
            cookies = [len(answer.all("set-cookie")) for answer in answers]
            assert cookies == [int(cookie and not known), 0], target

    @pytest.mark.parametrize("second", ["GET", "POST"])
    @pytest.mark.parametrize("first", ["GET", "POST"])
    def test_requests_of_one_session_overlap(self, first: str, second: str) -> None:
        """Both are inside their views at the same time, and what both wrote is kept.

        Two that are joined come one after the other by nature, as SQLite has one writer; there a
        submission is only asked beside a page.
        """
        methods = (first, "GET" if self.mode == "joined" and first == "POST" else second)
        inside = threading.Barrier(2)

        def meeting(call: Call) -> Response:
            name = call.path.strip("/")
            if name in ("GET0", "GET1", "POST0", "POST1"):
                inside.wait(WAIT)
                call.visit.session[name] = 1
                return call.visit.see_other("/") if call.method == "POST" else page("<p>")
            call.visit.session["first"] = 1
            return page(FORM, "<p>", " ".join(sorted(call.visit.session)))

        browser = self.visit(meeting)
        sent = {"so_token": token(browser.get()), "message": "a"}
        names = [f"/{method}{n}" for n, method in enumerate(methods)]

        def ask(name: str) -> int:
            one = browser.post(sent, name) if name.startswith("/POST") else browser.get(name)
            return one.status

        seen = together(*[lambda name=name: ask(name) for name in names])
        assert seen == [303 if name.startswith("/POST") else 200 for name in names]
        kept = browser.get().text.rpartition("<p>")[2].split()
        assert kept == sorted(["first", *(name.strip("/") for name in names)])


def bytes_of(store: Path) -> tuple[bytes, bytes]:
    """Everything that was ever committed: the database, and its log (https://sqlite.org/wal.html)."""
    log = store.with_name(f"{store.name}-wal")
    return store.read_bytes(), log.read_bytes() if log.exists() else b""
