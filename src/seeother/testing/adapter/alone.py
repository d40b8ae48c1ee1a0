"""The promises about what is left alone: by a header of the answer, by path, by its form's tag."""

from __future__ import annotations

import gzip
from typing import Final

import pytest

from ...core.values import Headers, Response
from .browser import Browser, tokens
from .harness import FORM, Harness, answering
from .stage import HTML, Ask, Call, fetch, page

OFF: Final = (b"seeother", b"off")
PAGE: Final = page(FORM).body
ANSWERS: dict[str, tuple[Headers, bytes]] = {
    "a page": ((HTML,), PAGE),
    "a compressed page": ((HTML, (b"content-encoding", b"gzip")), gzip.compress(PAGE)),
    "no page": (((b"content-type", b"application/json"),), b"{}"),
}


class AlonePromises(Harness):
    """What an adapter promises whose apps may say: not this one."""

    @pytest.mark.parametrize("kind", ANSWERS)
    @pytest.mark.parametrize("word", [b"off", b"OFF", b"x, off"])
    def test_an_answer_that_is_switched_off(self, word: bytes, kind: str) -> None:
        """`SeeOther: off`: every byte and header of it arrives, but for this one."""
        headers, body = ANSWERS[kind]
        length = (b"content-length", str(len(body)).encode())
        head = (*headers, length, (b"etag", b'"1"'))
        client = self.serve(lambda _call: Response(200, (*head, (b"seeother", word)), body))
        answer = fetch(client, Ask())
        assert (answer.status, answer.body) == (200, body)
        said = {name.lower(): value for name, value in answer.headers}
        assert said == {name.decode(): value.decode() for name, value in head}

    def test_another_word_switches_nothing_off(self) -> None:
        """The header is between the app and us: it goes no further, whatever it says."""
        answer = self.visit(lambda _call: page(FORM, headers=((b"seeother", b"on"),))).get()
        assert (len(tokens(answer)), answer.header("seeother")) == (1, None)

    def test_a_submission_that_is_switched_off(self) -> None:
        """Its answer arrives as the app made it, also where it would be kept (zero-code)."""
        browser = self.visit(answering(page("<p>done", FORM, headers=(OFF,))))
        answer = browser.submit({"message": "a"})
        assert (answer.status, tokens(answer), answer.header("seeother")) == (200, [], None)
        assert "<p>done" in answer.text
        assert self.effects.all() == ["done"]

    def test_a_path_that_is_switched_off(self) -> None:
        """`off`: pages there get no token; pages beside them do."""
        browser = self.visit(lambda _call: page(FORM), off=("/old", "/files/*"))
        for path, many in (("/old", 0), ("/files/a/b?c", 0), ("/older", 1), ("/", 1)):
            assert len(tokens(browser.get(path))) == many

    def test_another_site_is_refused_where_it_is_off(self) -> None:
        """Switched off is the counting, not the defence."""

        def view(call: Call) -> Response:
            call.effect("done")
            return page("done")

        browser = self.visit(view, off=("/old",))
        evil = "https://evil.example"
        for site in ("cross-site", None):
            answer = browser.post({"a": "b"}, "/old", origin=evil, sec_fetch_site=site)
            assert answer.status == 403
        unproved = {"origin": None, "sec_fetch_site": None, "cookie": "login=1"}
        assert browser.post({"a": "b"}, "/old", **unproved).status == 403
        assert self.effects.all() == []


class AloneUnclaimedPromises(AlonePromises):
    """And one that claims by itself (zero-code)."""

    def test_what_is_sent_to_a_path_that_is_off_counts_each_time(self) -> None:
        """Two equal forms are two effects there; the app reads what was sent."""

        def view(call: Call) -> Response:
            if call.method == "POST":
                call.effect(call.body.decode().partition("&")[0])
            return page(FORM)

        browser: Browser = self.visit(view, off=("/old",))
        sent = {"message": "a", "so_token": tokens(browser.get())[0]}
        for _ in range(2):
            answer = browser.post(sent, "/old")
            assert (answer.status, tokens(answer)) == (200, [])
        assert self.effects.all() == ["message=a"] * 2

    def test_the_first_page_of_a_visit_does_not_vary_by_cookie(self) -> None:
        """Asked for without a cookie it brings the first one; Back must not ask for it anew.

        Where the app sets a cookie that no script may read, somebody may have signed in.
        """
        varies = (b"vary", b"Accept, Cookie")
        browser = self.visit(lambda _call: page(FORM, headers=(varies,)))
        assert browser.get().header("vary") == "Accept"
        assert browser.get().header("vary") == "Accept, Cookie"
        session = (b"set-cookie", b"session=1; HttpOnly")
        signed_in = self.visit(lambda _call: page(FORM, headers=(varies, session)))
        assert signed_in.get().header("vary") == "Accept, Cookie"
