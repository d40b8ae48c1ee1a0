"""The visit without a server: what a view says in it, what it leaves, what is said in its place.

Adapters build their verbs of these; what is asked here holds under every one of them.
"""

import logging
from dataclasses import replace
from typing import Any

import pytest

from seeother.core.cookie import SetCookie
from seeother.core.entry import greet
from seeother.core.ops import InDoubt, InFlight, Lookup, Opened, Settled, Taken, Unknown
from seeother.core.policy import Policy
from seeother.core.record import Verdict, record
from seeother.core.values import ACCEPTED, Flash, Handled, Outcome, Response
from seeother.core.waiting import Awaited, wait_for
from seeother.errors import Interrupted, OutcomeUnknown
from seeother.visit import Html, Visit
from seeother.visit_answers import watch
from tests.core.arrivals import FORM, POLICY, VISITOR, entropy, token
from tests.core.conversation import converse
from tests.core.flow_turns import DONE, ENTRY, RECEIPT, arrived, greeted

BODY = b"message=hello"
MARKED = greeted(mark=RECEIPT)


def posting(policy: Policy = POLICY, **more: Any) -> Visit:
    """A visit whose form was read."""
    request = replace(arrived(content_type=FORM, **more), entropy=entropy())
    visit = Visit(greet(request, policy), policy)
    visit.submit(BODY + f"&so_token={token(policy)}".encode())
    return visit


def reading(policy: Policy = POLICY, **opened: Any) -> Visit:
    """A visit of a page with a mark, and what was fetched for it."""
    visit = Visit(MARKED, policy)
    visit.begin(Opened(**opened), (Taken(RECEIPT, (Flash("Posted."),)),))
    return visit


# Messages -----------------------------------------------------------------------------------------


def test_looking_at_messages_consumes_nothing() -> None:
    """Those for this page and those that it leaves, or the first alone; none is shown by that."""
    visit = reading()
    visit.flash("Later.", "note")
    assert visit.waiting() == (Flash("Posted."), Flash("Later.", "note"))
    assert visit.waiting(given=False) == (Flash("Posted."),)
    left = visit.handled(Response(200))
    assert (left.shown, left.flashes) == (False, (Flash("Later.", "note"),))


def test_what_is_shown_is_not_left() -> None:
    """A message of this very page is shown with the others, and stays for nobody."""
    visit = reading()
    visit.flash("Now.")
    assert visit.flashes() == (Flash("Posted."), Flash("Now."))
    left = visit.handled(Response(200))
    assert (left.shown, left.flashes) == (True, ())


def test_a_framework_says_what_is_left() -> None:
    """Exactly these, whatever was left before."""
    visit = reading()
    visit.flash("Not this.")
    visit.leave([Flash("This.")])
    assert visit.handled(Response(200)).flashes == (Flash("This."),)


@pytest.mark.parametrize(
    ("flash", "left"),
    [
        (None, ()),
        ("Done.", (Flash("Done."),)),
        (("Done.", "success"), (Flash("Done.", "success"),)),
        (Flash("Done.", "success", "/1"), (Flash("Done.", "success", "/1"),)),
    ],
)
def test_a_redirect_brings_a_message(flash: Any, left: tuple[Flash, ...]) -> None:
    """As a text, as text and category, or whole."""
    visit = posting()
    response = visit.see_other("/list", flash=flash)
    assert (response.status, response.header(b"location")) == (303, "/list")
    assert visit.handled(response).flashes == left


def test_a_new_session_is_one() -> None:
    """Until one was opened."""
    assert reading().session_is_new
    assert not reading(session=()).session_is_new


def test_markup_says_that_it_is_markup() -> None:
    """Template engines ask `__html__`, and leave it alone."""
    field = posting().field()
    assert isinstance(field, Html)
    assert field.__html__() == str(field)
    assert field.startswith('<input type="hidden" name="so_token" value="')


# Drafts and people --------------------------------------------------------------------------------


def someone(name: str | None) -> Policy:
    """A policy that knows who is signed in."""
    return replace(POLICY, identity=lambda _: name)


@pytest.mark.parametrize(
    ("wrote", "reads", "opens"),
    [
        ("ann", "ann", True),
        ("ann", "bob", False),
        ("ann", None, False),
        (None, None, True),
        (None, "ann", True),
    ],
)
def test_a_draft_is_for_who_wrote_it(wrote: str | None, reads: str | None, *, opens: bool) -> None:
    """What nobody in particular typed survives a sign-in; what ann typed is never bob's."""
    # A draft is sealed under its receipt's id, which is what the mark of the next page names.
    visit = posting(someone(wrote))
    assert visit.entry is not None
    handled = visit.handled(visit.see_other("/form", draft={"message": "Too short."}))
    receipt = record(visit.entry, handled, Verdict.REJECT, visit.policy).receipt
    assert receipt is not None
    page = Visit(greeted(mark=receipt.id), someone(reads))
    page.begin(Opened(draft=receipt.draft), ())
    found = page.draft
    assert (found is not None) is opens
    if found is not None:
        assert (found.old("message"), found.error("message")) == ("hello", "Too short.")


