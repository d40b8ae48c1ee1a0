"""Planting: which forms get a field, which action gets the marker, and that no other byte changes.

The judges are two parsers that know nothing of ours: html5lib and lexbor build the tree that a
browser would build, and each planted field must belong to the form that it was meant for.
"""

import json
import re
import sys
from collections.abc import Iterator
from itertools import count, pairwise
from pathlib import Path
from types import FrameType
from typing import Any
from xml.etree.ElementTree import Element

import html5lib
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser, LexborNode

from seeother.core.action import is_own
from seeother.core.attributes import attributes
from seeother.core.html import HOLD, UNREAD, FormTag, Page, Planter, plant

FIELD = b'<input type="hidden" name="so_token" value="t">'
CASES = json.loads((Path(__file__).parents[1] / "data" / "html_forms.json").read_text("utf-8"))
PAGE = Page("https://a.example", "/list", "")
POST = b'<form method="post">'


def in_chunks(html: bytes, size: int, *, page: Page | None = None) -> bytes:
    """The document planted in chunks of `size` bytes."""
    planter = Planter(FIELD, page=page)
    ready = [planter.feed(html[at : at + size]) for at in range(0, len(html), size)]
    return b"".join(ready) + planter.close()


def planted(html: bytes, *, page: Page | None = None) -> list[int]:
    """Which form tags of the document (the first is 0) the field stands behind."""
    whole = plant(html, FIELD, page=page)
    starts = [found.start() for found in re.finditer(rb"<form[^>]*>", whole, re.IGNORECASE)]
    fields = [found.start() for found in re.finditer(re.escape(FIELD), whole)]
    return [max(n for n, start in enumerate(starts) if start < at) for at in fields]


# --- the corpus -----------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_corpus(case: dict[str, Any]) -> None:
    """Exactly the forms that a browser would post get one field, however the page is cut."""
    html = case["html"].encode()
    whole = plant(html, FIELD)
    assert whole.count(FIELD) == case["post_forms"]
    assert whole.replace(FIELD, b"") == html
    assert in_chunks(html, 8192) == whole
    assert in_chunks(html, 1) == whole


# --- where a form leads ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "action",
    [
        "",
        "/x",
        "x",
        "./x?y#z",
        "?q",
        "#f",
        " /x ",
        "//a.example/x",
        r"\\a.example\x",
        "https://a.example",
        "HTTPS://A.EXAMPLE:443/x",
        "https://a.example?q",
        "h&#116;tps&colon;//a.example/",
        "/x&#x3a;//b.example/",
    ],
)
def test_forms_that_stay_are_planted(action: str) -> None:
    """A relative address, and every spelling of our own origin, keeps the token here."""
    assert planted(f'<form method=post action="{action}">'.encode(), page=PAGE) == [0]


@pytest.mark.parametrize(
    "action",
    [
        "//b.example",
        "///b.example",
        r"\\b.example",
        r"/\b.example",
        "\x01//b.example",
        " \x0c//b.example",
        "/\t/b.example",
        "/\n/b.example",
        "&#1;//b.example",
        "&sol;&sol;b.example",
        "&#47;&#x2F;b.example",
        "/&Tab;/b.example",
        "&bsol;/b.example",
        "http://a.example/",
        "https://a.example.b.example/",
        "https://a.example:444/",
        "https://a.example@b.example/",
        "https:b.example",
        "https:/b.example",
        "java\nscript:alert(1)",
        "mailto:a@b.example",
        "data:text/html,x",
        "x-y.z+1:",
    ],
)
def test_forms_that_may_leave_are_not_planted(action: str) -> None:
    """What cannot be proved to stay on this origin gets no token and no marker."""
    html = f'<form method=post action="{action}">'.encode()
    assert plant(html, FIELD, page=PAGE) == html
    assert plant(html, FIELD) == html


@pytest.mark.parametrize("url", [b"//[", b"https://[::1/", b"//a]"])
def test_what_cannot_be_parsed_is_not_the_page(url: bytes) -> None:
    """Whoever asks: an address that is none is nobody's own."""
    assert not is_own(url, PAGE, based=False)


def test_without_a_page_absolute_addresses_are_foreign() -> None:
    """Who does not say where the page stands gets no proof for absolute addresses."""
    assert planted(b"<form method=post action=https://a.example/>") == []
    assert planted(b"<form method=post action=//a.example/>") == []
    assert planted(b"<form method=post action=/x>") == [0]


