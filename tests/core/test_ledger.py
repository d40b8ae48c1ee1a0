"""The life of a submission, step by step: each row of the table, with all that it leaves behind.

Every test names a row as it stands, an ask and a moment, and says the whole answer and the whole
row afterwards. Nothing is left to "at least": a field that nobody looks at would be free to change.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import pytest

from seeother.core.ledger import (
    KEEP,
    PAGE_KEEPING_SECONDS,
    TABLE,
    Answer,
    Case,
    Row,
    State,
    _case_of_claim,
    _case_of_holder,
    _name,
    step,
)
from seeother.core.ops import (
    Abandon,
    Claim,
    Done,
    Doubt,
    Edited,
    Fenced,
    Granted,
    HolderOp,
    InDoubt,
    InFlight,
    Renew,
    Resolve,
    Settle,
    Settled,
)
from seeother.core.values import ACCEPTED, REJECTED, Key, Outcome

KEY = Key(b"i" * 16, b"v" * 16)
MINE, YOURS = b"m" * 16, b"y" * 16  # claim ids
THIS, OTHER = b"t" * 16, b"o" * 16  # fingerprints
NOW, LEASE, PATIENCE = 1_000.0, 30.0, 10.0
LATE = NOW + LEASE  # the first moment at which a claim made now has run out
DONE = Outcome(ACCEPTED, 303, "/done")
ELSE = Outcome(ACCEPTED, 303, "/elsewhere")
WRONG = Outcome(REJECTED, 303, "/form")

CLAIM = Claim(KEY, THIS, YOURS, LEASE, PATIENCE)
EDIT = replace(CLAIM, fingerprint=OTHER)
GRANT = Granted(1, MINE)
SETTLE = Settle(KEY, GRANT, THIS, DONE)
RELEASE = replace(SETTLE, keep=False)
RENEW, ABANDON, DOUBT = Renew(KEY, GRANT, LEASE), Abandon(KEY, GRANT), Doubt(KEY, GRANT)
HAPPENED, UNDONE = Resolve(KEY, happened=True, outcome=ELSE), Resolve(KEY, happened=False)

CLAIMED = Row(State.CLAIMED, 1, MINE, THIS, lease_until=LATE)
TAINTED = replace(CLAIMED, tainted=True)
DOUBTFUL = replace(CLAIMED, state=State.IN_DOUBT)
SETTLED = replace(CLAIMED, state=State.SETTLED, outcome=DONE, settled_at=NOW)
REJECTION = replace(SETTLED, outcome=WRONG)
KEEPING = replace(SETTLED, page_keeping=True)
ANEW = replace(CLAIMED, fence=2, page_keeping=True, outcome=DONE, settled_at=1.0)  # its second time

SECOND = Row(State.CLAIMED, 2, YOURS, THIS, lease_until=LATE + LEASE)  # taken over when it lapsed
AGAIN = Granted(2, YOURS)


def check(
    before: Row | None, ask: Claim | HolderOp, now: float, answer: Answer, after: Row | None
) -> None:
    """One step; a row that does not change comes back as the same object, and is not written."""
    found, said = step(before, ask, now)
    assert (found, said) == (after, answer)
    if after == before:
        assert found is before


# Claims that are granted --------------------------------------------------------------------------


@pytest.mark.parametrize("flag", [False, True])
def test_the_first_claim_makes_the_row(*, flag: bool) -> None:
    """Fence 1, the lease from now on, nothing tainted: whatever the claim allows or promises."""
    claim = replace(CLAIM, takeover=flag, retry_safe=flag, page_keeping=flag)
    row = Row(State.CLAIMED, 1, YOURS, THIS, LATE, page_keeping=flag)
    check(None, claim, NOW, Granted(1, YOURS), row)


@pytest.mark.parametrize("now", [NOW, LATE, LATE + 1e6])
@pytest.mark.parametrize("row", [CLAIMED, TAINTED, ANEW])
@pytest.mark.parametrize("ask", [CLAIM, EDIT, replace(CLAIM, takeover=True)])
def test_the_same_claim_is_granted_again(row: Row, ask: Claim, now: float) -> None:
    """Its answer was lost: the same fence once more, at any time, and nothing is written."""
    check(row, replace(ask, claim_id=MINE), now, Granted(row.fence, MINE), row)


def test_a_lapsed_claim_is_taken_over() -> None:
    """Where that is allowed: the next fence, a new lease, the input of who runs it now."""
    takeover = replace(CLAIM, takeover=True)
    check(CLAIMED, takeover, LATE, AGAIN, SECOND)
    check(CLAIMED, replace(EDIT, takeover=True), LATE, AGAIN, replace(SECOND, fingerprint=OTHER))
    check(TAINTED, takeover, LATE, AGAIN, replace(SECOND, tainted=True))
    seventh = replace(CLAIMED, fence=7)
    check(seventh, takeover, LATE, Granted(8, YOURS), replace(SECOND, fence=8))


def test_what_is_safe_to_run_again_is_tainted_then() -> None:
    """Nobody knows how the first attempt ended, so "it failed" cannot be said any more."""
    safe = replace(CLAIM, takeover=True, retry_safe=True)
    check(CLAIMED, safe, LATE, AGAIN, replace(SECOND, tainted=True))
    doubtful = replace(DOUBTFUL, tainted=True)
    tainted = replace(SECOND, tainted=True)
    check(doubtful, replace(safe, takeover=False), LATE, AGAIN, tainted)
    check(doubtful, safe, LATE, AGAIN, tainted)


@pytest.mark.parametrize(
    ("ask", "now"),
    [
        (CLAIM, NOW + PATIENCE + 0.001),
        (EDIT, NOW),
        (replace(EDIT, takeover=True, retry_safe=True), NOW),
    ],
)
def test_a_rejection_may_be_corrected(ask: Claim, now: float) -> None:
    """At once with other input, later with the same: nothing of the rejected attempt is left."""
    row = Row(State.CLAIMED, 2, YOURS, ask.fingerprint, lease_until=now + LEASE)
    check(REJECTION, ask, now, AGAIN, row)


def test_a_page_that_stays_may_send_its_form_again() -> None:
    """After five seconds; what was accepted stays beside the new attempt."""
    now = NOW + PAGE_KEEPING_SECONDS + 0.001
    ask = replace(CLAIM, page_keeping=True)
    row = replace(SECOND, lease_until=now + LEASE, page_keeping=True, outcome=DONE, settled_at=NOW)
    check(KEEPING, ask, now, AGAIN, row)
    check(KEEPING, replace(ask, retry_safe=True), now, AGAIN, row)
    lapsed = replace(row, claim_id=MINE, lease_until=now)
    third = replace(row, fence=3)
    check(lapsed, replace(ask, takeover=True), now, Granted(3, YOURS), third)


# Claims that are not ------------------------------------------------------------------------------


@pytest.mark.parametrize("row", [CLAIMED, TAINTED, ANEW])
@pytest.mark.parametrize("ask", [CLAIM, EDIT])
@pytest.mark.parametrize("now", [NOW, LATE - 0.001])
def test_a_lease_that_runs_is_respected(row: Row, ask: Claim, now: float) -> None:
    """Up to its last moment nobody else gets it, whatever he sends and may do."""
    for flag in (False, True):
        check(row, replace(ask, takeover=flag, retry_safe=flag), now, InFlight(), row)


@pytest.mark.parametrize(
    "ask",
    [
        CLAIM,
        EDIT,
        replace(CLAIM, retry_safe=True),
        replace(EDIT, takeover=True, retry_safe=True),
    ],
)
@pytest.mark.parametrize("row", [CLAIMED, TAINTED])
def test_a_lapsed_claim_is_in_doubt(row: Row, ask: Claim) -> None:
    """Without a take-over; and what is safe to run again is one input and not another."""
    check(row, ask, LATE, InDoubt(), replace(row, state=State.IN_DOUBT))


@pytest.mark.parametrize(
    ("row", "ask"),
    [
        (DOUBTFUL, CLAIM),
        (DOUBTFUL, replace(CLAIM, takeover=True)),
        (DOUBTFUL, replace(CLAIM, takeover=True, retry_safe=True)),
        (replace(DOUBTFUL, tainted=True), replace(CLAIM, takeover=True)),
        (replace(DOUBTFUL, tainted=True), replace(EDIT, takeover=True, retry_safe=True)),
        (DOUBTFUL, replace(CLAIM, claim_id=MINE)),
    ],
)
def test_a_doubt_stays_a_doubt(row: Row, ask: Claim) -> None:
    """Only the same input may run again, only where that is safe, and was so the first time."""
    check(row, ask, NOW + 1e6, InDoubt(), row)


@pytest.mark.parametrize("age", [0.0, PAGE_KEEPING_SECONDS, 1e6])
def test_what_was_accepted_is_replayed_for_ever(age: float) -> None:
    """The outcome and its age; a claim that was answered twice is no exception."""
    safe = replace(CLAIM, takeover=True, retry_safe=True)
    for ask in (CLAIM, safe, replace(CLAIM, claim_id=MINE), replace(CLAIM, page_keeping=True)):
        check(SETTLED, ask, NOW + age, Settled(DONE, age), SETTLED)
    check(KEEPING, CLAIM, NOW + age, Settled(DONE, age), KEEPING)


def test_a_page_that_stays_is_patient_for_five_seconds() -> None:
    """A double click on such a page is a double click."""
    ask, at = replace(CLAIM, page_keeping=True), NOW + PAGE_KEEPING_SECONDS
    assert PAGE_KEEPING_SECONDS == 5.0
    check(KEEPING, ask, at, Settled(DONE, PAGE_KEEPING_SECONDS), KEEPING)


@pytest.mark.parametrize("age", [0.0, PATIENCE])
def test_a_rejection_is_replayed_for_a_while(age: float) -> None:
    """For the claim's patience, to the same input."""
    check(REJECTION, CLAIM, NOW + age, Settled(WRONG, age), REJECTION)


