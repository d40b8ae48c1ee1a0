"""Input that cannot be accepted: nothing typed is lost, and once corrected it is stored once.

Too long, blank, too old, too much at once, at a bad moment, and from a browser that keeps no
cookies. The browser's own check is not enough: `required` stops an empty text only.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.board.hosted import Hosted
from tests.browser.chromium import visiting, without_cookies
from tests.browser.person import POSTED, InChromium
from tests.browser.polling import until
from tests.browser.proxy import Proxy

LONG = "A long story. " + "x" * 2_000
COMPLAINT = "This is 14 characters too long: a message may have 2,000."
BESIDE = "document.querySelector('#message-error')?.innerText"


def rejected(ann: InChromium, text: str, complaint: str) -> None:
    """The form with everything typed, the complaint on top, in the title and beside the field."""
    screen = ann.sees()
    assert (screen.text, screen.name, screen.said) == (text, "Ann", [])
    assert screen.alerts == [f"Please fix 1 thing\n{complaint}"]
    assert screen.title == f"Message Board · Error: {complaint}"
    assert complaint in ann.evaluate(BESIDE)
    assert screen.focus == "message"


def test_empty_is_stopped_by_the_browser(ann: InChromium, board: Hosted) -> None:
    """Nothing typed: the browser says so itself and sends nothing."""
    ann.open()
    ann.click()
    assert ann.sees().alerts == []
    assert (ann.posts(), board.messages()) == (0, 0)


def test_rejected_then_corrected(ann: InChromium, board: Hosted) -> None:
    """Too long: text and name stay, also over reloads; corrected it is stored once."""
    ann.write(LONG, name="Ann")
    ann.press()
    rejected(ann, LONG, COMPLAINT)
    for _ in range(2):
        ann.reload()
        rejected(ann, LONG, COMPLAINT)
    assert (ann.posts(), board.messages()) == (1, 0)
    ann.fill("message", "A short story.")
    ann.press(2, gap=0.02)
    screen = ann.sees()
    assert (screen.said, screen.alerts, screen.text) == ([POSTED], [], "")
    assert screen.messages == ["A short story."]
    assert board.messages("A short story.") == board.messages() == 1


def test_rejected_then_back_and_corrected(ann: InChromium, board: Hosted) -> None:
    """Back to the first form, which has the text as well, and corrected there: stored once."""
    ann.write(LONG, name="Ann")
    ann.press()
    rejected(ann, LONG, COMPLAINT)
    ann.back()
    assert (screen := ann.sees()).text == LONG and screen.alerts == []
    ann.fill("message", "short")
    ann.press()
    assert ann.sees().said == [POSTED]
    assert board.messages("short") == board.messages() == 1


def test_blank_is_rejected_twice(ann: InChromium, board: Hosted) -> None:
    """Blanks pass the browser's check but not the board's; sent again they are rejected again."""
    ann.write(" \n ", name="Ann")
    ann.press(2, gap=0.02)
    rejected(ann, " \n ", "Write a message first.")
    ann.press()
    rejected(ann, " \n ", "Write a message first.")
    assert board.messages() == 0


@pytest.mark.parametrize("reload", [False, True], ids=["send", "reload, send"])
def test_too_old(
    ann: InChromium, board: Hosted, two_days_pass: Callable[[], None], reload: bool
) -> None:
    """A form left open for two days: the text comes back with one sentence; Send stores it once."""
    ann.write("Don't lose <me>", name="Ann")
    two_days_pass()
    ann.press()
    if reload:
        assert "once more" in ann.sees().title
        ann.reload()
    screen = ann.sees()
    assert (screen.text, screen.name, board.messages()) == ("Don't lose <me>", "Ann", 0)
    assert ["Nothing you typed is lost" in alert for alert in screen.alerts] == [True]
    ann.press(2, gap=0.02)
    screen = ann.sees()
    assert (screen.said, screen.messages) == ([POSTED], ["Don't lose <me>"])
    assert board.messages("Don't lose <me>") == board.messages() == 1


def test_too_much_at_once(ann: InChromium, board: Hosted) -> None:
    """More than the board reads at all: a page says so, and Back has the text."""
    text = "much " * 20_000
    ann.write(text)
    ann.press()
    assert ann.sees().title == "That is too much at once"
    ann.back()
    assert ann.sees().text == text
    ann.fill("message", "less")
    ann.press()
    assert ann.sees().said == [POSTED]
    assert board.messages() == 1


@pytest.fixture
def hasty(tmp_path: Path) -> Iterator[Hosted]:
    """A board that waits for a locked database only a moment."""
    with Hosted(tmp_path, patience=0.2) as hosted:
        yield hosted


def test_locked_database(chromium: Browser, hasty: Hosted) -> None:
    """The database is locked: the text comes back, and Send stores it once when it is free."""
    with Proxy(hasty.port) as proxy, visiting(chromium) as page:
        ann = InChromium(proxy, page)
        ann.write("bad moment", name="Ann")
        with closing(sqlite3.connect(hasty.database, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            ann.press()
            screen = ann.sees()
        assert (screen.title, screen.text, screen.name) == ("Not saved yet", "bad moment", "Ann")
        assert hasty.messages() == 0
        ann.press()
        assert ann.sees().said == [POSTED]
        assert hasty.messages("bad moment") == hasty.messages() == 1


def test_cookies_refused(
    chromium: Browser, chromium_path: Path, tmp_path: Path, proxy: Proxy, board: Hosted
) -> None:
    """A browser that keeps no cookie: double click, reload, Back and Post are one message.

    No message about it is promised: nothing could tell this visitor from another one.
    """
    with without_cookies(chromium, chromium_path, tmp_path / "profile") as page:
        ann = InChromium(proxy, page)
        ann.write("no cookies", name="Ann")
        ann.press(2, gap=0.02)
        assert (screen := ann.sees()).messages == ["no cookies"] and screen.alerts == []
        ann.reload()
        assert ann.sees().messages == ["no cookies"]
        assert board.messages() == 1
        assert all(one.header("cookie") is None for one in proxy.begun())
        ann.fill("message", LONG)
        ann.press()
        screen = ann.sees()
        assert (screen.text, screen.title) == (LONG, "Please check what you typed")
        assert (
            ann.evaluate("document.querySelector('[aria-invalid] + .error').innerText") == COMPLAINT
        )
        ann.fill("message", "corrected")
        ann.press()
        until(lambda: "corrected" in (ann.look() or screen).messages, "the corrected one")
        assert board.messages() == 2