@pytest.mark.parametrize(
    ("html", "forms"),
    [
        (b"<base href='//b.example/'><form method=post action=x>", []),
        (b"<base href=data:x><form method=post action=/x>", []),
        (b"<base href=x><base href=//b.example><form method=post action=/x>", []),
        (b"<base href='//b.example/'><form method=post action=https://a.example/x>", [0]),
        (b"<base href='//b.example/'><form method=post>", [0]),
        (b"<base href=/app/><form method=post action=x>", [0]),
        (b"<base target=_self><form method=post action=x>", [0]),
        (b"<!-- <base href=//b.example> --><form method=post action=x>", [0]),
        (b"<template><base href=//b.example></template><form method=post action=x>", [0]),
        (b"<svg><base href=//b.example /></svg><form method=post action=x>", [0]),
    ],
)
def test_a_base_before_the_form_counts(html: bytes, forms: list[int]) -> None:
    """A foreign base takes every relative action away, but not the page's own address."""
    assert planted(html, page=PAGE) == forms
    assert in_chunks(html, 1, page=PAGE) == plant(html, FIELD, page=PAGE)


@pytest.mark.parametrize(
    ("html", "forms"),
    [
        (POST + b"<button formaction=//b.example>", []),
        (POST + b"<input type=image formaction=//b.example>", []),
        (POST + b'<button title=">" formaction="&sol;/b.example">', []),
        (POST + b"<noscript><button formaction=//b.example></noscript>", []),
        (POST + b"<button formaction=/x></form>", [0]),
        (POST + b"<!-- <button formaction=//b.example> --></form>", [0]),
        (POST + b"</form><button formaction=//b.example>", [0]),
        (b"<button form=f formaction=//b.example><form id=f method=post></form>" + POST, [1]),
        (b"<base href=//b.example>" + POST + b"<button formaction=x>", []),
    ],
)
def test_a_button_that_sends_the_form_away_counts(html: bytes, forms: list[int]) -> None:
    """A form with a foreign formaction before or inside it gets no token, streamed or whole."""
    assert planted(html, page=PAGE) == forms
    assert in_chunks(html, 1, page=PAGE) == plant(html, FIELD, page=PAGE)


@pytest.mark.parametrize(
    "html",
    [
        b"<form id=f method=post action=x></form><base href=//b.example>",
        b"<form id=f method=post></form><button form=f formaction=//b.example>",
        b"<form id=f method=post></form><noscript><input form=f formaction=//b.example></noscript>",
        b"<form id=f method=post action=x></form><noscript><base href=//b.example>",
    ],
)
def test_what_comes_after_a_form_is_known(html: bytes) -> None:
    """A form that something behind it sends away is left alone; far behind a stream cannot know."""
    assert plant(html, FIELD, page=PAGE) == html
    assert in_chunks(html, 1, page=PAGE) == html
    end = html.index(b"</form>") + len(b"</form>")
    for filler, fields in ((BIG[: HOLD - 200], 0), (BIG, 1)):
        page = html[:end] + filler + html[end:]
        assert plant(page, FIELD, page=PAGE) == page
        for size in (1000, HOLD, len(page)):
            assert in_chunks(page, size, page=PAGE).count(FIELD) == fields


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        (b"target=_self", 1),
        (b"target=_TOP", 1),
        (b"target='_parent'", 1),
        (b"target=''", 1),
        (b"target=_blank", 0),
        (b"target=frame", 0),
        (b'data-seeother="off"', 0),
        (b'data-seeother="OFF"', 0),
        (b'data-seeother="on"', 1),
        (b"method=dialog", 1),
    ],
)
def test_other_windows_and_opt_outs(attributes: bytes, expected: int) -> None:
    """A form that opens another window, or says `off`, is left alone."""
    html = b"<form method=post %b>" % attributes
    assert plant(html, FIELD, page=PAGE).count(FIELD) == expected


def test_the_base_target_holds_for_forms_without_one() -> None:
    """`<base target>` names the window of every form that names none."""
    html = b"<base target=_blank><form method=post></form><form method=post target=_self>"
    assert planted(html) == [1]


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        ("&amp;&lt;&quot;", '&<"'),
        ("?a&copy=1&copy;&copyx&copy", "?a&copy=1©&copyx©"),
        ("&notit;&notin;&NOTIT", "&notit;∉&NOTIT"),
        ("&#65;&#x42;&#X43&#68x&#;&#x;&", "ABCDx&#;&#x;&"),
        ("&#128;&#129;&#0;&#xD800;&#x110000;&#99999999999;", "€\x81" + "\ufffd" * 4),
        ("&#1;&#10;&#xFFFF;", "\x01\n\uffff"),
        ("&colon;&sol;&Tab;&NewLine;&bsol;", ":/\t\n\\"),
    ],
)
def test_references_in_attributes(value: str, meant: str) -> None:
    """Character references mean what both judges say, and what HTML 13.2.5.73 says."""
    tag = f'<form method=post action="{value}">'
    assert attributes(tag.encode())[b"action"].value.decode() == meant
    [form] = LexborHTMLParser(tag).css("form")
    assert form.attributes["action"] == meant


