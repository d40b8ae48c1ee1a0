"""Compressed pages: the same text however it is cut, bounded whatever comes, damage told."""

import gzip
import tracemalloc
import zlib
from collections.abc import Callable, Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seeother.core.coding import FREE, PIECE, RATIO, Decoder, Recoding, Undecodable, decoded

MOST = 1 << 20
Encode = Callable[[bytes], bytes]
WAYS: dict[str, tuple[bytes, Encode]] = {
    "gzip": (b"gzip", gzip.compress),
    "old gzip": (b"x-gzip", gzip.compress),
    "deflate": (b"deflate", zlib.compress),
    "bare": (b"deflate", lambda text: zlib.compress(text, wbits=-15)),
    "stored": (b"deflate", lambda text: zlib.compress(text, 0)),
    "members": (b"gzip", lambda text: b"".join(gzip.compress(text[n::2]) for n in (0, 1))),
    "named": (
        b"gzip",
        lambda text: b"\x1f\x8b\x08\x08\0\0\0\0\0\0page.html\0" + gzip.compress(text)[10:],
    ),
    "padded": (b"gzip", lambda text: gzip.compress(text) + b"\0" * 700),
    "with junk": (b"gzip", lambda text: gzip.compress(text) + b"\x1f junk"),
    "more behind": (b"deflate", lambda text: zlib.compress(text) + zlib.compress(b"more")),
}
ways = st.sampled_from(sorted(WAYS))
texts = st.one_of(
    st.binary(max_size=3000),
    st.lists(st.sampled_from([b"a", b"<p>", b"x" * 5000, b"ab" * 900]), max_size=60).map(b"".join),
)
cuts = st.lists(st.integers(0, 40_000), max_size=8)


class Doubling:
    """A planting that doubles every `a`, and says so at the end if there was any."""

    def __init__(self) -> None:
        self.any = False

    def feed(self, data: bytes) -> bytes:
        self.any |= b"a" in data
        return data.replace(b"a", b"aa")

    def close(self) -> bytes:
        return b"!" if self.any else b""


def meant(way: str, text: bytes) -> bytes:
    """The text that this way of coding ends up with."""
    return text[0::2] + text[1::2] if way == "members" else text


def doubled(text: bytes) -> bytes:
    """What `Doubling` makes of it."""
    return text.replace(b"a", b"aa") + (b"!" if b"a" in text else b"")


def pieces_of(body: bytes, at: Sequence[int]) -> list[bytes]:
    """A body, cut at these places."""
    places = sorted({0, len(body), *(place % (len(body) + 1) for place in at)})
    return [body[a:b] for a, b in pairwise(places)] or [b""]


def passed(coding: bytes, pieces: list[bytes], hold: int, most: int = MOST) -> bytes:
    """What comes out of a recoding that is held back up to `hold` bytes."""
    recoding, out, going = Recoding(coding, Doubling(), most), b"", False
    for number, piece in enumerate(pieces, start=1):
        last = number == len(pieces)
        if going:
            out += recoding.through(piece, last=last)
            continue
        recoding.add(piece, last=last)
        if last or recoding.size > hold:
            out += recoding.begin(last=last)
            going = True
    return out


def inflated(coding: bytes, body: bytes) -> tuple[bytes, bool]:
    """A body as a browser decodes it, and whether it is whole."""
    inflate = zlib.decompressobj(15 if coding == b"deflate" else 31)
    return inflate.decompress(body), inflate.eof


# Decoding -----------------------------------------------------------------------------------------


@given(ways, texts, cuts)
def test_any_cut_gives_the_same_text(way: str, text: bytes, at: list[int]) -> None:
    """However the bytes arrive, the text is the same, in pieces that are never large."""
    coding, encode = WAYS[way]
    decoder = Decoder(coding)
    found = [text for piece in pieces_of(encode(text), at) for text in decoder.feed(piece)]
    assert b"".join(found) == meant(way, text)
    assert decoder.whole
    assert all(0 < len(piece) <= PIECE for piece in found)


