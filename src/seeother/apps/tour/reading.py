"""A page as a person sees it: its words, and the form that can be filled in.

Both come from the standard library's tolerant HTML parser, because a beginner's page has a right to
an end tag that is missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from .filling import Forms

UNSEEN: Final = frozenset({"script", "style", "textarea", "title", "template"})
TYPED: Final = frozenset({"", "text", "search"})


@dataclass(frozen=True, slots=True)
class Form:
    """Where a form goes, the field that a person types into, and all other fields as they are."""

    action: str
    text: str
    fields: Mapping[str, str]


class _Page(Forms):
    """Forms that post, which of their fields are for words, and the words around them."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.areas: list[tuple[int, str]] = []
        self.lines: list[tuple[int, str]] = []
        self._unseen: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        super().handle_starttag(tag, attrs)
        said = dict(attrs)
        if tag in UNSEEN and self._unseen is None:
            self._unseen = tag
        field = len(self.found) - 1, said.get("name") or ""
        if tag == "textarea":
            self.areas.append(field)
        elif tag == "input" and (said.get("type") or "").strip().lower() in TYPED:
            self.lines.append(field)

    def handle_endtag(self, tag: str) -> None:
        super().handle_endtag(tag)
        if tag == self._unseen:
            self._unseen = None

    def handle_data(self, data: str) -> None:
        super().handle_data(data)
        if self._unseen is None:
            self.words.append(data)


def words_of(html: str) -> str:
    """The words of a page on one line, without what is in its fields.

    >>> words_of("<title>x</title><p>Don&#39;t <b>go</b>\\n&lt;b&gt;<textarea>y</textarea>")
    "Don't go <b>"
    """
    return " ".join("".join(_parsed(html).words).split())


def form_of(html: str) -> Form | None:
    """The first form that posts and has a field for words; None where there is none.

    >>> form_of('<form method=post action=/x><input type=hidden name=t value=1><textarea name=m>')
    Form(action='/x', text='m', fields={'t': '1'})
    >>> form_of('<form><input name=q></form>') is None
    True
    """
    page = _parsed(html)
    for number, (action, fields) in enumerate(page.found):
        named = [name for at, name in (*page.areas, *page.lines) if at == number and name in fields]
        if named:
            kept = {n: value for n, value in fields.items() if value is not None and n != named[0]}
            return Form(action, named[0], kept)
    return None


def _parsed(html: str) -> _Page:
    page = _Page()
    with suppress(AssertionError):  # what the parser says about markup that it cannot read
        page.feed(html)
        page.close()
    return page
