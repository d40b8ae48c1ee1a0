"""Text: everything typed is shown, nothing typed is obeyed."""

import html
import re
import sys
from collections.abc import Callable
from types import FrameType

import html5lib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seeother.apps.board.text import REL, SCHEMES, TAGS, excerpt, render, visible

# Text in which every second character means something to Markdown or to HTML.
MARKS = [*"[]()<>*_`~#!\\&'\"-+=|:;/.1 \t\n\ra", "é", "👍", "\x00", "\u202e", "\ufeff"]
PHRASES = [
    "<script>alert(1)</script>",
    "javascript:alert(1)",
    "data:text/html,x",
    "[x](https://a.example 'y')",
    "<https://a.example>",
    "&lt;b&gt;",
    "```",
    "<!--",
    "<img src=x onerror=y>",
    "</p></div></article>",
    "[a]: https://a.example",
]
ATTRIBUTES = {"a": {"href", "rel"}, "ol": {"start"}, "pre": {"tabindex"}}
hostile = st.lists(st.sampled_from(MARKS) | st.sampled_from(PHRASES) | st.text(max_size=5)).map(
    "".join
)
# What makes blocks; a word among them must be shown (fences aside: their first line is a name).
structure = st.lists(st.sampled_from([">", "-", "*", "+", "1.", "#", " ", "\n", "[", "]", "    "]))


def parsed(markup: str) -> list[tuple[str, dict[str, str]]]:
    """Return every element with its attributes, as an independent HTML parser sees them."""
    tree = html5lib.parseFragment(markup, namespaceHTMLElements=False)
    return [(str(e.tag), {str(k): v for k, v in e.attrib.items()}) for e in tree.iter()][1:]


def shown(markup: str) -> str:
    """Return the words that a reader sees."""
    tree = html5lib.parseFragment(markup, namespaceHTMLElements=False)
    return "".join(tree.itertext())


