"""Chromium as its users have it.

Playwright switches two things off that decide what happens to forms: the back/forward cache, and
the question before a POST is sent again. `launch` gives both back. Three habits of Playwright hide
what people do, so this module goes one level deeper, to the DevTools protocol:

* `page.click()` waits for the navigation that the first click began, so a second click never comes
  in time; `clicks` and `enter` send native input events and wait for nothing;
* `page.go_back()` waits for a load event, which a page restored from the cache never fires;
  `history` returns at once, and the test polls for what it expects;
* `page.reload()` posts again without asking, which no person can do: avoid it after a POST.

Playwright's synchronous interface keeps an event loop running in the main thread: a test module
that uses it cannot call `asyncio.run` as well.
"""

import json
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

from playwright.sync_api import Browser, CDPSession, Error, Page, sync_playwright

QUIET = (
    "--no-sandbox",  # root has no user namespaces
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
UNREAL = ("--disable-back-forward-cache", "--disable-prompt-on-repost")
BOX = """selector => {
  const one = document.querySelector(selector);
  if (!one?.checkVisibility()) return null;
  one.scrollIntoView({block: "nearest", behavior: "instant"});
  return one.getBoundingClientRect().toJSON();
}"""
WCAG = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
PHONE = {"width": 360, "height": 740}
DESKTOP = {"width": 1280, "height": 800}


@contextmanager
def launch(path: Path, *, headless: bool = True, real: bool = True) -> Generator[Browser]:
    """Start Chromium; with `real` as users have it, else as Playwright prefers it."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path,
            args=list(QUIET),
            ignore_default_args=list(UNREAL) if real else None,
            headless=headless,
        )
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def visiting(
    browser: Browser,
    *,
    phone: bool = False,
    scheme: Literal["light", "dark"] = "light",
    javascript: bool = True,
) -> Generator[Page]:
    """A new visitor: a page in a context of its own, without cookies or history.

    `phone` is a touch screen of 360 x 740; without `javascript` `page.evaluate` still works, so
    a test can look, but no script of the page runs. The page notes whether it was `restored`.
    """
    # Not typed as keywords: Playwright's overloads want literals for `viewport`.
    options: dict[str, Any] = {"viewport": PHONE if phone else DESKTOP}
    context = browser.new_context(
        **options,
        is_mobile=phone,
        has_touch=phone,
        color_scheme=scheme,
        reduced_motion="reduce",
        java_script_enabled=javascript,
    )
    context.add_init_script(
        "addEventListener('pageshow', event => { window.wasRestored = event.persisted })"
    )
    try:
        page = context.new_page()
        _devtools(page)  # now, while nothing is under way
        yield page
    finally:
        context.close()


@contextmanager
def without_cookies(browser: Browser, path: Path, profile: Path) -> Generator[Page]:
    """A second Chromium whose owner blocks all cookies in its settings."""
    settings = {"profile": {"default_content_setting_values": {"cookies": 2}}}
    (profile / "Default").mkdir(parents=True)
    (profile / "Default" / "Preferences").write_text(json.dumps(settings))
    context = browser.browser_type.launch_persistent_context(
        profile, executable_path=path, args=list(QUIET), ignore_default_args=list(UNREAL)
    )
    try:
        page = context.pages[0]
        _devtools(page)
        yield page
    finally:
        context.close()


# One for each page and never detached: Chromium answers neither attach nor detach before a pending
# navigation ends, and the harness would then wait for the very answer that the test holds back.
_sessions: WeakKeyDictionary[Page, CDPSession] = WeakKeyDictionary()


def _devtools(page: Page) -> CDPSession:
    if page not in _sessions:
        _sessions[page] = page.context.new_cdp_session(page)
    return _sessions[page]


def look(page: Page, expression: str) -> Any:
    """The value of a JavaScript expression on the page that is on screen.

    None where that page is just going. While a redirect is followed there is no answer before its
    end.
    """
    question = {"expression": expression, "returnByValue": True}
    try:
        answer = _devtools(page).send("Runtime.evaluate", question)
    except Error:
        return None
    assert "exceptionDetails" not in answer, answer["exceptionDetails"]
    return answer["result"].get("value")


def history(page: Page, delta: int) -> None:
    """Back (-1) or Forward (1), as the toolbar's button; returns at once, so poll afterwards."""
    known = _devtools(page).send("Page.getNavigationHistory")
    entry = known["entries"][known["currentIndex"] + delta]
    _devtools(page).send("Page.navigateToHistoryEntry", {"entryId": entry["id"]})


def go_back_to(page: Page, path: str) -> None:
    """Choose the last page at this path from the list behind the Back button."""
    known = _devtools(page).send("Page.getNavigationHistory")
    before = known["entries"][: known["currentIndex"]]
    found = [one["id"] for one in before if urlsplit(one["url"]).path == path]
    _devtools(page).send("Page.navigateToHistoryEntry", {"entryId": found[-1]})


def reload(page: Page) -> None:
    """Load the page again as the toolbar's button does; a POST is sent again without a question."""
    _devtools(page).send("Page.reload")


def stop(page: Page) -> None:
    """Press Stop, the cross that the Reload button is while a page loads."""
    _devtools(page).send("Page.stopLoading")


def restored(page: Page) -> bool:
    """Whether the page on screen came out of the back/forward cache, state and all."""
    try:
        return bool(page.evaluate("window.wasRestored === true"))
    except Error:  # between two documents there is nothing to ask
        return False


def clicks(
    page: Page, selector: str, n: int = 1, *, gap: float | Callable[[], object] = 0.0
) -> None:
    """Click `n` times at the same place, whatever the page does meanwhile.

    `gap` seconds apart, or as soon as `gap()` returns: while a redirect is followed Chromium lets
    nobody look at the page on screen, but it takes clicks.
    """
    box = look(page, f"({BOX})({json.dumps(selector)})")
    assert box is not None, f"{selector} is not visible"
    where = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
    for count in range(1, n + 1):
        if count > 1:
            _pause(page, gap)
        for kind in ("mousePressed", "mouseReleased"):
            event = {"type": kind, **where, "button": "left", "buttons": 1, "clickCount": count}
            _devtools(page).send("Input.dispatchMouseEvent", event)


def _pause(page: Page, gap: float | Callable[[], object]) -> None:
    if callable(gap):
        gap()
    else:
        page.wait_for_timeout(gap * 1000)  # the rhythm of the hand, not a wait


def enter(page: Page, n: int = 1, *, gap: float = 0.0) -> None:
    """Press Enter `n` times, `gap` seconds apart, in the element that has the focus."""
    key = {"key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13}
    for count in range(n):
        if count:
            page.wait_for_timeout(gap * 1000)
        for event in ({"type": "keyDown", "text": "\r"}, {"type": "keyUp"}):
            _devtools(page).send("Input.dispatchKeyEvent", {**event, **key})


def overflows(page: Page) -> bool:
    """Whether a reader would have to scroll sideways."""
    return bool(page.evaluate("document.documentElement.scrollWidth > innerWidth"))


class Violation(NamedTuple):
    """One rule that axe found broken, how badly, and at which elements."""

    rule: str
    impact: str
    targets: list[object]


def axe(page: Page, tags: tuple[str, ...] = WCAG) -> list[Violation]:
    """What axe-core has to say about the page; impossible in a context without JavaScript."""
    page.evaluate(_axe_source() + ";0")  # evaluated, not added as a script tag: a CSP forbids that
    found = page.evaluate(
        "tags => axe.run(document, {runOnly: {type: 'tag', values: tags}})", list(tags)
    )
    return [
        Violation(one["id"], one["impact"], [node["target"] for node in one["nodes"]])
        for one in found["violations"]
    ]


@cache
def _axe_source() -> str:
    spec = find_spec("axe_playwright_python")  # carries the script; its own runner is not needed
    assert spec is not None and spec.origin is not None
    return (Path(spec.origin).parent / "axe.min.js").read_text(encoding="utf-8")
