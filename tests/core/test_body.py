"""Reading a form body: judged before a byte is read, counted while it comes, whole or refused."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seeother.core.body import Body, is_form
from seeother.core.values import Request
from seeother.errors import BadForm, LengthRequired, Refused, TooLarge


def request(*headers: tuple[bytes, bytes]) -> Request:
    """A POST with these headers."""
    return Request("POST", "http", "localhost", "", "/", b"", headers, 0.0, bytes)


def length(value: bytes) -> Request:
    """A POST with this Content-Length."""
    return request((b"content-length", value))


@pytest.mark.parametrize(
    ("kind", "form"),
    [
        (b"application/x-www-form-urlencoded", True),
        (b"Application/X-WWW-Form-URLencoded ; charset=UTF-8", True),
        (b"multipart/form-data; boundary=x", True),
        (b" multipart/form-data", True),
        (b"multipart/mixed; boundary=x", False),
        (b"multipart/form-data2", False),
        (b"application/json", False),
        (b"text/plain", False),
        (b"", False),
    ],
)
def test_what_is_a_form(kind: bytes, form: bool) -> None:
    """The two kinds that HTML forms send are forms, in any case and with parameters; else none."""
    assert is_form(request((b"content-type", kind))) is form


def test_no_type_is_no_form() -> None:
    """A body that does not say what it is is left alone."""
    assert not is_form(request())


@pytest.mark.parametrize(
    "value",
    [b"", b" ", b"-1", b"+1", b"1.0", b"0x10", b"1,1", b"1, 1", b"1 1", b"\xb2", b"1_0", b"9" * 19],
)
def test_a_length_that_is_no_number(value: bytes) -> None:
    """A Content-Length that is not one plain number is refused, and never guessed."""
    for framed in (False, True):
        with pytest.raises(BadForm):
            Body(length(value), 1000, framed=framed)


def test_two_lengths_are_refused() -> None:
    """Two Content-Lengths, even equal ones: somebody before us may have believed the other."""
    twice = ((b"content-length", b"3"),) * 2
    with pytest.raises(BadForm):
        Body(request(*twice), 1000)


def test_no_length() -> None:
    """Without a length a body is taken only where its end is known otherwise."""
    with pytest.raises(LengthRequired):
        Body(request(), 1000)
    with pytest.raises(LengthRequired):
        Body(request((b"transfer-encoding", b"chunked")), 1000)
    assert Body(request(), 1000, framed=True).expected is None


@pytest.mark.parametrize(("size", "fits"), [(b"1000", True), (b"1001", False), (b"9" * 18, False)])
def test_too_large_is_known_before_reading(size: bytes, fits: bool) -> None:
    """A length above the limit is refused before a byte is read."""
    if fits:
        assert Body(length(size), 1000).expected == 1000
    else:
        with pytest.raises(TooLarge):
            Body(length(size), 1000)


def test_too_large_is_noticed_while_reading() -> None:
    """Without a length the first byte too much ends it, and a lie about the length does too."""
    for body in (Body(request(), 10, framed=True), Body(length(b"3"), 10)):
        body.add(b"a" * 10)
        with pytest.raises(TooLarge):
            body.add(b"a")


@given(st.lists(st.binary(max_size=20)), st.integers(0, 60), st.booleans())
def test_whole_or_refused(chunks: list[bytes], said: int, framed: bool) -> None:
    """Whatever the pieces: exactly the bytes that came, if they are as many as was said."""
    came = b"".join(chunks)
    if read(Body(length(b"%d" % said), 100, framed=framed), chunks) != came:
        assert len(came) != said or len(came) > 100
    assert read(Body(request(), 100, framed=True), chunks) == (came if len(came) <= 100 else None)


def read(body: Body, chunks: Iterable[bytes]) -> bytes | None:
    """The whole body, or None where it is refused."""
    try:
        for chunk in chunks:
            body.add(chunk)
        return body.whole()
    except Refused:
        return None
