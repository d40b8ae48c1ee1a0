"""Holding an answer back: as much as is needed to decide about its head, and no byte lost."""

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seeother.core.values import Headers, Response
from seeother.hold import PAGE_BYTES, SUBMISSION_BYTES, Hold, can_plant, is_html

HTML: Headers = ((b"content-type", b"text/html; charset=utf-8"),)
TEXT: Headers = ((b"content-type", b"text/plain"),)


class Doubling:
    """A planting that doubles every `a`, and says so at the end."""

    def feed(self, data: bytes) -> bytes:
        return data.replace(b"a", b"aa")

    def close(self) -> bytes:
        return b"!"


def held(head: Response, *, everything: bool = False, plants: bool = False) -> Hold:
    """A hold that was told this head."""
    hold = Hold(lambda _head: Doubling() if plants else None, everything=everything)
    hold.start(head)
    return hold


def test_a_page_is_held_back_to_its_end() -> None:
    """A small page goes on when it is complete: only then it is known what was shown in it."""
    hold = held(Response(200, HTML))
    assert [hold.add(b"one", last=False), hold.add(b"two", last=True)] == [False, True]
    assert (hold.release(), hold.complete) == (b"onetwo", True)


def test_a_large_page_goes_on() -> None:
    """A page is held back up to 64 KiB; after that it streams."""
    hold = held(Response(200, HTML))
    assert not hold.add(b"x" * PAGE_BYTES, last=False)
    assert hold.add(b"x", last=False)
    assert (len(hold.release()), hold.complete) == (PAGE_BYTES + 1, False)


def test_other_answers_go_on_with_the_first_byte() -> None:
    """Of everything else only the head is held back: nothing is buffered that nobody looks at."""
    hold = held(Response(200, TEXT))
    assert hold.bare
    assert [hold.add(b"", last=False), hold.add(b"x", last=False)] == [False, True]


def test_an_answer_of_a_submission_is_held_back() -> None:
    """What must be settled first is held back whole, up to 1 MiB, whatever it is."""
    hold = held(Response(200, TEXT), everything=True)
    assert not hold.bare
    assert not hold.add(b"x" * SUBMISSION_BYTES, last=False)
    assert hold.add(b"x", last=False)


def test_an_empty_answer() -> None:
    """An answer without a body is complete at once."""
    for head in (Response(204), Response(200, HTML)):
        hold = held(head)
        assert hold.add(b"", last=True)
        assert (hold.release(), hold.complete) == (b"", True)


def test_a_second_head_makes_a_new_answer() -> None:
    """An error page in place of an answer that nobody saw yet: nothing of the old one is left."""
    hold = held(Response(200, HTML), plants=True)
    hold.add(b"half a page", last=False)
    hold.start(Response(500, TEXT))
    assert hold.head == Response(500, TEXT)
    hold.add(b"broken", last=True)
    assert hold.release() == b"broken"


@pytest.mark.parametrize("complete", [True, False])
@pytest.mark.parametrize("plants", [True, False])
def test_the_length_is_true(plants: bool, complete: bool) -> None:
    """Planting adds bytes: Content-Length is what was counted, or left out where nobody knows."""
    length = (b"content-length", b"3")
    hold = held(Response(200, (*HTML, length)), plants=plants)
    hold.add(b"bab", last=complete)
    headers = dict(hold.fitted(Response(200, (*HTML, length))).headers)
    found = headers.get(b"content-length")
    assert found == (b"3" if not plants else b"5" if complete else None)
    assert (found is None) or not complete or int(found) == len(hold.release())


def test_no_length_is_invented() -> None:
    """An answer without Content-Length gets none."""
    hold = held(Response(200, HTML), plants=True)
    hold.add(b"a", last=True)
    assert hold.fitted(Response(200, HTML)) == Response(200, HTML)


def test_a_submission_is_held_as_the_app_made_it() -> None:
    """A page that may be kept is kept without a token; whether it is whole is known."""
    hold = held(Response(200, HTML), everything=True, plants=True)
    hold.add(b"bab", last=False)
    assert hold.page() is None
    hold.add(b"c", last=True)
    assert hold.page() == Response(200, HTML, b"babc")
    hold.plant()
    assert hold.page() is None
    assert hold.release() == b"baabc!"


