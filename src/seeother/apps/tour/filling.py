"""A page's form, filled in as a browser would send it (HTML standard, section 4.10.21)."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Final
from urllib.parse import urlencode, urljoin, urlsplit

NOT_SENT: Final = frozenset({"button", "image", "reset", "submit", "file"})
CHOSEN: Final = frozenset({"checkbox", "radio"})


class Stopped(Exception):
    """The play cannot go on; the text says why, to a person."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A request as far as a refresh repeats it."""

    method: str
    path: str
    body: str | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; `status` None: it was lost on the way."""

    sent: Sent
    status: int | None
    location: str | None = None
    page: str = ""


class Forms(HTMLParser):
    """The forms of a page that post: where they go, and what goes with them."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self._open = False
        self._select: str | None = None
        self._area: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A form, or something in one."""
        said = {name: value or "" for name, value in reversed(attrs)}
        if tag == "form":
            self._open = said.get("method", "").lower() == "post"
            if self._open:
                self.found.append((said.get("action", ""), {}))
        elif self._open:
            self._control(tag, said, said.get("name", ""))

    def _control(self, tag: str, said: dict[str, str], name: str) -> None:
        fields, kind = self.found[-1][1], said.get("type", "").lower()
        if tag == "option" and self._select is not None:
            if fields[self._select] is None or "selected" in said:
                fields[self._select] = said.get("value", "")
        elif not name or (tag == "input" and kind in NOT_SENT):
            return
        elif tag == "input" and kind in CHOSEN:
            fields.setdefault(name, None)
            if "checked" in said:
                fields[name] = said.get("value", "on")
        elif tag == "input":
            fields[name] = said.get("value", "")
        elif tag == "textarea":
            self._area, fields[name] = name, ""
        elif tag == "select":
            self._select, fields[name] = name, None

    def handle_endtag(self, tag: str) -> None:
        """The end of a form, or of something in one."""
        if tag == "form":
            self._open = False
        elif tag == "select":
            self._select = None
        elif tag == "textarea":
            self._area = None

    def handle_data(self, data: str) -> None:
        """What a text area holds."""
        if self._open and self._area is not None:
            fields = self.found[-1][1]
            fields[self._area] = (fields[self._area] or "") + data.removeprefix("\n")


def filled(screen: Answer, typed: Mapping[str, str]) -> Sent:
    """The first form of a page that posts and has these fields, with this typed into them.

    >>> page = '<form method=post action=b><input name=t value=1 type=hidden><input name=q></form>'
    >>> filled(Answer(Sent("GET", "/a"), 200, None, page), {"q": "x y"})
    Sent(method='POST', path='/b', body='t=1&q=x+y')
    """
    parser = Forms()
    with suppress(AssertionError):  # what the parser says about markup that it cannot read
        parser.feed(screen.page)
        parser.close()
    for action, fields in parser.found:
        if typed.keys() <= fields.keys():
            sent = {name: typed.get(name, value) for name, value in fields.items()}
            parts = urlsplit(urljoin(f"http://x{screen.sent.path}", action))
            path = parts.path + (f"?{parts.query}" if parts.query else "")
            return Sent("POST", path, urlencode({k: v for k, v in sent.items() if v is not None}))
    raise Stopped(f"There is no form for {', '.join(typed)} on {screen.sent.path}.")