@given(ways, texts, st.data())
def test_what_breaks_off_is_not_whole(way: str, text: bytes, data: st.DataObject) -> None:
    """With its end missing it says so, and what it gave is the beginning of the text."""
    coding, encode = WAYS[way]
    if way in ("members", "padded", "with junk", "more behind"):
        return  # their beginnings may be whole
    body = encode(text)
    end = data.draw(st.integers(1, len(body) - 1))
    decoder = Decoder(coding)
    assert meant(way, text).startswith(b"".join(decoder.feed(body[:end])))
    assert not decoder.whole
    assert decoded(coding, body[:end], MOST) is None


@given(st.sampled_from([b"gzip", b"deflate"]), st.binary(max_size=2000), cuts)
def test_any_bytes(coding: bytes, body: bytes, at: list[int]) -> None:
    """Whatever it is: text, or Undecodable and nothing else."""
    decoder = Decoder(coding)
    try:
        for piece in pieces_of(body, at):
            list(decoder.feed(piece))
    except Undecodable:
        assert decoded(coding, body, MOST) is None


def test_nothing_is_whole() -> None:
    """An answer without a body is no broken one."""
    assert decoded(b"gzip", b"", MOST) == b""


def test_a_body_that_is_too_long() -> None:
    """`decoded` gives as much as it may, or nothing."""
    body = gzip.compress(b"x" * 1000)
    assert (decoded(b"gzip", body, 1000), decoded(b"gzip", body, 999)) == (b"x" * 1000, None)


# Planting -----------------------------------------------------------------------------------------


@given(ways, texts, cuts, st.sampled_from([0, 1, 100, 1 << 16]), st.sampled_from([0, 5000, MOST]))
def test_a_page_passes(way: str, text: bytes, at: list[int], hold: int, most: int) -> None:
    """However it is cut and held back: the planted text, whole; or the very bytes that came."""
    coding, encode = WAYS[way]
    body = encode(text)
    out = passed(coding, pieces_of(body, at), hold, most)
    if out != body:
        assert inflated(coding, out) == (doubled(meant(way, text)), True)
    else:
        assert doubled(text) == text


@given(ways, st.binary(max_size=3000).map(lambda text: text.replace(b"a", b"b")), cuts)
def test_what_is_not_changed_is_not_touched(way: str, text: bytes, at: list[int]) -> None:
    """Held back to its end and without anything to plant, it passes byte for byte."""
    coding, encode = WAYS[way]
    body = encode(text)
    assert passed(coding, pieces_of(body, at), 1 << 20) == body


@given(ways, texts, cuts, st.integers(0, 60), st.booleans())
def test_damage_that_is_seen_in_time(
    way: str, text: bytes, at: list[int], where: int, flip: bool
) -> None:
    """Damaged or broken off, and all of it still held back: it passes byte for byte, or whole."""
    coding, encode = WAYS[way]
    body = bytearray(encode(text))
    where = min(where, len(body) - 1)
    if flip:
        body[where] ^= 0x55
    else:
        del body[where:]
    out = passed(coding, pieces_of(bytes(body), at), 1 << 20)
    if out != bytes(body):  # damage that nobody can see, as in the name of a file
        whole = decoded(coding, bytes(body), MOST)
        assert whole is not None
        assert inflated(coding, out) == (doubled(whole), True)


@pytest.mark.parametrize("coding", [b"gzip", b"deflate"])
@pytest.mark.parametrize("harm", ["breaks off", "is damaged"])
def test_damage_that_is_seen_too_late(coding: bytes, harm: str) -> None:
    """What was sent stands, and the end is not there: a browser sees a page that breaks off."""
    text = b"".join(b"%d a " % (n * n) for n in range(60_000))
    body = (gzip.compress if coding == b"gzip" else zlib.compress)(text)
    keep = len(body) * 3 // 4
    rest = b"" if harm == "breaks off" else b"\xff" * 40 + body[keep:]
    pieces = [body[:keep][at : at + 5000] for at in range(0, keep, 5000)]
    out = passed(coding, [*pieces, rest], 1000)
    (found, whole), half = inflated(coding, out), len(text) // 2
    assert found[:half] == doubled(text)[:half]
    assert not whole


