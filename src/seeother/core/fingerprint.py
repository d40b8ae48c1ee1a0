"""The fingerprint: what was sent, as 16 bytes that tell nothing.

Two submissions are the same if token *and* canonical input are the same. The input's canonical
bytes (see `form.canonical_bytes`) are hashed under a key that comes from the site's secret and the
token's nonce. An unkeyed digest in a ledger would be a list of password hashes for anybody who
steals it (measured: 2.2 million guesses per second); this one cannot even be compared between two
tokens.

The same bytes under the visitor's secret make the *echo digest*: it recognises the second half of a
double click that arrives under the next page's token.
"""

from __future__ import annotations

from typing import Final

from .keys import Framed, Keyring, mac
from .token import Token

WHOLE: Final = bytes(16)
_VISITOR: Final = Framed(b"", 16, b"visitor id")
_SESSION: Final = Framed(b"", 16, b"session id")


def fingerprint(token: Token, canonical: bytes) -> bytes:
    """16 bytes of keyed BLAKE2b over the canonical input."""
    return mac(token.key.input_tag(token.nonce), 16, canonical)


def variant(token: Token, fp: bytes) -> bytes:
    """Second half of the ledger's key: the fingerprint, or zeros where one token means one row.

    Under "confirm" and "refuse" the unique claim must be the token's id alone, else two different
    payloads sent at once would both be granted (security rule 11).
    """
    return fp if token.on_edit == "new" else WHOLE


def echo_digest(ring: Keyring, visitor: bytes, canonical: bytes) -> bytes:
    """16 bytes that recognise equal input of the same visitor under another token."""
    return mac(ring.current.echo_tag(visitor), 16, canonical)


def visitor_id(visitor: bytes) -> bytes:
    """What the store knows of a visitor: a hash of the cookie, never the cookie."""
    return _VISITOR(visitor)


def session_id(cookie: bytes) -> bytes:
    """What the store knows of a session: a hash of the cookie."""
    return _SESSION(cookie)
