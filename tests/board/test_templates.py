"""Templates: the page that a person, a screen reader and a learner's script read."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jinja2
import pytest
from markupsafe import Markup
from selectolax.lexbor import LexborHTMLParser, LexborNode

import seeother.apps.board.text as text_module
from seeother.apps.board.text import render

HERE = Path(text_module.__file__).parent
ENVIRONMENT = jinja2.Environment(
    loader=jinja2.FileSystemLoader(HERE / "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
)
HOSTILE = "\"><script>alert('1')</script> & Don't"


def message(id_: int = 1, name: str = "Ann", text: str = "Don't panic") -> SimpleNamespace:
    """Return a message as the page gets it."""
    at = datetime(2025, 11, 12, 10, 31, tzinfo=UTC)
    html = Markup(render(text))
    return SimpleNamespace(
        id=id_, name=name, html=html, posted_at=at, ago="2 min", iso=at.isoformat()
    )


def flash(text: str, category: str = "success", link: str | None = None) -> SimpleNamespace:
    """Return a flash as the page gets it."""
    return SimpleNamespace(text=text, category=category, link=link)


def board(
    messages: Sequence[SimpleNamespace] = (),
    flashes: Sequence[SimpleNamespace] = (),
    errors: Mapping[str, str] | None = None,
    old: Mapping[str, str] | None = None,
    **context: Any,
) -> str:
    """Render the board's page as the application does."""
    errors, old = errors or {}, old or {}
    defaults = {
        "field": Markup('<input type="hidden" name="so_token" value="t">'),
        "action": "/?so",
        "older": None,
        "newer": None,
        "highlight": None,
        "name": "",
    }
    return ENVIRONMENT.get_template("board.html").render(
        messages=messages,
        flashes=flashes,
        errors=errors,
        error=errors.get,
        old=lambda name: old.get(name, ""),
        **(defaults | context),
    )


def permalink(shown: SimpleNamespace) -> str:
    """Render one message's own page."""
    return ENVIRONMENT.get_template("message.html").render(
        message=shown, excerpt="Don't panic", flashes=[]
    )


def failure() -> str:
    """Render an error page with hostile words in it."""
    return ENVIRONMENT.get_template("error.html").render(status=404, title=HOSTILE, hint=HOSTILE)


PAGES = {
    "empty": board(),
    "hostile": board(
        [message(name=HOSTILE, text=HOSTILE)],
        [flash(HOSTILE, "success", "/message/1?a=1&b=2"), flash(HOSTILE, "error", "/message/1")],
        {"message": HOSTILE, "name": HOSTILE, "other": HOSTILE},
        {"message": HOSTILE, "name": HOSTILE},
        older="/?before=2&x=1",
        newer="/",
        highlight=1,
    ),
    "permalink": permalink(message(name=HOSTILE, text=HOSTILE)),
    "failure": failure(),
}


def one(page: str, selector: str) -> LexborNode:
    """Return the one element that matches."""
    (found,) = LexborHTMLParser(page).css(selector)
    return found


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_the_title_starts_with_message_board(page: str) -> None:
    """Every page of the board is recognised by its title."""
    assert one(page, "title").text().startswith("Message Board")


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_nothing_inline_that_the_content_security_policy_would_block(page: str) -> None:
    """No inline script, style or handler: the policy may forbid them all."""
    tree = LexborHTMLParser(page)
    assert [s.attributes.get("src") for s in tree.css("script")] == ["/static/board.js"]
    assert not tree.css("style, [style], base, iframe, object, img")
    assert not [n for n in tree.css("*") if any(a.startswith("on") for a in n.attributes)]


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_ids_are_unique_and_references_lead_somewhere(page: str) -> None:
    """Labels, descriptions and links within the page point at what is there."""
    tree = LexborHTMLParser(page)
    ids = [str(node.attributes["id"]) for node in tree.css("[id]")]
    assert len(ids) == len(set(ids))
    references = [
        str(node.attributes[name])
        for name in ("for", "aria-labelledby", "aria-describedby")
        for node in tree.css(f"[{name}]")
    ] + [str(node.attributes["href"])[1:] for node in tree.css("a[href^='#']")]
    assert set(" ".join(references).split()) <= set(ids)


def test_one_form_with_one_textarea_and_one_button() -> None:
    """A script finds the form at once: one form, its token first, one field, one button Post."""
    form = one(PAGES["hostile"], "form")
    assert (form.attributes["method"], form.attributes["action"]) == ("post", "/?so")
    assert '<form class="composer" method="post" action="/?so"><input type="hidden"' in board()
    assert one(PAGES["hostile"], "form textarea").attributes["name"] == "message"
    assert one(PAGES["hostile"], "form button").attributes == {"type": "submit"}
    assert one(PAGES["hostile"], "button").text() == "Post"


