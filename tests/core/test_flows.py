"""A submission, answered by hand: each question whole, in its order, and no other.

A flow cannot tell who answers it, so every reply that a store may ever give can be given here, also
those that take a crash or another machine: answers that get lost, workers that are overtaken.
"""

from dataclasses import replace

import pytest

from seeother.core.fingerprint import session_id, visitor_id
from seeother.core.flows import Answer, resumed, submission
from seeother.core.headers import redirect
from seeother.core.ops import (
    Abandon,
    Done,
    Fenced,
    Granted,
    Handle,
    InDoubt,
    InFlight,
    Lookup,
    Open,
    Opened,
    Paused,
    Report,
    Settled,
    Unknown,
)
from seeother.core.policy import Mode, Policy
from seeother.core.record import hint_cookie
from seeother.core.values import ACCEPTED, REJECTED, Draft, Handled, Outcome, Response
from seeother.errors import (
    EditRefused,
    OutcomeUnknown,
    StoreBusy,
    StoreDown,
    UnsafeTarget,
)
from tests.core.arrivals import POLICY, VISITOR, admitted
from tests.core.conversation import Turn, converse
from tests.core.flow_turns import (
    BARE,
    BUSY,
    DONE,
    DOWN,
    ENTRY,
    GRANT,
    HANDLE,
    HANDLED,
    LONG_NAP,
    MODES,
    POSTED,
    SAFE,
    SID,
    STUBBORN,
    TIRED,
    TRIES,
    arrived,
    entered,
    granted,
    raised,
    ran,
    sent,
    settling,
)

POLICIES = pytest.mark.parametrize("policy", [POLICY, SAFE], ids=["", "retry safe"])
EVERY_MODE = pytest.mark.parametrize("mode", MODES)

# It runs ------------------------------------------------------------------------------------------


@EVERY_MODE
@POLICIES
def test_a_first_submission(mode: Mode, policy: Policy) -> None:
    """Look, claim, run, settle: four questions, each as its mode has it."""
    flow = submission(ENTRY, policy, mode)
    answer = converse(flow, *ran(mode, policy=policy), (settling(policy=policy), Done()))
    assert answer == Answer(sent(), "new", (), HANDLED)


def test_joined_is_the_mode_of_who_names_none() -> None:
    """Its claim may take over, and keeps no other process waiting for a heartbeat."""
    answer = converse(submission(ENTRY, POLICY), *ran("joined"), (settling(), Done()))
    assert answer.word == "new"


def test_message_and_cookies_travel_with_the_outcome() -> None:
    """In the same step; the answer sets the app's cookies and the hint."""
    settle = settling(POSTED)
    assert settle.receipt is not None and settle.outcome.receipt == settle.receipt.id
    answer = converse(submission(ENTRY, POLICY), *ran(handled=POSTED), (settle, Done()))
    cookies = (*POSTED.cookies, *hint_cookie(ENTRY.greeting))
    assert answer == Answer(sent(POSTED), "new", cookies, POSTED)


def test_a_submission_without_a_token_runs_and_keeps_nothing() -> None:
    """Nobody can send it twice: no look, and a release in place of a row."""
    entry = admitted(arrived(), ("message", "hello"))
    turns = ran(entry=entry)
    settle = settling(entry=entry)
    assert not settle.keep and len(turns) == 2
    answer = converse(submission(entry, POLICY), *turns, (settle, Done()))
    assert answer.word == "new"


def test_a_page_that_stays_says_so() -> None:
    """In look, claim and settling."""
    entry = entered(sec_fetch_dest="empty")
    assert entry.page_keeping
    answer = converse(submission(entry, POLICY), *ran(entry=entry), (settling(entry=entry), Done()))
    assert answer.word == "new"


@pytest.mark.parametrize(
    ("response", "word"),
    [
        (BARE, "new"),
        (Response(200, (), b"<p>done"), "new"),
        (Response(422, (), b"<p>no"), "rejected"),
        (Response(429, (), b"<p>later"), "released"),
    ],
)
def test_the_word_for_the_log(response: Response, word: str) -> None:
    """What became of it, in one word; whatever keeps no row is released in the same step."""
    handled = Handled(response)
    settle = settling(handled)
    assert settle.keep == (word == "new")
    answer = converse(submission(ENTRY, POLICY), *ran(handled=handled), (settle, Done()))
    assert answer == Answer(sent(handled), word, (), handled)


def test_a_rejection_by_redirect_keeps_its_row() -> None:
    """Its duplicate is sent to the same page with the same draft."""
    handled = Handled(BARE, draft=Draft((("a", "1"),), (("a", "No."),)))
    settle = settling(handled)
    assert settle.keep and settle.outcome.kind == REJECTED
    answer = converse(submission(ENTRY, POLICY), *ran(handled=handled), (settle, Done()))
    assert answer.word == "rejected"


