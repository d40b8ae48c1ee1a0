"""The promises about people: who signs in, and who comes to the same browser after them."""

from __future__ import annotations

import time
from functools import partial

import pytest

from ...core.cookie import read_cookie
from ...core.values import Headers, Response
from .browser import Browser, token
from .harness import Harness, together
from .stage import HTML, Answer, Call, page

LOGIN = '<form method="post" action="/login"><input name="user"><button>Sign in</button></form>'
NOTE = '<form method="post" action="/note"><input name="note"><button>Save</button></form>'


def signed_in(call: Call) -> str:
    """Who it is, by the app's own cookie; empty for nobody."""
    lines = [value for name, value in call.visit.greeting.request.headers if name == b"cookie"]
    return (read_cookie(lines, b"session") or b"").decode()


def session(value: str) -> Headers:
    """The app's own Set-Cookie: somebody signs in, or (empty) out."""
    line = f"session={value}; Path=/; HttpOnly" if value else "session=; Path=/; max-age=0"
    return ((b"set-cookie", line.encode()),)


def to(path: str, value: str) -> Response:
    """302, as frameworks do it, with a session."""
    return Response(302, ((b"location", path.encode()), HTML, *session(value)))


def site(call: Call) -> Response:
    """An app that knows its users by a cookie, and answers a note with a page."""
    who = signed_in(call)
    match call.method, call.path:
        case "POST", "/login":
            user = call.visit.form["user"]
            call.effect(f"in {user}")
            return to("/", f"session-of-{user}")
        case "POST", "/welcome":
            user = call.visit.form["user"]
            return page(f"<p>Hello {user}", headers=session(f"session-of-{user}"))
        case ("POST", "/logout") | ("GET", "/bye"):
            return to("/", "")
        case "POST", _:
            return page(f"<p>A note of {who}: {call.visit.form['note']}")
        case _:
            pass
    return page(f"<p>You are {who or 'nobody'}.", NOTE if who else LOGIN)