def test_apostrophes_stay_readable_in_the_source() -> None:
    """`Don't` is found in the source wherever a person's words are shown."""
    page = board(
        [message(name="O'Hara")],
        [flash("Don't worry")],
        {"name": "Don't shout"},
        {"message": "Don't go", "name": "D'Arcy"},
    )
    words = ("Don't panic", "O'Hara", "Don't worry", "Don't shout", "Don't go", 'value="D\'Arcy"')
    assert all(word in page for word in words)
    assert "&#39;" not in page + permalink(message(name="O'Hara"))


def test_what_was_typed_comes_back_exactly() -> None:
    """After an error both fields hold what was typed: a first empty line, quotes, markup."""
    typed = f"\n\n  {HOSTILE}\n</textarea>"
    page = board(errors={"name": "Too long"}, old={"message": typed, "name": HOSTILE}, name="Ann")
    assert one(page, "textarea").text() == typed
    assert one(page, "#name").attributes["value"] == HOSTILE


def test_the_remembered_name_waits_in_the_form() -> None:
    """The name is remembered, but a name that was just taken out stays out."""
    assert one(board(name="Ann"), "#name").attributes["value"] == "Ann"
    cleared = board(name="Ann", errors={"message": "Write a message first."}, old={"name": ""})
    assert not one(cleared, "#name").attributes["value"]


def test_status_messages_have_one_live_region_on_every_page() -> None:
    """The region is there before anything is said in it, and holds the message with its link."""
    for page in PAGES.values():
        one(page, "[role=status]")
    page = board(flashes=[flash("Your message was posted.", link="/message/1")])
    assert "Your message was posted." in one(page, "[role=status]").text()
    assert one(page, "[role=status] a").attributes["href"] == "/message/1"
    assert one(page, "title").text() == "Message Board · Your message was posted."


def test_errors_are_alerts_and_not_status() -> None:
    """An error is announced as one, linked to its field, and the cursor waits in that field."""
    page = board(errors={"message": "Write a message first."})
    assert one(page, "[role=alert] a[href='#message']").text() == "Write a message first."
    assert not one(page, "[role=status]").text()
    field = one(page, "textarea[aria-invalid=true][autofocus]")
    assert "message-error" in str(field.attributes["aria-describedby"])
    assert one(page, "title").text() == "Message Board · Error: Write a message first."


def test_an_error_flash_is_an_alert() -> None:
    """A flash of the category error stands beside the status region, not in it."""
    page = board(flashes=[flash("That failed.", "error")])
    assert "That failed." in one(page, "[role=alert]").text()
    assert not one(page, "[role=status]").text().strip()


def test_pages_are_linked_by_rel() -> None:
    """The next page is the link with rel=next and the word Older; without one there is no link."""
    page = board([message()], older="/?before=7", newer="/")
    assert '<a rel="next" href="/?before=7">Older</a>' in page
    assert one(page, "a[rel=prev]").text() == "Newer"
    assert not LexborHTMLParser(board([message()])).css("a[rel=next], a[rel=prev]")


def test_the_posted_message_is_highlighted() -> None:
    """Of all messages exactly the posted one is highlighted."""
    page = board([message(3, "Cid"), message(2, "Bob"), message(1, "Ann")], highlight=2)
    assert one(page, ".highlighted .author").text() == "Bob"


def test_names_are_kept_from_turning_the_line_around() -> None:
    """Every name stands in <bdi>, and a message without one says so."""
    assert one(board([message(name="\u202eAnn")]), "bdi").text() == "\u202eAnn"
    assert one(board([message(name="")]), ".author").text() == "Anonymous"


def test_an_empty_board_says_so_in_one_sentence() -> None:
    """The first visitor is told that there is nothing yet, and where to begin."""
    assert "Nobody has posted yet" in one(board(), ".empty").text()


def test_the_lessons_are_recognised_on_the_first_screen() -> None:
    """Redirect after POST, 303, flash and CSRF are named before the first message."""
    page = board([message()])
    before = page[: page.index('<ul class="messages">')]
    for word in ("POST → 303 → GET", "303 See Other", "CSRF token", "flash message", "redirect"):
        assert word in before


@pytest.mark.parametrize("path", sorted((HERE / "static").iterdir()), ids=lambda path: path.name)
def test_static_files_fetch_nothing_from_elsewhere(path: Path) -> None:
    """The board's look comes from the board alone."""
    text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?:|//[a-z]|@import", text)
