"""The demo as people meet it: the board, its panel "How did I get here?", the way to the tour."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser

from tests.browser.chromium import axe, overflows, visiting
from tests.browser.person import DONE, POSTED, InChromium
from tests.browser.polling import until
from tests.browser.proxy import Proxy
from tests.cli.served import Demo

STEPS = """[...document.querySelectorAll("#history ol > li")].filter(one => one.checkVisibility())
  .map(one => one.innerText.trim())"""
OPENED = "document.querySelector('#history').open"


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    """`seeother demo`."""
    with Demo(tmp_path) as running:
        yield running


@pytest.fixture
def proxy(demo: Demo) -> Iterator[Proxy]:
    """A proxy before it, which knows what is under way."""
    with Proxy(demo.port) as running:
        yield running


def opened(ann: InChromium) -> list[str]:
    """Open the panel, and read its lines."""
    ann.page.click("#history summary")
    until(lambda: ann.evaluate(OPENED), "the panel open")
    steps: list[str] = ann.evaluate(STEPS)
    return steps


def test_what_the_panel_asks_for(ann: InChromium, demo: Demo) -> None:
    """Post; refresh; go back; press Post again: the panel tells it all, and it is one message."""
    ann.open()
    assert ann.evaluate(STEPS) == [], "it is closed at first"
    ann.fill("message", "Only once")
    ann.press()
    assert ann.sees().said == [POSTED]
    first, post, landing = opened(ann)
    assert (first, landing.endswith("this page")) == ("GET / 200", True)
    assert post.startswith("POST /?so 303 Location: /?so=") and post.endswith("…")
    ann.reload()
    assert ann.sees().said == []
    assert len(opened(ann)) == 4
    ann.back()
    ann.sees()
    ann.press()
    screen = ann.sees()
    assert screen.messages == ["Only once"] and screen.said in ([POSTED], [DONE])
    steps = opened(ann)
    assert len(steps) == 5 and steps.count(post) == 2
    assert demo.messages() == demo.messages("Only once") == 1


def test_a_double_click_is_two_posts_and_one_message(ann: InChromium, demo: Demo) -> None:
    """Whatever the two clicks became, each POST in the panel has the same Location."""
    ann.write("Twice")
    ann.press(2, gap=0.02)
    assert ann.sees().messages == ["Twice"]
    ann.reload()  # the first click's answer may still have been on its way
    ann.sees()
    posts = [step for step in opened(ann) if step.startswith("POST")]
    assert len(posts) == ann.posts() and len(set(posts)) == 1
    assert demo.messages() == 1


def test_the_panel_by_keyboard(ann: InChromium, demo: Demo) -> None:
    """The summary takes the focus and opens by Enter."""
    ann.open()
    ann.page.focus("#history summary")
    ann.page.keyboard.press("Enter")
    until(lambda: ann.evaluate(OPENED), "the panel open")
    assert ann.evaluate(STEPS) == ["GET / this page"]


def test_without_script(chromium: Browser, proxy: Proxy, demo: Demo) -> None:
    """Panel and link need none."""
    with visiting(chromium, javascript=False) as page:
        ann = InChromium(proxy, page)
        ann.write("Plain")
        ann.press()
        assert ann.sees().messages == ["Plain"]
        assert len(opened(ann)) == 3
    assert demo.messages() == 1


@pytest.mark.parametrize("reader", [(False, "light"), (True, "dark")], ids=["desk", "phone"])
def test_it_fits_and_reads_well(
    chromium: Browser, demo: Demo, proxy: Proxy, reader: tuple[bool, Literal["light", "dark"]]
) -> None:
    """With the panel open and long addresses in it: axe finds nothing, nothing runs off a phone."""
    phone, scheme = reader
    with visiting(chromium, phone=phone, scheme=scheme) as page:
        ann = InChromium(proxy, page)
        ann.open("?before=1&" + "Donaudampfschifffahrt" * 20)
        ann.write("Hello", name="Ann")
        ann.press()
        ann.sees()
        assert len(opened(ann)) == 4
        assert axe(page) == []
        assert not overflows(page)
        if phone:
            small = ann.evaluate(
                "[...document.querySelectorAll('header a, summary')].filter("
                "one => one.getBoundingClientRect().height < 44).length"
            )
            assert small == 0


def test_to_the_tour_and_back(ann: InChromium, demo: Demo) -> None:
    """The link "How it works" leads to the tour, and its header leads back to the board."""
    ann.open()
    ann.page.click("text=How it works >> nth=0")
    until(lambda: ann.evaluate("location.pathname") == "/tour/", "the tour")
    ann.page.click("a[href='/']")
    until(lambda: ann.evaluate("location.pathname") == "/", "the board")
