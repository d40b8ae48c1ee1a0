"""A store and the model, side by side, through thousands of random steps.

The model is the memory store: the pure transition table and four dicts. `StoreMachine` sends the
same ops to both, on one clock that steps and leases that run out, from holders that were long taken
over, and compares every answer. What both could get wrong together is checked against the
invariants of the protocol: an accepted outcome is final (I4, I5), a stale fence never overwrites
(I10), fences never decrease while a row lives (I11).

    class Machine(StoreMachine):
        def make(self, clock):
            return MyStore(clock=clock)

    TestMachine = Machine.TestCase
"""

from __future__ import annotations

from typing import Any, Final, TypeAlias

from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
)

from ..core.ops import (
    Abandon,
    Busy,
    Claim,
    Close,
    Done,
    Doubt,
    Echo,
    Fenced,
    Granted,
    Lookup,
    Op,
    Open,
    Opened,
    Rearm,
    Renew,
    Resolve,
    Settle,
    Settled,
    Take,
)
from ..core.values import ACCEPTED, Changes, Flash, Key, Outcome, Receipt, SessionWrite
from ..stores.base import Clock, Store
from ..stores.memory import MemoryStore
from .harness import ANN, BOB, LEASE, PATIENCE, FakeClock, named
from .strategies import STEPS, changes, ends, inputs, keys, lease_ids, texts, visitors, ways

# Nothing for a bundle.
NOBODY: Final[Any] = multiple()  # pyright: ignore[reportUnknownVariableType]
Held: TypeAlias = tuple[Claim, Granted]


