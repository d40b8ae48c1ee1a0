"""The cookies of an outcome come back, but only where that can roll nothing back."""

from dataclasses import replace

import pytest

from seeother.core.again import SECONDS, cookies_again, keep_cookies
from seeother.core.entry import Entry

from .arrivals import NOW, POLICY, STRANGER, admitted, arrival, from_visitor, token, visitor_cookie

LINES = (b"session=new; Path=/; HttpOnly", b"hint=1; Path=/; Max-Age=300")


def submission(cookies: str = "", *, visitor: bytes | None = None, now: float = NOW) -> Entry:
    """The same form, sent with these further cookies."""
    mine = visitor_cookie() if visitor is None else visitor_cookie(visitor=visitor)
    headers = from_visitor({"cookie": "; ".join(filter(None, (mine, cookies)))})
    named = token() if visitor is None else token(visitor=visitor)
    return admitted(arrival(headers=headers, now=now), ("a", "1"), token=named)


def test_the_same_browser_gets_them_again() -> None:
    """Right afterwards, with the cookies it had: every line as it was."""
    kept = keep_cookies(submission("session=old"), LINES, POLICY)
    assert cookies_again(submission("session=old"), kept, POLICY) == LINES
    late = submission("session=old", now=NOW + SECONDS)
    assert cookies_again(late, kept, POLICY) == LINES


@pytest.mark.parametrize(
    "again",
    [
        pytest.param(submission("session=old", visitor=STRANGER), id="another visitor"),
        pytest.param(submission("session=old", now=NOW + SECONDS + 1), id="after two minutes"),
        pytest.param(submission("session=newer"), id="a newer cookie"),
        pytest.param(submission(), id="signed out since"),
        pytest.param(submission("session=old; hint=1"), id="one of them arrived"),
        pytest.param(replace(submission("session=old"), who="bob"), id="somebody else"),
    ],
)
def test_nobody_else_and_never_over_newer_ones(again: Entry) -> None:
    """Another visitor, later, or with other cookies of these names: nothing."""
    kept = keep_cookies(submission("session=old"), LINES, POLICY)
    assert kept
    assert cookies_again(again, kept, POLICY) == ()


def test_what_is_kept_tells_nothing() -> None:
    """Sealed under the visitor's cookie: no value of a cookie stands in the ledger."""
    kept = keep_cookies(submission("session=old"), LINES, POLICY)
    assert b"new" not in kept
    assert b"old" not in kept


def test_nothing_is_kept_for_nobody() -> None:
    """Without lines, without a token or without a visitor there is nothing to keep or to give."""
    assert keep_cookies(submission(), (), POLICY) == b""
    bare = admitted(arrival(headers={}), ("a", "1"))
    assert keep_cookies(bare, LINES, POLICY) == b""
    unnamed = admitted(arrival(headers=from_visitor()), ("a", "1"))
    assert keep_cookies(unnamed, LINES, POLICY) == b""
    assert cookies_again(submission(), b"", POLICY) == ()
    kept = keep_cookies(submission(), LINES, POLICY)
    damaged = kept[:-1] + bytes([kept[-1] ^ 1])
    assert cookies_again(submission(), damaged, POLICY) == ()
    stranger = replace(submission(), greeting=replace(submission().greeting, visitor=None))
    assert cookies_again(stranger, kept, POLICY) == ()