def test_there_is_no_draft_without_a_mark() -> None:
    """Or without anything kept under it."""
    assert Visit(MARKED, POLICY).draft is None
    unmarked = Visit(greeted(), POLICY)
    unmarked.begin(Opened(draft=b"sealed"), ())
    assert unmarked.draft is None


def test_somebody_else_gets_another_cookie() -> None:
    """Signed out or signed in: the browser is a new visitor from this answer on."""
    visit = posting()
    visit.renew()
    left = visit.handled(Response(200))
    assert left.visitor is not None and left.visitor != VISITOR
    assert [one.name for one in left.cookies] == [visit.greeting.names.visitor]
    assert posting().handled(Response(200)).cookies == ()


def test_what_had_no_effect_renews_nobody() -> None:
    """With the effect goes all that the view left: messages, session and the new visitor."""
    visit = posting()
    visit.flash("Done.")
    visit.session["a"] = 1
    visit.renew()
    visit.forget()
    assert visit.handled(Response(200)) == Handled(Response(200))
    visit.flash("Again.")
    visit.forget()
    assert visit.handled(Response(200)).flashes == ()


def test_nobody_is_not_renewed() -> None:
    """Who has no cookie yet has left nothing behind."""
    visit = Visit(replace(MARKED, visitor=None), POLICY)
    visit.renew()
    assert visit.handled(Response(200)) == Handled(Response(200))


# Unprotected --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("policy", "prepare", "status", "said"),
    [
        (replace(POLICY, mode="fenced"), None, 303, True),
        (replace(POLICY, mode="joined"), None, 200, True),
        (replace(POLICY, mode="fenced"), "ran", 303, False),
        (replace(POLICY, mode="fenced"), None, 400, False),
        (replace(POLICY, mode="hooked"), None, 303, False),
        (POLICY, None, 303, False),
    ],
)
def test_an_effect_outside_of_once_is_noticed(
    policy: Policy,
    prepare: str | None,
    status: int,
    *,
    said: bool,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Where the app promised `once` and a submission was answered without it, the log says so."""
    visit = posting(policy)
    assert visit.entry is not None
    if prepare is not None:
        visit.running = visit.entry.key
    with caplog.at_level(logging.WARNING, "seeother"):
        visit.handled(Response(status))
    lines = [one.getMessage() for one in caplog.records]
    assert lines == (["unprotected: POST /form was answered without once()"] if said else [])


def test_a_page_is_no_effect(caplog: pytest.LogCaptureFixture) -> None:
    """Nothing was submitted: nothing is said."""
    with caplog.at_level(logging.WARNING, "seeother"):
        Visit(MARKED, replace(POLICY, mode="fenced")).handled(Response(200))
    assert caplog.records == []


def test_what_once_settled_keeps_its_cookies() -> None:
    """Nothing else is left to be written; the visit's own cookies win where names are equal."""
    visit = Visit(replace(MARKED, visitor=None), POLICY)
    visit.field()
    name = visit.greeting.names.visitor
    old, theirs = SetCookie(name, "old", secure=False), SetCookie("theirs", "1", secure=False)
    visit.settled = (old, theirs)
    left = visit.handled(Response(303))
    assert left.final
    assert {one.name: one.value == "old" for one in left.cookies} == {name: False, "theirs": False}


# The waiting page ---------------------------------------------------------------------------------

AWAITED = Awaited(ENTRY.key, ENTRY.fingerprint)
LOOK = Lookup(ENTRY.key, ENTRY.fingerprint, POLICY.patience)


def watching(reply: object) -> Any:
    """What a waiting page answers when the store says this."""
    url = wait_for(ENTRY, POLICY).header(b"location")
    assert url is not None
    visit = Visit(greet(arrived("GET", url), POLICY), POLICY)
    return converse(visit.flow(), (LOOK, reply))


def test_a_waiting_page_asks_again() -> None:
    """While somebody runs it."""
    answer = watching(InFlight())
    assert (answer.word, answer.response.status) == ("waiting", 200)
    assert answer.response.header(b"refresh") is not None


def test_a_waiting_page_becomes_the_outcome() -> None:
    """A redirect to where the first one went; or, without a Location, "this was done"."""
    answer = watching(Settled(DONE, 1.0))
    assert (answer.word, answer.response.status) == ("page", 303)
    assert answer.response.header(b"location") == "/done"
    done = watching(Settled(Outcome(ACCEPTED, 200), 1.0)).response
    assert done.header(b"location") is None
    assert b"already" in done.body


@pytest.mark.parametrize(
    ("reply", "error"), [(InDoubt(), OutcomeUnknown), (Unknown(), Interrupted)]
)
def test_a_waiting_page_may_end_badly(reply: object, error: type[Exception]) -> None:
    """In doubt, or gone without an effect: each is told as what it is."""
    with pytest.raises(error):
        watching(reply)


def test_watching_is_reading_of_a_page_only() -> None:
    """A form that is posted to such an address is a submission like any other."""
    url = wait_for(ENTRY, POLICY).header(b"location")
    assert url is not None
    flow = watch(Visit(MARKED, POLICY), AWAITED)
    assert converse(flow, (LOOK, Settled(DONE, 1.0))).response.status == 303
    posted = Visit(greet(arrived("POST", url), POLICY), POLICY)
    with pytest.raises(AssertionError, match="instead of"):
        converse(posted.flow(), (LOOK, InFlight()))
