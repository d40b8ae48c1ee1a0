"""What an app is asked for: a page that can be planted, whole and anew; everything else as ever."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seeother.core.asked import KEPT, apply, asked, undoable
from seeother.core.values import Headers, Request

BROWSER = b"gzip, deflate, br, zstd"
CACHE: Headers = (
    (b"if-none-match", b'"1"'),
    (b"if-modified-since", b"Thu, 01 Jan 2026 00:00:00 GMT"),
    (b"if-range", b'"1"'),
    (b"range", b"bytes=0-"),
)
NAVIGATION = b"text/html,application/xhtml+xml,*/*;q=0.8"
# Who asks: Sec-Fetch-Dest and Accept; may it be sent a page, and is it a navigation?
WHO: list[tuple[bytes | None, bytes | None, bool, bool]] = [
    (b"document", NAVIGATION, True, True),
    (b"iframe", NAVIGATION, True, True),
    (b"object", b"*/*", True, True),
    (b"empty", b"text/html, application/xhtml+xml", True, True),
    (b"empty", b"*/*", True, False),
    (b"empty", b"application/json", False, False),
    (b"empty", None, True, False),
    (b"image", b"image/avif,*/*;q=0.8", False, False),
    (b"style", b"text/css,*/*;q=0.1", False, False),
    (b"script", b"*/*", False, False),
    (b"video", b"*/*", False, False),
    (b"font", b"*/*", False, False),
    (None, NAVIGATION, True, True),
    (None, b"*/*", False, False),
    (None, b"image/png", False, False),
    (None, None, False, False),
]
SCRIPTS: list[Headers] = [
    *(((name, b"1"),) for name in (b"x-requested-with", b"hx-request", b"turbo-frame")),
    ((b"cookie", b"a=b"),),
]


def request(
    dest: bytes | None, accept: bytes | None, *more: tuple[bytes, bytes], method: str = "GET"
) -> Request:
    """A request of this kind."""
    said = ((b"sec-fetch-dest", dest), (b"accept", accept))
    headers = tuple((name, value) for name, value in said if value is not None)
    return Request(method, "http", "h", "", "/", b"", (*headers, *more), 0.0, bytes)


@pytest.mark.parametrize(("dest", "accept", "page", "navigates"), WHO)
def test_who_is_asking(
    dest: bytes | None, accept: bytes | None, page: bool, navigates: bool
) -> None:
    """Pages come in a coding that can be undone, navigations unconditionally; assets keep all."""
    changes = asked(request(dest, accept, (b"accept-encoding", BROWSER), *CACHE))
    expected: dict[bytes, bytes | None] = {b"accept-encoding": b"gzip, deflate"} if page else {}
    if navigates:
        expected |= dict.fromkeys(name for name, _ in CACHE)
    assert dict(changes) == expected


@pytest.mark.parametrize("accept", [b"*/*", None])
@pytest.mark.parametrize("more", SCRIPTS, ids=lambda more: more[0][0].decode())
def test_a_script_of_a_page(more: Headers, accept: bytes | None) -> None:
    """On plain http no browser says who asks: a cookie, or a script's own header, does."""
    made = request(None, accept, *more, (b"accept-encoding", BROWSER), *CACHE)
    assert dict(asked(made)) == {b"accept-encoding": b"gzip, deflate"}
    assert asked(request(b"image", accept, *more, (b"accept-encoding", BROWSER))) == {}


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_conditions_of_a_change_stay(method: str) -> None:
    """`PUT` with If-None-Match means "only if it is new": that is nobody's cache."""
    made = request(b"document", NAVIGATION, *CACHE, (b"accept-encoding", b"br"), method=method)
    assert dict(asked(made)) == {b"accept-encoding": b"identity"}


def test_nothing_said_is_nothing_changed() -> None:
    """A request without any of these headers is handed on as it is."""
    made = request(b"document", NAVIGATION, (b"cookie", b"a=b"))
    assert asked(made) == {}
    assert apply(asked(made), made.headers) == list(made.headers)


def test_a_header_in_several_lines() -> None:
    """Lines of one header are one list (RFC 9110 section 5.3)."""
    lines = ((b"accept-encoding", b"br"), (b"accept-encoding", b"gzip;q=0.5"))
    made = request(b"document", None, *lines)
    assert apply(asked(made), lines) == [(b"accept-encoding", b"gzip;q=0.5")]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"gzip, deflate", None),
        (b"identity", None),
        (b"", None),
        (b"*;q=0", None),
        (b"gzip;q=1.0, identity; q=0.5, *;q=0", None),
        (BROWSER, b"gzip, deflate"),
        (b"br;q=1.0, gzip;q=0.8, *;q=0.1", b"gzip;q=0.8, deflate;q=0.1"),
        (b"*", b"gzip, deflate"),
        (b"zstd", b"identity"),
        (b"GZIP , Br", b"gzip"),
        (b"br, *;q=0", None),
        (b"br, gzip;q=0, identity;q=0", None),
        (b"br, identity;q=0.000, deflate", b"identity;q=0.000, deflate"),
        (b"br,,gzip,", b"gzip"),
    ],
)
def test_what_can_be_undone(value: bytes, expected: bytes | None) -> None:
    """Only what can be undone is left, with its weight; None: it stays as it was said."""
    assert undoable(value) == (value if expected is None else expected)


MEMBERS = st.tuples(
    st.sampled_from([b"gzip", b"deflate", b"br", b"zstd", b"identity", b"*", b"x-gzip", b"odd"]),
    st.sampled_from([b"", b";q=0", b";q=0.0", b"; q=0.5", b";q=1"]),
)


@given(st.lists(MEMBERS.map(b"".join), max_size=6).map(b", ".join))
def test_nothing_is_asked_for_that_was_refused(value: bytes) -> None:
    """It names what the browser named or covered by `*`, and asking again changes nothing."""
    found = undoable(value)
    assert undoable(found) == found
    if found in (value, b"identity"):
        return
    names = [member.partition(b";")[0].strip() for member in found.split(b",")]
    said = [member.partition(b";")[0].strip() for member in value.split(b",")]
    assert set(names) <= KEPT | {b"*"}
    assert b"*" in said or set(names) <= set(said)


@given(st.binary(max_size=200))
def test_any_value(value: bytes) -> None:
    """No value is an error."""
    assert undoable(undoable(value)) == undoable(value)