@pytest.mark.parametrize("row", [SETTLED, KEEPING])
def test_other_input_under_one_token_is_told_so(row: Row) -> None:
    """With the outcome of what was sent first; also where the page stays."""
    ask = replace(EDIT, takeover=True, page_keeping=True)
    check(row, ask, NOW + 9.0, Edited(DONE, 9.0), row)
    check(ANEW, ask, LATE, Edited(DONE, LATE - 1.0), ANEW)


# What a holder says -------------------------------------------------------------------------------

HOLDERS = [GRANT, Granted(0, MINE)]
STRANGERS = [Granted(2, MINE), Granted(1, YOURS), Granted(0, YOURS)]


@pytest.mark.parametrize("grant", HOLDERS)
@pytest.mark.parametrize("row", [CLAIMED, TAINTED])
def test_a_holder_prolongs_and_settles(row: Row, grant: Granted) -> None:
    """Also who never learned his fence: fence 0 is "whatever I may have got"."""
    renew, settle = replace(RENEW, grant=grant, lease=50.0), replace(SETTLE, grant=grant)
    check(row, renew, NOW + 2, Done(), replace(row, lease_until=NOW + 52))
    done = replace(row, state=State.SETTLED, outcome=DONE, settled_at=NOW + 2)
    check(row, settle, NOW + 2, Done(), done)


