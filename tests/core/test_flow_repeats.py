"""A submission that ran before, or is running, or nobody knows: what its duplicates are told.

Answered by hand like the first ones (`test_flows`): waiting, lost claims and doubts take their
whole course here without a clock, since a pause is a question like any other.
"""

from dataclasses import replace

import pytest

from seeother.core.again import keep_cookies
from seeother.core.entry import Entry
from seeother.core.flows import Answer, submission
from seeother.core.headers import redirect
from seeother.core.ops import (
    Abandon,
    Busy,
    Done,
    Edited,
    InDoubt,
    InFlight,
    Pause,
    Paused,
    Rearm,
    Reconcile,
    Resolve,
    Settled,
    Unknown,
)
from seeother.core.policy import Mode
from seeother.core.record import hint_cookie
from seeother.core.values import ACCEPTED, Outcome, Response
from seeother.core.waiting import wait_for
from seeother.errors import (
    EditRefused,
    EditUnconfirmed,
    OutcomeUnknown,
    StoreBusy,
    StoreDown,
)
from tests.core.arrivals import POLICY, admitted, arrival
from tests.core.conversation import Turn, converse
from tests.core.flow_turns import (
    BUSY,
    DONE,
    DOWN,
    ENTRY,
    GRANT,
    HANDLE,
    HANDLED,
    MODES,
    NAP,
    RECEIPT,
    STUBBORN,
    TIRED,
    UNSURE,
    arrived,
    claiming,
    entered,
    looking,
    ran,
    settling,
)

EVERY_MODE = pytest.mark.parametrize("mode", MODES)
GIVING_UP: Turn = (Abandon(ENTRY.key, UNSURE), Done())

# It ran before ------------------------------------------------------------------------------------


@EVERY_MODE
def test_a_duplicate_is_replayed_from_a_read(mode: Mode) -> None:
    """Nothing is claimed and nothing written."""
    found = Settled(Outcome(ACCEPTED, 303, "/done", headers=((b"x-a", b"1"),)), 5.0)
    answer = converse(submission(ENTRY, POLICY, mode), (looking(), found))
    headers = redirect(303, "/done", ((b"x-a", b"1"),))
    assert answer == Answer(Response(303, headers), "replayed")


def test_a_claim_may_find_it_settled() -> None:
    """It was settled between the look and the claim."""
    turns: list[Turn] = [(looking(), Unknown()), (claiming(), Settled(DONE, 5.0))]
    answer = converse(submission(ENTRY, POLICY), *turns)
    assert answer == Answer(Response(303, redirect(303, "/done")), "replayed")


def test_a_page_has_no_location() -> None:
    """The adapter writes one; status and headers are those of the first time."""
    found = Settled(Outcome(ACCEPTED, 200, headers=((b"x-a", b"1"),)), 5.0)
    answer = converse(submission(ENTRY, POLICY), (looking(), found))
    assert answer == Answer(Response(200, ((b"x-a", b"1"),)), "replayed")


def test_a_message_that_waits_is_announced_and_left_alone() -> None:
    """Nobody has seen it yet: the hint alone, no write."""
    found = Settled(replace(DONE, receipt=RECEIPT), 5.0)
    answer = converse(submission(ENTRY, POLICY), (looking(), found))
    assert answer.cookies == hint_cookie(ENTRY.greeting)
    assert answer.word == "replayed"


def test_a_message_that_was_seen_is_shown_once_more() -> None:
    """Armed again, and asked for while the store is busy; after the patience the page goes out."""
    found = Settled(replace(DONE, receipt=RECEIPT), 5.0, taken=True)
    rearm = Rearm(RECEIPT, 10.0)
    look: Turn = (looking(), found)
    answer = converse(submission(ENTRY, POLICY), look, (rearm, Done()))
    assert (answer.word, answer.cookies) == ("replayed", hint_cookie(ENTRY.greeting))
    busy: list[Turn] = [(rearm, Busy()), (Pause(None, NAP, 10.0), Paused(10.0)), (rearm, Busy())]
    assert converse(submission(ENTRY, POLICY), look, *busy).word == "replayed"
    bare = Settled(DONE, 5.0, taken=True)
    assert converse(submission(ENTRY, POLICY), (looking(), bare)).cookies == ()


def test_the_cookies_of_the_first_answer_come_again() -> None:
    """After its own headers, for the browser that did not get them."""
    lines = (b"session=new; Path=/", b"theirs=1")
    kept = keep_cookies(ENTRY, lines, POLICY)
    outcome = Outcome(ACCEPTED, 303, "/done", headers=((b"x-a", b"1"),), cookies=kept)
    answer = converse(submission(ENTRY, POLICY), (looking(), Settled(outcome, 5.0)))
    again = tuple((b"set-cookie", line) for line in lines)
    assert kept
    assert answer.response.headers == (*redirect(303, "/done", ((b"x-a", b"1"),)), *again)
    assert answer.response.status == 303


