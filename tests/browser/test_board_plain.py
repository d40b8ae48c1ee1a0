"""The board without JavaScript: the same promises, in both browsers.

The script of the board only improves; what happens to a submission is decided on the server. One
thing differs: without script nothing takes the notice down when its page is left, so Back to a
landing page may show it as it was.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.board.hosted import Hosted
from tests.browser.chromium import visiting
from tests.browser.conftest import Slow
from tests.browser.firefox import Firefox
from tests.browser.person import DONE, POSTED, InChromium, InFirefox, Person
from tests.browser.polling import until
from tests.browser.proxy import LOSE_ANSWER, Proxy


@pytest.fixture(scope="module")
def plain_firefox(firefox_path: Path) -> Iterator[Firefox]:
    """Firefox with scripts switched off."""
    with Firefox(firefox_path, {"javascript.enabled": False}) as browser:
        yield browser


@pytest.fixture(params=["chromium", "firefox"])
def person(request: pytest.FixtureRequest, proxy: Proxy) -> Iterator[Person]:
    """A new visitor without JavaScript, once in Chromium and once in Firefox."""
    if request.param == "firefox":
        firefox: Firefox = request.getfixturevalue("plain_firefox")
        with firefox.visitor():
            yield InFirefox(proxy, firefox)
    else:
        browser: Browser = request.getfixturevalue("chromium")
        with visiting(browser, javascript=False) as page:
            yield InChromium(proxy, page)


def said_once(person: Person, board: Hosted, text: str) -> None:
    """The screen at rest says it once and shows the message; the database holds it once."""
    screen = person.sees()
    assert (screen.said, screen.links, screen.alerts) == ([POSTED], ["/m/1"], [])
    assert screen.messages == [text]
    assert person.evaluate("document.querySelector('[data-counter]').innerText").startswith("Up to")
    assert board.messages() == board.messages(text) == 1


@pytest.mark.parametrize("gap", [0.02, 0.35])
def test_double_click(person: Person, board: Hosted, slow: Slow, gap: float) -> None:
    """A double click on Post, fast or slow, on a slow board: one message, and the page says so."""
    person.write("twice")
    person.press(2, gap=gap)
    until(lambda: slow.entered, "a submission in the view")
    slow.gate.set()
    said_once(person, board, "twice")


def test_enter_ten_times(person: Person, board: Hosted) -> None:
    """Enter pressed ten times in the name field is one message."""
    person.write("ten times", name="Ann")
    person.enter("name", 10)
    said_once(person, board, "ten times")


def test_reload_back_post_and_edit(person: Person, board: Hosted) -> None:
    """Reload says nothing again; Back and Post is no second message, with another text it is."""
    person.write("first")
    person.press()
    said_once(person, board, "first")
    person.reload()
    assert person.sees().said == []
    person.back()
    assert person.sees().text == "first"
    board.clock.advance(11)
    person.press()
    assert person.sees().said == [DONE]
    assert board.messages() == 1
    person.back()
    person.fill("message", "second")
    person.press()
    screen = person.sees()
    assert (screen.said, screen.messages) == ([POSTED], ["second", "first"])
    assert board.messages() == 2


def test_rejected_then_corrected(person: Person, board: Hosted) -> None:
    """Blank: name and text stay, the complaint stands beside the field; corrected: one message."""
    person.write("  ", name="Ann")
    person.press()
    for _ in range(2):
        screen = person.sees()
        assert (screen.text, screen.name, screen.said) == ("  ", "Ann", [])
        assert screen.title == "Message Board · Error: Write a message first."
        assert "Write" in person.evaluate("document.querySelector('#message-error').innerText")
        assert screen.focus == "message"
        person.reload()
    person.sees()
    person.fill("message", "better")
    person.press()
    said_once(person, board, "better")


def test_lost_answer(person: Person, board: Hosted) -> None:
    """The connection dies before the answer: the browser's own retry gets it, one message."""
    person.write("lost")
    person.proxy.rule(LOSE_ANSWER, method="POST")
    person.press()
    said_once(person, board, "lost")
    assert person.posts() == 2
