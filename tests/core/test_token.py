"""Tokens: none but ours is accepted, whatever is changed; and what they say about equal input."""

import string
from itertools import count, product
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seeother.core.fingerprint import WHOLE as ONE_ROW
from seeother.core.fingerprint import echo_digest, fingerprint, session_id, variant, visitor_id
from seeother.core.keys import Keyring, decode, encode
from seeother.core.mark import sign
from seeother.core.token import EDITS, FIELD, HEAD, WHOLE, OnEdit, Token, mint, verify
from seeother.errors import BadToken, StaleToken

NEW, OLD = b"n" * 32, b"o" * 32
RING = Keyring.make([NEW], "app")
VISITOR, NONCE = b"v" * 16, b"N" * 16
NOW, DAY = 1_700_000_000, 86_400.0


def made(ring: Keyring = RING, **changes: object) -> str:
    """A token; `changes` are arguments of `mint`."""
    settings = {"visitor": VISITOR, "now": NOW, "nonce": NONCE, **changes}
    return mint(ring, **settings)  # type: ignore[arg-type]


def read(text: str, ring: Keyring = RING, *, now: float = NOW, scope: str = "") -> Token:
    """Verify a token that may be a day old."""
    return verify(ring, text, now=now, max_age=DAY, scopes=(scope,))


@given(
    visitor=st.binary(min_size=16, max_size=16),
    nonce=st.binary(min_size=16, max_size=16),
    now=st.integers(0, 2**32 - 1),
    scope=st.text(max_size=20),
    on_edit=st.sampled_from(EDITS),
    unbound=st.booleans(),
    had_headers=st.booleans(),
)
def test_round_trip(
    *,
    visitor: bytes,
    nonce: bytes,
    now: int,
    scope: str,
    on_edit: OnEdit,
    unbound: bool,
    had_headers: bool,
) -> None:
    """A token is 56 URL-safe characters, and all that was said in it is read from it."""
    text = mint(
        RING,
        visitor=visitor,
        now=now + 0.9,
        nonce=nonce,
        scope=scope,
        on_edit=on_edit,
        unbound=unbound,
        had_headers=had_headers,
    )
    assert len(text) == 56
    assert set(text) <= set(string.ascii_letters + string.digits + "-_")
    token = verify(RING, text, now=now, max_age=0, scopes=(scope,))
    assert (token.issued, token.nonce, token.on_edit) == (now, nonce, on_edit)
    assert (token.unbound, token.had_headers) == (unbound, had_headers)
    assert token.belongs_to(visitor)


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize("unbound", [False, True])
@pytest.mark.parametrize("bit", range(WHOLE.size * 8))
def test_every_bit_counts(bit: int, unbound: bool) -> None:
    """A token with one bit flipped, anywhere, is not ours; also where t2 would not be checked."""
    raw = bytearray(decode(made(unbound=unbound), WHOLE.size) or b"")
    raw[bit // 8] ^= 1 << bit % 8
    with pytest.raises(BadToken):
        read(encode(bytes(raw)))


def test_no_piece_fits_another_token() -> None:
    """Heads, first and second tags of several valid tokens cannot be put together anew."""
    texts = [made(), made(nonce=b"M" * 16), made(visitor=b"w" * 16), made(now=NOW + 1)]
    pieces = [WHOLE.unpack(decode(text, WHOLE.size) or b"") for text in texts]
    valid = set(texts)
    for head, t1, t2 in product(*zip(*pieces, strict=True)):
        text = encode(WHOLE.pack(head, t1, t2))
        if text not in valid:
            with pytest.raises(BadToken):
                read(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        made()[:-1],
        made() + "A",
        made() + "=",
        made() + "\n",
        " " + made()[1:],
        made().swapcase(),
        "é" * 56,
        "\ud800" * 56,
        "A" * 56,
        "_" * 56,
        sign(RING, b"12345678"),
    ],
)
def test_other_texts_are_refused(text: str) -> None:
    """Wrong length, spelling, alphabet and marks of ours: BadToken."""
    with pytest.raises(BadToken):
        read(text)


@given(st.text(max_size=60) | st.binary(min_size=42, max_size=42).map(encode))
def test_any_text_is_answered(text: str) -> None:
    """Whatever is sent, the answer is BadToken and no other error."""
    with pytest.raises(BadToken):
        read(text)


