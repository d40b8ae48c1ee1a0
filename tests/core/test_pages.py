"""seeother's own pages: nothing typed becomes markup, secrets stay away, the CSP holds.

What a page means is asked of an HTML5 parser that is not ours.
"""

import base64
import hashlib
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from seeother import errors, pages
from seeother.core.values import Response
from seeother.errors import SeeOtherError, StaleToken, StoreBusy

EVIL = [
    '"><script>alert(1)</script>',
    "'><img src=x onerror=alert(1)>",
    "</textarea><script>alert(1)</script>",
    "</title></style><svg onload=alert(1)>",
    "<!--<script>",
    "]]><x>",
    "&lt;b&gt;&amp;",
    "\"'`=<>&",
    "a\nb\n</textarea>",
    "x" * 70 + "</textarea><script>",
    "\0\x0c\x1f",
    "\u202e\u2028",
]
TOKEN = '<input type="hidden" name="so_token" value="t">'
ELEMENTS = {
    *("html", "head", "meta", "title", "style", "body", "main", "h1", "p", "a", "form", "div"),
    *("label", "input", "textarea", "button", "pre"),
}
ALL = [
    getattr(errors, name)
    for name in errors.__all__
    if issubclass(getattr(errors, name), SeeOtherError)
]


def parsed(response: Response) -> LexborHTMLParser:
    """The page as a browser reads it; only the elements of our own templates may be in it."""
    tree = LexborHTMLParser(response.body.decode())
    tags = {node.tag for node in tree.root.traverse()} if tree.root else set()
    assert tags <= ELEMENTS, tags - ELEMENTS
    events = [k for node in tree.css("*") for k in node.attributes if k.startswith("on")]
    assert events == []
    return tree


def resend(fields: list[tuple[str, str]], **more: Any) -> Response:
    """A resend page with these fields."""
    return pages.resend_page(StaleToken(), fields, action="/save?a=1&b=2", token=TOKEN, **more)


def values(tree: LexborHTMLParser) -> list[tuple[str, str]]:
    """What the form would send, without its token."""
    found = []
    for node in tree.css("form input, form textarea"):
        name, kind = node.attributes.get("name"), node.attributes.get("type")
        value = node.text() if node.tag == "textarea" else node.attributes.get("value")
        if kind != "hidden":
            found.append((name or "", value or ""))
    return found


# Escaping -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", EVIL)
def test_nothing_typed_becomes_markup(text: str) -> None:
    """As a name, a value, an error, an address or a detail: on every page it stays text."""
    error = StaleToken(text)
    fields = [("field", text), (text, "value")]
    shown = [
        pages.error_page(error, debug=True, home=text),
        resend(fields, errors={"field": text, "other": text}),
        pages.resend_page(error, fields, action=text, token="", secret=[text], debug=True),
        pages.waiting_page(text),
        pages.already_page(text),
    ]
    for page in shown:
        parsed(page)


@given(st.lists(st.tuples(st.text(), st.text()), max_size=4))
def test_what_was_typed_comes_back(fields: list[tuple[str, str]]) -> None:
    """The form sends again exactly what was typed, as far as HTML can carry it."""
    sent = values(parsed(resend(fields)))
    assert sent == [(_carried(name), _carried(value)) for name, value in fields]


def _carried(text: str) -> str:
    """Text after a trip through an HTML parser: newlines are one kind, NUL is no character."""
    kept = text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\ufffd")
    return kept.encode("utf-8", "replace").decode()


@pytest.mark.parametrize("value", ["\nfirst line is empty", "\n", "\n\n", "two\nlines", "x" * 61])
def test_long_text_keeps_its_lines(value: str) -> None:
    """Text of several lines comes back in a textarea, its first newline too (HTML 13.2.6.4.7)."""
    assert values(parsed(resend([("message", value)]))) == [("message", value)]


# The resend page ----------------------------------------------------------------------------------


def test_secret_fields_come_back_empty() -> None:
    """A password is never sent back: its field is there, of type password, and empty."""
    page = resend([("name", "Ann"), ("password", "hunter2")], secret=["password"])
    assert b"hunter2" not in page.body
    field = parsed(page).css_first('input[name="password"]')
    assert field is not None
    assert (field.attributes["type"], field.attributes.get("value")) == ("password", None)


def test_every_field_is_shown() -> None:
    """Who presses Send sees what is sent: hidden fields of the first form are visible here."""
    tree = parsed(resend([("role", "admin"), ("role", "user"), ("", "x")]))
    assert values(tree) == [("role", "admin"), ("role", "user"), ("", "x")]
    assert [node.text() for node in tree.css("label")] == ["Role", "Role", "Field"]
    assert len(tree.css('input[type="hidden"]')) == 1


