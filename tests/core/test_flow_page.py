"""A page, answered by hand: what is fetched for it, what it leaves, where its messages go."""

from dataclasses import replace
from typing import Any

import pytest

from seeother.core.cookie import SetCookie
from seeother.core.entry import Greeting, greet
from seeother.core.fetching import insist
from seeother.core.fingerprint import session_id, visitor_id
from seeother.core.flows import Answer, page
from seeother.core.mark import named, sign
from seeother.core.ops import (
    Busy,
    Close,
    Done,
    Handle,
    Open,
    Opened,
    Pause,
    Paused,
    Report,
    Take,
    Taken,
)
from seeother.core.record import hint_cookie, judge_answer, record, record_page
from seeother.core.values import Changes, Flash, Handled, KeptPage, Response, SessionWrite
from seeother.errors import StoreBusy, StoreDown
from tests.core.arrivals import POLICY, VISITOR, arrival
from tests.core.conversation import Turn, converse
from tests.core.flow_turns import (
    BARE,
    BUSY,
    DOWN,
    EVENT,
    POSTED,
    RECEIPT,
    SID,
    STUBBORN,
    arrived,
    entered,
    greeted,
    steady,
)

PAGE = Handled(Response(200, ((b"content-type", b"text/html"),), b"<p>hello"))
SHOWN = replace(PAGE, shown=True)
MARKED = greeted(mark=RECEIPT)
OPEN = Open(visitor_id(VISITOR), None, RECEIPT, messages=True)
WAITING = Opened(waiting=(RECEIPT, b"87654321"))
TAKE = Take(visitor_id(VISITOR), WAITING.waiting, EVENT, 60.0)
TAKEN = (Taken(RECEIPT, (Flash("Posted."),)), Taken(b"87654321", (Flash("Twice."),)))
HANDLE = Handle(opened=WAITING, taken=TAKEN)
ANNOUNCED: list[Turn] = [(OPEN, WAITING), (TAKE, TAKEN)]
WRITE = SessionWrite(b"sid", Changes((("a", b"1"),)))
UNSEEN = Report("unacknowledged")


def rest(limit: float, nap: float = 0.002, seconds: float | None = None) -> Turn:
    """A pause between two questions to a busy store."""
    return Pause(None, nap, limit), Paused(limit if seconds is None else seconds)


def test_an_answer_is_a_value() -> None:
    """Frozen, and a page's where nobody says otherwise."""
    assert Answer(BARE) == Answer(BARE, "page", (), None)
    assert hash(Answer(BARE)) == hash(Answer(BARE))
    assert not hasattr(Answer(BARE), "__dict__")


# What is fetched ----------------------------------------------------------------------------------


def stranger(method: str = "GET", url: str = "/list") -> Greeting:
    """A page for somebody without any cookie."""
    return greet(steady(arrival(method, url, {})), POLICY)


@pytest.mark.parametrize(
    "greeting",
    [greeted(), stranger(), greet(arrived("POST"), POLICY)],
    ids=["page", "none", "POST"],
)
def test_a_page_with_nothing_to_fetch_asks_nothing(greeting: Greeting) -> None:
    """No mark, no session, no hint: the view alone."""
    answer = converse(page(greeting, POLICY), (Handle(opened=Opened()), PAGE))
    assert answer == Answer(PAGE.response, "page", (), PAGE)


def hinted(**more: str) -> Greeting:
    """A page of the visitor, whose browser knows that a message waits."""
    hint = hint_cookie(greeted())[0].name
    request = arrived("GET", "/list")
    headers = tuple(
        (name, value + f"; {hint}=1".encode() if name == b"cookie" else value)
        for name, value in request.headers
    )
    lines = tuple((name.replace("_", "-").encode(), value.encode()) for name, value in more.items())
    return greet(replace(request, headers=(*headers, *lines)), POLICY)


def without_visitor(greeting: Greeting) -> Greeting:
    """The same request, whose visitor cookie is gone."""
    return replace(greeting, visitor=None)


def test_a_page_waits_for_one_that_was_thrown_away() -> None:
    """Its message is leased elsewhere: it asks again until that is given back, and takes it."""
    away = Opened(elsewhere=True)
    turns = [(OPEN, away), rest(0.5, 0.002, 0.3), (OPEN, away), rest(0.2, 0.004, 0.1)]
    shown = Close(shown=WAITING.waiting, lease_id=EVENT)
    got = converse(page(MARKED, POLICY), *turns, *ANNOUNCED, (HANDLE, SHOWN), (shown, Done()))
    assert got.response.status == 200


