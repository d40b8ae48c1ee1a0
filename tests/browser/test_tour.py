"""The tour in Chromium: what a person sees of it, with no script and on any screen."""

from collections.abc import Iterator
from typing import Literal

import pytest
from playwright.sync_api import Browser
from playwright.sync_api import Page as Tab

from seeother.apps.tour.lessons import LESSONS, Lesson
from tests.browser.chromium import axe, history, look, overflows, reload, visiting
from tests.browser.polling import at_rest, until
from tests.tour.served import PREFIXES, Tour

WHATS = "[...document.querySelectorAll('.what')].map(one => one.innerText)"
ROWS = """[...document.querySelectorAll('.requests tbody tr:not(.quiet)')].map(
  row => [...row.cells].map(cell => cell.innerText.replace(/\\s+/g, ' ').trim()).join(' | '))"""


@pytest.fixture(scope="module")
def tour(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tour]:
    """A tour in a process of its own."""
    with Tour(tmp_path_factory.mktemp("tour")) as running:
        yield running


@pytest.fixture
def tab(chromium: Browser) -> Iterator[Tab]:
    """A tab of a new visitor."""
    with visiting(chromium) as page:
        yield page


def at(tour: Tour, path: str) -> str:
    """The address of a path."""
    return tour.url.rstrip("/") + path


def whats(tab: Tab) -> list[str]:
    """What the panel says was recorded in this arm."""
    found: list[str] = look(tab, WHATS)
    return found


def rows(tab: Tab) -> list[str]:
    """The lines of the panel that are not dimmed, the newest first."""
    found: list[str] = look(tab, ROWS)
    return found


def name_of(tab: Tab) -> str:
    """What the tour calls this browser."""
    return next(c["value"] for c in tab.context.cookies() if c["name"] == "tour_browser")


# A lesson by hand --------------------------------------------------------------------------------


def test_guess_and_refresh(tour: Tour, tab: Tab) -> None:
    """As taught: the panel shows POST, 302, GET; a refresh adds a GET, and no guess."""
    tab.goto(at(tour, "/tour/lesson/getpost/awesome"))
    tab.fill("[name=guess]", "43")
    with tab.expect_navigation():
        tab.keyboard.press("Enter")
    assert tab.inner_text("[role=status]") == "Your guess was too high"
    here = "/tour/lesson/getpost/awesome"
    seen = f"GET {here} | 200 | 0"
    assert rows(tab) == [seen, f"POST {here} | 302 → Location {here} | +1", seen]
    tab.reload()
    assert rows(tab)[:2] == [seen, seen]
    assert whats(tab) == ["guessed 43 × 1"]
    assert tour.effects("guess", "lesson", name_of(tab)) == 1


def test_the_page_arm_orders_twice(tour: Tour, tab: Tab) -> None:
    """Page from the POST: Reload sends the form again, and the panel says so."""
    tab.goto(at(tour, "/tour/page/submit"))
    tab.fill("form[method=post] [name=username]", "Ann")
    with tab.expect_navigation():
        tab.click("form[method=post] button")
    assert rows(tab)[0] == "POST /tour/page/submit | 200 | +1"
    reload(tab)
    until(lambda: tour.effects("submit", "page", name_of(tab)) == 2, "the second effect")
    until(
        lambda: len(whats(tab) or []) == 1 and "× 2" in whats(tab)[0],
        "the panel of the second page",
    )


@pytest.mark.parametrize(("arm", "times"), [("lesson", 2), ("seeother", 1)])
def test_307_reload_and_back(tour: Tour, tab: Tab, arm: str, times: int) -> None:
    """Yes with 307: a POST leads to the third page; after Reload and Back its view ran twice, with
    seeother once, and the panel says so.
    """
    tab.goto(at(tour, f"{PREFIXES[arm]}/first"))
    tab.select_option("[name=code]", "307")
    with tab.expect_navigation():
        tab.click("button")
    assert "You reached this page through a POST request." in tab.inner_text("main")
    third = f"{PREFIXES[arm]}/third"
    assert rows(tab)[0].startswith(f"POST {third} | 200 | +1")
    before = len(tour.journal().last(name_of(tab), 100))
    reload(tab)
    until(lambda: len(tour.journal().last(name_of(tab), 100)) > before, "the reload")
    at_rest(lambda: look(tab, "document.readyState === 'complete' || null"), "the third page again")
    history(tab, -1)
    until(lambda: look(tab, "location.pathname.endsWith('/first')"), "the first page")
    assert at_rest(lambda: tour.effects("pages", arm, name_of(tab)), "effects") == times
    tab.goto(at(tour, f"{PREFIXES[arm]}/second"))
    assert whats(tab) == [f"the form came to the third page × {times}"]


