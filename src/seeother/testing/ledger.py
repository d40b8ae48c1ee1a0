"""The promises of a ledger: who may run, what is replayed, and what nobody can overwrite."""

from __future__ import annotations

import threading

from ..core.ops import (
    Done,
    Fenced,
    Granted,
    InDoubt,
    InFlight,
    Renew,
    Settled,
    Unknown,
)
from ..core.values import ACCEPTED, REJECTED, Outcome
from .harness import (
    LEASE,
    PATIENCE,
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
        fences: list[int] = []
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
        replies = together(self.ask, claims)
        assert sum(isinstance(reply, Granted) for reply in replies) == 1
        assert sum(isinstance(reply, InFlight) for reply in replies) == 63

    def test_sixty_four_inputs_one_grant(self) -> None:
        """One row for a whole token, 64 different inputs at once: still only one runs."""
        claims = [claim(key(variant=WHOLE), fp=f"input {n}", by=f"w {n}") for n in range(64)]
        replies = together(self.ask, claims)
        assert sum(isinstance(reply, Granted) for reply in replies) == 1

    def test_sixty_four_visits_one_effect(self) -> None:
        """Claim, effect, settle on 64 threads: one effect, and everybody gets its outcome."""
        effects: list[int] = []
        over = threading.Event()

        def visit(number: int) -> str | None:
            mine = claim(by=f"thread {number}")
            reply = self.ask(mine)
            if isinstance(reply, Granted):
                effects.append(number)
                try:
                    assert self.settle(mine, reply, outcome(f"/{number}")) == Done()
                finally:
                    over.set()
                return f"/{number}"
            if isinstance(reply, InFlight):
                over.wait()
                reply = self.ask(mine)
            assert isinstance(reply, Settled)
            return reply.outcome.location

        told = together(visit, range(64))
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
        for number in range(SETTLES):
            self.done(claim(key(f"new {number}", issued=self.clock.now)))
