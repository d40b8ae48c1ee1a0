"""What two parsers see in a document before and after planting, and what is wrong with it.

Every form is told apart by a number in its start tag, so that both judges speak of the same one.
Judged is what a browser would do with the field: which form owns it.

Three things are known of the judges. html5lib has no `<template>` and dies of some documents: then
lexbor judges alone. Where the two see different forms, the tree is compared by lexbor alone. And
an `<input>`, as any text, makes a browser copy formatting elements that were left open, and what
follows stands in the copy. So these elements are not compared; where there are any, only the order
of all others is, not how they are nested.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Final
from xml.etree.ElementTree import Element

import html5lib
from selectolax.lexbor import LexborHTMLParser, LexborNode

from seeother.core.html import Planter, plant

_FORM = re.compile(rb"<form(?=[\t\n\f\r />])", re.IGNORECASE)
FIELD: Final = re.compile(r'<input type="hidden" name="so_token" value="\d+">')
XHTML: Final = "{http://www.w3.org/1999/xhtml}"
FORMATTING: Final = frozenset(  # 13.2.4.2
    (
        "a",
        "b",
        "big",
        "code",
        "em",
        "font",
        "i",
        "nobr",
        "s",
        "small",
        "strike",
        "strong",
        "tt",
        "u",
    )
)
_FORMATTING_TAG = re.compile(rf"</?(?:{'|'.join(sorted(FORMATTING))})(?: [^<>]*)?>")
# Where planting may leave a page alone: in all other documents nothing is to be missed.
DOUBTFUL: Final = re.compile(rb"<(?:svg|math|noscript|select)", re.IGNORECASE)
NOSCRIPT: Final = re.compile(rb"<noscript", re.IGNORECASE)
_END_TAG = re.compile(r"</[^>]*>")
_POINTS: Final = frozenset({"foreignobject", "desc", "title", "mi", "mo", "mn", "ms", "mtext"})


def numbered(html: bytes) -> bytes:
    """The document with a number in each start tag of a form."""
    numbers = count()
    return _FORM.sub(lambda found: found[0] + b" data-n=%d" % next(numbers), html)


def planted(html: bytes, size: int | None = None) -> bytes:
    """The document with fields, whole or in chunks of this size; each field is another one."""
    numbers = count()

    def made(_form: object) -> bytes:
        return b'<input type="hidden" name="so_token" value="%d">' % next(numbers)

    if size is None:
        return plant(html, made)
    planter = Planter(made)
    ready = [planter.feed(html[at : at + size]) for at in range(0, len(html), size)]
    return b"".join(ready) + planter.close()


@dataclass
class Sight:
    """What one judge sees: the forms that post, the form of each field, and all the rest."""

    forms: set[str] = field(default_factory=set)
    owners: list[str | None] = field(default_factory=list)
    tree: str = ""
    formatted: bool = False

    def wrong(self, wanted: set[str]) -> Iterator[str]:
        """What is wrong with the fields, where these forms should have one each."""
        if wanted - set(self.owners):
            yield "missed"
        if set(self.owners) - self.forms:
            yield "leaked"
        if max(Counter(self.owners).values(), default=0) > 1:
            yield "doubled"


def by_html5lib(html: bytes, *, scripting: bool = True) -> Sight | None:
    """Of a document that html5lib can read; otherwise None."""
    parser = html5lib.HTMLParser(namespaceHTMLElements=True)
    try:
        root: Element = parser.parse(html.decode("utf-8", "replace"), scripting=scripting)
    except Exception:  # noqa: BLE001 (whatever the judge dies of)
        return None
    sight, tree = Sight(), [""]

    def text(value: str | None) -> None:
        tree.append(FIELD.sub("", value or ""))

    def look(element: Element, form: Element | None) -> None:
        tag: object = element.tag
        if not isinstance(tag, str):
            text(element.text)  # of a comment
            return
        shown = tag.removeprefix(XHTML) not in FORMATTING
        sight.formatted |= not shown
        tree.append(f"<{tag} {sorted(map(str, element.attrib.items()))}>" if shown else "")
        if tag == XHTML + "form":
            form = element
            if (element.get("method") or "").lower() == "post":
                sight.forms.add(element.get("data-n", "?"))
        text(element.text)
        before: Element | None = None
        for child in element:
            if child.tag == XHTML + "input" and child.get("name") == "so_token":
                in_table = before is not None and before.tag == XHTML + "form" and not len(before)
                owner = before if in_table else form
                sight.owners.append(None if owner is None else owner.get("data-n"))
            else:
                look(child, form)
            text(child.tail)
            before = child
        tree.append("</>" if shown else "")

    look(root, None)
    sight.tree = "".join(tree)
    return sight


def by_lexbor(html: bytes, *, scripting: bool = False) -> Sight:
    """The same by lexbor. A form of an island is none; selectolax does not say so, its place does.

    `mem_id` is no number to keep: the one in the start tag is.
    """
    tree = LexborHTMLParser(html.decode("utf-8", "replace"), scripting=scripting)
    sight = Sight()
    for form in tree.css("form"):
        if (form.attributes.get("method") or "").lower() == "post" and not _foreign(form):
            sight.forms.add(form.attributes.get("data-n") or "?")
    for found in tree.css("input[name=so_token]"):
        owner = found.prev
        if owner is None or owner.tag != "form" or owner.child is not None:
            owner = found.parent
            while owner is not None and owner.tag != "form":
                owner = owner.parent
        sight.owners.append(None if owner is None else owner.attributes.get("data-n"))
    shown = FIELD.sub("", tree.html or "")
    sight.tree, copies = _FORMATTING_TAG.subn("", shown)
    sight.formatted = copies > 0
    return sight


def _foreign(node: LexborNode) -> bool:
    parent = node.parent
    while parent is not None:
        tag = (parent.tag or "").lower()
        if tag in ("svg", "math"):
            return True
        if tag in _POINTS or (tag == "annotation-xml" and "encoding" in parent.attributes):
            return False
        parent = parent.parent
    return False


@dataclass
class Verdict:
    """What is wrong with one planted document; `wanted` forms should have got a field."""

    wanted: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    left_alone: int = 0  # of the wanted ones, where the page may be left alone
    alone: bool = False  # lexbor, as the only judge


def judge(html: bytes, *, chunks: tuple[int, ...] = (1, 8192)) -> Verdict:
    """Plant into a document whose forms are numbered, and look at it with both judges."""
    verdict, result = Verdict(), planted(html)
    if FIELD.sub("", result.decode("latin-1")) != html.decode("latin-1"):
        verdict.faults["other bytes changed"] += 1
    for size in chunks:
        verdict.faults[f"not the same in chunks of {size}"] += planted(html, size) != result
    lexbor, plain = by_lexbor(result), by_lexbor(html)
    other = None if b"<template" in html.lower() else by_html5lib(result)
    verdict.alone = other is None
    sights = [lexbor] if other is None else [lexbor, other]
    wanted = set.intersection(*(sight.forms for sight in sights))
    _look(verdict, wanted, sights, may_leave=bool(DOUBTFUL.search(html)))
    if NOSCRIPT.search(html):
        bare = None if other is None else by_html5lib(result, scripting=False)
        others = [by_lexbor(result, scripting=True), *([] if bare is None else [bare])]
        _look(verdict, set(), others, may_leave=True)
    verdict.faults["lexbor: another tree"] += not _same(plain, lexbor)
    if other is not None and other.forms == lexbor.forms and other.tree:
        before = by_html5lib(html)
        verdict.faults["html5lib: another tree"] += not (before is None or _same(before, other))
    verdict.faults += Counter()  # without those that are 0
    return verdict


def _same(one: Sight, other: Sight) -> bool:
    if one.formatted:
        return _END_TAG.sub("", one.tree) == _END_TAG.sub("", other.tree)
    return one.tree == other.tree


def _look(verdict: Verdict, wanted: set[str], sights: list[Sight], *, may_leave: bool) -> None:
    verdict.wanted += len(wanted)
    owned = {owner for sight in sights for owner in sight.owners}
    if may_leave:
        verdict.left_alone += len(wanted - owned)
        wanted &= owned
    for sight in sights:
        verdict.faults.update(sight.wrong(wanted))
