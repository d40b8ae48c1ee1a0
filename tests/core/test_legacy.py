"""Old session cookies, answered by hand: read without a write, used once, never read again."""

from collections.abc import Callable

import pytest

from seeother.core.fingerprint import session_id
from seeother.core.legacy import Old, adopt, limit, look
from seeother.core.ops import Busy, Close, Done, Flow, Open, Opened, Pause, Paused
from seeother.core.values import SessionWrite
from seeother.errors import StoreBusy
from tests.core.arrivals import POLICY
from tests.core.conversation import Turn, converse

OLD = Old.of(b"signed", b"signature", (("user", b'"ann"'),))
USED, HEIR = Open(sid=session_id(OLD.used)), Open(sid=session_id(OLD.heir))
NONE = Opened()
TAKEN = Opened((("used", b"1"),))
GOES_ON = Opened((("user", b'"ann"'),))
CLAIM = Close


def test_its_ids_come_from_what_was_signed() -> None:
    """The same cookie has the same two; another one, or another signature, has others."""
    same = Old.of(b"signed", b"signature", ())
    assert (same.heir, same.used) == (OLD.heir, OLD.used)
    others = {Old.of(b"signeD", b"signature", ()).heir, Old.of(b"signed", b"signaturE", ()).heir}
    assert len({OLD.heir, OLD.used, *others}) == 4


def test_it_is_no_older_than_a_session_may_be() -> None:
    """Else the row that says that it was used would go before it."""
    assert limit(5.0, POLICY) == 5.0
    assert limit(1e9, POLICY) == min(POLICY.session_idle, POLICY.session_lifetime)


@pytest.mark.parametrize("flow", [look, lambda old: adopt(old, 1.0)], ids=["look", "adopt"])
def test_a_used_one_stands_for_its_heir(flow: Callable[[Old], Flow[Opened | None]]) -> None:
    """As that is now; where it has ended, for nothing, and its own values are never read again."""
    assert converse(flow(OLD), (USED, TAKEN), (HEIR, GOES_ON)) is GOES_ON
    ended = Opened((("used", b"1"),), unseen=60.0)
    assert converse(flow(OLD), (USED, ended), (HEIR, NONE)) is NONE


def test_who_merely_reads_writes_nothing() -> None:
    """An unused one: its own values count."""
    assert converse(look(OLD), (USED, NONE)) is None


def test_the_heir_of_a_fresh_claim_is_on_its_way() -> None:
    """It is waited for, a moment, while the claim is young."""
    wait: Turn = (Pause, Paused(0.01))
    first: list[Turn] = [(USED, TAKEN), (HEIR, NONE), wait]
    assert converse(look(OLD), *first, (USED, TAKEN), (HEIR, GOES_ON)) is GOES_ON


class Writing:
    """The turns of an adoption: what is written, and what a store says of it."""

    def __init__(self, stored: bytes | None) -> None:
        self.stored, self.writes = stored, list[SessionWrite]()

    def flow(self, patience: float = 1.0) -> Flow[Opened]:
        """The adoption; updates are made on what is stored, as a store does it."""
        flow = adopt(OLD, patience)
        reply = None
        while True:
            try:
                op = flow.send(reply)
            except StopIteration as end:
                opened: Opened = end.value
                return opened
            if isinstance(op, Close) and op.session is not None:
                self.writes.append(op.session)
                for _, update in op.session.changes.updates:
                    assert update(self.stored) == b"1"
            reply = yield op


def test_the_first_one_writes_the_heir() -> None:
    """The claim, then the values of the cookie, and the session goes on from there."""
    site = Writing(stored=None)
    turns: list[Turn] = [(USED, NONE), (CLAIM, Done()), (CLAIM, Done())]
    found = converse(site.flow(), *turns, (USED, TAKEN), (HEIR, GOES_ON))
    assert found is GOES_ON
    claim, heir = site.writes
    assert (claim.sid, heir.sid) == (session_id(OLD.used), session_id(OLD.heir))
    assert claim.fresh and heir.fresh
    assert heir.changes.sets == OLD.rows and not claim.changes.sets


def test_the_second_one_writes_no_heir() -> None:
    """Somebody claimed it in between: his session is the one."""
    site = Writing(stored=b"1")
    turns: list[Turn] = [(USED, NONE), (CLAIM, Done()), (USED, TAKEN), (HEIR, GOES_ON)]
    assert converse(site.flow(), *turns) is GOES_ON
    assert len(site.writes) == 1


def test_a_claim_that_is_gone_leaves_an_empty_session() -> None:
    """Swept away at that very moment: nothing is taken from the cookie a second time."""
    site = Writing(stored=None)
    turns: list[Turn] = [(USED, NONE), (CLAIM, Done()), (CLAIM, Done()), (USED, NONE)]
    assert converse(site.flow(), *turns) == Opened()


def test_a_busy_store_is_said_to_be_busy() -> None:
    """The browser asks again with the same cookie, and nothing is lost."""
    with pytest.raises(StoreBusy, match="an old session could not be upgraded"):
        converse(Writing(stored=None).flow(0.0), (USED, NONE), (CLAIM, Busy()))