class StoreMachine(RuleBasedStateMachine):
    """Random steps on a store and on the model; override `make`, and `end` to clean up."""

    grants: Bundle[Held] = Bundle("grants")
    receipts: Bundle[bytes] = Bundle("receipts")
    sessions: Bundle[bytes] = Bundle("sessions")

    def make(self, clock: Clock) -> Store:
        """A new, empty store on this clock. Override this."""
        raise NotImplementedError

    def end(self) -> None:
        """Take away what `make` has left on disk."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = FakeClock()
        self.real, self.model = self.make(self.clock), MemoryStore(clock=self.clock)
        self.count = 0
        self.sids: list[bytes] = []
        self.fences: dict[Key, int] = {}
        self.final: dict[Key, Outcome] = {}

    def teardown(self) -> None:
        """Close the store."""
        self.real.shut()
        self.end()

    def both(self, op: Op[Any]) -> Any:
        """The same op to both; the answer, if it is one."""
        real, model = self.real.perform(op), self.model.perform(op)
        assert not isinstance(real, Busy), f"{op} found nobody else, and yet was busy"
        assert real == model, f"{op}: {real}, but the model says {model}"
        return real

    # The ledger ------------------------------------------------------------------------------

    @rule(target=grants, where=keys, fp=inputs, how=ways)
    def claim(self, where: Key, fp: bytes, how: dict[str, bool]) -> Any:
        """Somebody asks to run it."""
        held = self._claimed(where, fp, how)
        return NOBODY if held is None else held

    @rule(target=receipts, held=grants, what=ends, sid=sessions)
    def settle(self, held: Held, what: dict[str, Any], sid: bytes) -> bytes:
        """Somebody who was granted once says how it ended."""
        return self._settled(held, sid, **what)

    @rule(target=receipts, where=keys, fp=inputs, how=ways, what=ends, sid=sessions)
    def visit(self, where: Key, fp: bytes, how: Any, *, what: dict[str, Any], sid: bytes) -> Any:
        """Somebody runs it from its beginning to its end."""
        held = self._claimed(where, fp, how)
        return NOBODY if held is None else self._settled(held, sid, **what)

    @rule(held=grants)
    def abandon(self, held: Held) -> None:
        """Somebody who was granted once gives it back."""
        self._given_back(Abandon(held[0].key, held[1]))

    @rule(held=grants)
    def doubt(self, held: Held) -> None:
        """Somebody who was granted once does not know."""
        self.both(Doubt(held[0].key, held[1]))

    @rule(held=grants)
    def renew(self, held: Held) -> None:
        """Somebody who was granted once is still at it."""
        self.both(Renew(held[0].key, held[1], LEASE))

    @rule(where=keys, happened=st.booleans())
    def resolve(self, where: Key, *, happened: bool) -> None:
        """An operator found out."""
        outcome = Outcome(ACCEPTED, 303, "/resolved") if happened else None
        reply = self._given_back(Resolve(where, happened, outcome), gone=not happened)
        if isinstance(reply, Done) and outcome is not None:
            self.final[where] = outcome

    @rule(where=keys, fp=inputs, page_keeping=st.booleans(), mark=receipts, visitor=visitors)
    def lookup(
        self, where: Key, fp: bytes, mark: bytes, visitor: bytes, *, page_keeping: bool
    ) -> None:
        """Somebody looks, from the page behind a receipt."""
        echo = Echo(mark, named("input"), visitor, 1.0)
        self.both(Lookup(where, fp, PATIENCE, page_keeping, echo))

    # Messages, sessions, time ----------------------------------------------------------------

    @initialize(target=sessions, changes=changes)
    def first(self, changes: Changes) -> bytes:
        """There is a session from the beginning on."""
        return self._begun(changes)

    @rule(target=sessions, changes=changes)
    def begin(self, changes: Changes) -> bytes:
        """A session begins."""
        return self._begun(changes)

    @rule(target=sessions, old=sessions, changes=changes, ends=st.booleans())
    def follow(self, old: bytes, changes: Changes, *, ends: bool) -> bytes:
        """A session is rotated, or ends and another one begins."""
        return self._begun(changes, fresh=ends, **{"ends" if ends else "moves": old})

    @rule(sid=sessions)
    def sign_out(self, sid: bytes) -> None:
        """A session ends."""
        self.both(Close(SessionWrite(sid, Changes(), ends=sid)))

    @rule(target=receipts, visitor=visitors, messages=texts)
    def leave(self, visitor: bytes, messages: list[Flash]) -> bytes:
        """A page leaves a receipt."""
        new = self._new()
        self.both(Close(None, Receipt(new, visitor, None, b"", tuple(messages))))
        return new

    @rule(visitor=visitors, marks=st.lists(receipts, max_size=3), lease_id=lease_ids)
    def take(self, visitor: bytes, marks: list[bytes], lease_id: bytes) -> None:
        """A page takes messages."""
        self.both(Take(visitor, tuple(marks), lease_id, LEASE))

    @rule(
        shown=st.lists(receipts, max_size=2),
        unshown=st.lists(receipts, max_size=2),
        lease_id=lease_ids,
        sid=sessions,
        changes=changes,
    )
    def close(
        self,
        shown: list[bytes],
        unshown: list[bytes],
        lease_id: bytes,
        *,
        sid: bytes,
        changes: Changes,
    ) -> None:
        """A page ends."""
        session = SessionWrite(sid, changes)
        self.both(Close(session, None, tuple(shown), tuple(unshown), lease_id))

    @rule(mark=receipts)
    def rearm(self, mark: bytes) -> None:
        """A replay shows a message once more."""
        self.both(Rearm(mark, 10.0))

    @rule(mark=receipts, visitor=visitors, orphans=st.booleans())
    def open(self, mark: bytes, visitor: bytes, *, orphans: bool) -> None:
        """A page opens."""
        self._open(Open(visitor, None, mark, messages=True, orphans=orphans))

    @rule(seconds=st.sampled_from(STEPS))
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.clock.tick(seconds)

    @invariant()
    def sessions_are_equal(self) -> None:
        """Both hold the same sessions and the same messages for everybody."""
        for visitor in (ANN, BOB):
            self._open(Open(visitor, orphans=True, orphan_age=0.0))
        for sid in self.sids:
            self._open(Open(sid=sid))

    @invariant()
    def final_is_final(self) -> None:
        """Who was told that it is accepted, and asks again, is told the same."""
        for where, outcome in self.final.items():
            row = self.model.rows[where]
            reply = self.real.perform(Lookup(where, row.fingerprint, PATIENCE))
            assert isinstance(reply, Settled)
            assert reply.outcome == outcome

    def _begun(self, changes: Changes, *, fresh: bool = True, **more: bytes) -> bytes:
        self.count += 1
        sid = named(f"session {self.count}")
        self.sids.append(sid)
        self.both(Close(SessionWrite(sid, changes, fresh, **more)))
        return sid

    def _claimed(self, where: Key, fp: bytes, how: dict[str, bool]) -> Held | None:
        self.count += 1
        claim = Claim(where, fp, named(f"claim {self.count}"), LEASE, PATIENCE, **how)
        reply = self.both(claim)
        if not isinstance(reply, Granted):
            return None
        assert reply.fence > self.fences.get(where, 0)
        assert where not in self.final or claim.page_keeping
        self.final.pop(where, None)
        self.fences[where] = reply.fence
        return claim, reply

    def _settled(
        self,
        held: Held,
        sid: bytes,
        *,
        kind: Any,
        visitor: bytes,
        messages: list[Flash],
        changes: Changes | None,
        keep: bool,
    ) -> bytes:
        (claim, grant), new = held, self._new()
        outcome = Outcome(kind, 303, f"/{self.count}", new)
        left = Receipt(new, visitor, claim.key, claim.fingerprint, tuple(messages), b"d")
        session = None if changes is None else SessionWrite(sid, changes)
        more = (outcome, left, session, claim.page_keeping)
        reply = self.both(Settle(claim.key, grant, claim.fingerprint, *more, keep=keep))
        if isinstance(reply, Fenced):
            assert reply.edited or self.final.get(claim.key) in (None, reply.winner)
        elif not keep:
            self._forget(claim.key)
        elif kind == ACCEPTED:
            assert claim.key not in self.final
            self.final[claim.key] = outcome
        return new

    def _open(self, op: Open) -> None:
        real, model = self.real.perform(op), self.model.perform(op)
        assert _sorted(real) == _sorted(model), f"{op}: {real}, but the model says {model}"

    def _given_back(self, op: Abandon | Resolve, *, gone: bool = True) -> Any:
        reply = self.both(op)
        if isinstance(reply, Done) and gone and op.key not in self.model.rows:
            self._forget(op.key)
        return reply

    def _forget(self, where: Key) -> None:
        self.fences.pop(where, None)
        self.final.pop(where, None)

    def _new(self) -> bytes:
        self.count += 1
        return named(f"{self.count}", 8)


def _sorted(opened: Opened) -> Any:
    """The keys of a session have no order."""
    session = None if opened.session is None else dict(opened.session)
    return session, opened.draft, opened.waiting
