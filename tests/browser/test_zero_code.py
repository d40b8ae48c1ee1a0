"""Unmodified apps, wrapped in one line, in front of people: pages that answer a form, and logins.

Chromium with its back/forward cache and without it, and Firefox: the three differ in what Back
shows after a form that posts to its own address. Effects are counted in the app's own database.
"""

import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.adapters import unmodified
from tests.adapters.unmodified import PASSWORD
from tests.browser.chromium import go_back_to, history, restored, visiting
from tests.browser.firefox import Firefox
from tests.browser.person import InChromium, InFirefox, Person
from tests.browser.polling import at_rest, until
from tests.browser.proxy import Fault, Proxy
from tests.browser.server import Server, rows

TOKEN = "(document.querySelector('[name=so_token]') || {}).value"
SAID = "(document.querySelector('#said') || {}).innerText"
WHO = "(document.querySelector('#who') || {}).innerText"


class Site(Server):
    """One of the unmodified apps, as a process."""

    def __init__(self, folder: Path, kind: str) -> None:
        command = (sys.executable, str(unmodified.__file__), kind, folder)
        super().__init__(folder, command)
        self.database = folder / "app.db"

    def notes(self) -> int:
        """How many notes are stored."""
        return rows(self.database, "note")


@pytest.fixture
def notes(tmp_path: Path) -> Iterator[Site]:
    """The app with notes."""
    with Site(tmp_path, "flask") as site:
        yield site


@pytest.fixture
def proxy(notes: Site) -> Iterator[Proxy]:
    """A proxy before it."""
    with Proxy(notes.port) as running:
        yield running


@pytest.fixture(scope="module")
def forgetful(chromium: Browser, chromium_path: Path) -> Iterator[Browser]:
    """Chromium without the back/forward cache."""
    browser = chromium.browser_type.launch(
        executable_path=chromium_path, args=["--no-sandbox", "--disable-gpu"]
    )
    try:
        yield browser
    finally:
        browser.close()


@pytest.fixture(params=["chromium", "chromium without bfcache", "firefox"])
def person(request: pytest.FixtureRequest, proxy: Proxy) -> Iterator[Person]:
    """A new visitor in each of the three."""
    if request.param == "firefox":
        firefox: Firefox = request.getfixturevalue("firefox")
        with firefox.visitor():
            yield InFirefox(proxy, firefox)
    else:
        name = "forgetful" if "without" in request.param else "chromium"
        browser: Browser = request.getfixturevalue(name)
        with visiting(browser) as page:
            yield InChromium(proxy, page)


def forward(person: Person) -> None:
    """Press the Forward button, and wait for another page."""
    left = person.evaluate("location.href")
    if isinstance(person, InChromium):
        history(person.page, 1)
    elif isinstance(person, InFirefox):
        person.firefox.history(1)
    until(lambda: (person.evaluate("location.href") or left) != left, "the next page")


def at(person: Person, title: str) -> None:
    """Wait for the page with this title, and until nothing is under way."""

    def look() -> tuple[str, int] | None:
        ready = person.evaluate("document.readyState") == "complete" and person.proxy.idle
        found = person.evaluate("document.title") if ready else None
        return (found, len(person.proxy.begun())) if found == title else None

    at_rest(look, f"the page {title!r}")


def save(person: Person, text: str, *, first: bool = False) -> str:
    """Open the form, save a note; the token that the form had.

    From another page of the site, or, `first`, as the first page of all.
    """
    if not first:
        person.open()
    person.open("note")
    token: str = person.evaluate(TOKEN)
    assert token
    person.fill("text", text)
    person.press()
    at(person, "Saved")
    return token


def test_the_page_can_be_reloaded(person: Person, notes: Site) -> None:
    """Reload asks nothing and sends nothing; the same page, and one row."""
    save(person, "tea")
    for _ in range(2):
        person.reload()
        at(person, "Saved")
        assert person.evaluate(SAID) == "Saved tea of nobody."
    assert (person.posts(), notes.notes()) == (1, 1)


def test_back_and_forward(person: Person, notes: Site) -> None:
    """Back to the form with its text, Forward to the page again, twice; nothing is sent."""
    token = save(person, "tea")
    for _ in range(2):
        person.back()
        at(person, "Notes")
        assert (person.evaluate(SAID), person.evaluate(TOKEN)) == ("", token)
        assert person.evaluate("document.querySelector('[name=text]').value") == "tea"
        forward(person)
        at(person, "Saved")
        assert person.evaluate(SAID) == "Saved tea of nobody."
    assert (person.posts(), notes.notes()) == (1, 1)


@pytest.mark.parametrize("first", [False, True], ids=["later", "first page"])
def test_back_and_sent_again(person: Person, notes: Site, first: bool) -> None:
    """Back, the old token beside the old text, Save again: the page of the first time, one row.

    So it is on the very first page of a visit, which was asked for without the cookie that it
    brought, in a browser that can take it out of its HTTP cache only (`core.headers`, Vary).
    """
    token = save(person, "tea", first=first)
    person.back()
    at(person, "Notes")
    assert person.evaluate(TOKEN) == token
    person.press()
    at(person, "Saved")
    assert person.evaluate(SAID) == "Saved tea of nobody."
    assert (person.posts(), notes.notes()) == (2, 1)