def test_a_page_does_not_wait_for_ever() -> None:
    """After half a second the message is somebody else's, and the page comes without it."""
    away = Opened(elsewhere=True)
    turns: list[Turn] = [(OPEN, away), rest(0.5), (OPEN, away), (Handle(opened=away), PAGE)]
    assert converse(page(MARKED, POLICY), *turns).response == PAGE.response


@pytest.mark.parametrize(
    ("greeting", "question"),
    [
        pytest.param(MARKED, OPEN, id="mark"),
        pytest.param(
            greeted(session=True),
            Open(visitor_id(VISITOR), session_id(SID), None, messages=True, orphans=True),
            id="session",
        ),
        pytest.param(
            greeted(mark=RECEIPT, session=True),
            Open(visitor_id(VISITOR), session_id(SID), RECEIPT, messages=True, orphans=True),
            id="both",
        ),
        pytest.param(hinted(), Open(visitor_id(VISITOR), messages=True, orphans=True), id="hint"),
        pytest.param(
            without_visitor(greeted(session=True)),
            Open(None, session_id(SID), messages=True),
            id="session without a visitor",
        ),
        pytest.param(
            greet(arrived(session=True), POLICY),
            Open(visitor_id(VISITOR), session_id(SID)),
            id="POST",
        ),
    ],
)
def test_what_a_page_asks_for(greeting: Greeting, question: Open) -> None:
    """Its session, what lies under its mark, and what waits elsewhere if it may take that."""
    opened = Opened((("a", b"1"),), b"draft", (), 5.0)
    turns: list[Turn] = [(question, opened), (Handle(opened=opened), PAGE)]
    assert converse(page(greeting, POLICY), *turns).response == PAGE.response


def test_without_marks_a_message_is_an_orphan_at_once() -> None:
    """No page has it under its own address, so the next one may take it without a wait."""
    unmarked = replace(POLICY, mark=None)
    question = Open(visitor_id(VISITOR), messages=True, orphans=True, orphan_age=0.0)
    turns: list[Turn] = [(question, Opened()), (Handle(opened=Opened()), PAGE)]
    assert converse(page(hinted(), unmarked), *turns).response == PAGE.response


@pytest.mark.parametrize(
    "greeting",
    [
        without_visitor(MARKED),
        without_visitor(hinted()),
        hinted(accept="application/json"),
    ],
    ids=["mark", "hint", "no page"],
)
def test_what_nobody_can_open_is_not_asked_for(greeting: Greeting) -> None:
    """A mark or a hint without the visitor's cookie; what waits elsewhere, for a script."""
    turn: Turn = (Handle(opened=Opened()), PAGE)
    assert converse(page(greeting, POLICY), turn).response == PAGE.response


# Its messages -------------------------------------------------------------------------------------


def test_a_page_takes_and_acknowledges() -> None:
    """Under one lease id of its own, for a minute."""
    close = Close(shown=WAITING.waiting, lease_id=EVENT)
    answer = converse(page(MARKED, POLICY), *ANNOUNCED, (HANDLE, SHOWN), (close, Done()))
    kept = record_page(MARKED, SHOWN, TAKEN, POLICY)
    assert answer == Answer(kept.response, "page", kept.cookies, SHOWN)


def test_a_page_gives_back_what_it_did_not_show() -> None:
    """The next one shows it."""
    close = Close(unshown=WAITING.waiting, lease_id=EVENT)
    answer = converse(page(MARKED, POLICY), *ANNOUNCED, (HANDLE, PAGE), (close, Done()))
    assert answer.response == PAGE.response


def test_a_page_that_raises_gives_back_everything() -> None:
    """And raises; where nothing was taken there is nothing to say."""
    close = Close(unshown=WAITING.waiting, lease_id=EVENT)
    with pytest.raises(KeyError):
        converse(page(MARKED, POLICY), *ANNOUNCED, (HANDLE, KeyError("x")), (close, Done()))
    with pytest.raises(KeyError):
        converse(page(greeted(), POLICY), (Handle(opened=Opened()), KeyError("x")))


def test_another_page_was_faster() -> None:
    """Nothing was left to be taken: the page goes without."""
    turns: list[Turn] = [(OPEN, WAITING), (TAKE, ()), (Handle(opened=WAITING), PAGE)]
    assert converse(page(MARKED, POLICY), *turns).response == PAGE.response