# --- the field ------------------------------------------------------------------------------


def test_the_callable_learns_what_the_tag_says() -> None:
    """Every form is offered once, in order, with its attributes resolved; None leaves it alone."""
    seen: list[FormTag] = []

    def field(form: FormTag) -> bytes | None:
        seen.append(form)
        return b"[%d]" % len(seen) if form.edit else None

    html = (
        b"<form method=post action='?a=1&amp;b' enctype=Multipart/Form-Data target=_top"
        b" data-seeother-edit=confirm></form><form></form>"
        b"<form method=post action=/list enctype=x></form>"
    )
    result = plant(html, field, page=Page("https://a.example", "/list", "", mark=None))
    assert result == html.replace(b"confirm>", b"confirm>[1]")
    assert seen == [
        FormTag(b"?a=1&b", "multipart/form-data", "_top", "confirm", off=False, own=False),
        FormTag(b"/list", "application/x-www-form-urlencoded", "", None, off=False, own=True),
    ]


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        (b'<input type=hidden name="so_token" value="x">', 0),
        (b"<p><input value=x name=so_token></p>", 0),
        (b"<input name=SO_TOKEN>", 1),
        (b"<!-- <input name=so_token> -->", 1),
        (b"<template><input name=so_token></template>", 1),
        (b"<svg><input name=so_token /></svg>", 1),
        (b"<input name=so_token form=other>", 1),
    ],
)
def test_a_form_that_has_its_token_gets_no_second_one(inside: bytes, expected: int) -> None:
    """What the template planted by itself is respected; the action is marked all the same."""
    html = POST + inside + b"</form>"
    result = plant(html, b"[field]", page=PAGE)
    assert result.count(b"[field]") == expected
    assert result.startswith(b'<form action="?so" method="post">')


def test_planting_twice_is_planting_once() -> None:
    """A planted document is left as it is by a second pass."""
    html = POST + b"</form><form method=post action=/list?so></form>" + POST + b"</form>"
    once = plant(html, FIELD, page=PAGE)
    assert once.count(b"so_token") == once.count(b"?so") == 3
    assert plant(once, FIELD, page=PAGE) == once


# --- the action marker ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("page", "tag", "expected"),
    [
        (("/", ""), "<form method=post action=/>", '<form method=post action="/?so">'),
        (("/", ""), "<form method=post>", '<form action="?so" method=post>'),
        (("/", ""), "<form method=post action>", '<form method=post action="?so">'),
        (("/", ""), "<form action='' method=post>", '<form action="?so" method=post>'),
        (("/", ""), "<form action= method=post></form>", None),
        (("/", ""), "<FORM ACTION='/'METHOD=post>", '<FORM action="/?so"METHOD=post>'),
        (("/", ""), "<form/method=post>", '<form action="?so"/method=post>'),
        (("/", "q=1"), "<form method=post>", '<form action="?q=1&amp;so" method=post>'),
        (
            ("/", "q=1"),
            "<form method=post action='?q=1'>",
            '<form method=post action="?q=1&amp;so">',
        ),
        (("/", "q=1"), "<form method=post action='/'>", None),
        (("/", "q=1"), "<form method=post action='?q=2'>", None),
        (("/a/b", ""), "<form method=post action=b>", '<form method=post action="b?so">'),
        (
            ("/a/b", ""),
            "<form method=post action=../a/b#x>",
            '<form method=post action="../a/b?so#x">',
        ),
        (("/a/b", ""), "<form method=post action=/a/>", None),
        (("/", ""), "<form method=post action=/?so>", None),
        (("/", ""), "<form method=post action=?so#x>", None),
        (("/", "q=1"), "<form method=post action='/?q=1&amp;so'>", None),
        (("/", "so"), "<form method=post>", None),
        (
            ("/", ""),
            "<form method=post action='https://a.example/'>",
            '<form method=post action="https://a.example/?so">',
        ),
        (
            ("/", "q=" + "x" * 2046),
            "<form method=post>",
            '<form action="?q=' + "x" * 2046 + '&amp;so" method=post>',
        ),
        (("/", "q=" + "x" * 2047), "<form method=post>", None),
        (
            ("/", ""),
            "<base href=/app/><form method=post>",
            '<base href=/app/><form action="/?so" method=post>',
        ),
        (("//b.example", ""), "<base href=/app/><form method=post>", None),
        (("/\\b.example", ""), "<base href=/app/><form method=post>", None),
        (("/", ""), "<base href=/app/><form method=post action=.>", None),
        (("/", ""), "<base href=//b.example><form method=post>", None),
        (("/", ""), "<form method=post data-seeother=off>", None),
        (("/", ""), "<form method=post action=//b.example/>", None),
        (("/", ""), "<form method=get>", None),
    ],
)
def test_an_action_to_the_own_page_is_marked(
    page: tuple[str, str], tag: str, expected: str | None
) -> None:
    """A form that posts to its page's own address posts to the marked one; all others stay."""
    where = Page("https://a.example", *page)
    result = plant(tag.encode(), FIELD, page=where).replace(FIELD, b"")
    assert result.decode() == (tag if expected is None else expected)
    assert in_chunks(tag.encode(), 1, page=where).replace(FIELD, b"") == result


