"""A browser without a screen: its cookies, its forms, its way through redirects.

It knows what decides the outcome of these attacks: one cookie jar for all tabs with the limit of
4096 octets, Origin and Sec-Fetch-* (on loopback they are sent without TLS too), the Fetch
standard's way through redirects (4.4: after 303, and after 301 and 302 of a POST, the next request
is a GET; after 307 and 308 the same again), and that a form sent once more is the same octets.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final
from urllib.parse import urlencode, urljoin, urlsplit

from selectolax.lexbor import LexborHTMLParser, LexborNode

from .jar import Jar
from .wire import HOST, Answer, Exchange, Fields

MOST_HOPS: Final = 20
REDIRECTS: Final = {301, 302, 303, 307, 308}
FORM_TYPE: Final = "application/x-www-form-urlencoded"
NAVIGATION: Final = (
    ("User-Agent", "Mozilla/5.0 (a model of a browser)"),
    ("Accept", "text/html,application/xhtml+xml,*/*;q=0.8"),
    ("Sec-Fetch-Mode", "navigate"),
    ("Sec-Fetch-Dest", "document"),
)
BY_HAND: Final = ("Sec-Fetch-User", "?1")
PREFETCH: Final = ("Sec-Purpose", "prefetch")


@dataclass(frozen=True)
class Sent:
    """A form as it was filled in: sent again it is the same."""

    page: str
    target: str
    fields: tuple[tuple[str, str], ...]

    @property
    def body(self) -> bytes:
        """The octets."""
        return urlencode(self.fields).encode()


@dataclass(frozen=True)
class Page:
    """Where a navigation ended."""

    url: str
    answer: Answer

    @cached_property
    def _tree(self) -> LexborHTMLParser:
        return LexborHTMLParser(self.answer.text)

    @property
    def said(self) -> list[str]:
        """The messages on it."""
        return [node.text().strip() for node in self._tree.css('[role="status"]')]

    def says(self, words: str) -> int:
        """How many of its messages have these words in them."""
        return sum(words in one for one in self.said)

    def fill(self, **typed: str) -> Sent:
        """Its form, filled in."""
        (form,) = self._tree.css('form[method="post"]')
        fields = [one for node in form.css("[name]") if (one := _field(node, typed))]
        return Sent(self.url, urljoin(self.url, form.attributes.get("action") or ""), tuple(fields))


def _field(node: LexborNode, typed: dict[str, str]) -> tuple[str, str] | None:
    name = node.attributes["name"] or ""
    value = node.text() if node.tag == "textarea" else node.attributes.get("value")
    return name, typed.get(name, value or "")


class Browser:
    """Its cookies and the site it is on; what opens a page is a tab."""

    def __init__(self, port: int) -> None:
        self.port, self.jar = port, Jar()
        self.origin = f"http://{HOST}:{port}"

    def ask(
        self, target: str, form: Sent | None = None, site: str = "same-origin", more: Fields = ()
    ) -> Exchange:
        """Send one request, with the cookies of this moment."""
        url = urlsplit(urljoin(self.origin, target))
        path = url._replace(scheme="", netloc="", fragment="").geturl()
        fields = [*NAVIGATION, ("Sec-Fetch-Site", site), *self.jar.field(url.path), *more]
        if form is None:
            return Exchange(self.port, "GET", path, fields, b"")
        own = [("Origin", self.origin), ("Referer", form.page), ("Content-Type", FORM_TYPE)]
        length = ("Content-Length", str(len(form.body)))
        return Exchange(self.port, "POST", path, [*fields, *own, length], form.body)

    def hear(self, exchange: Exchange) -> Answer:
        """Wait for an answer and keep its cookies. Raises Cut."""
        answer = exchange.answer()
        for name, value in answer.fields:
            if name == "set-cookie":
                self.jar.keep(value)
        return answer

    def open(self, target: str, more: Fields = ()) -> Page:
        """Type an address, and follow where it leads."""
        first = self.ask(target, site="none", more=[BY_HAND, *more])
        return self.follow(urljoin(self.origin, target), first, site="none")

    def send(self, form: Sent, *more: tuple[str, str]) -> Exchange:
        """Press the button."""
        return self.ask(form.target, form, more=[BY_HAND, *more])

    def submit(self, form: Sent, *more: tuple[str, str]) -> Page:
        """Press the button, and follow where it leads. Raises Cut."""
        return self.follow(form.target, self.send(form, *more), form)

    def follow(
        self, url: str, exchange: Exchange, form: Sent | None = None, site: str = "same-origin"
    ) -> Page:
        """The page at the end of the redirects."""
        answer = self.hear(exchange)
        for _ in range(MOST_HOPS):
            there = self.location(url, answer)
            if there is None:
                return Page(url, answer)
            url, form = there, form if answer.status in {307, 308} else None
            answer = self.hear(self.ask(url, form, site))
        raise AssertionError(f"{url} redirects for ever")

    def location(self, url: str, answer: Answer) -> str | None:
        """Where an answer leads; None for a page."""
        if answer.status not in REDIRECTS:
            return None
        there = urljoin(url, answer.header("location") or "")
        assert there.startswith(f"{self.origin}/"), there
        return there

    def all(self, exchanges: Iterable[Exchange]) -> Sequence[Answer]:
        """The answers to requests that are under way together."""
        return [self.hear(one) for one in exchanges]