def test_a_busy_store_costs_the_message_and_not_the_page() -> None:
    """It is asked for two seconds, or for the patience where that is shorter."""
    alone: Turn = (Handle(opened=WAITING), PAGE)
    turns: list[Turn] = [(OPEN, WAITING), (TAKE, Busy()), rest(2.0), (TAKE, Busy()), alone]
    assert converse(page(MARKED, POLICY), *turns).response == PAGE.response
    hasty = replace(POLICY, patience=0.5)
    turns = [(OPEN, WAITING), (TAKE, Busy()), rest(0.5), (TAKE, Busy()), alone]
    assert converse(page(MARKED, hasty), *turns).response == PAGE.response
    turns = [(OPEN, WAITING), (TAKE, DOWN), alone]
    assert converse(page(MARKED, POLICY), *turns).response == PAGE.response


def test_without_a_visitor_nothing_is_taken() -> None:
    """Receipts belong to visitors; a store that names some to nobody is not asked for them."""
    greeting = without_visitor(greeted(session=True))
    turns: list[Turn] = [(Open, WAITING), (Handle(opened=WAITING), PAGE)]
    assert converse(page(greeting, POLICY), *turns).response == PAGE.response


# What it leaves -----------------------------------------------------------------------------------


@pytest.mark.parametrize("left", ["session", "message"])
def test_what_a_page_leaves_is_written(left: str) -> None:
    """Before it goes out; a page whose session could not be written is no success."""
    with_message = replace(PAGE, flashes=(Flash("Later."),))
    handled = replace(PAGE, session=WRITE) if left == "session" else with_message
    kept = record_page(greeted(), handled, (), POLICY)
    assert kept.close is not None and kept.close.lease_id == b""
    ran: Turn = (Handle(opened=Opened()), handled)
    answer = converse(page(greeted(), POLICY), ran, (kept.close, Done()))
    assert answer == Answer(kept.response, "page", kept.cookies, handled)
    with pytest.raises(StoreDown):
        converse(page(greeted(), POLICY), ran, (kept.close, DOWN))
    with pytest.raises(StoreBusy, match=r"^what the visit left could not be written$"):
        converse(page(greeted(), STUBBORN), ran, (kept.close, Busy()))
    busy: list[Turn] = [(kept.close, Busy()), rest(10.0), (kept.close, Busy())]
    with pytest.raises(StoreBusy, match=r"^what the visit left could not be written$"):
        converse(page(greeted(), POLICY), ran, *busy)
    late = [*busy[:1], rest(10.0, seconds=1.0), (kept.close, Done())]
    assert converse(page(greeted(), POLICY), ran, *late).word == "page"


def test_what_could_only_not_be_acknowledged_is_reported() -> None:
    """The message comes once more, which is no reason to take the page away."""
    close = Close(shown=WAITING.waiting, lease_id=EVENT)
    turns: list[Turn] = [*ANNOUNCED, (HANDLE, SHOWN)]
    down: list[Turn] = [(close, DOWN), (UNSEEN, None)]
    assert converse(page(MARKED, POLICY), *turns, *down).handled is SHOWN
    busy: Turn = (close, BUSY)
    assert converse(page(MARKED, POLICY), *turns, busy, (UNSEEN, None)).handled is SHOWN
    assert converse(page(MARKED, STUBBORN), *turns, (close, Busy())).handled is SHOWN


def test_what_once_has_settled_brings_its_cookies() -> None:
    """A submission inside a page that was settled on its own: nothing is left to be written."""
    cookies = (SetCookie("theirs", "1", secure=False),)
    handled = replace(PAGE, cookies=cookies, final=True)
    answer = converse(page(greeted(), POLICY), (Handle(opened=Opened()), handled))
    assert (answer.word, answer.cookies) == ("page", cookies)


# Pages that are kept ------------------------------------------------------------------------------

LIST = Response(200, ((b"content-type", b"text/html"),), b"<p>Found 3.")


def kept_at(url: str = "/list", **more: Any) -> tuple[Greeting, Opened]:
    """A GET of a page that was kept, and what a store has of it."""
    entry = entered(url=url)
    handled = Handled(LIST, page=KeptPage(LIST, frozenset()))
    receipt = record(entry, handled, judge_answer(handled), POLICY).receipt
    assert receipt is not None and receipt.draft
    request = arrived("GET", f"{url}?so={sign(POLICY.ring, receipt.id)}", **more)
    return greet(request, POLICY), Opened(draft=receipt.draft, waiting=(receipt.id,))


