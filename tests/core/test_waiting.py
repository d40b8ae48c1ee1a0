"""The waiting page: its address names a submission under a MAC, and says what became of it."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seeother.core.entry import Entry, greet
from seeother.core.keys import Keyring
from seeother.core.ops import InDoubt, InFlight, Lookup, Settled, Unknown
from seeother.core.policy import Policy
from seeother.core.values import ACCEPTED, Key, Outcome, Request
from seeother.core.waiting import (
    Awaited,
    Fate,
    Waited,
    cut_wait,
    open_wait,
    sign_wait,
    wait_for,
    waited,
)

RING = Keyring.make([b"s" * 32], "tests")
OTHER = Keyring.make([b"t" * 32], "tests")
KEY = Key(b"i" * 16, b"v" * 16)
NAMED = Awaited(KEY, KEY.variant)
OUTCOME = Outcome(ACCEPTED, 303, "/done")
sixteen = st.binary(min_size=16, max_size=16)
submissions = st.builds(Awaited, st.builds(Key, sixteen, sixteen), sixteen) | sixteen.map(
    lambda sent: Awaited(Key(b"i" * 16, sent), sent)
)


@given(submissions)
def test_an_address_names_its_submission(named: Awaited) -> None:
    """What was signed is read again, as the very same, and is nothing but URL-safe letters."""
    text = sign_wait(RING, named)
    assert open_wait(RING, text) == named
    assert text.isascii() and text.replace(".", "").replace("-", "").replace("_", "").isalnum()


@given(submissions, st.integers(2, 54), st.sampled_from("AZaz09-_"))
def test_nobody_asks_about_what_he_did_not_send(named: Awaited, at: int, letter: str) -> None:
    """A letter changed anywhere, and it is no address of ours: no store is asked about it."""
    text = sign_wait(RING, named)
    forged = text[:at] + letter + text[at + 1 :]
    assert open_wait(RING, forged) == (named if forged == text else None)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda t: t[:-1],
        lambda t: t + "A",
        lambda t: t + "=",
        lambda t: t[2:],
        lambda t: "x." + t[2:],
        lambda t: t.upper(),
        lambda _t: "w.",
        lambda _t: "",
    ],
    ids=["cut", "longer", "padded", "no prefix", "x", "upper case", "prefix only", "empty"],
)
def test_only_the_one_spelling(spoil: Any) -> None:
    """Shorter, longer, padded, without its prefix: not ours."""
    assert open_wait(RING, spoil(sign_wait(RING, NAMED))) is None


def test_keys_of_others_and_rotated_keys() -> None:
    """Another secret or namespace opens nothing; an old key still does while it is in the ring."""
    text = sign_wait(RING, NAMED)
    assert open_wait(OTHER, text) is None
    assert open_wait(Keyring.make([b"s" * 32], "another"), text) is None
    assert open_wait(Keyring.make([b"t" * 32, b"s" * 32], "tests"), text) == NAMED


# In a query ---------------------------------------------------------------------------------------

pairs = st.lists(
    st.sampled_from([b"a=1", b"so", b"so=", b"so=w.", b"so=w.x", b"so=mine", b"xso=w.y", b"", b"%"])
)


@given(pairs, st.integers(0, 8))
def test_all_other_bytes_stay(others: list[bytes], at: int) -> None:
    """Wherever the mark stands: it is found and taken out, and nothing else changes."""
    mark = f"so={sign_wait(RING, NAMED)}".encode()
    query = b"&".join([*others[:at], mark, *others[at:]])
    assert cut_wait(RING, query, "so") == (b"&".join(others), NAMED)


@given(pairs)
def test_a_query_without_a_mark_is_left_alone(others: list[bytes]) -> None:
    """Byte for byte, whatever looks like a mark in it."""
    query = b"&".join(others)
    assert cut_wait(RING, query, "so") == (query, None)
    signed = f"so={sign_wait(RING, NAMED)}".encode()
    assert cut_wait(RING, signed, None) == (signed, None)
    assert cut_wait(RING, signed, "other") == (signed, None)
    assert cut_wait(OTHER, signed, "so") == (signed, None)


# The redirect to it, and what it says -------------------------------------------------------------


def entry(query: bytes = b"") -> Entry:
    """A submission that has waited too long."""
    policy = Policy.of({"secret": "s" * 32, "namespace": "tests"})
    request = Request("POST", "http", "h", "/root", "/a%20b", query, (), 0.0, lambda n: b"x" * n)
    greeting = replace(greet(request, policy), request=request)
    return Entry(greeting, KEY, b"f" * 16, b"c" * 16, b"")


@pytest.mark.parametrize("query", [b"", b"page=2"])
def test_a_post_is_sent_to_wait_on_its_own_path(query: bytes) -> None:
    """303 to the same path and query, plus the address; never stored."""
    policy = Policy.of({"secret": "s" * 32, "namespace": "tests"})
    answer = wait_for(entry(query), policy)
    location = answer.header(b"location") or ""
    path, _, rest = location.partition("?")
    assert (answer.status, path) == (303, "/root/a%20b")
    assert cut_wait(policy.ring, rest.encode(), policy.mark) == (query, Awaited(KEY, b"f" * 16))
    assert answer.header(b"cache-control") == "no-store"


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (Settled(OUTCOME, 1.0), Waited(Fate.SETTLED, OUTCOME)),
        (InFlight(), Waited(Fate.RUNNING)),
        (InDoubt(), Waited(Fate.IN_DOUBT)),
        (Unknown(), Waited(Fate.GONE)),
    ],
)
def test_what_became_of_it(reply: Any, expected: Waited) -> None:
    """One read of the ledger, and its answer in one word."""
    flow = waited(NAMED, Policy.of({"secret": "s" * 32}))
    op = next(flow)
    assert isinstance(op, Lookup)
    assert (op.key, op.fingerprint) == (KEY, KEY.variant)
    with pytest.raises(StopIteration) as end:
        flow.send(reply)
    assert end.value.value == expected