@pytest.mark.parametrize(
    ("on_edit", "error"),
    [("new", EditRefused), ("refuse", EditRefused), ("confirm", EditUnconfirmed)],
)
def test_other_input_under_the_same_token(on_edit: str, error: type[Exception]) -> None:
    """Refused, or to be confirmed, as the token says."""
    entry = entered(on_edit)  # type: ignore[arg-type]
    turns: list[Turn] = [(looking(entry), Unknown()), (claiming(entry=entry), Edited(DONE, 1.0))]
    with pytest.raises(EditRefused, match=r"^the token was used with other input$") as caught:
        converse(submission(entry, POLICY), *turns)
    assert type(caught.value) is error


def test_without_a_token_nothing_can_be_confirmed() -> None:
    """A store that calls an unnamed submission edited is wrong; it is refused all the same."""
    entry = admitted(arrived(), ("message", "hello"))
    with pytest.raises(EditRefused) as caught:
        converse(submission(entry, POLICY), (claiming(entry=entry), Edited(DONE, 1.0)))
    assert type(caught.value) is EditRefused


# Somebody is at it --------------------------------------------------------------------------------


def test_a_duplicate_waits_and_looks_again() -> None:
    """Naps that double up to the longest; what is left of the patience is their limit."""
    turns: list[Turn] = []
    left, naps = 10.0, [0.002, 0.004, 0.008, 0.016, 0.032, 0.05, 0.05]
    for nap in naps:
        turns += [(looking(), InFlight()), (Pause(ENTRY.key, nap, left), Paused(0.5))]
        left -= 0.5
    answer = converse(submission(ENTRY, POLICY), *turns, (looking(), Settled(DONE, 1.0)))
    assert answer == Answer(Response(303, redirect(303, "/done")), "waited")


def test_a_duplicate_may_become_the_one_who_runs_it() -> None:
    """The first one gave up meanwhile."""
    turns: list[Turn] = [(looking(), InFlight()), (Pause(ENTRY.key, NAP, 10.0), Paused(1.0))]
    answer = converse(submission(ENTRY, POLICY), *turns, *ran(), (settling(), Done()))
    assert answer.word == "new"


@pytest.mark.parametrize("reply", [InFlight(), Busy()])
def test_a_claim_may_find_somebody_at_it(reply: object) -> None:
    """The same as a look that does."""
    turns: list[Turn] = [(looking(), Unknown()), (claiming(), reply)]
    turns += [(Pause(ENTRY.key, NAP, 10.0), Paused(1.0)), (looking(), Settled(DONE, 1.0))]
    assert converse(submission(ENTRY, POLICY), *turns).word == "waited"


@EVERY_MODE
@pytest.mark.parametrize("reply", [InFlight(), Busy()])
def test_patience_has_an_end(mode: Mode, reply: InFlight | Busy) -> None:
    """The waiting page where others can see the claim; else 503, with the form once more."""
    turns: list[Turn] = [(looking(), Unknown()), (claiming(mode), reply)]
    turns += [(Pause(ENTRY.key, NAP, 10.0), Paused(10.0)), (looking(), Unknown())]
    turns += [(claiming(mode), reply), (Pause(ENTRY.key, 2 * NAP, 0.0), Paused(0.0))]
    flow = submission(ENTRY, POLICY, mode)
    if mode in ("fenced", "separate") and isinstance(reply, InFlight):
        assert converse(flow, *turns) == Answer(wait_for(ENTRY, POLICY), "waiting")
    else:
        with pytest.raises(StoreBusy, match=rf"^{type(reply).__name__} for 10\.0 s$"):
            converse(flow, *turns)


def test_what_is_left_of_the_patience_is_never_below_zero() -> None:
    """A pause that took longer than it was told to is the last but one, of no seconds."""
    turns: list[Turn] = [(looking(), InFlight()), (Pause(ENTRY.key, NAP, 10.0), Paused(12.0))]
    turns += [(looking(), InFlight()), (Pause(ENTRY.key, 2 * NAP, 0.0), Paused(0.0))]
    assert converse(submission(ENTRY, POLICY, "fenced"), *turns).word == "waiting"