@pytest.mark.parametrize("grant", HOLDERS)
@pytest.mark.parametrize("ask", [RELEASE, ABANDON])
def test_a_holder_gives_back(ask: Settle | Abandon, grant: Granted) -> None:
    """No row is left; after a take-over of unknown fate a doubt; else what was accepted before."""
    ask = replace(ask, grant=grant)
    check(CLAIMED, ask, NOW, Done(), None)
    check(TAINTED, ask, NOW, Done(), replace(TAINTED, state=State.IN_DOUBT))
    second = replace(ask, grant=Granted(2, MINE))
    check(ANEW, second, NOW, Done(), replace(ANEW, state=State.SETTLED))


@pytest.mark.parametrize("row", [CLAIMED, TAINTED])
def test_a_holder_does_not_know(row: Row) -> None:
    """He says so: in doubt."""
    check(row, DOUBT, NOW, Done(), replace(row, state=State.IN_DOUBT))


@pytest.mark.parametrize("row", [DOUBTFUL, replace(DOUBTFUL, tainted=True)])
def test_a_doubt_ends_when_its_holder_speaks(row: Row) -> None:
    """He was only slow: what he settles counts, what he gives back is gone unless it is tainted."""
    done = replace(row, state=State.SETTLED, outcome=DONE, settled_at=LATE)
    check(row, SETTLE, LATE, Done(), done)
    assert step(row, RELEASE, LATE) == (row if row.tainted else None, Done())
    check(row, ABANDON, LATE, Done(), row)
    check(row, DOUBT, LATE, Done(), row)
    check(row, RENEW, LATE, Fenced(), row)


