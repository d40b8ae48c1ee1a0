"""The same thing sent more than once, by hand: one row, and the last page says it once.

Each promise is kept in Chromium and in Firefox, which behave differently here: Chromium drops a
second click that comes too early, Firefox sends every one; Chromium restores pages out of its
back/forward cache, Firefox replaces history entries.
"""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.board.hosted import Hosted
from tests.browser.chromium import visiting
from tests.browser.conftest import Slow
from tests.browser.firefox import Firefox
from tests.browser.person import DONE, POSTED, InChromium, InFirefox, Person
from tests.browser.polling import until
from tests.browser.proxy import LOSE_ANSWER, Proxy

# Seconds between two clicks, from a bouncing button to a slow hand; Firefox needs fewer examples.
CLICKS = [
    *[("chromium", gap) for gap in (0.0, 0.02, 0.06, 0.15, 0.35)],
    *[("firefox", gap) for gap in (0.02, 0.35)],
]


@pytest.fixture(params=["chromium", "firefox"])
def person(request: pytest.FixtureRequest, proxy: Proxy) -> Iterator[Person]:
    """A new visitor, once in Chromium and once in Firefox."""
    if request.param == "firefox":
        firefox: Firefox = request.getfixturevalue("firefox")
        with firefox.visitor():
            yield InFirefox(proxy, firefox)
    else:
        browser: Browser = request.getfixturevalue("chromium")
        with visiting(browser) as page:
            yield InChromium(proxy, page)


def posted_once(person: Person, board: Hosted, text: str) -> None:
    """The screen at rest says it once, links to it and shows it; the database holds it once."""
    screen = person.sees()
    assert (screen.said, screen.alerts) == ([POSTED], [])
    assert screen.title == f"Message Board · {POSTED}"
    assert screen.links == ["/m/1"]
    assert screen.messages == [text]
    assert board.messages() == board.messages(text) == 1


@pytest.mark.parametrize(("person", "gap"), CLICKS, indirect=["person"])
def test_double_click(person: Person, board: Hosted, gap: float) -> None:
    """A double click on Post, fast or slow, is one message, and the page says so."""
    person.write("twice")
    person.press(2, gap=gap)
    posted_once(person, board, "twice")
    assert person.sees().focus != "message"  # nor does the browser complain of the empty form


@pytest.mark.parametrize(("person", "gap"), CLICKS, indirect=["person"])
def test_double_click_while_the_board_is_slow(
    person: Person, board: Hosted, slow: Slow, gap: float
) -> None:
    """The second click comes while the first submission is being saved: it gets its answer."""
    person.write("twice")
    person.press(2, gap=gap)
    # Clicks that come very close together are one submission in Chromium.
    until(lambda: person.posts() >= (2 if gap > 0.1 else 1), "the POSTs")
    until(lambda: slow.entered, "a submission in the view")
    slow.gate.set()
    posted_once(person, board, "twice")
    assert slow.entered == 1


def test_reload_of_the_landing_page(person: Person, board: Hosted) -> None:
    """A refresh sends no POST, asks nothing, and does not say again what was said."""
    person.write("once")
    person.press()
    posted_once(person, board, "once")
    for _ in range(2):
        person.reload()
        screen = person.sees()
        assert (screen.said, screen.title) == ([], "Message Board")
        assert screen.messages == ["once"]
    assert (person.posts(), board.messages()) == (1, 1)


def test_back_and_post_again(person: Person, board: Hosted) -> None:
    """Back shows the form with its text; Post again within 10 s gives the first answer again."""
    person.write("again", name="Ann")
    person.press()
    posted_once(person, board, "again")
    person.back()
    screen = person.sees()
    assert (screen.said, screen.text, screen.name) == ([], "again", "Ann")
    person.press()
    posted_once(person, board, "again")


def test_back_and_post_again_later(person: Person, board: Hosted) -> None:
    """Later than 10 s the landing page says that it was done already, and leads to the message."""
    person.write("again")
    person.press()
    posted_once(person, board, "again")
    board.clock.advance(11)
    person.back()
    assert person.sees().text == "again"
    person.press()
    screen = person.sees()
    assert (screen.said, screen.links, screen.alerts) == ([DONE], ["/m/1"], [])
    assert (screen.messages, board.messages()) == (["again"], 1)


def test_back_and_post_other_text(person: Person, board: Hosted) -> None:
    """Back, another text, Post: a second message, for nothing that was typed may be dropped."""
    person.write("first")
    person.press()
    posted_once(person, board, "first")
    person.back()
    assert person.sees().text == "first"
    person.fill("message", "second")
    person.press()
    screen = person.sees()
    assert (screen.said, screen.links) == ([POSTED], ["/m/2"])
    assert (screen.messages, board.messages()) == (["second", "first"], 2)


def test_enter_ten_times(person: Person, board: Hosted) -> None:
    """Enter pressed ten times in the name field is one message."""
    person.write("ten times", name="Ann")
    person.enter("name", 10)
    posted_once(person, board, "ten times")


def test_enter_ten_times_while_the_board_is_slow(person: Person, board: Hosted, slow: Slow) -> None:
    """Ten Enters into a board that is busy saving: the answer to the last one is the right one."""
    person.write("ten times", name="Ann")
    person.enter("name", 10)
    until(lambda: slow.entered and person.posts() > 1, "a submission in the view, others behind it")
    slow.gate.set()
    posted_once(person, board, "ten times")
    assert slow.entered == 1


def test_lost_answer_brings_its_cookies(person: Person, board: Hosted) -> None:
    """The session that the lost answer began comes with its retry: the name is known."""
    person.write("lost", name="Ann")
    person.proxy.rule(LOSE_ANSWER, method="POST")
    person.press()
    posted_once(person, board, "lost")
    assert person.sees().name == "Ann"


def test_lost_answer_is_asked_for_again(person: Person, board: Hosted) -> None:
    """The connection dies before the answer and the browser posts again by itself: one message."""
    person.write("lost")
    person.proxy.rule(LOSE_ANSWER, method="POST")
    person.press()
    posted_once(person, board, "lost")
    first, second = person.proxy.seen("POST")
    assert first.request.body == second.request.body
    assert first.location == second.location