def calls(work: Callable[[], object]) -> int:
    """Count the function calls that the work makes: a clock that no busy machine can disturb."""
    count = 0

    def count_call(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(count_call)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


@given(hostile)
def test_only_the_listed_tags_and_attributes_appear(text: str) -> None:
    """Whatever is typed, the result holds only listed tags, and attributes only where listed."""
    for tag, attributes in parsed(render(text)):
        assert tag in TAGS
        assert set(attributes) <= ATTRIBUTES.get(tag, set())


@given(hostile)
def test_links_are_absolute_and_marked_as_foreign(text: str) -> None:
    """A link leads to http, https or mailto only, carries the whole rel and has a visible name."""
    for tag, attributes in parsed(render(text)):
        if tag == "a":
            assert attributes["href"].split(":")[0].lower() in SCHEMES
            assert attributes["rel"] == REL


@given(hostile)
def test_a_visible_message_is_never_shown_as_nothing(text: str) -> None:
    """A message that holds anything visible shows something visible."""
    assert visible(shown(render(text))) or not visible(text)


@given(structure, structure)
def test_a_word_is_never_swallowed_by_structure(before: list[str], after: list[str]) -> None:
    """A word between quotes, lists and brackets of any depth is shown."""
    text = "".join(before) + "zebra" + "".join(after)
    assert "zebra" in shown(render(text))


@given(
    st.text(st.characters(categories=["L", "N", "So"], include_characters="'\",;?%&$@"), min_size=1)
)
def test_plain_words_round_trip(word: str) -> None:
    """Letters, digits, emoji, quotation marks and ampersands are shown exactly as typed."""
    assert shown(render(f"x{word}x")) == f"x{word}x"


@pytest.mark.parametrize(
    ("typed", "source"),
    [
        ("Don't", "<p>Don't</p>"),
        ('say "hi"', '<p>say "hi"</p>'),
        ("<b>x</b>", "<p>&lt;b&gt;x&lt;/b&gt;</p>"),
        ("a & b &amp; c", "<p>a &amp; b &amp;amp; c</p>"),
        ("one\r\ntwo\nthree\rfour", "<p>one<br>\ntwo<br>\nthree<br>\nfour</p>"),
        ("one\n\ntwo", "<p>one</p>\n<p>two</p>"),
        ("👩‍👩‍👧 naïve 日本", "<p>👩‍👩‍👧 naïve 日本</p>"),
        ("*a* **b** `c`", "<p><em>a</em> <strong>b</strong> <code>c</code></p>"),
        ("# no heading", "<p># no heading</p>"),
        ("---", "<p>---</p>"),
        (">", "<p>&gt;</p>"),
        ("```", "<p>```</p>"),
        ("[a]: https://a.example", "<p>[a]: https://a.example</p>"),
        ("[x](javascript:alert(1))", "<p>[x](javascript:alert(1))</p>"),
        ("[x](/logout) [y](//a.example)", "<p>[x](/logout) [y](//a.example)</p>"),
        ("https://a.example", "<p>https://a.example</p>"),
        ("5. five", '<ol start="5">\n<li>five</li>\n</ol>'),
        ("```\n<i>\n```", '<pre tabindex="0"><code>&lt;i&gt;\n</code></pre>'),
        ("", ""),
    ],
)
def test_source(typed: str, source: str) -> None:
    """Each of these comes out in exactly this source; apostrophes stay readable in it."""
    assert render(typed) == source


@pytest.mark.parametrize("typed", ["[](https://a.example)", "[ ](https://a.example)"])
def test_a_link_without_words_is_named_by_its_address(typed: str) -> None:
    """A link always has a name that can be seen and heard."""
    assert shown(render(typed)) == "https://a.example"


def test_an_image_is_a_link_at_most() -> None:
    """Nobody's browser is made to fetch anything by a message."""
    assert "<img" not in render("![cat](https://a.example/cat.png)")


def test_a_lone_surrogate_is_replaced() -> None:
    """Text that cannot be encoded is shown with a replacement instead of failing the page."""
    assert render("a\ud800b") == "<p>a?b</p>"


HOSTILE_PATTERNS = """
[ * > ` _ ( < ![ [a]( *a **a -> ``a & \\ a_ [[a]] <a ]( *_ ~~~ <!-- [a](< ] **a*b 1)
"""


@pytest.mark.parametrize(
    "pattern",
    [*HOSTILE_PATTERNS.split(), "- ", "> ", "- \n", "* a\n  ", '[a](b "', "\t", "\n>", "- > "],
)
def test_work_grows_linearly(pattern: str) -> None:
    """Four times as much hostile text costs at most about four times the work."""
    small, large = ((pattern * n)[:n] for n in (500, 2_000))
    assert calls(lambda: render(large)) < 5 * calls(lambda: render(small)) + 1_000


@given(hostile, st.integers(1, 80))
def test_an_excerpt_is_one_short_line_of_text(text: str, length: int) -> None:
    """An excerpt fits its length, holds no line break and no character that turns text around."""
    line = excerpt(text, length)
    assert len(line) <= length
    assert not re.search(r"[\n\r\t\u202a-\u202e\u2066-\u2069]", line)


@pytest.mark.parametrize(
    ("text", "length", "line"),
    [
        ("Don't **panic**", 40, "Don't panic"),
        ("one\ntwo\n\n- three", 40, "one two three"),
        ("a < b & c", 40, "a < b & c"),
        ("several words, and more", 15, "several words…"),
        ("unbreakablelongword", 10, "unbreakab…"),
    ],
)
def test_excerpt(text: str, length: int, line: str) -> None:
    """An excerpt is the words without the markup, cut between words where that is possible."""
    assert excerpt(text, length) == line


def test_an_excerpt_is_not_escaped_twice() -> None:
    """The template escapes an excerpt; the excerpt itself is plain text."""
    assert html.escape(excerpt("<b>x</b>", 20)) == "&lt;b&gt;x&lt;/b&gt;"