class PeoplePromises(Harness):
    """Signing in twice at once, and two people at one browser (security rules 4, 5)."""

    def login(self, browser: Browser, user: str, path: str = "/login") -> Answer:
        """Sign in by the form."""
        fields = {"user": user, "so_token": token(browser.get())}
        return browser.post(fields, path)

    def note(self, browser: Browser, text: str) -> Answer:
        """Save a note."""
        return browser.post({"note": text, "so_token": token(browser.get())}, "/note")

    # A login twice -------------------------------------------------------------------------------

    def twice(self, browser: Browser, path: str = "/login") -> tuple[dict[str, str], Answer]:
        """A double click: both go out with the cookies as they are, the first answer is dropped.

        What was sent, and the answer to the second one.
        """
        fields = {"user": "ann", "so_token": token(browser.get())}
        before = dict(browser.cookies)
        first = browser.post(fields, path)
        browser.cookies = before
        second = browser.post(fields, path)
        assert (first.status, first.location) == (second.status, second.location)
        return fields, second

    @pytest.mark.parametrize("path", ["/login", "/welcome"])
    def test_a_double_clicked_login(self, path: str) -> None:
        """The browser keeps the second answer only, and whoever sees it is signed in."""
        browser = self.visit(site)
        _, answer = self.twice(browser, path)
        assert "ann" in browser.follow(answer).text
        assert "You are session-of-ann" in browser.get("/").text
        assert self.effects.all() == (["in ann"] if path == "/login" else [])

    def test_two_logins_at_the_same_time(self) -> None:
        """Both in flight: one runs, and both answers bring the same session."""
        browser = self.visit(site)
        fields = {"user": "ann", "so_token": token(browser.get())}
        tabs = [Browser(browser.client) for _ in range(2)]
        for tab in tabs:
            tab.cookies = dict(browser.cookies)
        together(*[partial(tab.post, fields, "/login") for tab in tabs])
        assert [tab.cookies.get("session") for tab in tabs] == ["session-of-ann"] * 2
        assert self.effects.all() == ["in ann"]

    def again(self, browser: Browser, fields: dict[str, str]) -> Answer:
        """The login form of before, sent once more; nothing runs."""
        answer = browser.post(fields, "/login")
        assert self.effects.all() == ["in ann"]
        return answer

    @pytest.mark.parametrize("newer", ["session-of-bob", "session-of-ann", ""])
    def test_a_newer_cookie_is_not_rolled_back(self, newer: str) -> None:
        """A session that is there by now, whose ever it is, stays."""
        browser = self.visit(site)
        fields, _ = self.twice(browser)
        browser.cookies["session"] = newer
        assert self.again(browser, fields).all("set-cookie") == []

    def test_after_two_minutes_only_the_redirect_comes(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Whoever sends the form that late has not clicked twice."""
        browser = self.visit(site)
        fields, _ = self.twice(browser)
        del browser.cookies["session"]
        assert self.again(browser, fields).all("set-cookie") != []
        del browser.cookies["session"]
        now = time.time
        monkeypatch.setattr(time, "time", lambda: now() + 121)
        assert self.again(browser, fields).all("set-cookie") == []

    def test_another_visitor_gets_no_cookie(self) -> None:
        """Whoever has got hold of form, token and password: nothing runs, and no session comes.

        A token of the very first page is bound to no cookie, and gets the redirect; others 400.
        """
        for status in (303, 400):
            browser = self.visit(site)
            if status == 400:
                browser.get()
            fields, _ = self.twice(browser)
            other = Browser(browser.client)
            other.get()
            answer = other.post(fields, "/login")
            assert (answer.status, answer.all("set-cookie")) == (status, [])
        assert self.effects.all() == ["in ann"] * 2

    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_a_logout_stays_one(self, method: str) -> None:
        """Back to the login form and sent again: the cookies look as before, and none comes."""
        browser = self.visit(site)
        fields, _ = self.twice(browser)
        if method == "POST":
            browser.post({"so_token": token(browser.get())}, "/logout")
        else:
            browser.get("/bye")
        assert "session" not in browser.cookies
        assert self.again(browser, fields).all("set-cookie") == []
        assert "You are nobody" in browser.get("/").text
        self.login(browser, "bob")
        assert "You are session-of-bob" in browser.get("/").text

    # Two people, one browser ---------------------------------------------------------------------

    def test_nothing_of_the_first_is_the_seconds(self) -> None:
        """Ann's page is Ann's: not without her session, not with Bob's; and hers again later."""
        browser = self.visit(site)
        self.login(browser, "ann")
        said = self.note(browser, "my diary")
        for _ in range(2):
            assert "A note of session-of-ann: my diary" in browser.follow(said).text
        browser.post({"so_token": token(browser.get())}, "/logout")
        assert "my diary" not in browser.follow(said).text
        assert "You are nobody" in browser.follow(said).text
        self.login(browser, "bob")
        assert "my diary" not in browser.follow(said).text
        assert "You are session-of-bob" in browser.follow(said).text
        browser.post({"so_token": token(browser.get())}, "/logout")
        self.login(browser, "ann")
        assert "my diary" in browser.follow(said).text

    def test_also_in_a_process_that_has_seen_no_login(self) -> None:
        """Another worker knows no cookie of the app yet, and shows Bob nothing either."""
        browser = self.visit(site)
        self.login(browser, "ann")
        browser.client = self.serve(site)
        said = self.note(browser, "my diary")
        browser.client = self.serve(site)
        browser.cookies["session"] = "session-of-bob"
        assert "my diary" not in browser.follow(said).text
        browser.cookies["session"] = "session-of-ann"
        assert "my diary" in browser.follow(said).text

    def test_who_is_known_by_a_header(self) -> None:
        """Basic authentication, and what a proxy says (`identity_headers`)."""
        browser = self.visit(site, identity_headers=("X-Remote-User",))
        for header in ("authorization", "x_remote_user"):
            ann, bob = {header: "ann"}, {header: "bob"}
            fields = {"note": "my diary", "so_token": token(browser.get(**ann))}
            said = browser.post(fields, "/note", **ann).location
            assert "my diary" in browser.get(said, **ann).text
            assert "my diary" not in browser.get(said, **bob).text
            assert "my diary" not in browser.get(said).text
