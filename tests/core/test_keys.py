"""Keys: one per purpose, never confused, and one spelling of everything that is signed."""

import base64
import string
from dataclasses import fields
from hashlib import blake2b

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st

from seeother.core.keys import Keyring, Tagger, decode, encode, frame, hkdf, mac
from seeother.errors import PolicyError

ALPHABET = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
NEW, OLD = b"n" * 32, b"o" * 32


# --- base64url ------------------------------------------------------------------------------------


@given(st.binary(max_size=60))
def test_encode_is_base64url_without_padding(raw: bytes) -> None:
    """What is encoded is what RFC 4648 section 5 says, and comes back whole."""
    text = encode(raw)
    assert text == base64.urlsafe_b64encode(raw).decode().rstrip("=")
    assert decode(text, len(raw)) == raw


@given(st.text(alphabet=ALPHABET, max_size=30) | st.text(max_size=30), st.integers(0, 24))
def test_there_is_one_spelling(text: str, size: int) -> None:
    """Whatever text is accepted is the very text that `encode` writes for these bytes."""
    raw = decode(text, size)
    assert raw is None or (len(raw) == size and encode(raw) == text)


@pytest.mark.parametrize(("size", "spellings"), [(15, 64), (16, 4), (17, 16)])
def test_spare_bits_are_zero(size: int, spellings: int) -> None:
    """The bits that the last character has to spare cannot be used for a second spelling."""
    head = encode(bytes(size))[:-1]
    accepted = {decode(head + last, size) for last in ALPHABET} - {None}
    assert len(accepted) == spellings


@pytest.mark.parametrize(
    "odd", ["+", "/", "=", " ", "\n", "\0", "!", ".", "~", "é", "Ａ", "\ud800"]
)
@pytest.mark.parametrize("size", [15, 16, 17])
def test_no_other_character_is_read(odd: str, size: int) -> None:
    """A character outside the alphabet is refused at every place, not skipped."""
    text = encode(b"\xff" * size)
    for place in range(len(text)):
        assert decode(text[:place] + odd + text[place + 1 :], size) is None


@pytest.mark.parametrize("text", ["", "A", "AAAAA", "AAAA=", "AAA=", "AAAA\n"])
def test_only_the_exact_length_is_read(text: str) -> None:
    """Longer, shorter and padded texts are refused."""
    assert decode(text, 3) is None


# --- derivation -----------------------------------------------------------------------------------

parts = st.lists(st.binary(max_size=5), max_size=4)


@given(parts, parts)
def test_frames_never_meet(one: list[bytes], two: list[bytes]) -> None:
    """Different lists of parts give different bytes."""
    assert (frame(*one) == frame(*two)) == (one == two)


@given(st.binary(min_size=1, max_size=80), parts)
def test_hkdf_is_rfc_5869(secret: bytes, purpose: list[bytes]) -> None:
    """An independent HKDF-SHA256 gives the same key."""
    judge = HKDF(SHA256(), length=32, salt=None, info=frame(b"seeother", *purpose))
    assert hkdf(secret, *purpose) == judge.derive(secret)


def test_mac_depends_on_everything() -> None:
    """Another key, another size, another order or division of the parts: another tag."""
    tags = [
        mac(b"k", 8, b"ab", b"c"),
        mac(b"K", 8, b"ab", b"c"),
        mac(b"k", 8, b"a", b"bc"),
        mac(b"k", 8, b"c", b"ab"),
        mac(b"k", 8, b"abc"),
        mac(b"k", 16, b"ab", b"c")[:8],
    ]
    assert len(set(tags)) == len(tags)


@given(st.binary(max_size=300))
def test_a_tagger_is_keyed_blake2b(data: bytes) -> None:
    """A tagger gives the tag that a fresh start would give, also when it is used again."""
    tagger = Tagger(b"k" * 32, b"a person", 12)
    tagger(b"something else")
    fresh = blake2b(data, key=b"k" * 32, person=b"a person", digest_size=12).digest()
    assert tagger(data) == tagger(data) == fresh


def tags(ring: Keyring) -> list[bytes]:
    """Everything that a ring's first key says about the same data."""
    key = ring.current
    raw = [key.fingerprint, key.mark, key.seal]
    return [
        *(mac(one, 12, b"data") for one in raw),
        key.form_tag(b"data"),
        key.visitor_tag(b"data"),
    ]


def test_every_purpose_has_its_own_key() -> None:
    """No two purposes, namespaces or secrets share a key."""
    rings = [Keyring.make([secret], name) for secret in (NEW, OLD) for name in ("a", "b", "a b")]
    found = [tag for ring in rings for tag in tags(ring)]
    assert len({tag[:8] for tag in found}) == len(found)
    assert len({ring.tag for ring in rings}) == len(rings)


def test_the_ring_holds_no_secret() -> None:
    """The operator's secret itself stands in no key: whoever reads a ring cannot derive others."""
    key = Keyring.make([NEW], "a").current
    assert NEW not in [getattr(key, one.name) for one in fields(key)]


def test_the_first_secret_signs() -> None:
    """In a rotation the first secret signs and names the cookies; all stay in order."""
    ring = Keyring.make([NEW, OLD], "a")
    assert ring.current.kid == Keyring.make([NEW], "a").current.kid
    assert ring.tags == (Keyring.make([NEW], "a").tag, Keyring.make([OLD], "a").tag)
    assert ring.tag == ring.tags[0]


def test_no_secret_is_an_error_at_start() -> None:
    """A ring without keys cannot be made."""
    with pytest.raises(PolicyError, match="secret"):
        Keyring.make([], "a")
