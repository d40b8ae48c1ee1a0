"""The board for everybody: by keyboard alone, on a phone, in the dark, with a screen reader.

axe finds what a machine can find; `keyboard` and `overflows` are what it cannot.
"""

from collections.abc import Callable, Iterator

import httpx
import pytest
from playwright.sync_api import Browser

from tests.board.hosted import Hosted
from tests.browser.chromium import axe, overflows, visiting
from tests.browser.person import DONE, POSTED, InChromium
from tests.browser.polling import until
from tests.browser.proxy import Proxy

WIDE = "Donaudampfschifffahrtsgesellschaft" * 8 + " https://example.org/" + "path/" * 40
LOOKS = {"desktop, light": (False, "light"), "phone, dark": (True, "dark")}
Ages = Callable[[], None]


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
    ann.page.keyboard.press("Control+Enter")
    screen = ann.sees()
    assert (screen.focus, len(screen.alerts)) == ("message", 1)
    ann.page.keyboard.press("Control+A")
    ann.page.keyboard.type("short")
    for _ in range(3):
        ann.page.keyboard.press("Control+Enter")
    assert ann.sees().said == [POSTED]
    assert board.messages("short") == board.messages() == 1


# Every page, looked at ---------------------------------------------------------------------------


def empty(ann: InChromium, _board: Hosted, _age: Ages) -> str:
    """The board without messages."""
    ann.open()
    return "Message Board"


def success(ann: InChromium, _board: Hosted, _age: Ages) -> str:
    """The landing page."""
    ann.write(f"{WIDE}\n\n> quoted *text* and `code`", name="W" * 60)
    ann.press()
    return f"Message Board · {POSTED}"


def several(ann: InChromium, board: Hosted, age: Ages) -> str:
    """The board with messages, one of a nobody, and a page of older ones."""
    success(ann, board, age)
    ann.sees()
    for number in range(20):
        httpx.post(board.url, data={"message": f"Number {number}"})
    ann.open()
    return "Message Board"


def older(ann: InChromium, board: Hosted, age: Ages) -> str:
    """The page of older messages."""
    several(ann, board, age)
    ann.open("?before=3")
    return "Message Board · Older messages"


def done(ann: InChromium, board: Hosted, age: Ages) -> str:
    """Sent again, much later."""
    success(ann, board, age)
    ann.sees()
    board.clock.advance(11)
    ann.back()
    ann.sees()
    ann.press()
    return f"Message Board · {DONE}"


def error(ann: InChromium, _board: Hosted, _age: Ages) -> str:
    """The form with both its fields rejected."""
    ann.write("x" * 2_001, name="y" * 61)
    ann.press()
    return "Message Board · Error: This is 1 character too long: a message may have 2,000."


def message(ann: InChromium, board: Hosted, age: Ages) -> str:
    """A message's own page."""
    success(ann, board, age)
    ann.sees()
    ann.open("m/1")
    return "Message Board · WWW"


def nothing(ann: InChromium, _board: Hosted, _age: Ages) -> str:
    """The page for an address that is none."""
    ann.open("nothing/here")
    return "Message Board · There is nothing here"


def resend(ann: InChromium, board: Hosted, age: Ages) -> str:
    """The form once more, after two days."""
    ann.write(WIDE, name="Ann")
    age()
    ann.press()
    return "Please send this once more"


def too_large(ann: InChromium, _board: Hosted, _age: Ages) -> str:
    """The page for more than the board reads."""
    ann.write("x" * 70_000)
    ann.press()
    return "That is too much at once"


PAGES = (empty, success, several, older, done, error, message, nothing, resend, too_large)


@pytest.fixture(params=LOOKS.values(), ids=LOOKS.keys())
def reader(request: pytest.FixtureRequest, chromium: Browser, proxy: Proxy) -> Iterator[InChromium]:
    """Somebody at a desk in daylight, and somebody in bed with a phone."""
    phone, scheme = request.param
    with visiting(chromium, phone=phone, scheme=scheme) as page:
        yield InChromium(proxy, page)


@pytest.mark.parametrize("go", PAGES, ids=lambda go: go.__name__)
def test_page(
    reader: InChromium,
    board: Hosted,
    two_days_pass: Ages,
    go: Callable[[InChromium, Hosted, Ages], str],
) -> None:
    """axe finds nothing, nobody has to scroll sideways, the title says what happened."""
    title = go(reader, board, two_days_pass)
    assert reader.sees().title.startswith(title)
    assert axe(reader.page) == []
    assert not overflows(reader.page)