def test_the_mark_has_the_name_that_the_page_gives_it() -> None:
    """Another name is used as it is, and None means no marker at all."""
    named = plant(POST, FIELD, page=Page("https://a.example", "/", "so", mark="m"))
    assert named.startswith(b'<form action="?so&amp;m" method="post">')
    assert plant(POST, FIELD, page=Page("https://a.example", "/", "", mark=None)) == POST + FIELD


@given(st.text(st.characters(max_codepoint=0x17F), max_size=20))
@example("\"><script>alert('&lt;')</script>")
@example("a\r\nb\x00\x7f\xa0 ")
def test_a_query_reflected_into_an_action_is_inert(query: str) -> None:
    """Whatever stands in the address of the page, a browser sees one form with one action."""
    result = plant(POST + b"</form>", b"", page=Page("https://a.example", "/", query))
    [form] = LexborHTMLParser(result.decode()).css("form")
    assert set(form.attributes) <= {"method", "action"}
    assert form.child is None
    assert result.count(b"<") == 2
    assert not re.search(rb"[\x00-\x1f\x7f]", result)


# --- markup in which others see something else ----------------------------------------------


@pytest.mark.parametrize(
    ("html", "forms"),
    [
        # The leaks of security rule 21: in each, B is no form of its own, or not ours to plant.
        (b"<form action=//b.example><noscript></form></noscript>" + POST, []),
        (b"<form action=//b.example><svg><![CDATA[></svg></form>]]></svg>" + POST, []),
        (b"<form action=//b.example><svg><desc><b></form></b></desc></svg>" + POST, []),
        (b"<form action=//b.example><math><mi><svg><title></form></title></svg></mi></math>", []),
        (b"<noscript><form action=//b.example></noscript>" + POST, []),
        (b"<noscript><!-- </noscript>" + POST + b"</form> -->", []),
        (b"<noscript><a title='</noscript>" + POST + b"'>", []),
        (b"<noscript><svg></noscript>" + POST, []),
        (b"<noscript><template></noscript>" + POST, []),
        (b"<noscript></</noscript>" + POST, []),
        (POST + b"<noscript>" + POST + b"</form></noscript></form>", [0]),
        (POST + b"<svg></x><button formaction=//b.example></form>", []),
        (POST + b"<noscript><template></noscript><button formaction=//b.example></form>", []),
        # In a select a form tag is one for new browsers only.
        (b"<form action=//b.example><select></form>" + POST + b"<input>", []),
        (b"<form action=//b.example><select></form></select>" + POST, []),
        (b"<select>" + POST + b"<input></form>" + POST, [1]),
        (b"<select>" + POST + b"</select>" + POST, []),
        (b"<select><title></select><form action=//b.example></title></select>" + POST, []),
        (b"<select><svg><![CDATA[></select><form action=//b.example>]]></svg></select>" + POST, []),
        (b"<noscript><select></noscript>" + POST, []),
        (POST + b"<select></form></select><button formaction=//b.example></form>", []),
        # And what a browser does see as a form.
        (POST + b"<select><option>a</select></form>" + POST, [0, 1]),
        (POST + b"<select><select></form>" + POST, [0, 1]),
        (POST + b"<select><textarea></textarea></form>" + POST, [0]),
        (b"<select><title>x</title></select>" + POST, []),
        (b"<template><select></template>" + POST, [0]),
        (b"<svg><select></svg>" + POST, [0]),
        (b"<form action=//b.example><svg><style></form></style></svg>" + POST, [1]),
        (b"<form action=//b.example><svg></form></svg>" + POST, [1]),
        (POST + b"<svg><desc></form></desc></svg>" + POST, [0, 1]),
        (b"<svg><foreignObject>" + POST + b"<p>x<ul><li>y</ul></form></foreignObject></svg>", [0]),
        (b"<math><mi><mglyph>" + POST, []),
        (b"<math><mi><mglyph/></mi></math>" + POST, [0]),
        (b"<math><mi><mglyph><malignmark></mi></math>" + POST, [0]),
        (b"<noscript>" + POST + b"</form>", [0]),
        (b"<script><!--<script>--><script></script>" + POST, [0]),
        (b"<script><!--<script></script>" + POST + b"--></script>", []),
        (b"<script><!--<script></script><!--></script>" + POST, [0]),
        (b"<script>--><script></script>" + POST, [0]),
        (b"<svg><foreignObject><a></foreignObject></a></svg>" + POST, []),
        (b"<svg><desc><b></b></desc></desc></svg>" + POST, []),
        (b"<svg><g><desc><svg></g></svg></desc></g></svg>" + POST, [0]),
        (b"<svg><g><desc><b><svg></g></svg></b></desc></g></svg>" + POST, []),
        (b"<svg><style></svg>" + POST, [0]),
        (b"<svg><desc><![CDATA[<p></desc>]]></desc></svg>" + POST, [0]),
        (b"<svg><desc>a<br>b</desc></svg>" + POST, [0]),
        (b"<svg><linearGradient><stop/></linearGradient></svg>" + POST, [0]),
        (b"<noscript>" + POST + b"</form></noscript>" + POST, [0, 1]),
        (b"<noscript>" + POST + b"</noscript>" + POST, []),
        (b"<noscript><!-- x --><p>y</noscript>" + POST, [0]),
        (b"<template><noscript>" + POST + b"</form></noscript></template>" + POST, [1]),
        (b"<svg><title>a</title><desc>b</desc><path d='M0'/></svg>" + POST, [0]),
        (b"<svg><foreignObject><div>" + POST + b"</form></div></foreignObject></svg>", [0]),
        (b"<svg><g>" + POST + b"</g></svg></form>" + POST, [1]),
        (b"<svg><path></svg>" + POST, [0]),
        (b"<svg/>" + POST, [0]),
        (b"<svg><p>" + POST, [0]),
        (b"<svg><font color=red>" + POST, [0]),
        (b"<svg><font>" + POST, []),
        (b"<math><mtext><b>x</b></mtext><mi>y</mi></math>" + POST, [0]),
        (b'<math><annotation-xml encoding="TEXT/html">' + POST, [0]),
        (b"<math><annotation-xml>" + POST, []),
        (b"<math><annotation-xml><svg><desc>" + POST, [0]),
        (b"<math><annotation-xml><desc>" + POST, []),
        (b"<svg><desc><div></desc></svg>" + POST, []),
        (b"<svg><script>1<2</script><![CDATA[<p>]]></svg>" + POST, [0]),
        (b"<p><svg></p>" + POST, [0]),
    ],
)
def test_islands_and_noscript(html: bytes, forms: list[int]) -> None:
    """What opens a form for one browser and closes none for another never leads a token astray."""
    assert planted(html) == forms
    for size in (1, 2, 3, 7, 8192):
        assert in_chunks(html, size) == plant(html, FIELD)


