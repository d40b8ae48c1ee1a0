"""Answers that are slow, stopped, lost or spoilt, and servers that die: one row, said once.

What a person does then is press Post again, reload, or go back, and each of these sends the same
submission once more (Chromium; what Firefox does by itself is in test_board_repeats.py).
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.board.hosted import Hosted
from tests.browser.chromium import stop, visiting
from tests.browser.conftest import Slow
from tests.browser.person import POSTED, InChromium
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
from tests.browser.server import Board

ERROR_PAGE = "location.protocol === 'chrome-error:'"


def said_once(ann: InChromium, text: str) -> None:
    """The screen at rest is the board, says it once and shows the message once."""
    screen = ann.sees()
    assert (screen.said, screen.links, screen.alerts) == ([POSTED], ["/m/1"], [])
    assert screen.messages == [text]


# Slow landing pages ------------------------------------------------------------------------------


WAITING = {
    "before": lambda ann: any("?so=" in one.target for one in ann.proxy.begun()),
    "after": lambda ann: any(POSTED.encode() in one.body for one in ann.proxy.answered()),
}


@pytest.mark.parametrize("when", WAITING)
def test_second_click_while_the_landing_page_is_slow(
    ann: InChromium, board: Hosted, when: str
) -> None:
    """The form is still on screen, so somebody clicks again: the last page says it nevertheless.

    "after": the abandoned page had taken the message with it.
    """
    ann.write("patience")
    gate = ann.proxy.gate()
    ann.proxy.rule(Fault(**{when: gate}), method="GET", path="/")  # type: ignore[arg-type]
    ann.click(2, gap=lambda: until(lambda: WAITING[when](ann), f"the landing page, held {when}"))
    until(lambda: ann.sees_now().said == [POSTED], "the message")
    gate.set()
    said_once(ann, "patience")
    assert (ann.posts(), board.messages()) == (2, 1)


# Stop --------------------------------------------------------------------------------------------


def test_stop_and_send_again(ann: InChromium, board: Hosted, slow: Slow) -> None:
    """Stop, then Post again: the first one is still being saved, and is the one that counts."""
    ann.write("stopped")
    ann.press()
    until(lambda: slow.entered, "the submission in the view")
    stop(ann.page)
    ann.press()
    slow.gate.set()
    said_once(ann, "stopped")
    assert (slow.entered, board.messages()) == (1, 1)


def test_stop_and_look(ann: InChromium, board: Hosted, slow: Slow) -> None:
    """Stop, then open the board: the message is there, and it is said on the next page at last."""
    ann.write("stopped")
    ann.press()
    until(lambda: slow.entered, "the submission in the view")
    stop(ann.page)
    slow.gate.set()
    until(lambda: board.messages() == 1, "the end of the submission")
    ann.open()
    screen = ann.sees()
    assert (screen.messages, board.messages()) == (["stopped"], 1)
    assert ann.posts() == 1


# Lost and spoilt answers -------------------------------------------------------------------------


def lose_all_answers(person: InChromium, text: str) -> None:
    """Post, lose the answer, and those to the browser's own retries, until it shows an error."""
    person.write(text)
    person.proxy.rule(LOSE_ANSWER, method="POST", times=None)
    person.press()
    until(lambda: person.evaluate(ERROR_PAGE), "the browser's error page")
    person.proxy.clear()


def test_answer_lost_twice(ann: InChromium, board: Hosted) -> None:
    """The browser's own retry is lost too and an error page comes: Reload shows what happened."""
    lose_all_answers(ann, "lost")
    assert (ann.posts() > 1, board.messages()) == (True, 1)
    ann.reload()
    said_once(ann, "lost")
    assert board.messages() == 1


def test_answer_lost_twice_and_back(ann: InChromium, board: Hosted) -> None:
    """The same, but the person goes back to the form, which still has the text, and posts again."""
    lose_all_answers(ann, "lost")
    ann.back()
    assert ann.sees().text == "lost"
    ann.press()
    said_once(ann, "lost")
    assert board.messages() == 1


FAULTS = {
    "502, saved": (SPOIL_ANSWER, 1),
    "502, never arrived": (BAD_GATEWAY, 0),
    "lost on its way": (LOSE_REQUEST, 0),
}


@pytest.mark.parametrize(("fault", "stored"), FAULTS.values(), ids=FAULTS.keys())
def test_error_then_reload(ann: InChromium, board: Hosted, fault: Fault, stored: int) -> None:
    """An error page instead of the answer, saved or not: after Reload it is saved, once."""
    ann.write("hello")
    ann.proxy.rule(fault, method="POST", times=None)
    ann.press()
    broken = f"{ERROR_PAGE} || document.body.innerText.includes('Bad Gateway')"
    until(lambda: ann.evaluate(broken), "an error page")
    ann.proxy.clear()
    assert board.messages() == stored
    ann.reload()
    said_once(ann, "hello")
    assert board.messages() == 1


def test_landing_page_cut_short(ann: InChromium, board: Hosted) -> None:
    """Half a landing page arrives: no second POST, and Reload shows the board whole."""
    ann.write("half")
    ann.proxy.rule(TRUNCATE, method="GET", path="/")
    ann.press()
    until(lambda: (half := ann.look()) and half.said == [POSTED], "half a page")
    ann.reload()
    screen = ann.sees()
    assert (screen.messages, screen.said) == (["half"], [])
    assert (ann.posts(), board.messages()) == (1, 1)


# Servers that die --------------------------------------------------------------------------------


@pytest.fixture(params=[1])
def process(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Board]:
    """`seeother board` as a process; the parameter is the number of its workers."""
    with Board(tmp_path, workers=request.param) as running:
        yield running


@pytest.fixture
def bob(chromium: Browser, process: Board) -> Iterator[InChromium]:
    """A visitor of that one."""
    with Proxy(process.port) as proxy, visiting(chromium) as page:
        yield InChromium(proxy, page)


def test_restart_between_form_and_post(bob: InChromium, process: Board) -> None:
    """The server is killed and started again while somebody types: the form is still good."""
    bob.write("typed before", name="Bob")
    process.kill()
    process.start()
    bob.press()
    said_once(bob, "typed before")
    assert process.messages() == 1


def test_restart_between_post_and_retry(bob: InChromium, process: Board) -> None:
    """Saved, the answer lost, the server killed: Reload after the restart shows the one message."""
    lose_all_answers(bob, "saved before")
    process.kill()
    process.start()
    bob.reload()
    said_once(bob, "saved before")
    assert process.messages() == 1


@pytest.mark.parametrize("process", [2], indirect=True)
def test_double_click_on_two_workers(bob: InChromium, process: Board) -> None:
    """Two POSTs that two processes get at once are one message."""
    bob.write("twice")
    gate = bob.proxy.gate()
    bob.proxy.rule(Fault(before=gate), method="POST", times=None)
    bob.press(2, gap=0.2)
    until(lambda: bob.posts() == 2, "two POSTs")
    gate.set()
    said_once(bob, "twice")
    assert process.messages() == 1
