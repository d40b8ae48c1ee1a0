"""Pages whose bytes are not what they look like: what only a browser can read is left alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seeother.core.html import Planter, Unlabelled

FORM = b"<form method=post></form>"
JAPANESE = "\u65e5\u672c".encode("iso-2022-jp")  # it begins with an escape
PIECES = st.sampled_from([FORM, b"<form method=post>", b"</form>", b"<p>", b"\x1b", JAPANESE, b"x"])


def planted(html: bytes, cuts: list[int], kind: type[Planter] = Unlabelled) -> bytes:
    """A page that arrives in pieces."""
    places = sorted({0, len(html), *(cut % (len(html) + 1) for cut in cuts)})
    planter = kind(b"!")
    ends = places[1:] or [0]
    out = b"".join(planter.feed(html[a:b]) for a, b in zip(places, ends, strict=len(places) == 1))
    return out + planter.close()


@given(st.lists(PIECES, max_size=12).map(b"".join), st.lists(st.integers(0, 200), max_size=6))
def test_nothing_is_planted_behind_an_escape(html: bytes, cuts: list[int]) -> None:
    """However it is cut: before it as ever, behind it byte for byte, and so the form around it."""
    out = planted(html, cuts)
    assert out == planted(html, [])
    before, escape, after = html.partition(b"\x1b")
    if not escape:
        assert out == planted(html, cuts, Planter)
    else:
        assert out.endswith(escape + after)
        assert out.replace(b"!", b"") == html
        assert out.count(b"!") <= before.count(b"</form>")


@pytest.mark.parametrize("form", [b"<form method=post>%b</form>", b"<form method=post>%b"])
def test_a_form_around_an_escape_is_left_alone(form: bytes) -> None:
    """Nobody can tell where it ends, or where its buttons lead."""
    html = FORM + form % JAPANESE
    assert planted(html, []) == FORM.replace(b"post>", b"post>!") + form % JAPANESE


@pytest.mark.parametrize("charset", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"])
def test_wide_characters_are_left_alone(charset: str) -> None:
    """Also where only a byte order mark tells: in no place do the bytes of `<form` stand there."""
    html = f"<!doctype html>{FORM.decode()}".encode(charset)
    assert planted(html, list(range(0, len(html), 3))) == html