# --- two judges -----------------------------------------------------------------------------

COMMON = """<form method=post>|<FORM METHOD="POST" action="/x">|<form method='get'>|</form>|</form >
<form>|<form action="//b" method=post>|<p>|</p>|<div |>|<|</|"|'|=| |/|<!--|-->|--!>|-|<!|!>|?>|<?
<a title="| x='|<textarea>|</textarea>|<title>|</title>|<style>|</style>|<script>|</script>|</script
<script |<xmp>|</xmp>|<iframe>|</iframe>|<b>|</b>|text|é|<input name=q>|<button>|</button>|<table>
</table>|<tr>|<td>|</td>|</tr>|method=post|<form|<a href=x>|</a>|&lt;|<formx method=post>|<noembed>
</noembed>|<noframes>|</noframes>|<![CDATA[|]]>"""
TEMPLATES = "<template>|</template>"
ISLANDS = """<svg>|</svg>|<svg/>|<math>|</math>|<title>|</title>|<desc>|</desc>|<foreignObject>|<g>
</foreignObject>|</g>|<path/>|<![CDATA[|]]>|<mi>|</mi>|<mtext>|</mtext>|<style>|</style>|<script>
</script>|<font color=x>|<font>|</font>|<annotation-xml>|<annotation-xml encoding="text/html">|</p>
</annotation-xml>|<br>|</br>|<div>|</div>|<image>|<td>|<img>"""
NOSCRIPT = "<noscript>|</noscript>"