def test_only_who_asks_for_it_gets_the_session() -> None:
    """`surround` fetches it after the claim, for the view; otherwise nothing is fetched."""
    entry = entered(session=True)
    opened, grant = Opened((("a", b"1"),)), Granted(1, entry.claim_id)
    open_ = Open(visitor_id(VISITOR), session_id(SID))
    turns: list[Turn] = [(open_, opened), (Handle(grant, opened), HANDLED)]
    settle: Turn = (settling(entry=entry), Done())
    flow = submission(entry, POLICY, surround=True)
    assert converse(flow, *granted(entry=entry), *turns, settle).word == "new"
    assert converse(submission(entry, POLICY), *ran(entry=entry), settle).word == "new"


def test_what_once_has_settled_is_not_settled_again() -> None:
    """`once` inside ran under this very grant: its answer goes out as it is (fenced)."""
    final = Handled(BARE, cookies=POSTED.cookies, final=True)
    flow = resumed(ENTRY, GRANT, POLICY)
    assert converse(flow, (HANDLE, final)) == Answer(BARE, "new", POSTED.cookies, final)


def test_a_claim_of_the_adapter_goes_on_as_fenced() -> None:
    """No look and no claim; what the view raises had no effect, and who was overtaken is told."""
    answer = converse(resumed(ENTRY, GRANT, POLICY), (HANDLE, HANDLED), (settling(), Done()))
    assert answer == Answer(sent(), "new", (), HANDLED)
    gone: Turn = (Abandon(ENTRY.key, GRANT), Done())
    with pytest.raises(KeyError):
        converse(resumed(ENTRY, GRANT, POLICY), (HANDLE, KeyError("x")), gone)
    with pytest.raises(StoreBusy, match=r"took this submission over and is still at it$"):
        converse(resumed(ENTRY, GRANT, POLICY), (HANDLE, HANDLED), (settling(), Fenced()), FENCED)
    session = entered(session=True)
    grant = Granted(1, session.claim_id)
    turn: Turn = (Handle(grant, Opened()), HANDLED)
    settle: Turn = (settling(entry=session), Done())
    assert converse(resumed(session, grant, POLICY), turn, settle).word == "new"


# It fails -----------------------------------------------------------------------------------------


@EVERY_MODE
@POLICIES
def test_a_view_that_raises(mode: Mode, policy: Policy) -> None:
    """It had no effect where that is rolled back, or is safe to run again; else it is in doubt."""
    turns = ran(mode, KeyError("x"), policy=policy)
    with pytest.raises(KeyError):
        converse(submission(ENTRY, policy, mode), *turns, (raised(mode, policy), Done()))


@EVERY_MODE
@POLICIES
def test_a_view_that_answers_500(mode: Mode, policy: Policy) -> None:
    """The same as one that raised, but with its own page, and nothing else of it."""
    handled = replace(POSTED, response=Response(500, (), b"<p>no"))
    turns = ran(mode, handled, policy=policy)
    answer = converse(submission(ENTRY, policy, mode), *turns, (raised(mode, policy), Done()))
    assert answer == Answer(handled.response, "undone", (), handled)


def test_an_answer_that_cannot_be_sent_undoes_the_effect() -> None:
    """A Location with a control character is found before anything is settled."""
    handled = Handled(Response(303, ((b"location", b"/a\nb"),)))
    with pytest.raises(UnsafeTarget):
        converse(submission(ENTRY, POLICY), *ran(handled=handled), (raised(), Done()))


def test_a_session_that_cannot_be_fetched_undoes_the_claim() -> None:
    """Nothing ran yet: it is given back."""
    entry = entered(session=True)
    gone: Turn = (Abandon(entry.key, Granted(1, entry.claim_id)), Done())
    flow = submission(entry, POLICY, surround=True)
    with pytest.raises(StoreDown):
        converse(flow, *granted(entry=entry), (Open, DOWN), gone)


def test_who_cannot_be_heard_goes_on() -> None:
    """A busy store is told three times, one that is down once; then it is reported."""
    flow = submission(ENTRY, POLICY)
    told: list[Turn] = [(raised(), BUSY), TIRED] * TRIES
    with pytest.raises(KeyError):
        converse(flow, *ran(handled=KeyError("x")), *told, UNHEARD)
    flow = submission(ENTRY, POLICY)
    with pytest.raises(KeyError):
        converse(flow, *ran(handled=KeyError("x")), (raised(), DOWN), UNHEARD)
    flow = submission(ENTRY, POLICY)
    heard: list[Turn] = [(raised(), BUSY), TIRED, (raised(), Done())]
    with pytest.raises(KeyError):
        converse(flow, *ran(handled=KeyError("x")), *heard)


UNHEARD: Turn = (Report("unheard", ENTRY.key), None)
UNRECORDED: Turn = (Report("unrecorded", ENTRY.key), None)
FENCED: Turn = (Report("fenced", ENTRY.key), None)

# The settling fails -------------------------------------------------------------------------------

BACK: Turn = (Abandon(ENTRY.key, GRANT), Done())
AFTER = Lookup(ENTRY.key, ENTRY.fingerprint, 0.0)