def test_from_arm_to_arm(tour: Tour, tab: Tab) -> None:
    """The panel leads to the other arms, to the lesson's page, and from there to the next one."""
    tab.goto(at(tour, "/tour/messages"))
    for name, arm in (("As taught", "lesson"), ("Page from the POST", "page")):
        tab.click(f".panel >> text={name}")
        tab.wait_for_url(at(tour, f"{PREFIXES[arm]}/messages"))
        assert tab.inner_text(".arms [aria-current=page]") == name
    tab.click("text=About this lesson")
    tab.wait_for_url(at(tour, "/tour/about/messages"))
    tab.click("[rel=next]")
    tab.wait_for_url(at(tour, "/tour/about/hello"))


# The buttons -----------------------------------------------------------------------------------


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.name)
def test_buttons_without_script(chromium: Browser, tour: Tour, lesson: Lesson) -> None:
    """All four attacks on each lesson, by keyboard and without script; a refresh runs nothing."""
    with visiting(chromium, javascript=False) as tab:
        tab.goto(at(tour, f"/tour/about/{lesson.name}"))
        tab.focus("button[value=all]")
        with tab.expect_navigation():
            tab.keyboard.press("Space")
        assert tab.inner_text("[role=status]") == "All four: done, on all three arms."
        cells = [cell.inner_text()[0] for cell in tab.query_selector_all(".effects tbody td")]
        assert cells == [number for a in lesson.attacks for number in expected(repeats=a.repeats)]
        assert tab.locator("#effects").is_visible() and tab.url.endswith("#effects")
        before = tour.all_effects(lesson.name)
        tab.reload()
        assert tab.locator("[role=status] .flash").count() == 0
        assert [
            cell.inner_text()[0] for cell in tab.query_selector_all(".effects tbody td")
        ] == cells
        assert tour.all_effects(lesson.name) == before


def expected(*, repeats: bool) -> str:
    """The table of one form: double click, refresh, Back, cut answer; page, lesson, seeother."""
    return "221" + ("221" if repeats else "211") + "221" + "221"


# Every page, looked at -------------------------------------------------------------------------


def every_page(tour: Tour, tab: Tab) -> Iterator[str]:
    """Go to every page that there is, and name it."""
    for path in ("/tour/", *(f"/tour/about/{one.name}" for one in LESSONS), "/tour/nothing"):
        tab.goto(at(tour, path))
        yield path
    tab.goto(at(tour, "/tour/about/pages"))
    with tab.expect_navigation():
        tab.click("button[value=all]")
    yield "the result of an attack"
    for path in (f"/tour/{path}" for lesson in LESSONS for path in lesson.paths):
        tab.goto(at(tour, path))
        yield path
    tab.goto(at(tour, "/tour/page/first"))
    with tab.expect_navigation():
        tab.click("button")
    yield "the third page under the second one's address"
    for path, field in (("/tour/getpost/awesome", "guess"), ("/tour/hello", "name")):
        for typed in ("", "43"):
            tab.goto(at(tour, path))
            tab.fill(f"[name={field}]", typed)
            with tab.expect_navigation():
                tab.keyboard.press("Enter")
            yield f"{path} after {typed!r}"


@pytest.mark.parametrize("reader", [(False, "light"), (True, "dark")], ids=["desk", "phone"])
def test_every_page(
    chromium: Browser, tour: Tour, reader: tuple[bool, Literal["light", "dark"]]
) -> None:
    """On no page axe finds anything or a reader must scroll sideways, at a desk or on a phone."""
    phone, scheme = reader
    with visiting(chromium, phone=phone, scheme=scheme) as tab:
        refused: list[str] = []
        tab.on("console", lambda said: refused.append(said.text))
        faults = {}
        for name in every_page(tour, tab):
            found: list[object] = list(axe(tab))
            if overflows(tab):
                found.append("scrolls sideways")
            if found:
                faults[name] = found
        assert faults == {}
        assert [text for text in refused if "Content Security Policy" in text] == []


def test_large_letters(chromium: Browser, tour: Tour) -> None:
    """Twice as large letters on a phone: still nobody has to scroll sideways."""
    with visiting(chromium, phone=True) as tab:
        for path in ("/tour/", "/tour/about/guess", "/tour/lesson/hello"):
            tab.goto(at(tour, path))
            tab.evaluate("document.documentElement.style.fontSize = '200%'")
            assert not overflows(tab), path