def test_the_same_settling_twice() -> None:
    """The answer to the first was lost: it is done; with another outcome it is not."""
    check(SETTLED, SETTLE, LATE, Done(), SETTLED)
    check(SETTLED, replace(SETTLE, outcome=ELSE), LATE, Fenced(DONE), SETTLED)
    check(SETTLED, RELEASE, LATE, Fenced(DONE), SETTLED)
    check(SETTLED, replace(RELEASE, outcome=ELSE), LATE, Fenced(DONE), SETTLED)
    tainted = replace(SETTLED, tainted=True)
    check(tainted, SETTLE, LATE, Done(), tainted)
    check(tainted, replace(RELEASE, outcome=ELSE), LATE, Fenced(DONE), tainted)
    same = replace(CLAIMED, outcome=DONE)  # has an outcome and is claimed: nothing is settled yet
    settled = replace(same, state=State.SETTLED, settled_at=LATE)
    check(same, SETTLE, LATE, Done(), settled)


@pytest.mark.parametrize("ask", [RENEW, SETTLE, RELEASE, ABANDON, DOUBT])
def test_who_is_not_the_holder_changes_nothing(ask: Renew | Settle | Abandon | Doubt) -> None:
    """Another fence or another claim id: he gets the outcome of the winner, if there is one."""
    check(None, ask, NOW, Fenced(), None)
    for grant in STRANGERS:
        for row in (CLAIMED, TAINTED, DOUBTFUL, replace(DOUBTFUL, tainted=True)):
            check(row, replace(ask, grant=grant), NOW, Fenced(), row)
        for row in (SETTLED, REJECTION):
            check(row, replace(ask, grant=grant), NOW, Fenced(row.outcome), row)
    lost = Granted(1, YOURS)
    check(ANEW, replace(ask, grant=lost), NOW, Fenced(), ANEW)  # not settled: no winner yet


@pytest.mark.parametrize("ask", [RENEW, ABANDON, DOUBT])
def test_what_is_settled_stays_so(ask: Renew | Abandon | Doubt) -> None:
    """Its own holder cannot take it back."""
    check(SETTLED, ask, NOW, Fenced(DONE), SETTLED)


def test_a_loser_with_other_input_gets_no_outcome() -> None:
    """What was recorded is not the answer to what he sent."""
    lost = replace(SETTLE, grant=Granted(1, YOURS), fingerprint=OTHER)
    check(SETTLED, lost, NOW, Fenced(edited=True), SETTLED)
    check(CLAIMED, lost, NOW, Fenced(edited=True), CLAIMED)
    check(SETTLED, replace(lost, keep=False), NOW, Fenced(edited=True), SETTLED)
    check(None, lost, NOW, Fenced(), None)


