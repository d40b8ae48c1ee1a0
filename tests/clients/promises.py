"""What is promised, whatever sends the form: each function is one promise, played in a browser."""

from collections.abc import Callable, Generator
from contextlib import contextmanager

from playwright.sync_api import Browser

from tests.browser.polling import until
from tests.clients.page import CLIENTS
from tests.clients.visitor import ABORTS, BREAKS, Site, Visitor, visitor

Promise = Callable[[Browser, Site, str], None]
# Where Back brings the old page, with the token that it had (htmx 2: out of its cache).
OLD_PAGES = ("plain", "htmx2-boost")
NEW_PAGES = ("turbo", "unpoly", "htmx4-boost")


def a_double_click_is_one(browser: Browser, site: Site, client: str) -> None:
    """The second click comes while the first answer is on its way: one note, one message."""
    with visitor(browser, site, client) as ann:
        ann.open()
        ann.write("tea")
        with ann.held():
            ann.press(2)
        ann.is_told(1, "Saved tea.")


def a_double_click_on_a_fast_server_is_one(browser: Browser, site: Site, client: str) -> None:
    """The second click hits the button of the page that came: one vote, one message."""
    with visitor(browser, site, client) as ann:
        ann.open()
        ann.press(2, form="vote", gap=0.25)
        ann.is_told(1, "Saved vote.")


def a_slow_view_runs_once(browser: Browser, site: Site, client: str) -> None:
    """The view still runs when the form is sent again: it runs once, and its message comes."""
    with visitor(browser, site, client) as ann:
        ann.open()
        ann.write("slow tea")
        ann.press(2, gap=0.4)
        site.go()
        ann.is_told(1, "Saved slow tea.")


def what_is_meant_twice_is_two(browser: Browser, site: Site, client: str) -> None:
    """The same words on purpose, from the form as the first answer left it: two notes."""
    with visitor(browser, site, client) as ann:
        ann.open()
        before = ann.token()
        ann.send("ok")
        until(lambda: ann.token() != before, "another token")
        site.later(2)
        ann.send("ok")
        ann.is_told(2, "Saved ok.")


def rejected_input_is_kept(browser: Browser, site: Site, client: str) -> None:
    """303 and a draft: the input and what is wrong with it; corrected, it is one note."""
    _corrected(browser, site, client, "")


def rejected_input_is_kept_in_place(browser: Browser, site: Site, client: str) -> None:
    """The same with 422."""
    _corrected(browser, site, client, "at=once")


def _corrected(browser: Browser, site: Site, client: str, asked: str) -> None:
    with visitor(browser, site, client) as ann:
        ann.open(asked)
        ann.send("bad")
        until(ann.wrong, "what is wrong")
        assert (ann.text(), ann.wrong(), ann.said()) == ("bad", "Please type something else.", "")
        ann.send("good")
        ann.is_told(1, "Saved good.")
        assert ann.wrong() == ""
        statuses = [one.status for one in ann.proxy.seen("POST")]
        assert statuses == [422 if asked else 303, 303]


def back_sends_nothing(browser: Browser, site: Site, client: str) -> None:
    """Back and Forward: no POST, no second note, the message is not fetched again.

    Where Back brings the old page with its token, the same words sent from there are the same
    submission, however late.
    """
    with visitor(browser, site, client) as ann:
        ann.open(rest="other")
        ann.open()
        before = ann.token()
        ann.send("tea")
        ann.is_told(1, "Saved tea.")
        ann.go(-1)
        assert (len(ann.posts()), site.notes()) == (1, 1)
        if client not in (*OLD_PAGES, *NEW_PAGES):
            ann.go(1)
            assert (len(ann.posts()), site.notes()) == (1, 1)
            return
        until(lambda: not ann.said() and ann.token(), "the page before")
        ann.rest()
        old = ann.token() == before
        assert client in OLD_PAGES or not old
        site.later(60)
        ann.send("tea")
        until(lambda: len(ann.posts()) == 2, "the second POST")
        ann.rest()
        assert site.notes() == (1 if old else 2)


def a_script_that_breaks(browser: Browser, site: Site, client: str) -> None:
    """It loses the answer, nothing is seen to happen, and Save is pressed again: one, and said."""
    with visitor(browser, site, client, script=BREAKS) as ann:
        ann.open()
        ann.write("tea")
        ann.press()
        until(lambda: ann.proxy.idle and len(ann.proxy.seen("GET")), "the answer, lost")
        ann.rest()
        assert ann.said() == ""
        ann.page.evaluate("window.whole = true")
        ann.page.evaluate(
            "document.querySelectorAll('button').forEach(one => one.disabled = false)"
        )
        ann.press()
        ann.is_told(1, "Saved tea.")