def test_every_piece_can_be_read_at_once() -> None:
    """What a flushed piece of the app says is out before the next one comes."""
    encoder = zlib.compressobj(wbits=31)
    recoding, inflate = Recoding(b"gzip", Doubling(), MOST), zlib.decompressobj(31)
    recoding.add(encoder.compress(b"start ") + encoder.flush(zlib.Z_SYNC_FLUSH), last=False)
    assert inflate.decompress(recoding.begin(last=False)) == b"start "[:2] + b"aart "
    for number in range(5):
        said = b"line %d\n" % number
        sent = encoder.compress(said) + encoder.flush(zlib.Z_SYNC_FLUSH)
        assert inflate.decompress(recoding.through(sent, last=False)) == said
    assert inflate.decompress(recoding.through(encoder.flush(), last=True)) == b"!"
    assert inflate.eof


def test_no_more_is_planted() -> None:
    """`leave`: where nothing was planted so far it all passes as it came."""
    for start, expected in ((b"xyz ", b"xyz aaa"), (b"abc ", b"aabc !aaa")):
        encoder = zlib.compressobj(wbits=31)
        recoding = Recoding(b"gzip", Doubling(), MOST)
        first = encoder.compress(start) + encoder.flush(zlib.Z_SYNC_FLUSH)
        recoding.add(first, last=False)
        recoding.leave()
        out = recoding.begin(last=False)
        recoding.leave()  # whoever says it twice says nothing new
        assert recoding.as_is == (start == b"xyz ")
        out += recoding.through(encoder.compress(b"aaa") + encoder.flush(), last=True)
        assert inflated(b"gzip", out) == (expected, True)


# Bounds -------------------------------------------------------------------------------------------


def bomb(size: int) -> bytes:
    """So much nothing, as small as it can be."""
    encoder = zlib.compressobj(9, wbits=31)
    zeros = bytes(1 << 20)
    return b"".join([*(encoder.compress(zeros) for _ in range(size >> 20)), encoder.flush()])


@pytest.mark.parametrize("chunk", [1000, 1 << 20])
def test_a_bomb(chunk: int) -> None:
    """Much of nothing: a page that breaks off, in little memory, after little work."""
    body = bomb(1 << 28)
    pieces = [body[at : at + chunk] for at in range(0, len(body), chunk)]
    tracemalloc.start()
    try:
        out = passed(b"gzip", pieces, PIECE)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    text, whole = inflated(b"gzip", out)
    assert (whole, len(text) <= FREE + RATIO * len(body)) == (False, True)
    assert peak < 8 << 20
    assert decoded(b"gzip", body, MOST) is None


def test_a_page_that_is_no_bomb() -> None:
    """20 MB of a table that compresses well is a page like others."""
    text = b"".join(b"<tr><td>%d<td class=total>%d</tr>\n" % (n, n * n) for n in range(600_000))
    assert len(text) > FREE
    body = gzip.compress(text, 9)
    out = passed(b"gzip", [body[at : at + 60_000] for at in range(0, len(body), 60_000)], PIECE)
    assert inflated(b"gzip", out) == (doubled(text), True)


class Counting(Decoder):
    """A decoder that counts the bytes which zlib is handed: what it does not use, it copies."""

    handed = 0

    def _inflated(self, data: bytes) -> tuple[bytes, bytes]:
        self.handed += len(data)
        return super()._inflated(data)


HOSTILE: dict[str, Callable[[int], bytes]] = {
    "empty members": lambda n: gzip.compress(b"") * (n // 20),
    "members of one byte": lambda n: gzip.compress(b"x") * (n // 21),
    "empty blocks": lambda n: gzip.compress(b"")[:10] + b"\0\0\0\xff\xff" * (n // 5),
    "a bomb": lambda n: bomb(n * 500),
    "a bomb of members": lambda n: gzip.compress(bytes(20_000), 9) * (n // 50),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_work_grows_with_what_comes_and_no_faster(kind: str) -> None:
    """Twice the bytes, at most twice the work: no byte is copied again and again."""

    def work(size: int) -> int:
        decoder, body = Counting(b"gzip"), HOSTILE[kind](size)
        try:
            for _ in decoder.feed(body):
                pass
        except Undecodable:
            pass
        return decoder.handed

    small, large = work(60_000), work(240_000)
    assert large <= 4.5 * small
