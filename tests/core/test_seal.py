"""Sealing: only this visitor, at this row, for this purpose; and never plain."""

import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seeother.core.keys import Keyring
from seeother.core.seal import can_seal, seal, unseal

NEW, OLD = b"n" * 32, b"o" * 32
RING = Keyring.make([NEW], "app")
PLAIN = b"what somebody typed"


def sealed(ring: Keyring = RING, plain: bytes = PLAIN, *, who: str = "ann") -> bytes:
    """One item of visitor v in row r."""
    return seal(
        ring, plain, purpose="draft", row=b"r" * 8, visitor=b"v" * 16, nonce=b"N" * 12, who=who
    )


def opened(data: bytes, ring: Keyring = RING, **changes: Any) -> bytes | None:
    """The item again; `changes` are arguments of `unseal`."""
    bound = {"purpose": "draft", "row": b"r" * 8, "visitor": b"v" * 16, "who": "ann"}
    return unseal(ring, data, **{**bound, **changes})


@given(st.binary(max_size=100), st.text(max_size=5), st.binary(max_size=9), st.text(max_size=5))
def test_round_trip(plain: bytes, purpose: str, row: bytes, who: str) -> None:
    """What was sealed comes back whole and does not show before."""
    data = seal(RING, plain, purpose=purpose, row=row, visitor=b"v", nonce=b"N" * 12, who=who)
    assert unseal(RING, data, purpose=purpose, row=row, visitor=b"v", who=who) == plain
    assert len(plain) < 4 or plain not in data


@pytest.mark.parametrize(
    "changes",
    [
        {"visitor": b"w" * 16},
        {"visitor": b"v" * 15},
        {"visitor": b"v" * 16 + b"\0"},
        {"visitor": b""},
        {"row": b"s" * 8},
        {"row": b"r" * 7},
        {"row": b"r" * 9, "visitor": b"v" * 15},
        {"row": b"r" * 8 + b"v", "visitor": b"v" * 15},
        {"purpose": "page"},
        {"purpose": "draft\0"},
        {"who": "bob"},
        {"who": ""},
        {"who": "ann\0"},
    ],
)
def test_everything_is_bound(changes: dict[str, Any]) -> None:
    """Another visitor, row, purpose or principal gets nothing, also at a shifted boundary."""
    assert opened(sealed()) == PLAIN
    assert opened(sealed(), **changes) is None


@pytest.mark.parametrize(
    "ring", [Keyring.make([OLD], "app"), Keyring.make([NEW], "shop")], ids=["secret", "namespace"]
)
def test_other_rings(ring: Keyring) -> None:
    """Another secret or another namespace opens nothing."""
    assert opened(sealed(), ring) is None


def test_every_bit_counts() -> None:
    """One bit flipped, anywhere: nothing opens."""
    data = sealed()
    for bit in range(len(data) * 8):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        assert opened(bytes(damaged)) is None


def test_every_truncation() -> None:
    """A part of the bytes, or none, opens to nothing and raises nothing."""
    data = sealed()
    for end in range(len(data)):
        assert opened(data[:end]) is None
    assert opened(data + b"\0") is None


@given(st.binary(max_size=60))
def test_any_bytes(data: bytes) -> None:
    """Whatever the store gives back, the answer is None and no error."""
    assert opened(data) is None


def test_rotation() -> None:
    """What the old secret sealed opens as long as it is listed."""
    old = sealed(Keyring.make([OLD], "app"))
    assert opened(old, Keyring.make([NEW, OLD], "app")) == PLAIN
    assert opened(old, Keyring.make([NEW], "app")) is None


def test_two_secrets_with_one_kid() -> None:
    """Both keys are tried where their short ids happen to be equal."""
    others = (b"%032d" % number for number in range(100_000))
    twin = next(s for s in others if Keyring.make([s], "app").current.kid == RING.current.kid)
    assert opened(sealed(), Keyring.make([twin, NEW], "app")) == PLAIN


@pytest.mark.parametrize("size", [0, 8, 11, 13, 16])
def test_a_nonce_has_12_bytes(size: int) -> None:
    """A nonce of another size would not be found again; it is refused."""
    with pytest.raises(ValueError, match="12 bytes"):
        seal(RING, b"", purpose="draft", row=b"", visitor=b"", nonce=bytes(size))


def test_without_cryptography(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without `cryptography` nothing can be sealed, and what was sealed before is not there."""
    data = sealed()
    assert can_seal()
    monkeypatch.setitem(sys.modules, "cryptography", None)
    can_seal.cache_clear()
    try:
        assert not can_seal()
        assert opened(data) is None
    finally:
        can_seal.cache_clear()
