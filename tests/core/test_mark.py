"""Marks: added where they belong, cut out byte by byte, and never invented."""

import re
from time import thread_time

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from seeother.core.keys import Keyring, decode, encode
from seeother.core.mark import Cut, add, cut, open_mark, sign, strip

RING = Keyring.make([b"n" * 32], "app")
RECEIPT, SECOND = b"12345678", b"abcdefgh"
MARK = sign(RING, RECEIPT).encode()

# What a query may look like, most of it close to a mark.
piece = st.sampled_from(
    ["so", "so=", "so=x", "=", "&", "a=1", "xso=1", "s%6f=", "so=w.x", ";", "?", "%", "+", "caf%C3"]
)
queries = st.lists(piece, max_size=8).map("".join)
fragments = st.sampled_from(["", "#", "#end", "#a?so=x", "#so", "#a&so"])
paths = st.sampled_from(["", "/", "/so", "/list", "http://app.example/a", "/a;so=1"])


@given(st.binary(min_size=8, max_size=8))
def test_round_trip(receipt: bytes) -> None:
    """A mark is 22 URL-safe characters and opens to the receipt that it names."""
    text = sign(RING, receipt)
    assert re.fullmatch(r"[A-Za-z0-9_-]{22}", text)
    assert open_mark(RING, text) == receipt


@pytest.mark.parametrize("bit", range(128))
def test_every_bit_counts(bit: int) -> None:
    """A mark with one bit flipped names nothing."""
    raw = bytearray(decode(MARK.decode(), 16) or b"")
    raw[bit // 8] ^= 1 << bit % 8
    assert open_mark(RING, encode(bytes(raw))) is None


def test_keys() -> None:
    """A mark opens under each listed secret, not under others or in another namespace."""
    assert open_mark(Keyring.make([b"x" * 32, b"n" * 32], "app"), MARK.decode()) == RECEIPT
    assert open_mark(Keyring.make([b"x" * 32], "app"), MARK.decode()) is None
    assert open_mark(Keyring.make([b"n" * 32], "shop"), MARK.decode()) is None


@given(queries, paths, fragments)
def test_added_and_cut_again(query: str, path: str, fragment: str) -> None:
    """The app sees exactly the query that it wrote, and the mark stands before the fragment."""
    location = f"{path}?{query}{fragment}" if query else f"{path}{fragment}"
    marked = add(location, "so", MARK.decode())
    url, _, behind = marked.partition("#")
    assert behind == location.partition("#")[2]
    sent = url.partition("?")[2].encode()
    assert cut(RING, sent, "so", unsafe=False) == Cut(query.encode(), RECEIPT)


@given(queries, paths, fragments)
def test_stripped(query: str, path: str, fragment: str) -> None:
    """A location that was marked is the same again without its mark."""
    assume("so" not in query.split("&"))
    location = f"{path}?{query}{fragment}" if query else f"{path}{fragment}"
    assert strip(add(location, "so", MARK.decode()), "so", RING) == location
    assert strip(add(location, "so", None), "so", RING) == location


@given(st.text() | st.tuples(paths, queries, fragments).map(lambda p: f"{p[0]}?{p[1]}{p[2]}"))
def test_what_is_not_ours_is_not_touched(location: str) -> None:
    """A location without a mark of ours stays as it is, whatever it looks like."""
    assume(location.isascii() and "so" not in re.split("[?&#]", location))
    assert strip(location, "so", RING) == location
    assert strip(location, None, RING) == location


@given(st.binary(max_size=40) | queries.map(str.encode), st.booleans())
def test_any_query_is_read(query: bytes, unsafe: bool) -> None:
    """Without a valid mark and without a bare name all bytes stay, also those of no encoding."""
    assume(b"so" not in query.split(b"&"))
    assert cut(RING, query, "so", unsafe=unsafe) == Cut(query, None)


@pytest.mark.parametrize(
    ("query", "kept", "receipt"),
    [
        (b"so=" + MARK, b"", RECEIPT),
        (b"a=1&so=" + MARK + b"&b=2", b"a=1&b=2", RECEIPT),
        (b"a=%FF&&so=" + MARK + b"&", b"a=%FF&&", RECEIPT),
        (b"so=" + MARK + b"&so=" + sign(RING, SECOND).encode(), b"", SECOND),
        (b"so=x&so=" + MARK, b"so=x", RECEIPT),
        (b"so=" + MARK[:-1], b"so=" + MARK[:-1], None),
        (b"so=" + MARK + b"A", b"so=" + MARK + b"A", None),
        (b"so=" + MARK + b";a=1", b"so=" + MARK + b";a=1", None),
        (b"so=" + MARK + b"%3D", b"so=" + MARK + b"%3D", None),
        (b"so==" + MARK, b"so==" + MARK, None),
        (b"SO=" + MARK, b"SO=" + MARK, None),
        (b"s%6F=" + MARK, b"s%6F=" + MARK, None),
        (b"xso=" + MARK, b"xso=" + MARK, None),
        (b"a=so=" + MARK, b"a=so=" + MARK, None),
        (b"so=w." + MARK, b"so=w." + MARK, None),
        (b"so=\xff\xfe", b"so=\xff\xfe", None),
        (b"so=", b"so=", None),
        (b"so", b"so", None),
    ],
)
def test_cut(query: bytes, kept: bytes, receipt: bytes | None) -> None:
    """Only the exact pair with a valid mark is ours; of several marks the last one counts."""
    assert cut(RING, query, "so", unsafe=False) == Cut(kept, receipt)


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        (b"so", b""),
        (b"so&a=1", b"a=1"),
        (b"a=1&so", b"a=1"),
        (b"so=", b"so="),
        (b"so%3D", b"so%3D"),
        (b"soap", b"soap"),
    ],
)
def test_bare_mark(query: bytes, kept: bytes) -> None:
    """The bare name is ours on a request that may change something, and only there."""
    assert cut(RING, query, "so", unsafe=True) == Cut(kept, None)
    assert cut(RING, query, "so", unsafe=False) == Cut(query, None)