@pytest.mark.parametrize("mode", MODES[:3])
def test_a_commit_whose_answer_was_lost(mode: Mode) -> None:
    """Given back and looked up: what is settled is the answer, whoever settled it."""
    settle: Turn = (settling(), DOWN)
    turns: list[Turn] = [*ran(mode), settle, BACK, (AFTER, Settled(DONE, 3.0)), FENCED]
    answer = converse(submission(ENTRY, POLICY, mode), *turns)
    assert answer == Answer(Response(303, redirect(303, "/done")), "replayed")


@pytest.mark.parametrize("found", [Unknown(), InFlight(), InDoubt()])
def test_a_commit_that_did_not_happen(found: object) -> None:
    """It is not there: the store's error goes to the client, whose token stays good."""
    with pytest.raises(StoreDown) as caught:
        converse(submission(ENTRY, POLICY), *ran(), (settling(), DOWN), BACK, (AFTER, found))
    assert caught.value is DOWN


def test_in_separate_the_effect_stands() -> None:
    """So the client is told the truth, and the store is asked three times to record it."""
    turns = [*ran("separate"), (settling(), DOWN), TIRED, (settling(), DOWN), TIRED]
    answer = converse(submission(ENTRY, POLICY, "separate"), *turns, (settling(), Done()))
    assert answer == Answer(sent(), "new", (), HANDLED)
    answer = converse(submission(ENTRY, POLICY, "separate"), *turns, (settling(), DOWN), UNRECORDED)
    assert answer == Answer(sent(), "new", (), HANDLED)


def test_a_busy_store_is_asked_for_the_whole_patience() -> None:
    """Other writers are no outage; counted is how long the pauses really took."""
    policy = replace(POLICY, patience=10.0)
    settle: Turn = (settling(policy=policy), BUSY)
    rest: list[Turn] = [settle, (LONG_NAP, Paused(2.5))]
    turns = [*ran("separate", policy=policy), *rest * 4, settle, UNRECORDED]
    assert converse(submission(ENTRY, policy, "separate"), *turns).word == "new"
    longer: list[Turn] = [settle, (LONG_NAP, Paused(2.4))]  # 9.6 s are not the whole patience yet
    turns = [*ran("separate", policy=policy), *longer * 4, *longer, settle, UNRECORDED]
    assert converse(submission(ENTRY, policy, "separate"), *turns).word == "new"
    hasty: list[Turn] = [*ran("separate", policy=STUBBORN), *[settle_at(BUSY), TIRED] * 2]
    ended = converse(submission(ENTRY, STUBBORN, "separate"), *hasty, settle_at(BUSY), UNRECORDED)
    assert ended.word == "new"
    down: list[Turn] = [*ran("separate", policy=policy), *rest * 4, settle_at(DOWN), UNRECORDED]
    assert converse(submission(ENTRY, policy, "separate"), *down).word == "new"


def settle_at(error: Exception) -> Turn:
    """A settling that fails."""
    return settling(), error


def test_what_is_safe_to_run_again_and_unrecorded_is_in_doubt() -> None:
    """Another worker may run it and record another outcome, so nothing can be promised."""
    turns = [*ran("separate", policy=SAFE), settle_at(DOWN), TIRED, settle_at(DOWN), TIRED]
    flow = submission(ENTRY, SAFE, "separate")
    with pytest.raises(OutcomeUnknown, match=r"^the outcome could not be recorded$"):
        converse(flow, *turns, settle_at(DOWN), UNRECORDED)


@EVERY_MODE
def test_who_was_overtaken_gives_the_winner_s_answer(mode: Mode) -> None:
    """And says so to the operators; his own effect was rolled back, or is one too many."""
    winner = Outcome(ACCEPTED, 303, "/theirs", headers=((b"x-a", b"1"),))
    turns: list[Turn] = [*ran(mode), (settling(), Fenced(winner)), FENCED]
    answer = converse(submission(ENTRY, POLICY, mode), *turns)
    assert answer == Answer(Response(303, redirect(303, "/theirs", winner.headers)), "replayed")


@EVERY_MODE
def test_who_was_overtaken_by_one_who_still_runs(mode: Mode) -> None:
    """In separate a doubt; else somebody is at it, and the token stays good."""
    error = OutcomeUnknown if mode == "separate" else StoreBusy
    words = "another worker took this submission over"
    more = "" if mode == "separate" else " and is still at it"
    with pytest.raises(error, match=f"^{words}{more}$"):
        converse(submission(ENTRY, POLICY, mode), *ran(mode), (settling(), Fenced()), FENCED)


@EVERY_MODE
def test_who_was_overtaken_by_other_input(mode: Mode) -> None:
    """The winner's outcome is no answer to what was sent here."""
    fenced = Fenced(DONE, edited=True)
    with pytest.raises(EditRefused, match=r"^the token was used with other input$"):
        converse(submission(ENTRY, POLICY, mode), *ran(mode), (settling(), fenced), FENCED)