def documents(*vocabularies: str) -> st.SearchStrategy[bytes]:
    """Documents made of these words; each vocabulary is as likely as any other."""
    words = [st.sampled_from(re.split(r"[|\n]", words)) for words in vocabularies]
    return st.lists(st.one_of(words), max_size=20).map(lambda parts: "".join(parts).encode())


def numbered(html: bytes) -> bytes:
    """The document with a different field in each form; the rest of its bytes is unchanged."""
    count = iter(range(1000))
    result = plant(html, lambda form: b"<input type=hidden name=so_token value=%d>" % next(count))
    assert re.sub(rb"<input type=hidden name=so_token value=\d+>", b"", result) == html
    return result


class Seen:
    """What a judge saw: forms that should have a field, and the form of each field."""

    def __init__(self, tree: object) -> None:
        self.tree = tree  # keeps it alive: forms are told apart by their identity
        self.wanted: set[int] = set()
        self.fields: list[int | None] = []

    def misplaced(self) -> list[int | None]:
        """Fields outside of any form that is ours, or beside another one in the same form."""
        wrong = [form for form in self.fields if form not in self.wanted]
        return wrong + [form for form in self.fields if self.fields.count(form) > 1]

    def missed(self) -> set[int]:
        """Forms of ours without a field."""
        return self.wanted - set(self.fields)


def is_ours(method: str | None, action: str | None) -> bool:
    """Whether a form of the vocabulary posts to this site."""
    return (method or "").lower() == "post" and not (action or "").startswith("//")


XHTML = "{http://www.w3.org/1999/xhtml}"


def by_html5lib(html: bytes, *, scripting: bool) -> Seen:
    """A form's field is the first thing in it, or right after it where a table allows no form."""
    parser = html5lib.HTMLParser(namespaceHTMLElements=True)
    root: Element = parser.parse(html.decode(), scripting=scripting)
    parents = {child: parent for parent in root.iter() for child in parent}
    seen = Seen(root)
    for element in root.iter():
        if element.tag == XHTML + "form" and is_ours(element.get("method"), element.get("action")):
            seen.wanted.add(id(element))
        if element.tag == XHTML + "input" and element.get("name") == "so_token":
            parent = parents[element]
            before = dict(pairwise(reversed(list(parent)))).get(element)
            form: Element | None = before
            if before is None or before.tag != XHTML + "form" or len(before):
                form = parent
                while form is not None and form.tag != XHTML + "form":
                    form = parents.get(form)
            seen.fields.append(None if form is None else id(form))
    return seen


def by_lexbor(html: bytes) -> Seen:
    """The same judgement by another parser; it knows `<template>`, but no namespaces."""
    tree = LexborHTMLParser(html.decode())
    seen = Seen(tree)
    for form in tree.css("form"):
        if is_ours(form.attributes.get("method"), form.attributes.get("action")):
            seen.wanted.add(form.mem_id)
    for field in tree.css("input[name=so_token]"):
        before = field.prev
        form_node: LexborNode | None = before
        if before is None or before.tag != "form" or before.child is not None:
            form_node = field.parent
            while form_node is not None and form_node.tag != "form":
                form_node = form_node.parent
        seen.fields.append(None if form_node is None else form_node.mem_id)
    return seen


HARD = settings(max_examples=max(300, settings().max_examples))


@HARD
@given(documents(COMMON))
@example(b"<a href=x><form method=post><a href=x>")
@example(b"<form method=post><button></form><table></form><form method=post>")
def test_both_judges_agree(html: bytes) -> None:
    """In ordinary markup, however broken, every form of ours gets its field and no other does."""
    result = numbered(html)
    for seen in (by_html5lib(result, scripting=True), by_lexbor(result)):
        assert seen.misplaced() == []
        assert seen.missed() == set()


@HARD
@given(documents(COMMON, TEMPLATES))
def test_templates_hold_no_forms(html: bytes) -> None:
    """A form in a template gets no field, one outside does."""
    seen = by_lexbor(numbered(html))
    assert seen.misplaced() == []
    assert seen.missed() == set()


@HARD
@given(documents(COMMON, ISLANDS))
@example(b"<svg><desc><div></desc><style><!--</style></svg><form method=post>")
def test_islands_lead_no_field_astray(html: bytes) -> None:
    """In SVG and MathML a form may be missed where the markup is broken; no field is misplaced."""
    assert by_html5lib(numbered(html), scripting=True).misplaced() == []