# What an operator says ----------------------------------------------------------------------------


@pytest.mark.parametrize("row", [DOUBTFUL, replace(DOUBTFUL, tainted=True)])
def test_a_doubt_is_resolved(row: Row) -> None:
    """It happened: the outcome that he names. It did not: as if it had never been."""
    done = replace(row, state=State.SETTLED, outcome=ELSE, settled_at=LATE)
    check(row, HAPPENED, LATE, Done(), done)
    check(row, UNDONE, LATE, Done(), None)
    before = replace(row, outcome=DONE, settled_at=1.0)
    check(before, UNDONE, LATE, Done(), replace(before, state=State.SETTLED))
    check(before, HAPPENED, LATE, Done(), done)


@pytest.mark.parametrize("ask", [HAPPENED, UNDONE])
def test_only_a_doubt_can_be_resolved(ask: Resolve) -> None:
    """Who runs, or has run, knows better."""
    check(None, ask, NOW, Fenced(), None)
    check(CLAIMED, ask, LATE, Fenced(), CLAIMED)
    check(TAINTED, ask, LATE, Fenced(), TAINTED)
    check(SETTLED, ask, LATE, Fenced(DONE), SETTLED)


# The table ----------------------------------------------------------------------------------------


def everything() -> Iterator[tuple[Row | None, Claim | HolderOp, float]]:
    """Every kind of row with every kind of ask, early and late."""
    flags = [(False, False), (True, False), (False, True), (True, True)]
    claims = [
        replace(ask, takeover=takeover, retry_safe=safe, page_keeping=True)
        for ask in (CLAIM, EDIT, replace(CLAIM, claim_id=MINE))
        for takeover, safe in flags
    ]
    holders: list[HolderOp] = [RENEW, SETTLE, RELEASE, ABANDON, DOUBT, HAPPENED, UNDONE]
    rows = [None, CLAIMED, TAINTED, DOUBTFUL, SETTLED, REJECTION, KEEPING, ANEW]
    rows += [replace(DOUBTFUL, tainted=True), replace(ANEW, fence=1)]
    return product(rows, (*claims, *holders), (NOW, LATE, LATE + 1e6))


def case_of(row: Row | None, ask: Claim | HolderOp, now: float) -> tuple[str, Case]:
    """Which line of the table it is."""
    case = _case_of_claim(row, ask, now) if isinstance(ask, Claim) else _case_of_holder(row, ask)
    return _name(ask), case


def test_the_table_holds_what_can_be_met_and_nothing_else() -> None:
    """Each of its lines comes up, and no other."""
    assert {case_of(*meeting) for meeting in everything()} == set(TABLE)


def test_a_row_goes_where_the_table_says() -> None:
    """The table is what the documentation draws, so it may not say anything but what is done."""
    for row, ask, now in everything():
        move = TABLE[case_of(row, ask, now)]
        after, answer = step(row, ask, now)
        assert type(answer) is move.reply
        if move.to == KEEP:
            assert after is row
        elif move.to is None and (row is None or row.outcome is None):
            assert after is None
        else:
            assert after is not None
            assert after.state is (move.to or State.SETTLED)  # None: what was accepted before


def test_rows_are_values() -> None:
    """What a step was given can never be changed by it; and the states are what is stored."""
    with pytest.raises(AttributeError):
        CLAIMED.fence = 2  # type: ignore[misc]
    assert not hasattr(CLAIMED, "__dict__")
    assert Row(State.CLAIMED, 1, MINE, THIS) == Row(
        State.CLAIMED, 1, MINE, THIS, 0.0, tainted=False, page_keeping=False, outcome=None
    )
    assert [state.value for state in State] == ["claimed", "settled", "in doubt"]
