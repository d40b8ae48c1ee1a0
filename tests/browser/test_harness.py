"""The harness proved on a site without seeother: each gesture does what people's browsers do."""

import sqlite3
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.chromium import axe, clicks, enter, history, overflows, restored, visiting
from tests.browser.firefox import Firefox
from tests.browser.polling import until
from tests.browser.proxy import (
    BAD_GATEWAY,
    LOSE_ANSWER,
    LOSE_REQUEST,
    SPOIL_ANSWER,
    TRUNCATE,
    Fault,
    Proxy,
)
from tests.browser.server import Server, rows
from tests.browser.site import Site


@pytest.fixture
def site() -> Iterator[Site]:
    """A fresh site that has counted nothing."""
    with Site() as running:
        yield running


@pytest.fixture
def proxy(site: Site) -> Iterator[Proxy]:
    """A proxy before it, without rules."""
    with Proxy(site.port) as running:
        yield running


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """A new visitor in Chromium."""
    with visiting(chromium) as visitor:
        yield visitor


def shows(page: Page, title: str) -> None:
    """Wait until this page is on screen."""
    page.wait_for_function("title => document.title === title", arg=title)


def test_double_click_posts_twice(page: Page, site: Site) -> None:
    """Two native clicks on a slow form are two POSTs: the harness does not swallow the second."""
    site.open.clear()
    page.goto(site.url)
    clicks(page, "button", 2, gap=0.15)
    until(lambda: site.posts == 2, "two POSTs")
    site.open.set()
    shows(page, "List")


def test_enter_many_times_posts_more_than_once(page: Page, site: Site) -> None:
    """Enter pressed again on a slow form is sent again."""
    site.open.clear()
    page.goto(site.url)
    page.focus("input")
    enter(page, 4, gap=0.15)
    until(lambda: site.posts > 1, "more than one POST")
    site.open.set()
    shows(page, "List")


def test_back_restores_the_page(page: Page, site: Site) -> None:
    """Back shows the very page that was left, text and all: the back/forward cache is on."""
    page.goto(site.url)
    page.fill("input", "typed")
    clicks(page, "button")
    shows(page, "List")
    history(page, -1)
    until(lambda: restored(page), "a page out of the back/forward cache")
    assert page.input_value("input") == "typed"
    history(page, 1)
    shows(page, "List")
    assert site.texts == ["typed"]


def test_lost_answer_is_sent_again_by_chromium(page: Page, site: Site, proxy: Proxy) -> None:
    """When the connection dies under a POST, Chromium posts again and the person sees one page."""
    proxy.rule(LOSE_ANSWER, method="POST")
    page.goto(proxy.url)
    # Only a POST on a connection that was used before is sent again, and the first page's may not
    # be free yet: after one more request there is one that is.
    page.evaluate("fetch('/list').then(answer => answer.text())")
    page.fill("input", "once")
    clicks(page, "button")
    shows(page, "List")
    assert site.texts == ["once", "once"]
    assert [(one.status, one.location) for one in proxy.seen("POST")] == [(303, "/list")] * 2


def test_spoilt_answer_had_its_effect(page: Page, site: Site, proxy: Proxy) -> None:
    """502 instead of an answer: the person sees the error, the server did the work."""
    proxy.rule(SPOIL_ANSWER, method="POST")
    page.goto(proxy.url)
    clicks(page, "button")
    page.get_by_text("Bad Gateway").wait_for()
    assert site.posts == 1


@pytest.mark.parametrize("fault", [BAD_GATEWAY, LOSE_REQUEST], ids=["502", "lost"])
def test_request_that_never_arrived(page: Page, site: Site, proxy: Proxy, fault: Fault) -> None:
    """A request that the proxy keeps has no effect, and is recorded without a status."""
    proxy.rule(fault, method="POST", times=None)
    page.goto(proxy.url)
    clicks(page, "button")
    until(lambda: proxy.seen("POST"), "a recorded POST")
    assert site.posts == 0
    assert {one.status for one in proxy.seen("POST")} == {None}


def test_held_answer_arrives_when_the_test_lets_it(page: Page, site: Site, proxy: Proxy) -> None:
    """A gate holds back the request or the answer for exactly as long as the test wants."""
    before, after = threading.Event(), threading.Event()
    proxy.rule(Fault(before=before, after=after), method="POST")
    page.goto(proxy.url)
    clicks(page, "button")
    assert site.posts == 0
    before.set()
    until(lambda: site.posts == 1, "the forwarded POST")
    assert proxy.seen("POST") == []
    after.set()
    shows(page, "List")


