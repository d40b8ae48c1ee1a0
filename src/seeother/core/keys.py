"""From the site's secret to one key per purpose.

A secret is what the operator keeps; it never signs anything itself. HKDF-SHA256 (RFC 5869) makes
one key per purpose of it, so that a token can never pass for a receipt or a sealed draft.
`namespace` is part of every derivation: several apps may share a secret and a store and cannot
read each other.

Several secrets make a rotation: the first one signs, all of them verify. Add the new secret second,
deploy everywhere, then put it first. `kid`, one byte of a hash of the key, says which one signed;
two secrets may have the same one (1 pair in 256), so it is a hint to be tried and no name.

Below the HKDF the tags of single items are keyed BLAKE2b (RFC 7693), which is a PRF by itself and
costs a third of HMAC-SHA256. Whatever has several parts is framed first, each part behind its
length: ("ab", "c") and ("a", "bc") never meet.
"""

from __future__ import annotations

import hmac
from binascii import a2b_base64, b2a_base64
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Final

from ..errors import PolicyError

# base64url (RFC 4648 section 5) to what `binascii` reads; every other byte becomes one that it
# refuses, also `+`, `/` and `=`.
_URLSAFE: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_STANDARD: Final = _URLSAFE.replace(b"-_", b"+/")
_TO_STANDARD: Final = bytes(
    _STANDARD[_URLSAFE.index(char)] if char in _URLSAFE else ord("!") for char in range(256)
)
_TO_URLSAFE: Final = bytes.maketrans(b"+/", b"-_")
# By how many bytes there are more than a multiple of three: the padding, the possible last letters.
_PADDING: Final = (b"", b"==", b"=")
_LAST: Final = ("", "AQgw", "AEIMQUYcgkosw048")

T1: Final = 12  # bytes of a token's first tag, over everything
T2: Final = 8  # bytes of its second tag, which binds it to a visitor
RECEIPT: Final = 8  # bytes of the tag of a mark


def frame(*parts: bytes) -> bytes:
    """Several parts as one, so that different lists of parts give different bytes.

    >>> frame(b"ab", b"c"), frame(b"a", b"bc")
    (b'2:ab1:c', b'1:a2:bc')
    """
    return b"".join([b"%d:%b" % (len(part), part) for part in parts])


def hkdf(secret: bytes, *purpose: bytes) -> bytes:
    """32 bytes of HKDF-SHA256 (RFC 5869, without a salt) of a secret, for one purpose."""
    return hmac.digest(_extracted(secret), frame(b"seeother", *purpose) + b"\x01", "sha256")


@lru_cache(maxsize=32)  # keys of what is sealed come from the same secret again and again
def _extracted(secret: bytes) -> bytes:
    return hmac.digest(bytes(32), secret, "sha256")


def mac(key: bytes, size: int, *parts: bytes) -> bytes:
    """`size` bytes of keyed BLAKE2b over framed parts."""
    return blake2b(frame(*parts), key=key, digest_size=size).digest()


def encode(raw: bytes) -> str:
    """base64url without padding (RFC 4648 section 5)."""
    return b2a_base64(raw, newline=False).translate(_TO_URLSAFE, b"=").decode("ascii")


def decode(text: str, size: int) -> bytes | None:
    """The `size` bytes that `encode` writes as this very text, else None.

    >>> decode("AQID", 3), decode("AQI=", 2), decode("AQJ", 2)
    (b'\\x01\\x02\\x03', None, None)
    """
    if len(text) != -(-size * 4 // 3):
        return None
    spare = size % 3
    try:
        standard = text.encode("ascii").translate(_TO_STANDARD)
        raw = a2b_base64(standard + _PADDING[spare] if spare else standard, strict_mode=True)
    except ValueError:
        return None
    # Three bytes fill four characters. With one or two bytes left over, the last character has
    # bits to spare, so several texts would mean the same.
    return raw if not spare or text[-1] in _LAST[spare] else None


class Tagger:
    """Keyed BLAKE2b with the key absorbed once: a tag costs half of what a fresh start costs.

    One `person` per kind of tag keeps the kinds apart. Nothing is framed here: all parts of the
    data but the last must have a fixed size.
    """

    __slots__ = ("_start",)

    def __init__(self, key: bytes, person: bytes, size: int) -> None:
        self._start = blake2b(key=key, person=person, digest_size=size)

    def __call__(self, data: bytes) -> bytes:
        """The tag of some data."""
        state = self._start.copy()
        state.update(data)
        return state.digest()


class Framed:
    """`mac` of some labels and one part more, the key and the labels absorbed once.

    >>> Framed(b"key", 16, b"a label")(b"part") == mac(b"key", 16, b"a label", b"part")
    True
    """

    __slots__ = ("_start",)

    def __init__(self, key: bytes, size: int, *labels: bytes) -> None:
        self._start = blake2b(frame(*labels), key=key, digest_size=size)

    def __call__(self, part: bytes) -> bytes:
        """The tag of a part, of whatever length."""
        state = self._start.copy()
        state.update(b"%d:%b" % (len(part), part))
        return state.digest()


@dataclass(frozen=True, slots=True)
class SigningKey:
    """All keys that come from one secret; those of what every request needs as ready taggers.

    `input_tag` makes the key of a token's fingerprints of its nonce, `echo_tag` that of a visitor's
    echo of his secret; `receipt_tag` signs marks.
    """

    kid: int
    form_tag: Tagger
    visitor_tag: Tagger
    fingerprint: bytes
    mark: bytes
    seal: bytes
    input_tag: Framed
    echo_tag: Framed
    receipt_tag: Framed


@dataclass(frozen=True, slots=True)
class Keyring:
    """The keys of all secrets, the signing one first.

    `tags` are six hex digits per secret; they stand in the names of this app's cookies.
    """

    keys: tuple[SigningKey, ...]
    namespace: str
    tags: tuple[str, ...]

    @property
    def current(self) -> SigningKey:
        """The key that signs."""
        return self.keys[0]

    @property
    def tag(self) -> str:
        """The tag of the cookies that are set."""
        return self.tags[0]

    @classmethod
    def make(cls, secrets: Iterable[bytes], namespace: str) -> Keyring:
        """Derive every key once. Raises PolicyError where there is no secret.

        >>> ring = Keyring.make([b"new" * 11, b"old" * 11], "docs")
        >>> ring.current is ring.keys[0], len(set(ring.tags))
        (True, 2)
        """
        keys = tuple(_signing_key(secret, namespace.encode()) for secret in secrets)
        if not keys:
            raise PolicyError("no secret: set `secret` to at least 32 random bytes")
        return cls(keys, namespace, tuple(mac(key.mark, 3, b"cookie name").hex() for key in keys))


def _signing_key(secret: bytes, namespace: bytes) -> SigningKey:
    def key(purpose: bytes) -> bytes:
        return hkdf(secret, purpose, namespace)

    token, fingerprint, mark = key(b"token"), key(b"fingerprint"), key(b"mark")
    return SigningKey(
        kid=mac(token, 1, b"kid")[0],
        form_tag=Tagger(token, b"so form", T1),
        visitor_tag=Tagger(token, b"so visitor", T2),
        fingerprint=fingerprint,
        mark=mark,
        seal=key(b"seal"),
        input_tag=Framed(fingerprint, 32, b"fp"),
        echo_tag=Framed(fingerprint, 32, b"echo"),
        receipt_tag=Framed(mark, RECEIPT, b"receipt"),
    )
