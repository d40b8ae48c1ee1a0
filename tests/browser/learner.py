"""A learner in Chromium, in one arm of one lesson of the tour.

A test acts as a person does, reads what is on screen, and asks the storage of the tour what took
effect (`Learner.effects`): never the panel, and no counter of our own.
"""

from collections.abc import Callable, Mapping

from playwright.sync_api import Page, Response

from seeother.apps.tour.lessons import Lesson
from tests.browser.chromium import clicks, history, look, reload
from tests.browser.polling import at_rest, until
from tests.tour.served import PREFIXES, Tour

TEXTS = """[...document.querySelectorAll(%r)].map(
  one => one.innerText.replace(/\\s+/g, ' ').trim())"""


class Learner:
    """Somebody in an arm; `url` is where the browser finds the tour, if not at its own port."""

    def __init__(
        self, tour: Tour, tab: Page, lesson: Lesson, arm: str, url: str | None = None
    ) -> None:
        self.tab, self.lesson, self.arm = tab, lesson, arm
        self._tour, self._url = tour, (url or tour.url).rstrip("/")

    # What the learner does ---------------------------------------------------------------------

    def open(self, path: str = "") -> Response:
        """Type the address of a page of the lesson, the first one unless it is named."""
        answer = self.tab.goto(self._url + self.path(path or self.lesson.paths[0]))
        assert answer is not None
        return answer

    def fill(self, fields: Mapping[str, str]) -> None:
        """Fill in the POST form: text, radio buttons, lists."""
        for name, value in fields.items():
            field = self.tab.locator(f"form[method=post] [name={name}]").first
            tag, kind = field.evaluate("one => [one.localName, one.type]")
            if kind == "radio":
                self.tab.check(f"[name={name}][value={value}]")
            elif tag == "select":
                field.select_option(value)
            else:
                field.fill(value)

    def send(self, **fields: str) -> None:
        """Fill the POST form in, press its button, and wait for the page behind it."""
        self.fill(fields)
        self.press(self.button(next(iter(fields))))

    def press(self, selector: str) -> None:
        """Press something that leads to a page, and wait for that."""
        with self.tab.expect_navigation():
            self.tab.click(selector)

    def click_twice(self, field: str, begun: Callable[[], object]) -> None:
        """Click the button of the form with this field twice, the second time when `begun()`."""
        clicks(self.tab, self.button(field), 2, gap=lambda: until(begun, "the first POST"))

    def reload(self) -> None:
        """Press the Reload button; where the page came by POST, it is sent again."""
        before = self.asked
        reload(self.tab)
        until(lambda: self.asked > before, "the page asked for again")
        self.rest()

    def back(self, field: str) -> None:
        """Press the Back button, and wait for the form with this field."""
        here = look(self.tab, "performance.timeOrigin")
        history(self.tab, -1)
        gone = "performance.timeOrigin !== %r && document.readyState === 'complete'"
        there = f"{gone % here} && !!document.querySelector('[name={field}]')"
        until(lambda: look(self.tab, there), "the form again")

    # What the learner sees ---------------------------------------------------------------------

    def rest(self) -> None:
        """Wait until the page is complete and stays."""
        state = "document.readyState === 'complete' ? performance.timeOrigin : null"
        at_rest(lambda: look(self.tab, state), "a page at rest")

    def texts(self, selector: str) -> list[str]:
        """The words of what a selector finds in the lesson's own page."""
        found: list[str] = self.tab.evaluate(TEXTS % f"main {selector}")
        return found

    @property
    def heading(self) -> str:
        """The heading of the page."""
        return self.texts("h1")[0]

    @property
    def said(self) -> list[str]:
        """The status messages."""
        return self.texts("[role=status]")

    @property
    def alerts(self) -> list[str]:
        """The error messages."""
        return self.texts("[role=alert]")

    @property
    def address(self) -> str:
        """What the address bar says, below the arm, without our mark."""
        rest = self.tab.url.removeprefix(self._url + PREFIXES[self.arm] + "/")
        return rest.partition("?so=")[0]

    # What is so --------------------------------------------------------------------------------

    def path(self, name: str) -> str:
        """A path of this arm, as the site sees it."""
        return f"{PREFIXES[self.arm]}/{name}"

    def action(self, field: str) -> str:
        """The path that the form with this field is sent to."""
        form = f"document.querySelector('form[method=post]:has([name={field}])')"
        return str(look(self.tab, f"new URL({form}.action).pathname"))

    @staticmethod
    def button(field: str) -> str:
        """The button of the POST form that holds this field."""
        return f"form[method=post]:has([name={field}]) :is(button, [type=submit])"

    @property
    def name(self) -> str:
        """What the tour calls this browser."""
        return next(c["value"] for c in self.tab.context.cookies() if c["name"] == "tour_browser")

    @property
    def effects(self) -> int:
        """How many effects this browser has had in this arm, as storage says."""
        return self._tour.effects(self.lesson.name, self.arm, self.name)

    @property
    def asked(self) -> int:
        """How many requests of this browser were answered."""
        return len(self._tour.journal().last(self.name, 200))
