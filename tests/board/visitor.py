"""A visitor: one browser, as far as the server can tell.

It keeps cookies, sends Origin and Sec-Fetch-* as Chromium does on a navigation, fills in the form
that is really on the page, hidden fields included, and follows a redirect by a GET of its own. It
is no browser: what depends on rendering, history or timing is tested with real ones.
"""

from dataclasses import dataclass
from typing import Self
from urllib.parse import urljoin

import httpx
from selectolax.lexbor import LexborHTMLParser, LexborNode

HTML = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
NAVIGATION = {
    "accept": HTML,
    "upgrade-insecure-requests": "1",
    "sec-fetch-mode": "navigate",
    "sec-fetch-dest": "document",
    "sec-fetch-user": "?1",
}


@dataclass(frozen=True, slots=True)
class Form:
    """The form of a page: where it goes, and its fields with what is in them."""

    action: str
    fields: dict[str, str]

    def filled(self, **values: str) -> dict[str, str]:
        """The fields as they are sent after somebody typed; unknown names are a failure."""
        assert values.keys() <= self.fields.keys(), f"no such field: {values.keys()}"
        return self.fields | values


class Page:
    """What a visitor sees."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer
        self.status = answer.status_code
        self.url = str(answer.url)
        self.source = answer.text
        self.tree = LexborHTMLParser(answer.text)

    def texts(self, selector: str) -> list[str]:
        """The text of everything that a CSS selector finds, without blanks around it."""
        return [node.text().strip() for node in self.tree.css(selector)]

    @property
    def said(self) -> list[str]:
        """The status messages, one by one, without their links."""
        return self.texts('[role="status"] .flash > span')

    @property
    def links(self) -> list[str]:
        """Where the status messages lead."""
        found = self.tree.css('[role="status"] .flash a')
        return [str(link.attributes["href"]) for link in found]

    @property
    def alerts(self) -> list[str]:
        """The errors."""
        return self.texts('[role="alert"]')

    @property
    def messages(self) -> list[str]:
        """The posted messages, from top to bottom."""
        return self.texts(".messages .text")

    @property
    def title(self) -> str:
        """The title."""
        return self.texts("title")[0]

    @property
    def form(self) -> Form:
        """The only form of the page."""
        (form,) = self.tree.css("form")
        assert (form.attributes["method"] or "").lower() == "post"
        fields = form.css("input[name], textarea[name]")
        filled = {str(f.attributes["name"]): _value(f) for f in fields}
        return Form(form.attributes["action"] or "", filled)


def _value(field: LexborNode) -> str:
    return field.text() if field.tag == "textarea" else field.attributes.get("value") or ""


class Visitor:
    """A browser with its own cookies; a context manager.

    `url` is the board's address. `cookies` False is a browser that refuses them all.
    """

    def __init__(self, url: str, *, cookies: bool = True) -> None:
        self.url = url
        self.keeps_cookies = cookies
        # A connection for each request: a server may hang up after an error, and httpx, unlike a
        # browser, does not try again.
        alone = httpx.Limits(max_keepalive_connections=0)
        self.client = httpx.Client(trust_env=False, verify=False, timeout=60, limits=alone)

    def get(self, target: str = "/", *, site: str = "none", **headers: str) -> Page:
        """Navigate: by the address bar, unless `site` says otherwise."""
        return Page(self.send("GET", target, {"sec-fetch-site": site, **_named(headers)}))

    def submit(self, page: Page, **values: str) -> httpx.Response:
        """Fill in the form of a page and send it; the answer is not followed."""
        return self.post(page.form.filled(**values), page.form.action, at=page.url)

    def post(
        self, fields: dict[str, str], action: str = "/?so", *, at: str = "", **headers: str
    ) -> httpx.Response:
        """Send these fields as a form of our own page does."""
        own = {"origin": self.url.rstrip("/"), "sec-fetch-site": "same-origin"}
        target = urljoin(at or self.url, action)
        return self.send("POST", target, {**own, **_named(headers)}, fields)

    def follow(self, answer: httpx.Response) -> Page:
        """What a browser does with 303: a GET of the Location."""
        assert answer.status_code == 303, (answer.status_code, answer.text)
        return self.get(urljoin(str(answer.url), answer.headers["location"]), site="same-origin")

    def say(self, message: str, **values: str) -> Page:
        """Open the board, post a message, and see the landing page."""
        return self.follow(self.submit(self.get(), message=message, **values))

    def send(
        self, method: str, target: str, headers: dict[str, str], data: dict[str, str] | None = None
    ) -> httpx.Response:
        """One request of a navigation, cookies included."""
        answer = self.client.request(
            method, urljoin(self.url, target), headers={**NAVIGATION, **headers}, data=data
        )
        if not self.keeps_cookies:
            self.client.cookies.clear()
        return answer

    def cookie(self, prefix: str) -> str | None:
        """The value of the cookie whose name is this prefix and six hex digits."""
        found = [c.value for c in self.client.cookies.jar if c.name[:-6] == prefix]
        assert len(found) <= 1, found
        return found[0] if found else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.client.close()


def _named(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}
