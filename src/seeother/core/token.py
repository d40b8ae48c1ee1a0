"""The token: the signed, unguessable name of a submission, and the CSRF proof.

    base64url( version+flags 1 | kid 1 | issued 4 | nonce 16 | t1 12 | t2 8 )      56 characters

It is stateless: minting one costs no store access, and a form that is never sent leaves no trace.
Two tags instead of one, because two different things can be wrong with it:

* **t2** = MAC over the head and the visitor's secret (a cookie). If only this one does not match,
  the token is ours but another visitor's: `StaleToken`, and a same-origin sender gets the form
  back with everything typed.
* **t1** = MAC over the head, t2 and the scope, under a key of this namespace and purpose. If it
  does not match, the token was never ours: `BadToken`. It covers t2, so no bit of a token can be
  changed unnoticed, also where t2 itself cannot be checked (below).

Flags in the first byte, under the MAC: version (4 bits), *unbound* (rendered for a browser that had
no visitor cookie yet), *headers* (the GET that rendered it carried Sec-Fetch-*; a POST without them
is then a downgrade), `on_edit` (2 bits).

An unbound token is minted together with a new visitor cookie and its t2 is made with that cookie,
but the cookie may not come back: cookies may be refused, and five restored tabs each set one and
only the last survives. So a wrong t2 on an unbound token is no fault *where the headers prove the
origin*; where they do not, t2 has to match like any other.

Everything is checked before any store access: length, the one canonical spelling, key, tags in
constant time, issued <= now + 300 s, age <= max_age. The issue time is under the MAC and is the
first part of the ledger's key: rows may be deleted when their tokens are too old to be accepted,
and no window is left in which a token is valid and its row is gone.
"""

from __future__ import annotations

from functools import cache
from hmac import compare_digest
from struct import Struct
from typing import Final, Literal, NamedTuple

from ..errors import BadToken, StaleToken
from .keys import T1, T2, Framed, Keyring, SigningKey, decode, encode

OnEdit = Literal["new", "confirm", "refuse"]

VERSION: Final = 1
UNBOUND: Final = 0b1000
HEADERS: Final = 0b0100
EDITS: Final[tuple[OnEdit, ...]] = ("new", "confirm", "refuse")
SKEW: Final = 300
HEAD: Final = Struct(">BBI16s")  # version and flags, kid, issued, nonce
NONCE: Final = 16
WHOLE: Final = Struct(f"{HEAD.size}s{T1}s{T2}s")  # head, t1, t2
PARTS: Final = Struct(f">BBI{NONCE}x{T1}s{T2}s")  # the same as it is read: what the head says
FIELD: Final = "so_token"


class Token(NamedTuple):
    """A token of ours whose first tag was right."""

    key: SigningKey
    issued: int
    head: bytes
    flags: int
    t2: bytes

    @property
    def nonce(self) -> bytes:
        """What makes it unguessable; never stored."""
        return self.head[-NONCE:]

    @property
    def unbound(self) -> bool:
        """Was it rendered for a browser without a visitor cookie?"""
        return bool(self.flags & UNBOUND)

    @property
    def had_headers(self) -> bool:
        """Did the GET that rendered it carry Sec-Fetch-* headers?"""
        return bool(self.flags & HEADERS)

    @property
    def on_edit(self) -> OnEdit:
        """What edited input under this token means."""
        return EDITS[self.flags & 0b11]

    def belongs_to(self, visitor: bytes | None) -> bool:
        """Is the second tag made with this visitor's secret?"""
        return visitor is not None and compare_digest(
            self.t2, self.key.visitor_tag(self.head + visitor)
        )

    def ledger_id(self, namespace: str) -> bytes:
        """Issue time (so that rows expire in key order) and 12 bytes of a hash of the nonce.

        The nonce itself is never stored: a stolen ledger cannot be used to submit anything.
        """
        return self.issued.to_bytes(4, "big") + _naming(namespace)(self.nonce)


@cache  # a process has few apps
def _naming(namespace: str) -> Framed:
    return Framed(b"", 12, b"ledger id", namespace.encode())


def mint(
    ring: Keyring,
    *,
    visitor: bytes,
    now: float,
    nonce: bytes,
    scope: str = "",
    on_edit: OnEdit = "new",
    unbound: bool = False,
    had_headers: bool = False,
) -> str:
    """A new token: 56 URL-safe characters.

    `visitor` is the secret of the visitor's cookie (the new one if it is just being set, then with
    `unbound`), `now` seconds since the epoch, `nonce` 16 unpredictable bytes.
    """
    if len(nonce) != NONCE:
        raise ValueError(f"a nonce has {NONCE} bytes, not {len(nonce)}")
    key = ring.current
    flags = VERSION << 4 | UNBOUND * unbound | HEADERS * had_headers | EDITS.index(on_edit)
    head = HEAD.pack(flags, key.kid, int(now), nonce)
    t2 = key.visitor_tag(head + visitor)
    return encode(WHOLE.pack(head, key.form_tag(head + t2 + scope.encode()), t2))


def verify(
    ring: Keyring, text: str, *, now: float, max_age: float, scopes: tuple[str, ...] = ("",)
) -> Token:
    """Read a token and check everything but whose it is; any of the `scopes` will do.

    Raises BadToken (not one of ours, or from the future) or StaleToken (older than `max_age` s).

    >>> ring = Keyring.make([b"s" * 32], "docs")
    >>> text = mint(ring, visitor=b"v" * 16, now=1000, nonce=b"n" * 16)
    >>> token = verify(ring, text, now=1060, max_age=3600)
    >>> token.belongs_to(b"v" * 16), token.belongs_to(b"w" * 16)
    (True, False)
    """
    raw = decode(text, WHOLE.size)
    if raw is None:
        raise BadToken("not 56 canonical base64url characters")
    flags, kid, issued, t1, t2 = PARTS.unpack(raw)
    if flags >> 4 != VERSION or flags & 0b11 >= len(EDITS):
        raise BadToken("a version or a flag that this release does not know")
    head = raw[: HEAD.size]
    key = _signer(ring, kid, head + t2, t1, scopes)
    if key is None:
        raise BadToken("the first tag is wrong: forged, or made for another form, app or secret")
    if issued > now + SKEW:
        raise BadToken(f"issued {issued - now:.0f} s in the future")
    if now - issued > max_age:
        raise StaleToken(f"issued {now - issued:.0f} s ago, max_age is {max_age:.0f} s")
    return Token(key, issued, head, flags & 0x0F, t2)


def _signer(
    ring: Keyring, kid: int, signed: bytes, t1: bytes, scopes: tuple[str, ...]
) -> SigningKey | None:
    for key in ring.keys:
        if key.kid == kid:
            for scope in scopes:
                data = signed + scope.encode() if scope else signed
                if compare_digest(t1, key.form_tag(data)):
                    return key
    return None