def a_script_that_gives_up(browser: Browser, site: Site, client: str) -> None:
    """It gives up before the answer is there: one note, and the next page says so, once."""
    with visitor(browser, site, client, script=ABORTS) as ann:
        with _under_way(ann, site):
            ann.page.evaluate("giveUp()")
        _told_once(ann, site)


def a_reload_meanwhile(browser: Browser, site: Site, client: str) -> None:
    """The page is reloaded while the request is under way: one note, and a later page says so."""
    with visitor(browser, site, client) as ann:
        with _under_way(ann, site):
            ann.reload()
        _told_once(ann, site)


@contextmanager
def _under_way(ann: Visitor, site: Site) -> Generator[None]:
    """Somebody who has a session has sent a note; it is stored, and its answer is on its way.

    Without one nothing leads to the message: the cookie that says so comes with that answer.
    """
    ann.open()
    ann.send("coffee")
    site.later(2)
    ann.open()
    ann.write("tea")
    with ann.held():
        ann.press()
        until(lambda: site.notes() == 2, "the note")
        yield


def _told_once(ann: Visitor, site: Site) -> None:
    ann.rest()
    site.later(6)
    ann.open()
    ann.is_told(2, "Saved tea.")
    ann.open()
    assert (site.notes(), ann.said(), len(ann.posts())) == (2, "", 2)


def a_script_that_never_comes(browser: Browser, site: Site, client: str) -> None:
    """Its file is lost on the way: the form is sent as a plain one, twice; one note, and said."""
    with visitor(browser, site, client, blocked=CLIENTS[client].script) as ann:
        ann.open()
        ann.write("tea")
        with ann.held():
            ann.press(2)
        ann.is_told(1, "Saved tea.")
        dests = {one.header("sec-fetch-dest") for one in ann.proxy.begun("POST")}
        assert dests == {"document"}


def a_page_that_stays(browser: Browser, site: Site, client: str) -> None:
    """The script looks at the status only: its token is renewed, and "ok" can be said twice.

    Before that, within a second, it is a double click.
    """
    with visitor(browser, site, client) as ann:
        ann.open()
        before = ann.token()
        ann.write("ok")
        ann.press(2)
        ann.rest()
        assert site.notes() == 1
        until(lambda: ann.token() != before, "another token")
        ann.send("ok")
        assert site.notes() == 2


def a_page_that_stays_without_our_script(browser: Browser, site: Site, client: str) -> None:
    """The form keeps its token: for 5 s the same words are the same submission, then new ones."""
    with visitor(browser, site, client) as ann:
        ann.open("bare")
        before = ann.token()
        ann.send("ok")
        ann.send("ok")
        assert site.notes() == 1
        site.later(6)
        ann.send("ok")
        assert (site.notes(), ann.token()) == (2, before)


def a_message_that_nobody_shows(browser: Browser, site: Site, client: str) -> None:
    """The script follows the redirect and drops the page: the next page of the person has it."""
    with visitor(browser, site, client) as ann:
        ann.open()
        ann.send("tea")
        assert (site.notes(), ann.said()) == (1, "")
        site.later(6)
        ann.open()
        assert ann.said() == "Saved tea."
        ann.open()
        assert ann.said() == ""


def a_message_for_the_page_that_it_goes_to(browser: Browser, site: Site, client: str) -> None:
    """The script follows the redirect, and goes to where it led: there the message is, once."""
    with visitor(browser, site, client) as ann:
        ann.open()
        ann.send("tea")
        ann.is_told(1, "Saved tea.")
        ann.reload()
        ann.rest()
        assert ann.said() == ""


STAYING: tuple[Promise, ...] = (
    a_page_that_stays,
    a_page_that_stays_without_our_script,
    a_message_that_nobody_shows,
)
PROMISES: tuple[Promise, ...] = (
    a_double_click_is_one,
    a_double_click_on_a_fast_server_is_one,
    a_slow_view_runs_once,
    what_is_meant_twice_is_two,
    rejected_input_is_kept,
    rejected_input_is_kept_in_place,
    back_sends_nothing,
    a_script_that_breaks,
    a_script_that_gives_up,
    a_reload_meanwhile,
    a_script_that_never_comes,
)