def test_the_last_second_counts() -> None:
    """Up to its end a duplicate waits and asks again."""
    turns: list[Turn] = [(looking(), InFlight()), (Pause(ENTRY.key, NAP, 10.0), Paused(9.5))]
    turns += [(looking(), InFlight()), (Pause(ENTRY.key, 2 * NAP, 0.5), Paused(0.25))]
    turns += [(looking(), Settled(DONE, 1.0))]
    assert converse(submission(ENTRY, POLICY), *turns).word == "waited"


def test_a_crowd_makes_room() -> None:
    """Who is asked to leave its seat goes to the waiting page at once."""
    turn: Turn = (Pause(ENTRY.key, NAP, 10.0), Paused(0.1, crowded=True))
    answer = converse(submission(ENTRY, POLICY, "fenced"), (looking(), InFlight()), turn)
    assert answer.word == "waiting"


@pytest.mark.parametrize("mode", ["fenced", "separate"])
def test_there_is_no_waiting_page_without_a_mark_or_a_visitor(mode: Mode) -> None:
    """Nobody could open it: 503 then."""
    unmarked = replace(STUBBORN, mark=None)
    pause: Turn = (Pause(ENTRY.key, NAP, 0.0), Paused(0.0))
    flow = submission(ENTRY, unmarked, mode)
    with pytest.raises(StoreBusy, match=r"^InFlight for 0\.0 s$"):
        converse(flow, (looking(policy=unmarked), InFlight()), pause)
    nobody: Entry = admitted(arrival(headers={}), ("message", "hello"))
    pause = (Pause(nobody.key, NAP, 0.0), Paused(0.0))
    flow = submission(nobody, STUBBORN, mode)
    with pytest.raises(StoreBusy):
        converse(flow, (claiming(mode, nobody, STUBBORN), InFlight()), pause)


@pytest.mark.parametrize("mode", ["fenced", "separate"])
def test_there_is_no_waiting_page_at_an_address_that_leads_away(mode: Mode) -> None:
    """`//evil.example` is a path, and as a Location another site."""
    entry = entered(url="//evil.example/x")
    pause: Turn = (Pause(entry.key, NAP, 0.0), Paused(0.0))
    flow = submission(entry, STUBBORN, mode)
    with pytest.raises(StoreBusy, match=r"^InFlight for 0\.0 s$"):
        converse(flow, (looking(entry, STUBBORN), InFlight()), pause)


# Claims whose answers get lost --------------------------------------------------------------------


def test_a_lost_claim_is_asked_again() -> None:
    """Three times with the same claim id: granted once, it is granted again."""
    lost: list[Turn] = [(claiming(), DOWN), TIRED, (claiming(), BUSY), TIRED]
    turns = [(looking(), Unknown()), *lost, (claiming(), GRANT), (HANDLE, HANDLED)]
    assert converse(submission(ENTRY, POLICY), *turns, (settling(), Done())).word == "new"


def test_who_gives_up_a_claim_says_so() -> None:
    """It may have arrived: whatever fence it got, it is given back."""
    lost: list[Turn] = [(claiming(), DOWN), TIRED] * 2
    with pytest.raises(StoreDown):
        converse(
            submission(ENTRY, POLICY), (looking(), Unknown()), *lost, (claiming(), DOWN), GIVING_UP
        )


def test_who_is_at_it_may_be_ourselves() -> None:
    """After a lost claim only the same claim can tell, so nobody looks before it."""
    lost: list[Turn] = [(looking(), Unknown()), (claiming(), DOWN), TIRED, (claiming(), Busy())]
    pause: Turn = (Pause(ENTRY.key, NAP, 10.0), Paused(0.0))
    mine: list[Turn] = [(claiming(), GRANT), (HANDLE, HANDLED)]
    turns = [*lost, pause, *mine, (settling(), Done())]
    assert converse(submission(ENTRY, POLICY), *turns).word == "new"


def test_who_leaves_unsure_gives_back_what_he_may_have() -> None:
    """Else his own claim would keep him waiting until its lease is over."""
    first: list[Turn] = [(looking(policy=STUBBORN), Unknown())]
    claim = claiming("fenced", policy=STUBBORN)
    lost: list[Turn] = [*first, (claim, DOWN), TIRED, (claim, InFlight())]
    pause: Turn = (Pause(ENTRY.key, NAP, 0.0), Paused(0.0))
    answer = converse(submission(ENTRY, STUBBORN, "fenced"), *lost, pause, GIVING_UP)
    assert answer.word == "waiting"
    certain: list[Turn] = [*first, (claim, InFlight()), pause]
    assert converse(submission(ENTRY, STUBBORN, "fenced"), *certain).word == "waiting"