def opening(greeting: Greeting) -> Open:
    """The question for what lies under its mark."""
    return Open(visitor_id(VISITOR), None, greeting.mark, messages=True)


def test_a_page_that_was_kept_is_shown_without_a_view() -> None:
    """One question, and the app is not asked at all; nor is what waits there taken."""
    greeting, opened = kept_at()
    answer = converse(page(greeting, POLICY), (opening(greeting), opened))
    assert (answer.word, answer.cookies, answer.handled) == ("stored", (), None)
    assert (answer.response.status, answer.response.body) == (200, LIST.body)


@pytest.mark.parametrize("status", [404, 405])
def test_where_it_is_gone_it_was_done_all_the_same(status: int) -> None:
    """Somebody else is signed in now, and for a GET the app has nothing there."""
    greeting, opened = kept_at(authorization="Basic Ym9i")
    opened = replace(opened, waiting=())
    none = Handled(Response(status, (), b"<p>no"), cookies=POSTED.cookies)
    turns: list[Turn] = [(opening(greeting), opened), (Handle(opened=opened), none)]
    answer = converse(page(greeting, POLICY), *turns)
    assert answer == Answer(Response(200), "gone", POSTED.cookies)


@pytest.mark.parametrize("kept_page", [True, False], ids=["a page", "none"])
def test_where_it_had_to_make_room_it_was_done_all_the_same(kept_page: bool) -> None:
    """Nothing is kept under the receipt: whether there was a page, its name says."""
    mark = named(RECEIPT, page=kept_page)
    request = arrived("GET", f"/list?so={sign(POLICY.ring, mark)}")
    greeting, opened = greet(request, POLICY), Opened(known=True)
    none = Handled(Response(405, (), b"<p>no"))
    turns: list[Turn] = [(opening(greeting), opened), (Handle(opened=opened), none)]
    answer = converse(page(greeting, POLICY), *turns)
    assert answer.word == ("gone" if kept_page else "page")
    assert answer.response.status == (200 if kept_page else 405)


@pytest.mark.parametrize("status", [200, 403, 406])
def test_where_it_is_gone_the_app_shows_its_own(status: int) -> None:
    """Whatever it has there, if it has anything."""
    greeting, opened = kept_at(authorization="Basic Ym9i")
    opened = replace(opened, waiting=())
    own = Handled(Response(status, (), b"<p>own"))
    turns: list[Turn] = [(opening(greeting), opened), (Handle(opened=opened), own)]
    answer = converse(page(greeting, POLICY), *turns)
    assert (answer.word, answer.response) == ("page", own.response)


def test_an_address_where_nothing_was_kept_says_what_the_app_says() -> None:
    """No page of ours, so 404 is 404; a draft is none either."""
    for opened in (Opened(), Opened(draft=b"no page")):
        none = Handled(Response(404, (), b"<p>no"))
        turns: list[Turn] = [(OPEN, opened), (Handle(opened=opened), none)]
        assert converse(page(MARKED, POLICY), *turns).response == none.response


# Asking again -------------------------------------------------------------------------------------


def test_a_busy_store_is_asked_again() -> None:
    """After naps that double, each within what is left; the reply is handed on as it is."""
    naps = [0.002, 0.004, 0.008, 0.016, 0.032, 0.05, 0.05]
    turns: list[Turn] = []
    for number, nap in enumerate(naps):
        turns += [(UNSEEN, Busy()), rest(4.0 - number / 2, nap, 0.5)]
    assert converse(insist(UNSEEN, 4.0), *turns, (UNSEEN, None)) is None
    assert converse(insist(UNSEEN, 0.0), (UNSEEN, Busy())) == Busy()
    assert converse(insist(UNSEEN, -1.0), (UNSEEN, Busy())) == Busy()
    assert converse(insist(UNSEEN, 1.0), (UNSEEN, Done())) == Done()
    patient: list[Turn] = [(UNSEEN, Busy()), rest(1.0, seconds=0.75), (UNSEEN, Busy())]
    last: list[Turn] = [rest(0.25, 0.004), (UNSEEN, Busy())]
    assert converse(insist(UNSEEN, 1.0), *patient, *last) == Busy()
