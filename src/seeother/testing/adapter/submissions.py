"""The promises about submissions: what is answered, and that it happens once."""

from __future__ import annotations

import threading
from functools import partial

import pytest

from ...core.values import Response
from .browser import Browser, token, tokens
from .harness import FORM, WAIT, Harness, answering, board, together
from .stage import Answer, Ask, Behaviour, Call, Streamed, fetch, page

LINK = '<p>Moved <a href="/done">here</a></p>'


def redirecting(status: int) -> Response:
    """A redirect as frameworks make it, with a body."""
    body = LINK.encode()
    length = (b"content-length", str(len(body)).encode())
    kind = (b"content-type", b"text/html; charset=utf-8")
    return Response(status, ((b"location", b"/done"), kind, length), body)


class SubmissionPromises(Harness):
    """Redirects, duplicates, rejected input, views that raise."""

    # Redirects -------------------------------------------------------------------------------

    @pytest.mark.parametrize("status", [301, 302, 303])
    def test_a_redirect_after_post_is_303_without_a_body(self, status: int) -> None:
        """301, 302 and 303 after a POST arrive as 303, with an empty body (RFC 9110, 15.4.4)."""
        browser = self.visit(answering(redirecting(status)))
        answer = browser.submit({"message": "a"})
        assert (answer.status, answer.location, answer.body) == (303, "/done", b"")
        assert answer.header("content-length") == "0"
        assert answer.header("cache-control") == "no-store"

    @pytest.mark.parametrize("permanent", [False, True])
    def test_a_repeating_redirect_stays(self, permanent: bool) -> None:
        """`repeat` means that the form is sent again: 307 and 308 stay what they are."""
        browser = self.visit(answering(lambda call: call.visit.repeat("/", permanent=permanent)))
        answer = browser.submit({"message": "a"})
        status, path = answer.status, answer.location.partition("?")[0]
        assert (status, path) == (308 if permanent else 307, "/")

    @pytest.mark.parametrize("status", [301, 302, 307, 308])
    def test_a_redirect_of_a_page_stays(self, status: int) -> None:
        """Where nothing was sent nothing is converted: a GET's redirect arrives as it was made."""
        client = self.serve(lambda _call: redirecting(status))
        answer = fetch(client, Ask())
        assert (answer.status, answer.location, answer.text) == (status, "/done", LINK)

    def test_a_plain_client_gets_the_exact_location(self) -> None:
        """No cookie, no token: 303, the Location as the view named it, no mark, no cookie."""
        client = self.serve(board)
        body = (("Content-Type", "application/x-www-form-urlencoded"), ("Content-Length", "9"))
        for _ in range(2):
            answer = fetch(client, Ask("POST", "/", body, b"message=a"))
            assert (answer.status, answer.location, answer.body) == (303, "/", b"")
            assert answer.all("set-cookie") == []
        assert self.effects.all() == ["a", "a"]

    # Once --------------------------------------------------------------------------------------

    def test_a_duplicate_gets_the_first_answer(self) -> None:
        """The same form again, however late: same status, same Location, no second effect."""
        browser = self.visit(board)
        sent = {"message": "a", "so_token": token(browser.get())}
        first = browser.post(sent)
        browser.follow(first)
        again = [browser.post(sent) for _ in range(3)]
        assert {(a.status, a.location) for a in [first, *again]} == {(303, first.location)}
        assert self.effects.all() == ["a"]

    def test_duplicates_at_the_same_time_have_one_effect(self) -> None:
        """Four at once: one effect, four times the same answer."""
        browser = self.visit(board)
        sent = {"message": "a", "so_token": token(browser.get())}
        answers = together(*[lambda: browser.post(sent)] * 4)
        assert {(a.status, a.location) for a in answers} == {(303, answers[0].location)}
        assert self.effects.all() == ["a"]

    @pytest.mark.parametrize("on_edit", ["new", "confirm"])
    def test_a_duplicate_that_has_waited_long_enough(self, on_edit: str) -> None:
        """The first one still runs: a page that asks again, and at last goes where it went.

        In mode joined nobody can see that it runs: 503, with everything typed and the same token.
        """
        inside, finish = threading.Event(), threading.Event()

        def slow(call: Call) -> Response:
            if call.method == "POST":
                inside.set()
                assert finish.wait(WAIT)
            return board(call)

        browser = self.visit(slow, patience=0.0, on_edit=on_edit)
        sent = {"message": "typed text", "so_token": token(browser.get())}

        def second() -> Answer:
            assert inside.wait(WAIT)
            try:
                return self._while_it_runs(browser, sent)
            finally:
                finish.set()

        first, waiting = together(lambda: browser.post(sent), second)
        assert (first.status, self.effects.all()) == (303, ["typed text"])
        if self.mode != "joined":
            assert browser.follow(waiting).location == first.location
        assert browser.post(sent).location == first.location

    def _while_it_runs(self, browser: Browser, sent: dict[str, str]) -> Answer:
        """What the duplicate gets."""
        answer = browser.post(sent)
        if self.mode == "joined":
            assert (answer.status, token(answer)) == (503, sent["so_token"])
            assert "typed text" in answer.text
            return answer
        assert (answer.status, answer.location[:7]) == (303, "/?so=w.")
        shown = browser.follow(answer)
        assert (shown.status, shown.header("refresh")) == (200, "1")
        assert shown.header("cache-control") == "no-store"
        return answer

    def test_different_forms_do_not_meet(self) -> None:
        """Four visitors at once, and other input under one token: each has its effect."""
        client = self.serve(board)
        browsers = [Browser(client) for _ in range(4)]
        sent = [{"message": str(n), "so_token": token(b.get())} for n, b in enumerate(browsers)]
        together(*[partial(b.post, s) for b, s in zip(browsers, sent, strict=True)])
        browsers[0].post({**sent[0], "message": "edited"})
        assert sorted(self.effects.all()) == ["0", "1", "2", "3", "edited"]

    def test_a_page_answer_is_not_run_again(self) -> None:
        """A view that answers 200 with a page: the duplicate gets a page, and no effect.

        Zero-code keeps the page, redirects to it, and shows the very same to the duplicate.
        """
        browser = self.visit(answering(page("<p>Thank you</p>")))
        sent = {"message": "a", "so_token": token(browser.get())}
        first, again = browser.post(sent), browser.post(sent)
        if first.status == 303:
            assert again.location == first.location
            first, again = browser.follow(first), browser.follow(again)
            assert "Thank you" in again.text
        assert (first.status, "Thank you" in first.text) == (200, True)
        assert (again.status, again.header("content-type")) == (200, "text/html; charset=utf-8")
        assert self.effects.all() == ["done"]

    def test_a_corrected_form_runs(self) -> None:
        """Rejected input has no effect; corrected, under the same token, it has one."""
        browser = self.visit(board)
        rejected = browser.submit({"message": ""})
        shown = browser.follow(rejected)
        assert "Type something." in shown.text
        browser.post({"message": "a", "so_token": token(shown)})
        assert self.effects.all() == ["a"]

    @pytest.mark.parametrize("status", [401, 408, 425, 429, 503])
    def test_a_releasing_answer_may_run_again(self, status: int) -> None:
        """An answer that says "not now" is no outcome: the same form may be sent again and runs."""
        answers = [Response(status, ((b"content-type", b"text/plain"),), b"later")]

        def later(call: Call) -> Response:
            if call.method != "POST":
                return page(FORM)
            return answers.pop() if answers else board(call)

        browser = self.visit(later)
        sent = {"message": "a", "so_token": token(browser.get())}
        assert [browser.post(sent).status, browser.post(sent).status] == [status, 303]
        assert self.effects.all() == ["a"]

    # A view that raises --------------------------------------------------------------------------

    def test_a_view_that_raises(self) -> None:
        """Joined: rolled back, and sent again it runs. Separate: in doubt, never run blindly."""
        client = self.serve(_raising_once())
        browser = Browser(client)
        sent = {"message": "typed text", "so_token": token(browser.get())}
        assert browser.post(sent).status == 500
        if self.mode == "separate":
            self._doubt(browser, browser.post(sent))
        else:
            assert self.effects.all() == []
            assert browser.post(sent).status == 303
            assert self.effects.all() == ["typed text"]

    def _doubt(self, browser: Browser, answer: Answer) -> None:
        """The page of a doubt: it says so, runs nothing, and Send is a submission of its own."""
        assert (answer.status, self.effects.all()) == (500, ["typed text"])
        assert "cannot tell" in answer.text and "typed text" in answer.text
        assert 'role="alert"' in answer.text
        again = browser.post({"message": "typed text", "so_token": token(answer)})
        assert (again.status, self.effects.all()) == (303, ["typed text"] * 2)

    # What is left alone ------------------------------------------------------------------------

    @pytest.mark.parametrize("kind", ["application/json", "text/plain", "application/octet-stream"])
    def test_what_is_no_form_passes(self, kind: str) -> None:
        """A body that is no form reaches the view byte for byte, and so does its answer back."""
        bodies: list[bytes] = []

        def api(call: Call) -> Response:
            bodies.append(call.body)
            call.effect("called")
            head = ((b"content-type", b"application/json"), (b"content-length", b"18"))
            return Response(201, head, b'{"form": "<form>"}')

        browser = self.visit(api)
        sent = b'{"message": "\xc3\xa9"}'
        answers = [
            browser.ask("POST", "/", sent, content_type=kind, origin=browser.origin)
            for _ in range(2)
        ]
        assert [(a.status, a.body) for a in answers] == [(201, b'{"form": "<form>"}')] * 2
        assert (bodies, self.effects.all()) == ([sent, sent], ["called", "called"])

    def test_a_second_layer_does_nothing(self) -> None:
        """The adapter around itself: one token, one effect, one message."""
        browser = self.visit(board, layers=2)
        first = browser.get()
        sent = {"message": "a", "so_token": token(first)}
        answer = browser.post(sent)
        assert browser.post(sent).location == answer.location
        assert len(tokens(first)) == 1
        assert browser.follow(answer).text.count("Saved a.") == 1
        assert self.effects.all() == ["a"]


def _raising_once() -> Behaviour:
    left = [RuntimeError("the view exploded")]

    def behaviour(call: Call) -> Response | Streamed:
        if call.method != "POST":
            return board(call)
        call.effect(call.visit.form.get("message", ""))
        if left:
            raise left.pop()
        return call.visit.see_other("/")

    return behaviour
