"""The board for everybody: by keyboard alone, on a phone, in the dark, with a screen reader.

What axe finds is what a machine can find; the rest is done here by hand.
"""

from collections.abc import Callable, Iterator
from typing import Literal

import httpx
import pytest
from playwright.sync_api import Browser

from tests.board.hosted import Hosted
from tests.browser.chromium import axe, overflows, visiting
from tests.browser.person import DONE, POSTED, InChromium
from tests.browser.polling import until
from tests.browser.proxy import Proxy

WIDE = "Donaudampfschifffahrtsgesellschaft" * 8 + " https://example.org/" + "path/" * 40


# By keyboard -------------------------------------------------------------------------------------

FOCUS = """(() => {
  const one = document.activeElement;
  if (one === document.body) return "";
  return one.id || `${one.localName} ${one.textContent.trim()}`;
})()"""
RING = """(() => {
  const style = getComputedStyle(document.activeElement);
  return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
})()"""


def tab_to(ann: InChromium, what: str) -> None:
    """Press Tab until this has the focus, and see that every stop on the way shows a ring."""
    passed: list[str] = []
    while (now := ann.evaluate(FOCUS)) != what:
        assert not now or ann.evaluate(RING), f"nothing shows that {now} has the focus"
        assert len(passed) < 20, f"{what} not among {passed}"
        passed.append(now)
        ann.page.keyboard.press("Tab")
    assert ann.evaluate(RING), f"nothing shows that {what} has the focus"


def test_by_keyboard_alone(ann: InChromium, board: Hosted) -> None:
    """Tab, type, Tab, type, Tab, Space; then to the link in the notice and to the message."""
    ann.open()
    tab_to(ann, "message")
    ann.page.keyboard.type("No mouse")
    tab_to(ann, "name")
    ann.page.keyboard.type("Ann")
    tab_to(ann, "button Post")
    with ann.sending():
        ann.page.keyboard.press("Space")
    assert (screen := ann.sees()).said == [POSTED] and screen.messages == ["No mouse"]
    tab_to(ann, "a View the message")
    ann.page.keyboard.press("Enter")
    until(lambda: ann.evaluate("location.pathname") == "/m/1", "the message's own page")
    tab_to(ann, "a All messages")
    ann.page.keyboard.press("Enter")
    until(lambda: ann.evaluate("location.pathname") == "/", "the board")
    assert board.messages() == 1


def test_error_by_keyboard(ann: InChromium, board: Hosted) -> None:
    """After an error the cursor waits in the field; Ctrl+Enter sends what was corrected, once."""
    ann.write("x" * 2_001)
    with ann.sending():
        ann.page.keyboard.press("Control+Enter")
    screen = ann.sees()
    assert (screen.focus, len(screen.alerts)) == ("message", 1)
    ann.page.keyboard.press("Control+A")
    ann.page.keyboard.type("short")
    with ann.sending():
        for _ in range(3):
            ann.page.keyboard.press("Control+Enter")
    assert ann.sees().said == [POSTED]
    assert board.messages("short") == board.messages() == 1


# Every page, looked at ---------------------------------------------------------------------------


def walk(ann: InChromium, board: Hosted, two_days_pass: Callable[[], None]) -> Iterator[str]:
    """Go to every page that there is, and say how its title begins."""
    ann.open()
    yield "Message Board"  # and nothing on it
    ann.write("x" * 2_001, name="y" * 61)
    ann.press()
    yield "Message Board · Error: This is 1 character too long: a message may have 2,000."
    ann.write(f"{WIDE}\n\n> quoted *text* and `code`", name="W" * 60)
    ann.press()
    yield f"Message Board · {POSTED}"
    board.clock.advance(11)
    ann.back()
    ann.sees()
    ann.press()
    yield f"Message Board · {DONE}"
    ann.open("m/1")
    yield f"Message Board · {'W' * 60}: Donaudampf"
    for number in range(20):
        httpx.post(board.url, data={"message": f"Number {number}", "name": "Bob" * (number % 2)})
    ann.open()
    yield "Message Board"
    ann.open("?before=20")
    yield "Message Board · Older messages"
    ann.open("nothing/here")
    yield "Message Board · There is nothing here"
    ann.write("x" * 70_000)
    ann.press()
    yield "That is too much at once"
    ann.write(WIDE, name="Ann")
    two_days_pass()
    ann.press()
    yield "Please send this once more"


@pytest.mark.parametrize("reader", [(False, "light"), (True, "dark")], ids=["desk", "phone"])
def test_every_page(
    chromium: Browser,
    board: Hosted,
    proxy: Proxy,
    two_days_pass: Callable[[], None],
    reader: tuple[bool, Literal["light", "dark"]],
) -> None:
    """On no page axe finds anything or a reader must scroll sideways; the title says where one is.

    Once at a desk in daylight, once on a phone of 360 pixels in the dark.
    """
    phone, scheme = reader
    with visiting(chromium, phone=phone, scheme=scheme) as page:
        ann = InChromium(proxy, page)
        for title in walk(ann, board, two_days_pass):
            assert ann.sees().title.startswith(title)
            assert (title, axe(page)) == (title, [])
            assert not overflows(page), title
    assert board.messages() == 21