def test_the_form_posts_back_with_its_token() -> None:
    """POST, to the address it came from, with the token; and a button."""
    tree = parsed(resend([]))
    form = tree.css_first("form")
    assert form is not None
    assert (form.attributes["method"], form.attributes["action"]) == ("post", "/save?a=1&b=2")
    assert tree.css_first('form input[name="so_token"]') is not None
    assert [button.text() for button in tree.css("button")] == ["Send"]


def test_an_error_stands_beside_its_field() -> None:
    """For eyes and for screen readers: marked invalid and described by its message."""
    tree = parsed(
        resend([("name", "x"), ("message", "")], errors={"message": "Type it.", "z": "Z"})
    )
    field = tree.css_first('[name="message"]')
    assert field is not None and field.attributes["aria-invalid"] == "true"
    note = tree.css_first("#" + str(field.attributes["aria-describedby"]))
    assert note is not None and note.text() == "Type it."
    fine = tree.css_first('[name="name"]')
    assert fine is not None and "aria-invalid" not in fine.attributes
    alert = tree.css_first('[role="alert"]')
    assert alert is not None and "Z" in alert.text()


def test_every_field_has_its_label() -> None:
    """Each visible field is named by a label of its own."""
    tree = parsed(resend([("a", "1"), ("b", "x" * 100), ("pin", "1")], secret=["pin"]))
    ids = [node.attributes["id"] for node in tree.css("form [name]") if "id" in node.attributes]
    assert ids == [node.attributes["for"] for node in tree.css("label")]
    assert len(set(ids)) == 3


# What all pages have in common --------------------------------------------------------------------

PAGES = {
    "error": pages.error_page(StaleToken("detail"), home="/form"),
    "resend": resend([("a", "b")]),
    "waiting": pages.waiting_page("/?so=w.x"),
    "already": pages.already_page("/form"),
}


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_whole(name: str) -> None:
    """Language, charset, viewport, one heading that is also the title, a true length."""
    page = PAGES[name]
    tree = parsed(page)
    html, heading, title = tree.css_first("html"), tree.css("h1"), tree.css_first("title")
    assert html is not None and html.attributes["lang"] == "en"
    assert tree.css_first('meta[name="viewport"]') is not None
    assert title is not None and [node.text() for node in heading] == [title.text()]
    assert page.header(b"content-length") == str(len(page.body))
    assert page.header(b"content-type") == "text/html; charset=utf-8"


@pytest.mark.parametrize("name", PAGES)
def test_the_policy_fits_the_style(name: str) -> None:
    """The CSP allows the page's own style by its hash, and nothing else; nobody frames it."""
    page = PAGES[name]
    csp = page.header(b"content-security-policy") or ""
    style = re.search(rb"<style>(.*?)</style>", page.body, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1]).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in csp
    assert csp.startswith("default-src 'none';")
    for part in ("form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'"):
        assert part in csp
    assert b"<script" not in page.body and b"style=" not in page.body
    assert b"http" not in page.body.replace(b"http-equiv", b"")


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_nobody_elses(name: str) -> None:
    """No shared cache keeps it, no other site learns its address, nothing guesses its type."""
    page = PAGES[name]
    control = page.header(b"cache-control") or ""
    assert "private" in control or "no-store" in control
    assert page.header(b"referrer-policy") == "same-origin"
    assert page.header(b"x-content-type-options") == "nosniff"
    assert len({name for name, _ in page.headers}) == len(page.headers)


def test_the_waiting_page_asks_again() -> None:
    """Every second, without script, never from a cache; and by a link for the impatient."""
    page = PAGES["waiting"]
    assert (page.header(b"refresh"), page.header(b"cache-control")) == ("1", "no-store")
    link = parsed(page).css_first("a")
    assert link is not None and link.attributes["href"] == "/?so=w.x"


@pytest.mark.parametrize("kind", ALL, ids=[kind.__name__ for kind in ALL])
def test_every_error_has_a_page(kind: type[SeeOtherError]) -> None:
    """Each says what happened, what to do, and no word of its detail unless in debug."""
    error = kind("the inner detail")
    page = pages.error_page(error)
    assert page.status == error.status
    heading = parsed(page).css_first("h1")
    assert heading is not None and heading.text() == error.title
    assert error.hint in LexborHTMLParser(page.body.decode()).text()
    assert b"inner detail" not in page.body
    assert b"inner detail" in pages.error_page(error, debug=True).body
    sent = pages.resend_page(error, [], action="/", token=TOKEN)
    assert (sent.status, b"inner detail" in sent.body) == (error.status, False)


def test_a_refusal_offers_no_form() -> None:
    """The page of a refusal has at most a plain link: nothing of the request is in it."""
    tree = parsed(pages.error_page(StoreBusy(), home="/form"))
    assert tree.css("form, input, button") == []
    assert [a.attributes["href"] for a in tree.css("a")] == ["/form"]
    assert parsed(pages.error_page(StoreBusy())).css("a") == []
