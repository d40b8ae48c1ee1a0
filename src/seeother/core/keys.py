"""From the site's secret to one key per purpose.

A secret is what the operator keeps; it never signs anything itself. HKDF-SHA256 (RFC 5869) turns it
into one key per purpose, so that a token can never pass for a receipt or a sealed draft. `namespace`
is part of every derivation: several apps may share a secret and a store and cannot read each other.

Several secrets make a rotation: the first one signs, all of them verify. Add the new secret second,
deploy everywhere, then put it first. `kid` (one byte of a hash of the key) says in a token which one
signed it.

Below the HKDF the per-item MACs are keyed BLAKE2b (RFC 7693), which is a PRF by itself and costs a
third of HMAC-SHA256.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass

from ..errors import PolicyError


def hkdf(secret: bytes, purpose: str, salt: bytes = b"", size: int = 32) -> bytes:
    """HKDF-SHA256 (RFC 5869) of a secret for one purpose; `size` at most 32 bytes."""
    prk = hmac.digest(salt or bytes(32), secret, "sha256")
    return hmac.digest(prk, b"seeother " + purpose.encode() + b"\x01", "sha256")[:size]


def mac(key: bytes, size: int, *parts: bytes) -> bytes:
    """Keyed BLAKE2b over length-prefixed parts, so that no two part lists meet."""
    framed = b"".join([b"%d:%b" % (len(part), part) for part in parts])
    return hashlib.blake2b(framed, key=key, digest_size=size).digest()


def encode(raw: bytes) -> str:
    """base64url without padding (RFC 4648 section 5)."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def decode(text: str, size: int) -> bytes | None:
    """The bytes of a canonical base64url text of exactly `size` bytes, else None."""
    if len(text) != -(-size * 4 // 3) or not text.isascii():
        return None
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        return None
    return raw if len(raw) == size and encode(raw) == text else None


@dataclass(frozen=True, slots=True)
class SigningKey:
    """All keys that come from one secret."""

    kid: int
    token: bytes
    fingerprint: bytes
    mark: bytes
    seal: bytes


@dataclass(frozen=True, slots=True)
class Keyring:
    """The keys of all secrets, the signing one first; `tag` names this app's cookies."""

    keys: tuple[SigningKey, ...]
    namespace: str
    tag: str

    @property
    def current(self) -> SigningKey:
        """The key that signs."""
        return self.keys[0]

    def of(self, kid: int) -> SigningKey | None:
        """The key with that id, or None."""
        return next((key for key in self.keys if key.kid == kid), None)

    @classmethod
    def make(cls, secrets: Iterable[bytes], namespace: str) -> Keyring:
        """Derive every key once; several secrets: the first one signs."""
        keys = tuple(_signing_key(secret, namespace) for secret in secrets)
        if not keys:
            raise PolicyError("no secret: set `secret` to at least 32 random bytes")
        return cls(keys, namespace, mac(keys[0].mark, 3, b"cookie name").hex())


def _signing_key(secret: bytes, namespace: str) -> SigningKey:
    def key(purpose: str) -> bytes:
        return hkdf(secret, f"{purpose} {namespace}")

    token = key("token")
    kid = hashlib.blake2b(token, digest_size=1, person=b"so-kid").digest()[0]
    return SigningKey(kid, token, key("fingerprint"), key("mark"), key("seal"))
