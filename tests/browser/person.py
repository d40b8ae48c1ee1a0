"""A person at the board, in either browser, and what the screen shows.

The promises of the board are about what somebody sees at the end, so a test here does three things:
act as a person does (`Person`), wait until everything has come to rest, and read the screen
(`Screen`). Whatever was meant to happen once is counted in the database, past all code under test.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from playwright.sync_api import Page

from tests.browser import chromium
from tests.browser.firefox import Firefox
from tests.browser.polling import at_rest, until
from tests.browser.proxy import Proxy

POSTED: Final = "Your message was posted."
DONE: Final = "This was already done."
BUTTON: Final = "button[type=submit]"

LOOK: Final = """(() => {
  const shown = selector => [...document.querySelectorAll(selector)].filter(
    one => one.checkVisibility());
  const text = one => one.innerText.trim();
  const value = name => (document.querySelector(`[name="${name}"]`) || {}).value;
  return JSON.stringify({
    url: location.href,
    ready: document.readyState === "complete",
    title: document.title,
    said: shown("[role=status] p > span").map(text),
    links: shown("[role=status] a").map(one => one.getAttribute("href")),
    alerts: shown("[role=alert]").map(text),
    messages: shown(".message .text").map(text),
    text: value("message"),
    name: value("name"),
    focus: document.activeElement?.id || document.activeElement?.localName,
  });
})()"""


@dataclass(frozen=True, slots=True)
class Screen:
    """What is on screen: status messages, their links, errors, messages, and the form's fields.

    `text` and `name` are None where there is no form; `focus` is the id, or else the tag, of the
    element with the focus.
    """

    url: str
    ready: bool
    title: str
    said: list[str]
    links: list[str]
    alerts: list[str]
    messages: list[str]
    focus: str | None = None
    text: str | None = None
    name: str | None = None


class Person(ABC):
    """Somebody in front of a browser, with the board behind a proxy."""

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy

    @abstractmethod
    def open(self, path: str = "") -> None:
        """Type an address, and wait for the page."""

    @abstractmethod
    def click(self, n: int = 1, *, gap: float = 0.0) -> None:
        """Click Post (or Send) `n` times, `gap` seconds apart; waits for nothing."""

    @abstractmethod
    def _enter(self, field: str, n: int) -> None: ...

    @abstractmethod
    def fill(self, field: str, text: str) -> None:
        """Replace what stands in the field with this name."""

    @abstractmethod
    def back(self) -> None:
        """Press the Back button, and wait until the page before is there."""

    @abstractmethod
    def _reload(self) -> None: ...

    @abstractmethod
    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression; None while one page goes and the next comes."""

    def press(self, n: int = 1, *, gap: float = 0.0) -> None:
        """Click Post (or Send) `n` times, and see that something was sent."""
        with self.sending():
            self.click(n, gap=gap)

    def enter(self, field: str, n: int) -> None:
        """Press Enter `n` times in the field with this name, and see that something was sent."""
        with self.sending():
            self._enter(field, n)

    @contextmanager
    def sending(self) -> Generator[None]:
        """What is done here sends at least one POST: without it "at rest" could come too early."""
        before = self.posts()
        yield
        until(lambda: self.posts() > before, "a POST")

    def reload(self) -> None:
        """Press the Reload button, and wait until a request came of it."""
        begun = len(self.proxy.begun())
        self._reload()
        until(lambda: len(self.proxy.begun()) > begun, "the page asked for again")

    def write(self, text: str, name: str | None = None) -> None:
        """Open the board and fill the form in."""
        self.open()
        self.fill("message", text)
        if name is not None:
            self.fill("name", name)

    def look(self) -> Screen | None:
        """The screen just now, whole or not."""
        found = self.evaluate(LOOK)
        return None if found is None else Screen(**json.loads(found))

    def sees(self) -> Screen:
        """The screen when nothing moves any more: no request under way, the page complete."""
        return at_rest(self._rest, "a page at rest")[0]

    def sees_now(self) -> Screen:
        """The screen as soon as its page is complete, whatever else is under way."""

        def whole() -> Screen | None:
            found = self.look()
            return found if found is not None and found.ready else None

        found = until(whole, "a page")
        assert found is not None
        return found

    def _rest(self) -> tuple[Screen, int] | None:
        screen, begun = self.look(), len(self.proxy.begun())
        calm = screen is not None and screen.ready and self.proxy.idle
        return (screen, begun) if screen is not None and calm else None

    def posts(self) -> int:
        """How many POSTs the browser sent so far."""
        return len(self.proxy.begun("POST"))


class InChromium(Person):
    """A person in Chromium."""

    def __init__(self, proxy: Proxy, page: Page) -> None:
        super().__init__(proxy)
        self.page = page

    def open(self, path: str = "") -> None:
        self.page.goto(self.proxy.url + path)

    def click(self, n: int = 1, *, gap: float | Callable[[], object] = 0.0) -> None:
        chromium.clicks(self.page, BUTTON, n, gap=gap)

    def _enter(self, field: str, n: int) -> None:
        self.page.focus(f"[name={field}]")
        chromium.enter(self.page, n)

    def fill(self, field: str, text: str) -> None:
        self.page.fill(f"[name={field}]", text)

    def back(self) -> None:
        left = self.page.url
        chromium.history(self.page, -1)
        until(lambda: (self.evaluate("location.href") or left) != left, "the page before")

    def _reload(self) -> None:
        chromium.reload(self.page)

    def evaluate(self, expression: str) -> Any:
        return chromium.look(self.page, expression)


class InFirefox(Person):
    """A person in Firefox."""

    def __init__(self, proxy: Proxy, firefox: Firefox) -> None:
        super().__init__(proxy)
        self.firefox = firefox

    def open(self, path: str = "") -> None:
        self.firefox.goto(self.proxy.url + path)

    def click(self, n: int = 1, *, gap: float = 0.0) -> None:
        self.firefox.click(BUTTON, n, gap=gap)

    def _enter(self, field: str, n: int) -> None:
        self.firefox.js(f"document.querySelector('[name={field}]').focus()")
        self.firefox.enter(n)

    def fill(self, field: str, text: str) -> None:
        self.firefox.js(f"document.querySelector('[name={field}]').select()")
        self.firefox.write(text)

    def back(self) -> None:
        left = self.firefox.js("location.href")
        self.firefox.history(-1)
        until(lambda: (self.evaluate("location.href") or left) != left, "the page before")

    def _reload(self) -> None:
        self.firefox.call("browsingContext.reload", context=self.firefox.tab, wait="none")

    def evaluate(self, expression: str) -> Any:
        try:
            return self.firefox.js(expression)
        except RuntimeError:
            return None