@pytest.mark.parametrize(
    ("text", "scope"),
    [
        (made(Keyring.make([OLD], "app")), ""),
        (made(Keyring.make([NEW], "shop")), ""),
        (made(scope="comment"), ""),
        (made(), "comment"),
        (made(scope="comment"), "comments"),
    ],
    ids=["another secret", "another namespace", "for a scope", "for none", "for a prefix"],
)
def test_made_for_something_else(text: str, scope: str) -> None:
    """A token of another secret, namespace or scope is not ours: BadToken."""
    with pytest.raises(BadToken):
        read(text, scope=scope)


def test_tags_of_other_purposes_do_not_count() -> None:
    """The second kind of tag never passes for the first one."""
    key = RING.current
    head = HEAD.pack(0x10, key.kid, NOW, NONCE)
    t2 = key.visitor_tag(head + VISITOR)
    for t1 in (t2 + bytes(4), key.visitor_tag(head + t2) + bytes(4)):
        with pytest.raises(BadToken):
            read(encode(WHOLE.pack(head, t1, t2)))


@pytest.mark.parametrize("flags", [0x00, 0x20, 0xF0, 0x13])
def test_unknown_versions_and_flags(flags: int) -> None:
    """A version or `on_edit` of another release is refused although its tags are right."""
    key = RING.current
    head = HEAD.pack(flags, key.kid, NOW, NONCE)
    t2 = key.visitor_tag(head + VISITOR)
    with pytest.raises(BadToken, match=r"^a version or a flag that this release does not know$"):
        read(encode(WHOLE.pack(head, key.form_tag(head + t2), t2)))


@pytest.mark.parametrize(
    ("now", "error"),
    [
        (NOW, None),
        (NOW + DAY, None),
        (NOW + DAY + 0.5, StaleToken),
        (NOW + 10 * DAY, StaleToken),
        (NOW - 300, None),
        (NOW - 300.5, BadToken),
        (0, BadToken),
    ],
)
def test_age(now: float, error: type[Exception] | None) -> None:
    """Older than `max_age` is stale, more than 300 s in the future is not ours."""
    if error is None:
        assert read(made(), now=now).issued == NOW
    else:
        with pytest.raises(error):
            read(made(), now=now)


def test_a_forged_old_token_is_bad_not_stale() -> None:
    """Only who holds a token of ours learns that it is too old."""
    with pytest.raises(BadToken):
        read(made(Keyring.make([OLD], "app")), now=NOW + 2 * DAY)


@pytest.mark.parametrize("visitor", [None, b"", b"w" * 16, VISITOR[:-1], VISITOR + b"v"])
def test_another_visitor(visitor: bytes | None) -> None:
    """A token belongs to the visitor whose secret it was made with, and to nobody else."""
    assert not read(made()).belongs_to(visitor)


@pytest.mark.parametrize("size", [0, 15, 17])
def test_a_nonce_has_16_bytes(size: int) -> None:
    """A token that could be guessed more easily cannot be made."""
    with pytest.raises(ValueError, match=f"^a nonce has 16 bytes, not {size}$"):
        made(nonce=b"n" * size)


@pytest.mark.parametrize(
    ("text", "now", "detail"),
    [
        ("", NOW, "not 56 canonical base64url characters"),
        (
            made(Keyring.make([OLD], "app")),
            NOW,
            "the first tag is wrong: forged, or made for another form, app or secret",
        ),
        (made(), NOW - 400.4, "issued 400 s in the future"),
        (made(), NOW + 90_000.4, "issued 90000 s ago, max_age is 86400 s"),
    ],
    ids=["no token", "forged", "future", "old"],
)
def test_an_operator_learns_why(text: str, now: float, detail: str) -> None:
    """What the log says of a refused token: which rule, and by how much."""
    with pytest.raises((BadToken, StaleToken)) as caught:
        read(text, now=now)
    assert caught.value.detail == detail


# --- what may not change from release to release --------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "EDplU_EATk5OTk5OTk5OTk5OTk5OThUjU1msvhdfk15Mn6cOAR0ifUBT"),
        (
            {"on_edit": "confirm", "unbound": True},
            "GTplU_EATk5OTk5OTk5OTk5OTk5OToas2k-bMMjw6D7foP-iJ_LlAT6D",
        ),
        (
            {"on_edit": "refuse", "had_headers": True, "scope": "/buy"},
            "FjplU_EATk5OTk5OTk5OTk5OTk5OTn9pjKB-v9ggNGsw1ZZlqR5E0F36",
        ),
    ],
)
def test_tokens_outlive_a_release(changes: dict[str, Any], text: str) -> None:
    """A page that was open during the update sends the token of the release before."""
    assert made(**changes) == text
    assert read(text, scope=changes.get("scope", "")).nonce == NONCE