@HARD
@given(documents(COMMON, NOSCRIPT))
@example(b"<form action=//b><noscript></form></noscript><form method=post>")
def test_noscript_leads_no_field_astray(html: bytes) -> None:
    """With scripting and without no field is misplaced, whatever stands in a `<noscript>`."""
    result = numbered(html)
    with_script = by_html5lib(result, scripting=True)
    without = by_html5lib(result, scripting=False)
    assert with_script.misplaced() == []
    assert without.misplaced() == []


@HARD
@given(
    documents(
        COMMON, TEMPLATES, ISLANDS, NOSCRIPT, "<base href=//b>|<base href=x>|formaction=//b>"
    ),
    st.lists(st.integers(0, 200)),
)
def test_chunks_make_no_difference(html: bytes, cuts: list[int]) -> None:
    """However the page is cut, the same bytes come out as for one chunk."""
    whole = in_chunks(html, len(html) + 1, page=PAGE)
    planter = Planter(FIELD, page=PAGE)
    edges = [0, *sorted(min(cut, len(html)) for cut in cuts), len(html)]
    parts = [planter.feed(html[start:end]) for start, end in pairwise(edges)]
    assert b"".join(parts) + planter.close() == whole
    assert in_chunks(html, 1, page=PAGE) == whole


@pytest.mark.parametrize("size", [200, 37, 1])
def test_a_page_seen_before_is_planted_as_the_first_time(size: int) -> None:
    """The head of a page is remembered; each page has fields of its own, later forms too."""
    head = b"<title>Board</title><p>Ann" + POST + b"x</form>" + POST + b"y</form>"
    page = head + b"<ul>" + b"<li>text" * 50 + b"<template>" + POST + b"</form></template>" + POST
    for round_ in range(3):
        fields = count(round_ * 100)

        def numbered(_form: FormTag, fields: Iterator[int] = fields) -> bytes:
            return b"<%d>" % next(fields)

        planter = Planter(numbered)
        cut = len(head) + size
        out = planter.feed(page[:cut])
        out += b"".join(planter.feed(page[at : at + size]) for at in range(cut, len(page), size))
        out += planter.close()
        assert [int(found) for found in re.findall(rb"<(\d+)>", out)] == [
            round_ * 100,
            round_ * 100 + 1,
            round_ * 100 + 2,
        ]
        assert re.sub(rb"<\d+>", b"", out) == page


def test_a_page_seen_before_may_be_left_alone_this_time() -> None:
    """What is remembered is where a field would go, not whether there is one."""
    page = POST + b"x</form><p>end"
    assert plant(page, FIELD) == in_chunks(page, len(page)) == POST + FIELD + b"x</form><p>end"
    planter = Planter(lambda _form: None)
    assert planter.feed(page) + planter.close() == page


@given(st.binary(max_size=60))
def test_any_bytes_survive(html: bytes) -> None:
    """Bytes that are no text at all pass unchanged."""
    assert plant(html + POST, b"") == html + POST
    assert in_chunks(html + POST, 2).replace(FIELD, b"") == html + POST


# --- large pages ----------------------------------------------------------------------------


def test_a_page_without_forms_is_not_copied() -> None:
    """Where there is nothing to do the very same object comes back."""
    html = b"<p>" * 1000
    assert plant(html, FIELD) is html


BIG = b"x" * (HOLD + 1000)


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        (b'<img src="data:' + BIG + b'">' + POST, 1),
        (b'<svg><image href="' + BIG + b'"/></svg>' + POST, 1),
        (b'<svg foo="' + BIG + b'"/>' + POST, 1),
        (b'<svg foo="' + BIG + b'">' + POST, 0),
        (POST + BIG + b"</form>" + POST, 2),
        (POST + BIG + b"<button formaction=//b.example></form>", 1),
        (POST + BIG + b"<input name=so_token></form>", 1),
        (b"<form method=post action='/?" + BIG + b"'></form>" + POST, 1),
        (b"<form method=post action='/?" + BIG + b"'>" + POST, 0),
        (b"<base href='/" + BIG + b"'><form method=post action=x>", 0),
        (b"<script src='" + BIG + b"'>" + POST + b"</script>" + POST, 1),
        (b"<input value='" + BIG + b"'>" + POST, 1),
        (b"<!--" + BIG + b"-->" + POST, 1),
        (b"<script>" + BIG + b"</script>" + POST, 1),
        (b"<noscript>" + BIG[: HOLD - 50] + b"</noscript>" + POST, 1),
        (b"<noscript>" + BIG + b"</noscript>" + POST, 0),
        (b"<" + BIG + b">" + POST, 1),
        (b"<form" + BIG + b">" + POST, 1),
    ],
    ids=range(18),
)
def test_nothing_is_held_back_for_long(html: bytes, expected: int) -> None:
    """At most `HOLD` bytes wait, a giant tag is passed on, and chunks still make no difference."""
    whole = plant(html, FIELD)
    assert whole.count(FIELD) == expected
    for size in (999, 20_000):
        planter = Planter(FIELD)
        out = b""
        for at in range(0, len(html), size):
            out += planter.feed(html[at : at + size])
            fed = min(at + size, len(html))
            assert fed - len(out.replace(FIELD, b"")) <= HOLD
        assert out + planter.close() == whole