def test_another_name() -> None:
    """The policy's own name is used, and without one nothing is ever cut."""
    query = b"so=" + MARK + b"&back=" + MARK
    assert cut(RING, query, "back", unsafe=True) == Cut(b"so=" + MARK, RECEIPT)
    assert cut(RING, query, None, unsafe=True) == Cut(query, None)


@pytest.mark.parametrize(
    ("location", "marked"),
    [
        ("/a", "/a?so=M"),
        ("/a?", "/a?so=M"),
        ("/a?b", "/a?b&so=M"),
        ("/a?b&", "/a?b&&so=M"),
        ("/a#f", "/a?so=M#f"),
        ("/a?b#f?x", "/a?b&so=M#f?x"),
        ("?b", "?b&so=M"),
        ("#f", "?so=M#f"),
        ("http://app.example/a?b", "http://app.example/a?b&so=M"),
    ],
)
def test_add(location: str, marked: str) -> None:
    """The mark goes to the end of the query, before the fragment."""
    assert add(location, "so", "M") == marked
    assert add(location, "so", None) == marked.replace("so=M", "so")


@pytest.mark.parametrize("pair", [b"so&", b"so=&", b"so=" + b"A" * 22 + b"&", b"&", b"so="])
def test_linear_time(pair: bytes) -> None:
    """Four times the query takes about four times the time, however it is made."""

    def fastest(length: int) -> float:
        query, times = pair * (length // len(pair)), []
        for _ in range(5):
            start = thread_time()
            cut(RING, query, "so", unsafe=True)
            times.append(thread_time() - start)
        return min(times)

    assert fastest(80_000) < 10 * fastest(20_000)


TOKEN = b"so_token=" + b"t-_" * 18 + b"tt"


@pytest.mark.parametrize(
    ("query", "seen"),
    [
        (TOKEN, b""),
        (b"a=1&" + TOKEN + b"&b=2", b"a=1&b=2"),
        (TOKEN + b"~" + MARK + b"&q=tea", b"q=tea"),
        (TOKEN + b"%7E" + MARK, b""),
        (b"so_token=theirs&q=tea", b"so_token=theirs&q=tea"),
        (b"xso_token=" + b"t" * 56, b"xso_token=" + b"t" * 56),
    ],
    ids=["alone", "between", "with its echo", "escaped", "not a token", "another field"],
)
def test_a_token_in_the_address_is_cut(query: bytes, seen: bytes) -> None:
    """`formmethod=get` puts the form's token into the query: neither app nor log get to see it."""
    for name in ("so", None):
        assert cut(RING, query, name, unsafe=False) == Cut(seen, None)