def test_unsure_is_for_ever() -> None:
    """A later claim that was answered does not say what became of the lost one."""
    lost: list[Turn] = [(looking(), Unknown()), (claiming("fenced"), DOWN), TIRED]
    first: list[Turn] = [(claiming("fenced"), Busy()), (Pause(ENTRY.key, NAP, 10.0), Paused(1.0))]
    second: list[Turn] = [(claiming("fenced"), InFlight())]
    pause: Turn = (Pause(ENTRY.key, 2 * NAP, 9.0), Paused(0.0, crowded=True))
    turns = [*lost, *first, *second, pause, GIVING_UP]
    assert converse(submission(ENTRY, POLICY, "fenced"), *turns).word == "waiting"


def test_who_is_unsure_and_asks_in_vain_withdraws() -> None:
    """A store that goes away then hears it before anybody gives up: else a doubt stays for ever."""
    lost: list[Turn] = [(looking(), Unknown()), (claiming("fenced"), DOWN), TIRED]
    first: list[Turn] = [(claiming("fenced"), Busy()), (Pause(ENTRY.key, NAP, 10.0), Paused(1.0))]
    gone: list[Turn] = [(claiming("fenced"), DOWN), TIRED, (claiming("fenced"), DOWN), TIRED]
    turns = [*lost, *first, *gone, (claiming("fenced"), DOWN), GIVING_UP]
    with pytest.raises(StoreDown):
        converse(submission(ENTRY, POLICY, "fenced"), *turns)


# Doubts -------------------------------------------------------------------------------------------


@EVERY_MODE
def test_a_doubt_is_told(mode: Mode) -> None:
    """Where nobody can find out, and the mode with it."""
    turns: list[Turn] = [(looking(), InDoubt()), (claiming(mode), InDoubt())]
    words = rf"^an earlier attempt ended without an answer \({mode}\)$"
    with pytest.raises(OutcomeUnknown, match=words):
        converse(submission(ENTRY, POLICY, mode), *turns)


ASKING = replace(POLICY, reconcile=lambda _: None)
IN_DOUBT: list[Turn] = [(looking(), InDoubt()), (claiming("separate"), InDoubt())]


def test_the_app_may_know_that_it_happened() -> None:
    """Then it is settled, as accepted and on the page that was posted to, and replayed."""
    happened = Resolve(ENTRY.key, happened=True, outcome=Outcome(ACCEPTED, 303, "/form"))
    turns = [*IN_DOUBT, (Reconcile(ENTRY.key), True), (happened, Done())]
    flow = submission(ENTRY, ASKING, "separate")
    assert converse(flow, *turns, (looking(), Settled(DONE, 0.0))).word == "replayed"


def test_a_mounted_app_knows_its_whole_path() -> None:
    """The path that it is mounted under is part of where the client goes."""
    request = replace(arrived(), root="/shop")
    base = ENTRY.greeting
    entry = replace(ENTRY, greeting=replace(base, request=request))
    happened = Resolve(entry.key, happened=True, outcome=Outcome(ACCEPTED, 303, "/shop/form"))
    turns = [*IN_DOUBT, (Reconcile(entry.key), True), (happened, Done())]
    flow = submission(entry, ASKING, "separate")
    assert converse(flow, *turns, (looking(), Settled(DONE, 0.0))).word == "replayed"


def test_where_the_path_leads_away_the_client_goes_home() -> None:
    """It happened, and there is no page of this site that it could be sent to but the first."""
    entry = entered(url="//evil.example/x")
    doubt: list[Turn] = [(looking(entry), InDoubt()), (claiming("separate", entry), InDoubt())]
    happened = Resolve(entry.key, happened=True, outcome=Outcome(ACCEPTED, 303, "/"))
    turns = [*doubt, (Reconcile(entry.key), True), (happened, Done())]
    flow = submission(entry, ASKING, "separate")
    assert converse(flow, *turns, (looking(entry), Settled(DONE, 0.0))).word == "replayed"


def test_the_app_may_know_that_it_did_not() -> None:
    """Then it may run again."""
    undone = Resolve(ENTRY.key, happened=False)
    turns = [*IN_DOUBT, (Reconcile(ENTRY.key), False), (undone, Done()), *ran("separate")]
    flow = submission(ENTRY, ASKING, "separate")
    assert converse(flow, *turns, (settling(), Done())).word == "new"


def test_the_app_may_not_know() -> None:
    """Then it stays a doubt."""
    flow = submission(ENTRY, ASKING, "separate")
    with pytest.raises(OutcomeUnknown):
        converse(flow, *IN_DOUBT, (Reconcile(ENTRY.key), None))