def test_a_compressed_submission_is_kept_as_text() -> None:
    """What is kept of a compressed page is the page; what cannot be decoded is none."""
    coded: Headers = (*HTML, (b"content-encoding", b"gzip"))
    for body, page in (
        (gzip.compress(b"bab"), Response(200, HTML, b"bab")),
        (gzip.compress(b"bab")[:-3], None),
        (gzip.compress(bytes(SUBMISSION_BYTES + 1)), None),
    ):
        hold = held(Response(200, coded), everything=True, plants=True)
        hold.add(body[:9], last=False)
        assert hold.page() is None
        hold.add(body[9:], last=True)
        assert (hold.kept_head, hold.page()) == (Response(200, HTML), page)
        assert hold.head == Response(200, coded)


def test_a_compressed_submission_that_is_not_kept_is_planted() -> None:
    """As any other page: the planted text, in the coding that it came in, and its true length."""
    body = gzip.compress(b"bab")
    coded = (*HTML, (b"content-encoding", b"gzip"), (b"content-length", b"%d" % len(body)))
    hold = held(Response(200, coded), everything=True, plants=True)
    hold.add(body, last=True)
    hold.plant()
    head = hold.fitted(Response(200, coded))
    out = hold.release()
    assert gzip.decompress(out) == b"baab!"
    assert head.header(b"content-length") == str(len(out))
    assert head.header(b"content-encoding") == "gzip"


def test_an_answer_that_is_switched_off() -> None:
    """`SeeOther: off` goes no further, and there is nothing to plant and nothing to keep."""
    off = (b"seeother", b"off")
    for headers in (HTML, (*HTML, (b"content-encoding", b"gzip")), TEXT):
        hold = held(Response(200, (off, *headers)), everything=True, plants=True)
        hold.add(b"bab", last=True)
        assert (hold.head, hold.kept_head, hold.page()) == (Response(200, headers), None, None)
        hold.plant()
        assert (hold.release(), hold.unseen) == (b"bab", False)


@pytest.mark.parametrize("coded", [False, True])
def test_a_page_whose_end_is_not_seen(coded: bool) -> None:
    """Complete, nothing is unseen; else there may be a form in what comes, unless it is left."""
    headers = (*HTML, (b"content-encoding", b"gzip")) if coded else HTML
    text = b"bcd" * PAGE_BYTES
    body = gzip.compress(text, mtime=0) if coded else text
    for last in (True, False):
        hold = held(Response(200, headers), plants=True)
        hold.add(body[:-20], last=False)
        assert hold.unseen
        if last:
            hold.add(body[-20:], last=True)
            assert not hold.unseen
        else:
            hold.leave()
            out = hold.release() + hold.through(body[-20:], last=True)
            found = gzip.decompress(out) if coded else out
            assert (found.count(b"!"), found.replace(b"!", b"")) == (1, text)


