"""The promises of a ledger: who may run, what is replayed, and what nobody can overwrite."""

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
    Renew,
    Resolve,
    Settled,
    Unknown,
)
from ..core.values import ACCEPTED, REJECTED, Outcome
from .harness import (
    LEASE,
    PATIENCE,
    START,
    WHOLE,
    Harness,
    claim,
    key,
    named,
    outcome,
    page,
    receipt,
    together,
    write,
)

MAX_AGE = 86_400.0
SETTLES = 60


class LedgerPromises(Harness):
    """Claim, settle, replay, and everything that can come in between."""

    # Once, and then replayed -----------------------------------------------------------------

    def test_the_first_claim_is_granted(self) -> None:
        """Who asks first, runs, with fence 1."""
        assert self.ask(claim()) == Granted(1, named("worker"))

    def test_a_duplicate_of_a_running_one_is_in_flight(self) -> None:
        """While one runs, nobody else is granted, and a look-up says so too."""
        self.granted(claim())
        assert self.ask(claim(by="another")) == InFlight()
        assert self.lookup(claim()) == InFlight()

    def test_a_lost_answer_may_be_asked_for_again(self) -> None:
        """The same claim id gets the same grant."""
        assert self.granted(claim()) == self.granted(claim())

    def test_a_settled_one_is_replayed(self) -> None:
        """Claim and look-up give the recorded outcome and its age in seconds."""
        self.done(claim())
        self.clock.tick(7.0)
        assert self.ask(claim(by="another")) == Settled(outcome(), 7.0)
        assert self.lookup(claim()) == Settled(outcome(), 7.0)

    def test_an_outcome_comes_back_as_it_was(self) -> None:
        """Status, location, receipt and headers survive, whatever characters they have."""
        strange = Outcome(
            ACCEPTED, 201, "/caf\u00e9?q=\u4e2d#\U0001f600", b"\x00\xff" * 4, ((b"x", b"\xff y"),)
        )
        self.done(claim(), strange)
        assert self.lookup(claim()).outcome == strange

    def test_a_settle_may_be_said_twice(self) -> None:
        """Settle whose answer was lost: the same once more is Done and writes nothing again."""
        grant, left = self.granted(claim()), receipt("receipt", "saved")
        for _ in range(2):
            told = self.settle(claim(), grant, outcome(receipt=page()), receipt=left)
            assert told == Done()
        assert self.waiting(mark=page()) == (page(),)

    def test_variants_do_not_know_each_other(self) -> None:
        """Under one token every other input is a submission of its own."""
        self.done(claim())
        assert self.lookup(claim(key(variant=named("other")))) == Unknown()
        assert self.granted(claim(key(variant=named("other")))).fence == 1

    def test_what_is_not_kept_leaves_no_row(self) -> None:
        """keep=False: the view ran, and the next one runs as well."""
        self.done(claim(), keep=False)
        assert self.lookup(claim()) == Unknown()
        self.granted(claim(by="another"))

    def test_looking_up_writes_nothing(self) -> None:
        """A hundred look-ups of what is not there leave the first claim the first one."""
        for _ in range(100):
            assert self.lookup(claim()) == Unknown()
        assert self.granted(claim()).fence == 1

    # Leases ----------------------------------------------------------------------------------

    def test_a_lapsed_claim_is_in_doubt(self) -> None:
        """Without take-over a lease that ran out proves nothing, and stays a doubt."""
        self.granted(claim())
        self.clock.tick(LEASE)
        assert self.lookup(claim()) == InDoubt()
        assert self.ask(claim(by="another")) == InDoubt()
        assert self.ask(claim(by="another", takeover=True)) == InDoubt()
        assert self.lookup(claim()) == InDoubt()

    def test_a_lapsed_claim_may_be_taken_over(self) -> None:
        """Where take-over is allowed the next one runs, with a higher fence."""
        first = self.granted(claim())
        self.clock.tick(LEASE)
        assert self.granted(claim(by="another", takeover=True)).fence > first.fence

    def test_a_renewed_lease_goes_on(self) -> None:
        """Renew counts from now; only what was renewed too late lapses."""
        grant = self.granted(claim())
        self.clock.tick(LEASE - 1)
        assert self.ask(Renew(key(), grant, LEASE)) == Done()
        self.clock.tick(LEASE - 1)
        assert self.ask(claim(by="another", takeover=True)) == InFlight()
        self.clock.tick(1)
        self.granted(claim(by="another", takeover=True))

    def test_who_was_taken_over_cannot_renew(self) -> None:
        """A zombie's heartbeat prolongs nothing."""
        zombie = self.granted(claim())
        self.clock.tick(LEASE)
        self.granted(claim(by="another", takeover=True))
        assert self.ask(Renew(key(), zombie, LEASE)) == Fenced()

    def test_fences_only_grow(self) -> None:
        """Over take-overs and reopenings no fence is ever given twice."""
        fences = []
        for turn in range(4):
            grant = self.granted(claim(by=f"worker {turn}", takeover=True))
            fences.append(grant.fence)
            if turn % 2:
                self.settle(claim(), grant, outcome(kind=REJECTED))
            self.clock.tick(LEASE + PATIENCE)
        assert fences == sorted(set(fences))

    def test_a_zombie_is_told_the_winner(self) -> None:
        """A late settle with an old fence is refused and gets the outcome of the winner."""
        zombie = self.granted(claim())
        self.clock.tick(LEASE)
        self.done(claim(by="another", takeover=True), outcome("/winner"))
        assert self.settle(claim(), zombie, outcome("/late")) == Fenced(outcome("/winner"))
        assert self.lookup(claim()).outcome == outcome("/winner")

    def test_a_refused_settle_writes_nothing(self) -> None:
        """No outcome, no receipt, no session of a zombie is ever seen; the winner runs on."""
        zombie = self.granted(claim())
        self.clock.tick(LEASE)
        self.granted(claim(by="another", takeover=True))
        left, sid = receipt("receipt", "late"), named("sid")
        saved = write(sid, sets={"late": b"1"}, fresh=True)
        told = self.settle(claim(), zombie, outcome(), receipt=left, session=saved)
        assert told == Fenced()
        assert self.waiting(mark=page()) == ()
        assert self.session(sid) is None

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

    def test_only_what_keeps_its_page_is_meant_again(self) -> None:
        """A navigation with the same token and input is a duplicate however late it comes."""
        self.done(claim(page_keeping=True))
        self.done(claim(key("other")))
        self.clock.tick(3_600)
        assert isinstance(self.ask(claim(by="another")), Settled)
        late = claim(key("other"), by="another", page_keeping=True)
        assert isinstance(self.ask(late), Settled)

    # Everything together, and all at once ----------------------------------------------------

    def test_a_settle_is_one_step(self) -> None:
        """Outcome, receipt and session are there together."""
        sid, left = named("sid"), receipt("receipt", "saved", key=key())
        saved = write(sid, sets={"cart": b"[1]"}, fresh=True)
        self.done(claim(), outcome(receipt=page()), receipt=left, session=saved)
        assert self.lookup(claim()) == Settled(outcome(receipt=page()), 0.0, taken=False)
        assert self.waiting(mark=page()) == (page(),)
        assert self.session(sid) == {"cart": b"[1]"}

    def test_what_is_written_survives(self) -> None:
        """Settled and claimed rows, receipts and sessions are there after a restart (durable)."""
        running, sid = key("running"), named("sid")
        self.granted(claim(running))
        saved = write(sid, sets={"cart": b"[1]"}, fresh=True)
        self.done(claim(), receipt=receipt("receipt", "saved"), session=saved)
        self.store = self.reopen(self.store)
        assert self.lookup(claim()).outcome == outcome()
        assert self.ask(claim(running, by="another")) == InFlight()
        assert self.waiting(mark=page()) == (page(),)
        assert self.session(sid) == {"cart": b"[1]"}

    def test_sixty_four_threads_one_grant(self) -> None:
        """One key, 64 claims at once: one is granted, 63 are in flight."""
        claims = [claim(by=f"thread {n}") for n in range(64)]
        replies = together([lambda c=c: self.ask(c) for c in claims])  # type: ignore[misc]
        assert sum(isinstance(reply, Granted) for reply in replies) == 1
        assert sum(isinstance(reply, InFlight) for reply in replies) == 63

    def test_sixty_four_inputs_one_grant(self) -> None:
        """One row for a whole token, 64 different inputs at once: still only one runs."""
        claims = [claim(key(variant=WHOLE), fp=f"input {n}", by=f"w {n}") for n in range(64)]
        replies = together([lambda c=c: self.ask(c) for c in claims])  # type: ignore[misc]
        assert sum(isinstance(reply, Granted) for reply in replies) == 1

    def test_sixty_four_visits_one_effect(self) -> None:
        """Claim, effect, settle on 64 threads: one effect, and everybody gets its outcome."""
        effects: list[int] = []

        def visit(number: int) -> str | None:
            mine = claim(by=f"thread {number}")
            while not isinstance(reply := self.ask(mine), Granted | Settled):
                pass
            if isinstance(reply, Settled):
                return reply.outcome.location
            effects.append(number)
            self.settle(mine, reply, outcome(f"/{number}"))
            return f"/{number}"

        told = together([lambda n=n: visit(n) for n in range(64)])  # type: ignore[misc]
        assert len(effects) == 1
        assert set(told) == {f"/{effects[0]}"}

    # Age -------------------------------------------------------------------------------------

    def test_no_row_goes_while_its_token_is_valid(self) -> None:
        """A token may be sent for max_age after it was issued; until then its row is there."""
        old = claim(key("old"))
        self.done(old)
        self.clock.tick(MAX_AGE)
        self._settle_many()
        assert isinstance(self.lookup(old), Settled)

    def test_rows_of_refused_tokens_go(self) -> None:
        """What no valid token can name is deleted in the course of things."""
        old, sid = claim(key("old")), named("sid")
        saved = write(sid, sets={"cart": b"[1]"}, fresh=True)
        self.done(old, receipt=receipt("receipt", "saved"), session=saved)
        self.clock.tick(100 * MAX_AGE)
        self._settle_many()
        assert self.lookup(old) == Unknown()
        assert self.waiting(mark=page()) == ()
        assert self.session(sid) is None

    def test_a_clock_that_goes_back_runs_nothing_twice(self) -> None:
        """The store's clock is set back by a minute: what is settled stays settled."""
        self.done(claim())
        self.clock.tick(-60)
        assert isinstance(self.ask(claim(by="another")), Settled)
        assert self.lookup(claim()).outcome == outcome()

    def _settle_many(self) -> None:
        issued = START + self.clock.now - START
        for number in range(SETTLES):
            self.done(claim(key(f"new {number}", issued=issued)))
