"""The promises about what a visit carries on: messages, rejected input, sessions."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from ...core.values import Response
from .browser import Browser
from .harness import WAIT, Harness, board, together
from .stage import HTML, Call, page


class VisitPromises(Harness):
    """Messages once, drafts until they are sent, sessions merged by key."""

    # Messages ----------------------------------------------------------------------------------

    def test_a_message_is_shown_once(self) -> None:
        """The page behind the redirect shows it, its reload and the next page do not."""
        browser = self.visit(board)
        answer = browser.submit({"message": "a"})
        shown = [browser.follow(answer), browser.follow(answer), browser.get("/")]
        assert ["Saved a." in page.text for page in shown] == [True, False, False]

    def test_without_marks_the_hint_leads_a_message(self) -> None:
        """`mark=None`: the Location is the app's own, and the page behind it shows the message."""
        browser = self.visit(board, mark=None)
        answer = browser.submit({"message": "a"})
        assert answer.location == "/"
        shown = [browser.follow(answer), browser.follow(answer)]
        assert ["Saved a." in page.text for page in shown] == [True, False]

    @pytest.mark.parametrize(
        "headers",
        [
            {"method": "HEAD"},
            {"sec_purpose": "prefetch"},
            {"sec_purpose": "prefetch;prerender"},
            {"purpose": "prefetch"},
        ],
        ids=["head", "prefetch", "prerender", "old prefetch"],
    )
    def test_a_message_waits_for_a_person(self, headers: dict[str, str]) -> None:
        """Neither HEAD nor a page fetched ahead of time takes it: the person's own GET does."""
        browser = self.visit(board)
        answer = browser.submit({"message": "a"})
        ahead = browser.get(answer.location, **headers)
        assert "Saved a." not in ahead.text
        assert "Saved a." in browser.follow(answer).text

    def test_a_message_is_for_its_visitor(self) -> None:
        """The marked URL in another browser shows no message, and takes none away."""
        browser = self.visit(board)
        answer = browser.submit({"message": "a"})
        stranger = Browser(browser.client)
        stranger.get()
        assert "Saved a." not in stranger.follow(answer).text
        assert "Saved a." in browser.follow(answer).text

    def test_a_message_outlives_a_failed_page(self) -> None:
        """The page that should have shown it failed: it is given back, and the reload shows it."""
        failing = [True]

        def landing(call: Call) -> Response:
            answer = board(call)
            if call.method == "GET" and call.visit.flashes() and failing.pop():
                failing.append(False)
                raise RuntimeError("the page failed")
            return answer

        browser = self.visit(landing)
        answer = browser.submit({"message": "a"})
        assert browser.follow(answer).status == 500
        assert "Saved a." in browser.follow(answer).text

    def test_a_message_goes_through_a_redirect(self) -> None:
        """A page that redirects hands the message on to the page that is shown."""

        def hop(call: Call) -> Response:
            if call.path == "/hop":
                return Response(302, ((b"location", b"/"), HTML))
            if call.method == "POST":
                call.effect("a")
                return call.visit.see_other("/hop", flash="Saved a.")
            return board(call)

        browser = self.visit(hop)
        landed = browser.follow(browser.submit({"message": "a"}))
        assert landed.status == 302
        assert "Saved a." in browser.follow(landed).text

    # Drafts --------------------------------------------------------------------------------------

    def test_a_draft_survives_a_reload(self) -> None:
        """Rejected input and what is wrong with it stay under their URL, also after a reload."""
        browser = self.visit(board)
        answer = browser.submit({"message": "", "other": "typed text"})
        for _ in range(2):
            shown = browser.follow(answer).text
            assert "Type something." in shown and "<p class=old>typed text" in shown
        assert "typed text" not in browser.get("/").text

    def test_a_draft_without_a_cookie_is_answered_in_place(self) -> None:
        """A browser that keeps no cookie gets its rejected form back at once, filled in."""
        browser = self.visit(board)
        answer = browser.post({"message": "", "other": "typed text"})
        assert (answer.status, self.effects.all()) == (422, [])
        assert "typed text" in answer.text and "Type something." in answer.text

    # Sessions ------------------------------------------------------------------------------------

    def test_a_session_is_kept(self) -> None:
        """What one request writes, the next one reads; other visitors do not."""
        browser = self.visit(sessions)
        assert browser.get("/set/a").text.endswith("<p>a")
        assert browser.get("/").text.endswith("<p>a")
        assert Browser(browser.client).get("/").text.endswith("<p>")

    def test_sessions_merge_by_key(self) -> None:
        """Two requests at once that write different keys: both are kept."""
        inside, finish = threading.Event(), threading.Event()

        def slow(call: Call) -> Response:
            if call.path == "/slow":
                inside.set()
                assert finish.wait(WAIT)
                return sessions(replace(call, path="/set/slow"))
            return sessions(call)

        browser = self.visit(slow)
        browser.get("/set/first")

        def fast() -> None:
            assert inside.wait(WAIT)
            browser.get("/set/fast")
            finish.set()

        together(lambda: browser.get("/slow"), fast)
        assert browser.get("/").text.endswith("<p>fast first slow")

    def test_reading_a_session_sets_no_cookie(self) -> None:
        """A request that only reads leaves no cookie and is not marked as personal."""
        browser = self.visit(sessions)
        answer = browser.get("/")
        assert answer.all("set-cookie") == []
        assert answer.header("cache-control") is None


def sessions(call: Call) -> Response:
    """`/set/NAME` writes a key; every page names all keys that it sees."""
    if call.path.startswith("/set/"):
        call.visit.session[call.path.removeprefix("/set/")] = 1
    return page("<p>", " ".join(sorted(call.visit.session)))
