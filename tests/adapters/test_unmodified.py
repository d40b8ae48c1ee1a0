"""Apps that know nothing of seeother, wrapped in one line, as processes over real sockets.

Flask with its session in a cookie, and Django with its own views for signing in, its sessions in
the database and its CSRF protection on.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from seeother.testing.adapter.browser import NAVIGATION, TOKEN
from tests.adapters import unmodified
from tests.adapters.flask_site import together
from tests.adapters.unmodified import PASSWORD
from tests.browser.server import Server, rows

LOGINS = {"flask": "login", "django": "django_session"}


class Site(Server):
    """One of the two apps as a process."""

    def __init__(self, folder: Path, kind: str) -> None:
        command = (sys.executable, str(unmodified.__file__), kind, folder)
        super().__init__(folder, command)
        self.folder, self.kind = folder, kind
        self.database = folder / "app.db"

    def logins(self) -> int:
        """How often somebody was signed in, as the app's own database has it."""
        return rows(self.database, LOGINS[self.kind])

    def browser(self, cookies: httpx.Cookies | None = None) -> httpx.Client:
        """A browser, perhaps with the cookies of another connection."""
        origin = {"origin": self.url.rstrip("/")}
        return httpx.Client(base_url=self.url, headers=NAVIGATION | origin, cookies=cookies)


@pytest.fixture(params=LOGINS)
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    """Each of the two."""
    with Site(tmp_path, request.param) as running:
        yield running


@pytest.fixture
def notes(tmp_path: Path) -> Iterator[Site]:
    """The one with notes."""
    with Site(tmp_path, "flask") as running:
        yield running


def fields(page: httpx.Response, **typed: str) -> dict[str, str]:
    """What its form sends: what was typed, and its hidden fields."""
    hidden = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]+)"', page.text)
    assert TOKEN.search(page.text)
    return {**dict(hidden), **typed}


def credentials(page: httpx.Response, name: str = "ann") -> dict[str, str]:
    """The login form, filled in."""
    return fields(page, username=name, password=PASSWORD)


def who(browser: httpx.Client) -> str:
    """Who is signed in."""
    found = re.search('<p id="who">(\\w+)', browser.get("/").text)
    assert found is not None
    return found[1]


def test_a_double_clicked_login(site: Site) -> None:
    """Two at the same time: signed in once, and whichever answer arrives, it brings the session."""
    with site.browser() as browser:
        sent = credentials(browser.get("/login"))
        tabs = [site.browser(browser.cookies) for _ in range(2)]
        answers = together(2, lambda n: tabs[n].post("/login?so", data=sent))
    assert [answer.status_code for answer in answers] == [303, 303]
    assert answers[0].headers["location"] == answers[1].headers["location"]
    assert [who(tab) for tab in tabs] == ["ann", "ann"]
    assert site.logins() == 1
    for tab in tabs:
        tab.close()


def test_a_lost_answer_to_a_login(site: Site) -> None:
    """The process that signed her in was killed after it: the retry brings the session."""
    with site.browser() as browser, site.browser() as late:
        sent = credentials(browser.get("/login"))
        late.cookies = httpx.Cookies(browser.cookies)
        browser.post("/login?so", data=sent)
        site.kill()
        site.start()
        late.post("/login?so", data=sent)
        assert (who(late), site.logins()) == ("ann", 1)


def test_a_login_of_before_a_logout(site: Site) -> None:
    """Signed in, signed out, Back and sent again: nobody is signed in by that."""
    with site.browser() as browser:
        sent = credentials(browser.get("/login"))
        browser.post("/login?so", data=sent)
        browser.post("/logout", data=fields(browser.get("/")))
        assert who(browser) == "nobody"
        assert browser.post("/login?so", data=sent).status_code == 303
        assert who(browser) == "nobody"
        browser.post("/login?so", data=credentials(browser.get("/login"), "bob"))
        assert (who(browser), site.logins()) == ("bob", 1 if site.kind == "django" else 2)


def test_a_wrong_password(site: Site) -> None:
    """The app's page about it stands behind a redirect; from there the right one signs in."""
    with site.browser() as browser:
        wrong = fields(browser.get("/login"), username="ann", password="wrong")
        answer = browser.post("/login?so", data=wrong)
        assert (answer.status_code, answer.content) == (303, b"")
        shown = browser.get(answer.headers["location"])
        assert "Sign in" in shown.text
        assert browser.get(answer.headers["location"]).status_code == shown.status_code
        browser.post("/login?so", data=credentials(shown))
        assert who(browser) == "ann"


def test_a_page_outlives_its_process(notes: Site) -> None:
    """Killed, and started again: the page of before is shown, and nothing was stored twice."""
    with notes.browser() as browser:
        sent = fields(browser.get("/note"), text="tea")
        location = browser.post("/note?so", data=sent).headers["location"]
        notes.kill()
        notes.start()
        assert "Saved tea of nobody." in browser.get(location).text
        assert browser.post("/note?so", data=sent).headers["location"] == location
    assert rows(notes.database, "note") == 1


def test_nothing_of_it_can_be_read(notes: Site) -> None:
    """No word of page or password stands in the files of the store, nor in its log."""
    with notes.browser() as browser:
        browser.post("/login?so", data=credentials(browser.get("/login")))
        browser.post("/note?so", data=fields(browser.get("/note"), text="dear diary"))
    for file in notes.folder.glob("seeother.db*"):
        assert not any(word in file.read_bytes() for word in (b"horse", b"diary", b"Saved"))
    assert "horse" not in notes.log.read_text()