def test_back_and_other_text(person: Person, notes: Site) -> None:
    """Back, another text, Save: that is meant, and a row of its own."""
    save(person, "tea")
    person.back()
    at(person, "Notes")
    person.fill("text", "milk")
    person.press()
    at(person, "Saved")
    assert person.evaluate(SAID) == "Saved milk of nobody."
    assert notes.notes() == 2


def test_a_form_on_the_stored_page(person: Person, notes: Site) -> None:
    """Rejected, reloaded, corrected on the page that was kept: one row."""
    person.open("note")
    person.press()
    at(person, "Rejected")
    token = person.evaluate(TOKEN)
    person.reload()
    at(person, "Rejected")
    assert token != person.evaluate(TOKEN)
    person.fill("text", "tea")
    person.press()
    at(person, "Saved")
    assert notes.notes() == 1


def sign_in(person: Person, name: str, clicks: int = 1) -> None:
    """Fill the login form in, and send it."""
    person.open("login")
    at(person, "Sign in")
    person.fill("username", name)
    person.fill("password", PASSWORD)
    person.press(clicks, gap=0.15)


def test_another_user_on_the_same_browser(person: Person, notes: Site) -> None:
    """What the app showed to Ann is hers: at its address Bob gets the app's own page."""
    sign_in(person, "ann")
    at(person, "Home")
    save(person, "diary")
    assert person.evaluate(SAID) == "Saved diary of ann."
    address = person.evaluate("location.pathname + location.search").removeprefix("/")
    person.open("")
    person.press()
    until(lambda: person.evaluate(WHO) == "nobody", "nobody")
    at(person, "Home")
    sign_in(person, "bob")
    until(lambda: person.evaluate(WHO) == "bob", "Bob")
    person.open(address)
    at(person, "Notes")
    assert (person.evaluate(WHO), person.evaluate(SAID)) == ("bob", "")
    assert "diary" not in person.evaluate("document.documentElement.innerHTML")


@pytest.mark.parametrize("person", ["chromium without bfcache"], indirect=True)
def test_back_to_the_form_of_another_user(person: Person) -> None:
    """What Ann's cookies fetched is not taken out of the HTTP cache for Bob: he gets his own."""
    sign_in(person, "ann")
    at(person, "Home")
    person.open("note")
    assert person.evaluate(WHO) == "ann"
    token = person.evaluate(TOKEN)
    person.open("")
    person.press()
    until(lambda: person.evaluate(WHO) == "nobody", "nobody")
    at(person, "Home")
    sign_in(person, "bob")
    until(lambda: person.evaluate(WHO) == "bob", "Bob")
    assert isinstance(person, InChromium)
    go_back_to(person.page, "/note")
    at(person, "Notes")
    assert person.evaluate(WHO) == "bob"
    assert person.evaluate(TOKEN) != token


@pytest.mark.parametrize("person", ["chromium", "firefox"], indirect=True)
@pytest.mark.parametrize("kind", ["flask", "django"])
def test_a_double_clicked_login(person: Person, proxy: Proxy, kind: str, tmp_path: Path) -> None:
    """The first answer is still on its way at the second click, and lost: signed in, once."""
    folder = tmp_path / "login"
    folder.mkdir()
    with Site(folder, kind) as site:
        proxy.upstream = site.port
        held = threading.Event()
        proxy.rule(Fault(after=held), method="POST")
        sign_in(person, "ann", clicks=2)
        until(lambda: person.posts() == 2, "two POSTs")
        held.set()
        until(lambda: person.evaluate(WHO) == "ann", "Ann, signed in")
        person.open("")
        assert person.evaluate(WHO) == "ann"
        assert rows(site.database, "login" if kind == "flask" else "django_session") == 1


@pytest.mark.parametrize("person", ["chromium", "firefox"], indirect=True)
def test_an_app_that_compresses(person: Person, proxy: Proxy, tmp_path: Path) -> None:
    """Its pages come compressed, and planted; the page that answers a form is kept all the same."""
    folder = tmp_path / "gzip"
    folder.mkdir()
    coded = "(([e]) => e.encodedBodySize !== e.decodedBodySize)"
    coded += "(performance.getEntriesByType('navigation'))"
    with Site(folder, "gzip") as site:
        proxy.upstream = site.port
        token = save(person, "tea")
        assert person.evaluate(SAID) == "Saved tea of nobody."
        person.reload()
        at(person, "Saved")
        person.back()
        at(person, "Notes")
        assert person.evaluate(TOKEN) == token
        person.press()
        at(person, "Saved")
        person.open("note")
        at(person, "Notes")
        assert person.evaluate(coded) is True
        assert (person.posts(), site.notes()) == (2, 1)


def test_the_two_chromiums_differ(
    chromium: Browser, forgetful: Browser, proxy: Proxy, notes: Site
) -> None:
    """Back comes out of the back/forward cache in one, and is made anew in the other."""
    for browser, cached in ((chromium, True), (forgetful, False)):
        with visiting(browser) as page:
            person = InChromium(proxy, page)
            save(person, "tea")
            person.back()
            at(person, "Notes")
            assert restored(page) is cached
    assert notes.notes() == 2