def test_truncated_answer(site: Site, proxy: Proxy) -> None:
    """A truncated answer promises more bytes than it brings."""
    import http.client

    proxy.rule(TRUNCATE, path="/list")
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=20)
    connection.request("GET", "/list")
    with connection.getresponse() as response, pytest.raises(http.client.IncompleteRead):
        response.read()
    connection.close()


def test_the_server_sees_the_browsers_own_headers(page: Page, proxy: Proxy) -> None:
    """Host and Origin reach the server as sent: for it the site lives at the proxy's port."""
    page.goto(proxy.url)
    clicks(page, "button")
    shows(page, "List")
    [post] = proxy.seen("POST")
    assert post.request.header("host") == f"127.0.0.1:{proxy.port}"
    assert post.request.header("origin") == proxy.url.rstrip("/")
    assert post.request.header("sec-fetch-site") == "same-origin"
    assert [one.request.target for one in proxy.seen()] == ["/", "/post", "/list"]


def test_visitor_without_script(chromium: Browser, site: Site) -> None:
    """Without JavaScript forms work, and the test can still look."""
    with visiting(chromium, javascript=False, phone=True, scheme="dark") as page:
        page.goto(site.url)
        page.click("button")
        page.wait_for_url("**/list")
        assert page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
        assert page.evaluate("innerWidth") <= 980
        assert not restored(page)  # the note is a script, too


def test_axe_finds_a_missing_label(page: Page) -> None:
    """The check of accessibility runs under a CSP and tells a labelled field from a bare one."""
    csp = "<meta http-equiv=Content-Security-Policy content=\"default-src 'none'\">"
    html = '<!doctype html><html lang="en"><title>t</title>{}<main><h1>h</h1>{}</main></html>'
    page.set_content(html.format(csp, "<label>Name <input></label>"))
    assert axe(page) == []
    assert not overflows(page)
    page.set_content(html.format(csp, "<input><p>" + "wide" * 500))
    assert [one.rule for one in axe(page)] == ["label"]
    assert overflows(page)


def test_firefox_posts_and_sends_again(firefox: Firefox, site: Site, proxy: Proxy) -> None:
    """Firefox types, clicks, goes back; it too sends a POST again when its answer was lost."""
    proxy.rule(LOSE_ANSWER, method="POST")
    firefox.goto(proxy.url)
    firefox.click("input")
    firefox.write("Grüße 👋")
    firefox.click("button")
    until(lambda: firefox.js("document.title") == "List", "the list")
    assert site.texts == ["Grüße 👋"] * 2
    firefox.history(-1)
    until(lambda: firefox.js("document.title") == "Form", "the form")
    assert firefox.js("document.querySelector('input').value") == "Grüße 👋"


def test_firefox_double_click_posts_twice(firefox: Firefox, site: Site) -> None:
    """Two clicks on a slow form are two POSTs in Firefox as well."""
    site.open.clear()
    firefox.goto(site.url)
    firefox.click("button", 2, gap=0.15)
    until(lambda: site.posts == 2, "two POSTs")
    site.open.set()
    until(lambda: firefox.js("document.title") == "List", "the list")


def test_firefox_without_script(firefox_path: Path, site: Site) -> None:
    """With scripts off the page's own do not run, and `js` still looks."""
    with Firefox(firefox_path, {"javascript.enabled": False}) as plain:
        plain.goto(f"{site.url}")
        plain.click("button")
        until(lambda: plain.js("document.title") == "List", "the list")
        assert site.posts == 1


def test_server_comes_back_at_its_port(tmp_path: Path) -> None:
    """A killed server is dead, and answers again at the same port after a start."""
    server = Server(tmp_path, [sys.executable, "-m", "http.server", "--bind", "127.0.0.1"])
    with server:
        first = server.pid
        server.kill()
        server.start()
        assert server.pid != first
        assert server.stop() != 0  # http.server knows no better end than the signal
    assert server.log.read_text().count("GET / ") == 2


def test_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    """A server that ends at its start is a failure that shows its last words."""
    with pytest.raises(AssertionError, match="No module named no_such_module"):
        Server(tmp_path, [sys.executable, "-m", "no_such_module"]).start()


def test_rows_counts_what_was_committed(tmp_path: Path) -> None:
    """The counter sees committed rows only, and no table means no rows."""
    database = tmp_path / "board.db"
    assert rows(database) == 0
    writer = sqlite3.connect(database)
    writer.execute("CREATE TABLE message (text TEXT)")
    writer.execute("INSERT INTO message VALUES ('one')")
    assert rows(database) == 0
    writer.commit()
    assert rows(database) == 1
    assert rows(database, "message", "text = ?", "two") == 0
    writer.close()
