"""The promises about how a submission ends when it does not simply succeed.

Given back, in doubt, rejected, sent with other input, or meant a second time.
"""

from __future__ import annotations

from ..core.ops import (
    Abandon,
    Done,
    Doubt,
    Edited,
    Fenced,
    Granted,
    InDoubt,
    InFlight,
    Resolve,
    Settle,
    Settled,
    Unknown,
)
from ..core.values import REJECTED
from .harness import LEASE, PATIENCE, WHOLE, Harness, claim, key, named, outcome


class EndingPromises(Harness):
    """Abandon, doubt, resolve; rejected, edited and page-keeping submissions."""

    # Given back, or in doubt -----------------------------------------------------------------

    def test_an_abandoned_claim_is_free(self) -> None:
        """Given back before any effect: the next one runs at once; the old grant is void."""
        grant = self.granted(claim())
        assert self.ask(Abandon(key(), grant)) == Done()
        assert self.lookup(claim()) == Unknown()
        self.granted(claim(by="another"))
        assert self.settle(claim(), grant) == Fenced()

    def test_a_claim_with_a_lost_answer_may_be_abandoned(self) -> None:
        """Fence 0 stands for whatever fence this claim id may have got."""
        self.granted(claim())
        assert self.ask(Abandon(key(), Granted(0, named("worker")))) == Done()
        self.granted(claim(by="another"))

    def test_only_the_holder_can_abandon(self) -> None:
        """A claim id that holds nothing frees nothing."""
        self.granted(claim())
        assert self.ask(Abandon(key(), Granted(0, named("stranger")))) == Fenced()
        assert self.ask(claim(by="another")) == InFlight()

    def test_a_failed_second_attempt_proves_nothing_about_the_first(self) -> None:
        """Taint: after a take-over of unknown fate, abandoning leaves a doubt and no free row."""
        self.granted(claim(retry_safe=True, takeover=True))
        self.clock.tick(LEASE)
        second = self.granted(claim(by="second", retry_safe=True, takeover=True))
        assert self.ask(Abandon(key(), second)) == Done()
        assert self.ask(claim(by="another")) == InDoubt()

    def test_a_doubt_is_told_to_everybody(self) -> None:
        """Doubt: nobody runs it again, nobody gets an outcome."""
        grant = self.granted(claim())
        assert self.ask(Doubt(key(), grant)) == Done()
        assert self.ask(claim(by="another", takeover=True)) == InDoubt()
        assert self.lookup(claim()) == InDoubt()

    def test_a_late_settle_ends_a_doubt(self) -> None:
        """The same fence may still say how it ended."""
        grant = self.granted(claim())
        self.ask(Doubt(key(), grant))
        assert self.settle(claim(), grant) == Done()
        assert self.lookup(claim()).outcome == outcome()

    def test_a_doubt_may_be_resolved(self) -> None:
        """It happened: its outcome is replayed. It did not: the next one runs."""
        happened, did_not = key("happened"), key("did not")
        for where in (happened, did_not):
            self.ask(Doubt(where, self.granted(claim(where))))
        assert self.ask(Resolve(happened, happened=True, outcome=outcome())) == Done()
        assert self.ask(Resolve(did_not, happened=False)) == Done()
        assert self.lookup(claim(happened)).outcome == outcome()
        self.granted(claim(did_not, by="another"))

    def test_only_a_doubt_is_resolved(self) -> None:
        """What is settled, running or unknown is not an operator's to decide."""
        self.done(claim())
        running = key("running")
        self.granted(claim(running))
        for where in (key(), running, key("unknown")):
            assert isinstance(self.ask(Resolve(where, happened=False)), Fenced)
        assert self.lookup(claim()).outcome == outcome()

    # Rejected, edited, page-keeping ----------------------------------------------------------

    def test_a_rejected_one_is_replayed_for_patience(self) -> None:
        """The other click of a double click gets the rejection; later the same input runs again."""
        first = self.done(claim(), outcome(kind=REJECTED))
        self.clock.tick(PATIENCE)
        assert self.ask(claim(by="another")) == Settled(outcome(kind=REJECTED), PATIENCE)
        self.clock.tick(0.5)
        assert self.lookup(claim()) == Unknown()
        assert self.granted(claim(by="another")).fence > first.fence

    def test_a_corrected_one_runs_at_once(self) -> None:
        """On one row for a whole token a rejection does not hold the corrected input back."""
        self.done(claim(key(variant=WHOLE)), outcome(kind=REJECTED))
        corrected = claim(key(variant=WHOLE), fp="corrected", by="another")
        assert self.lookup(corrected) == Unknown()
        self.granted(corrected)

    def test_other_input_on_one_row_is_edited(self) -> None:
        """The token was used up with other input: no grant, and the outcome to show."""
        self.done(claim(key(variant=WHOLE)))
        edited = claim(key(variant=WHOLE), fp="edited", by="another")
        assert self.ask(edited) == Edited(outcome(), 0.0)
        assert self.lookup(edited) == Unknown()

    def test_a_page_keeping_one_may_be_meant_again(self) -> None:
        """For 5 s it is a duplicate; after that the same click on the same page is a new one."""
        keeping = claim(page_keeping=True)
        first = self.done(keeping)
        self.clock.tick(5.0)
        again = claim(by="another", page_keeping=True)
        assert isinstance(self.ask(again), Settled)
        self.clock.tick(0.5)
        assert self.lookup(again) == Unknown()
        assert self.granted(again).fence > first.fence

    def test_a_page_that_was_left_is_meant_once(self) -> None:
        """Only the answer told that the page did not stay; what comes from it later is a repeat."""
        left = claim(page_keeping=True)
        grant = self.granted(left)
        settle = Settle(left.key, grant, left.fingerprint, outcome(), page_keeping=False)
        assert self.ask(settle) == Done()
        self.clock.tick(3_600)
        assert isinstance(self.ask(claim(by="another", page_keeping=True)), Settled)

    def test_only_what_keeps_its_page_is_meant_again(self) -> None:
        """A navigation with the same token and input is a duplicate however late it comes."""
        self.done(claim(page_keeping=True))
        self.done(claim(key("other")))
        self.clock.tick(3_600)
        assert isinstance(self.ask(claim(by="another")), Settled)
        late = claim(key("other"), by="another", page_keeping=True)
        assert isinstance(self.ask(late), Settled)