@pytest.mark.parametrize("size", [UNREAD // 2, UNREAD + 999])
@pytest.mark.parametrize(
    ("before", "expected"),
    [
        (b"<p>", 1),
        (b"<p title='", 0),
        (b"<!--", 0),
        (b"<script>", 0),
        (b"<textarea>", 0),
        (b"<noscript>", 0),
        (b"<template>", 0),
        (b"<svg>", 0),
        (b"<base href='//b.example'>", 0),
        (b"</form>" + POST + b"</form><p>", 2),
    ],
)
def test_what_was_passed_on_unread_counts(before: bytes, expected: int, size: int) -> None:
    """Bytes without a form pass at once, and what they said still decides about a later form."""
    planter, html = Planter(FIELD), b"<form method=post action=x></form>"
    filler = b"x" * size
    out = planter.feed(before)
    out += (passed := planter.feed(filler))
    assert passed == filler or FIELD in out
    out += planter.feed(filler) + planter.feed(html) + planter.close()
    assert out.count(FIELD) == expected
    assert out.replace(FIELD, b"") == before + 2 * filler + html


REPEATED = {
    "text": b"text ",
    "open": b"<",
    "tags": b"<p class=x>",
    "forms": b"<form method=post></form>",
    "open forms": POST,
    "attributes": b"<form a='1' b=\"",
    "names": b"<form aaaa",
    "comments": b"<!--",
    "dashes": b"<!---",
    "scripts": b"<script><!--<script>",
    "noscript": b"<noscript><form>",
    "islands": b"<svg><g>",
    "closed islands": b"<svg><g></g></svg>",
    "cdata": b"<svg><![CDATA[",
    "references": b"<form method=post action=&amp&amp;>",
    "selects": POST + b"<select></form>",
    "implied": b"<svg><desc><p>",
    "inputs": POST + b"<input name=x formaction=/y>",
    "templates": b"<template>",
    "textareas": b"<textarea></textare",
}


def steps(html: bytes, size: int) -> int:
    """How many calls, of Python and of C, planting takes: the same number on every machine."""
    calls = 0

    def counted(frame: FrameType, event: str, arg: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    planter = Planter(FIELD, page=PAGE)
    chunks = [html[at : at + size] for at in range(0, len(html), size)]
    before = sys.getprofile()
    sys.setprofile(counted)
    try:
        for chunk in chunks:
            planter.feed(chunk)
        planter.close()
    finally:
        sys.setprofile(before)
    return calls


@pytest.mark.parametrize("size", [1, 100_000])
@pytest.mark.parametrize("piece", REPEATED.values(), ids=REPEATED)
def test_steps_grow_with_the_page_and_no_faster(piece: bytes, size: int) -> None:
    """Twice the page takes at most twice the steps, whole and byte by byte."""
    once, twice, four = (steps(piece * n, size) for n in (60, 120, 240))
    assert four - twice <= 2.1 * (twice - once) + 100  # a second power would make it 4


@pytest.mark.parametrize("piece", REPEATED.values(), ids=REPEATED)
def test_no_byte_is_read_again_and_again(piece: bytes) -> None:
    """Byte by byte, what waits to be read again never grows beyond a tag's name."""
    for rest in waiting(piece * 300):
        assert rest <= 70


def waiting(html: bytes) -> Iterator[int]:
    """After each byte, how many bytes will be looked at once more."""
    planter = Planter(FIELD)
    for at in range(len(html)):
        planter.feed(html[at : at + 1])
        yield len(planter._walk.markup._rest)


def test_a_giant_tag_of_no_interest_in_a_form() -> None:
    """Its bytes pass as they come, and the form that it stands in is planted all the same."""
    page = POST + b'<p title="' + b"a" * (HOLD + 5_000) + b'">x</form><p>end'
    planter = Planter(FIELD)
    edges = [0, 40, HOLD + 2_000, len(page)]
    out = b"".join([planter.feed(page[a:b]) for a, b in pairwise(edges)]) + planter.close()
    assert out == page.replace(POST, POST + FIELD)
