"""Sealing what is kept for a person: AES-256-GCM from `cryptography`.

Rejected input is as private as the person's own page, so it is stored only sealed, under a key that
needs the site's secret *and* the visitor's cookie: who steals the database has neither, who has the
secret still lacks the cookies. One key per item (HKDF, RFC 5869), so a random nonce is never used
twice under one key. Purpose, namespace, principal and row id are bound in as associated data
(security rule 15).

    kid 1 | nonce 12 | ciphertext and tag

Without `cryptography` nothing is kept: rejected input is answered in place. Never plain.
"""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from typing import Final

from .keys import Keyring, SigningKey, frame, hkdf

NONCE: Final = 12


@cache
def can_seal() -> bool:
    """Is `cryptography` installed?"""
    return find_spec("cryptography") is not None


def seal(
    ring: Keyring,
    plain: bytes,
    *,
    purpose: str,
    row: bytes,
    visitor: bytes,
    nonce: bytes,
    who: str = "",
) -> bytes:
    """Encrypt one item for one visitor; `nonce` 12 unpredictable bytes.

    `row` is the id of the row that keeps it, `who` the principal (security rule 4). Only where
    `can_seal()`.
    """
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415

    if len(nonce) != NONCE:
        raise ValueError(f"a nonce has {NONCE} bytes, not {len(nonce)}")
    key = ring.current
    cipher = AESGCM(_item_key(key, purpose, row, visitor))
    return bytes([key.kid]) + nonce + cipher.encrypt(nonce, plain, _bound(ring, purpose, row, who))


def unseal(
    ring: Keyring, data: bytes, *, purpose: str, row: bytes, visitor: bytes, who: str = ""
) -> bytes | None:
    """The plain bytes, or None where key, visitor, principal, purpose or row do not fit.

    >>> ring = Keyring.make([b"s" * 32], "docs")
    >>> kept = seal(ring, b"typed", purpose="draft", row=b"r", visitor=b"v" * 16, nonce=b"n" * 12)
    >>> unseal(ring, kept, purpose="draft", row=b"r", visitor=b"v" * 16)
    b'typed'
    >>> unseal(ring, kept, purpose="draft", row=b"r", visitor=b"w" * 16) is None
    True
    """
    if len(data) <= NONCE or not can_seal():
        return None
    from cryptography.exceptions import InvalidTag  # noqa: PLC0415
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415

    kid, nonce, body = data[0], data[1 : 1 + NONCE], data[1 + NONCE :]
    for key in ring.keys:
        if key.kid == kid:
            cipher = AESGCM(_item_key(key, purpose, row, visitor))
            with suppress(InvalidTag):
                return cipher.decrypt(nonce, body, _bound(ring, purpose, row, who))
    return None


def _item_key(key: SigningKey, purpose: str, row: bytes, visitor: bytes) -> bytes:
    return hkdf(key.seal, purpose.encode(), row, visitor)


def _bound(ring: Keyring, purpose: str, row: bytes, who: str) -> bytes:
    return frame(purpose.encode(), ring.namespace.encode(), who.encode(), row)