def test_rows_outlive_a_release() -> None:
    """A token finds the row that the release before made for it."""
    assert read(made()).ledger_id("app").hex() == "6553f10092235f9185cd42a65c5484dc"


def test_what_is_said_by_saying_nothing() -> None:
    """A plain token: any path, edits are new submissions, bound to a visitor, no headers seen."""
    token = verify(RING, made(), now=NOW, max_age=DAY)
    assert (token.on_edit, token.unbound, token.had_headers) == ("new", False, False)
    assert get_args(OnEdit) == EDITS == ("new", "confirm", "refuse")
    assert FIELD == "so_token"


# --- rotation -------------------------------------------------------------------------------------


def test_rotation() -> None:
    """Tokens of both secrets are read while both are listed, in any order, and then no more."""
    new, old = Keyring.make([NEW], "app"), Keyring.make([OLD], "app")
    for both in (Keyring.make([NEW, OLD], "app"), Keyring.make([OLD, NEW], "app")):
        for text in (made(new), made(old)):
            assert read(text, both).belongs_to(VISITOR)
    with pytest.raises(BadToken):
        read(made(old), new)


def test_two_secrets_with_one_kid() -> None:
    """A rotation works also where the short ids of both keys happen to be equal."""
    others = (b"%032d" % number for number in count())
    twin = next(s for s in others if Keyring.make([s], "app").current.kid == RING.current.kid)
    both = Keyring.make([twin, NEW], "app")
    assert read(made(), both).key is both.keys[1]
    assert read(made(both), both).key is both.keys[0]


# --- the ledger's key and what is stored ----------------------------------------------------------


def test_the_ledger_id_is_ordered_by_time() -> None:
    """Issue time first: rows expire in key order."""
    ids = [read(made(now=NOW + n), now=NOW + n).ledger_id("app") for n in (0, 1, 255, 65_536)]
    assert ids == sorted(ids)
    assert {len(one) for one in ids} == {16}
    assert ids[0][:4] == NOW.to_bytes(4, "big")


def test_the_ledger_id_depends_on_namespace_and_nonce() -> None:
    """Two apps that share a store, and two tokens of one second, never share a row."""
    one, two = read(made()), read(made(nonce=b"M" * 16))
    assert len({one.ledger_id("app"), one.ledger_id("shop"), two.ledger_id("app")}) == 3


def test_what_is_stored_tells_nothing() -> None:
    """Neither nonce nor cookies are in what a store sees; without the secret nothing compares."""
    token = read(made())
    stolen = Keyring.make([OLD], "app")
    theirs = read(made(stolen), stolen)
    assert NONCE[:8] not in token.ledger_id("app")
    assert visitor_id(VISITOR) != session_id(VISITOR)
    assert VISITOR[:8] not in visitor_id(VISITOR) + session_id(VISITOR)
    assert fingerprint(token, b"password") != fingerprint(theirs, b"password")
    assert echo_digest(RING, VISITOR, b"password") != echo_digest(stolen, VISITOR, b"password")


def test_fingerprints_compare_within_a_token_only() -> None:
    """Equal input has one fingerprint under one token, and another under every other token."""
    one, two = read(made()), read(made(nonce=b"M" * 16))
    assert fingerprint(one, b"input") == fingerprint(read(made()), b"input")
    assert fingerprint(one, b"input") != fingerprint(one, b"inpuT")
    assert fingerprint(one, b"input") != fingerprint(two, b"input")
    assert len(fingerprint(one, b"input")) == 16


def test_the_echo_compares_within_a_visitor_only() -> None:
    """Equal input of one visitor is recognised under any token, that of two visitors never."""
    digests = {
        echo_digest(RING, who, what) for who in (VISITOR, b"w" * 16) for what in (b"a", b"b")
    }
    assert len(digests) == 4
    assert {len(digest) for digest in digests} == {16}


@pytest.mark.parametrize("on_edit", EDITS)
def test_variant(on_edit: OnEdit) -> None:
    """Under "new" each input has a row of its own; otherwise all inputs compete for one row."""
    token = read(made(on_edit=on_edit))
    variants = {variant(token, fingerprint(token, what)) for what in (b"a", b"b", b"c")}
    assert len(variants) == (3 if on_edit == "new" else 1)
    assert (ONE_ROW in variants) is (on_edit != "new")