@given(
    st.lists(st.binary(max_size=PAGE_BYTES // 3), max_size=12),
    st.booleans(),
    st.booleans(),
    st.sampled_from([HTML, TEXT]),
)
def test_no_byte_is_lost(
    pieces: list[bytes], everything: bool, plants: bool, headers: Headers
) -> None:
    """However an answer is cut: what is released and what passes later are the whole answer."""
    hold = held(Response(200, headers), everything=everything, plants=plants)
    out, going = b"", False
    for number, body in enumerate([*pieces, b""]):
        last = number == len(pieces)
        if going:
            out += hold.through(body, last=last)
        elif hold.add(body, last=last):
            hold.plant()
            out, going = hold.release(), True
    whole = b"".join(pieces)
    planted = plants and headers is HTML
    assert out == (whole.replace(b"a", b"aa") + b"!" if planted else whole)
    assert going


@pytest.mark.parametrize(
    ("kind", "page"),
    [
        (b"text/html", True),
        (b"TEXT/HTML; charset=latin-1", True),
        (b"application/xhtml+xml", True),
        (b"text/plain", False),
        (b"application/json", False),
        (b"image/svg+xml", False),
        (b"", False),
    ],
)
def test_what_is_a_page(kind: bytes, page: bool) -> None:
    """HTML is, in any case and with a charset; nothing else is looked into."""
    assert is_html(Response(200, ((b"content-type", kind),))) is page
    assert not is_html(Response(200))


@pytest.mark.parametrize(
    ("status", "headers", "allowed"),
    [
        (200, (), True),
        (404, (), True),
        (500, (), True),
        (103, (), False),
        (204, (), False),
        (205, (), False),
        (206, (), False),
        (304, (), False),
        (200, ((b"content-encoding", b"gzip"),), False),
        (200, ((b"content-encoding", b"br"),), False),
        (200, ((b"content-encoding", b"x-own"),), False),
        (200, ((b"content-encoding", b" Identity "),), True),
        (200, ((b"cache-control", b"private, No-Transform"),), False),
        (200, ((b"cache-control", b"private"), (b"cache-control", b"no-transform")), False),
        (200, ((b"content-encoding", b"identity"), (b"content-encoding", b"gzip")), False),
    ],
)
def test_what_may_be_planted(status: int, headers: Headers, allowed: bool) -> None:
    """Never: parts, empty answers, unknown encodings, `no-transform` (RFC 9111, 5.2.2.6)."""
    assert can_plant(Response(status, (*HTML, *headers))) is allowed


@pytest.mark.parametrize(
    ("kind", "allowed"),
    [
        (b"text/html", True),
        (b"text/html; charset=UTF-8", True),
        (b"Text/HTML; Charset=windows-1252", True),
        (b"text/html; charset=utf-16", False),
        (b"text/html; charset=utf-32be", False),
        (b"text/html; charset=hz-gb-2312", False),
        (b"text/html; charset=shift_jis", True),
        (b"text/html; charset=gbk", True),
        (b"text/html; charset=big5", True),
        (b"text/html; charset=euc-jp", True),
        (b'text/html;charset="UTF-16LE"', False),
        (b"text/html; a=b; charset=iso-2022-jp", False),
        (b"text/html; charset=utf-7", False),
        (b"application/xhtml+xml", False),
        (b"Application/XHTML+XML; charset=utf-8", False),
    ],
)
def test_only_bytes_that_are_read_as_html(kind: bytes, allowed: bool) -> None:
    """Not where `<form` may be something else, nor where an unclosed tag breaks the page (XML)."""
    assert can_plant(Response(200, ((b"content-type", kind),))) is allowed


@pytest.mark.parametrize("coded", [False, True])
@pytest.mark.parametrize("kind", [b"text/html", b"image/png"])
def test_leaving_twice_is_leaving_once(kind: bytes, *, coded: bool) -> None:
    """What passes as it came goes on doing so, a page or not."""
    coding = ((b"content-encoding", b"gzip"),) if coded else ()
    text = b"xyz" * 9
    body = gzip.compress(text, mtime=0) if coded else text
    hold = held(Response(200, ((b"content-type", kind), *coding)), plants=kind == b"text/html")
    hold.add(body[:20], last=False)
    hold.leave()
    hold.leave()
    out = hold.release() + hold.through(body[20:], last=True)
    found = gzip.decompress(out) if coded else out
    assert (found.count(b"!"), found.replace(b"!", b"")) == (kind == b"text/html", text)


def test_a_page_that_decodes_to_more_than_is_held_back() -> None:
    """It is complete as it came, and yet not all of it could be looked at."""
    head = Response(200, (*HTML, (b"content-encoding", b"gzip")))
    for size, unseen in ((PAGE_BYTES, False), (SUBMISSION_BYTES + 1, True)):
        hold = held(head, plants=True)
        hold.add(gzip.compress(b"b" * size, mtime=0), last=True)
        assert (hold.complete, hold.unseen) == (True, unseen)
        assert gzip.decompress(hold.release()) == b"b" * size + b"!"
