"""The start of a visit: what is read and named, and what passes without a name, and how far."""

from dataclasses import replace
from typing import Any

import pytest

from seeother.core.entry import greet
from seeother.core.policy import Policy
from seeother.errors import BadForm, CrossSite, Refused, TokenRequired, UnsupportedForm
from seeother.visit import Visit
from tests.core.arrivals import FORM, POLICY, admitted, arrival, token
from tests.core.flow_turns import SID, arrived

LATIN = f"{FORM}; charset=iso-8859-1"
NO_UTF8 = b"a=%ff"


def started(policy: Policy = POLICY, *, explicit: bool = False, **more: Any) -> Visit:
    """A visit of a same-origin POST, before its body is read."""
    visit = Visit(greet(arrived(**{"content_type": FORM, **more}), policy), policy)
    visit.explicit = explicit
    return visit


def unproved(policy: Policy = POLICY) -> Visit:
    """A POST of an old browser: nothing but a token could prove where it comes from."""
    request = arrival(headers={"content-type": LATIN, "cookie": "session=1"})
    visit = Visit(greet(request, policy), policy)
    visit.explicit = False
    return visit


def test_a_form_is_read_and_named() -> None:
    """As `admit` names it, with who the request says it is from."""
    visit = started(session=True)
    visit.submit(f"message=hello&so_token={token()}".encode())
    expected = admitted(arrived(content_type=FORM), ("message", "hello"), token=token())
    assert visit.entry is not None
    assert (visit.entry.key, visit.entry.who) == (expected.key, f" {SID.hex()}")
    assert visit.form.get("message") == "hello"
    assert visit.claims


def test_a_body_that_is_none_is_no_form() -> None:
    """It gets a name, lest it run twice, and there is nothing in its form."""
    visit = started()
    visit.submit(None)
    assert visit.entry is not None and not visit.entry.named
    assert len(visit.form) == 0


@pytest.mark.parametrize("mode", [None, "separate"])
def test_zero_code_an_unreadable_form_passes(mode: Any) -> None:
    """The app may have a parser for it; here nobody claims it, and asking for it fails."""
    visit = started(replace(POLICY, mode=mode), content_type=LATIN)
    visit.submit(b"a=%e9")
    assert visit.entry is None and not visit.claims
    with pytest.raises(UnsupportedForm):
        _ = visit.form


@pytest.mark.parametrize(
    ("mode", "explicit"), [(None, True), ("separate", True), ("joined", False), ("fenced", False)]
)
@pytest.mark.parametrize(("kind", "body"), [(LATIN, b"a=%e9"), (FORM, NO_UTF8)])
def test_where_views_rely_on_the_form_it_is_refused(
    mode: Any, kind: str, body: bytes, *, explicit: bool
) -> None:
    """What cannot be read without guessing is not guessed at."""
    visit = started(replace(POLICY, mode=mode), explicit=explicit, content_type=kind)
    with pytest.raises(Refused):
        visit.submit(body)
    assert visit.entry is None


def test_zero_code_a_form_that_is_no_utf8_is_a_submission() -> None:
    """Its bytes name it, whatever they mean; asking for its texts fails."""
    visit = started()
    visit.submit(NO_UTF8)
    assert visit.entry is not None
    with pytest.raises(BadForm, match="not UTF-8"):
        _ = visit.form


def test_what_passes_unread_may_be_asked_for_a_token() -> None:
    """And it has none that anybody could read."""
    visit = started(replace(POLICY, require_token=True), content_type=LATIN)
    with pytest.raises(TokenRequired, match=r"^the form cannot be read: .*charset"):
        visit.submit(b"a=%e9")


def test_what_passes_unread_was_judged_all_the_same() -> None:
    """Where a token would have had to prove the origin it is refused."""
    with pytest.raises(CrossSite, match="nothing but a token"):
        unproved().submit(b"a=%e9")


def test_a_path_that_is_switched_off() -> None:
    """Nothing is read and nothing named; only its origin is judged."""
    policy = replace(POLICY, off=("/form",))
    visit = started(policy)
    visit.submit(f"message=hello&so_token={token(policy)}".encode())
    assert visit.entry is None and len(visit.form) == 0 and not visit.claims
    assert not started(replace(POLICY, off=("/other",))).off
    with pytest.raises(CrossSite):
        unproved(policy).submit(b"a=1")
