"""The planted bugs that need more than a row of a table: functions put in the place of others.

`bend`s answer an op instead of the store, `before`s act when an op is asked; all others have the
signature of what they replace.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from seeother.core import flows, ledger, record
from seeother.core.ledger import Case
from seeother.core.ops import Abandon, Claim, Done, Echo, Lookup, Op, Resolve, Settle
from seeother.core.session import Session
from seeother.core.token import verify
from seeother.core.values import ACCEPTED, REJECTED, Changes
from seeother.stores.delivery import Delivery, Kept, Stage
from seeother.stores.memory import _MemoryWork
from seeother.stores.work import Work

from .worker import Ended

if TYPE_CHECKING:
    from .worker import Worker

_echoed = Work._echoed
_case_of_holder = ledger._case_of_holder
_case_of_settled = ledger._case_of_settled
_granted = ledger._granted
_judge = record.judge_answer
_rearm = Work.rearm
_session_changes = Session.changes
_take = Work.take
_settled_later = flows._settled_later

# Claims, leases, settling -------------------------------------------------------------------


def claim_by_lookup(worker: Worker, op: Op[Any]) -> Any:
    """Read, then write, and nothing in between is noticed."""
    memo, mine = worker.world.memo, f"nothing there for {worker.run}"
    if isinstance(op, Lookup):
        memo[mine] = worker.world.backend.row(op.key) is None
        return worker.port.perform(op)
    if isinstance(op, Claim) and memo.pop(mine, False):
        worker.port.store.rows.pop(op.key, None)
    return NotImplemented


def no_heartbeat(worker: Worker, op: Op[Any]) -> None:
    """Nobody renews a lease."""
    del op
    worker.world.memo["no heartbeat"] = True


def no_release(worker: Worker, op: Op[Any]) -> Any:
    """Who gives up a claim whose answer was lost says nothing."""
    del worker
    return Done() if isinstance(op, Abandon) and op.grant.fence == 0 else NotImplemented


def any_fence(row: Any, ask: Any) -> Case:
    """Whoever comes is the holder."""
    return _case_of_holder(row, ask) if row is None or isinstance(ask, Resolve) else Case.HELD


def first_fence(row: Any, claim: Any, now: float) -> Any:
    """Every claim starts to count anew."""
    return replace(_granted(row, claim, now), fence=1)


def settle_in_two_steps(worker: Worker, op: Op[Any]) -> Any:
    """The effect is committed whether or not the fence still holds."""
    if isinstance(op, Settle):
        worker.port.commit()  # type: ignore[attr-defined]
    return NotImplemented


def record_after_commit(worker: Worker, op: Op[Any]) -> Any:
    """The app commits, and the row is written a moment later."""
    if not isinstance(op, Settle):
        return NotImplemented
    port: Any = worker.port
    row, _ = ledger.step(port.joined._row, op, worker.world.now)
    if row is None:
        return NotImplemented
    port.transaction.commit()
    work = _MemoryWork(port.store)
    worker.world.at(0.5, lambda: work.settled(op, row), worker.process)
    return Done()


def answer_before_settle(worker: Worker, op: Op[Any]) -> None:
    """The client is told before anything is committed."""
    if isinstance(op, Settle) and op.outcome.kind == ACCEPTED:
        worker._then(worker, Ended(flows.Answer(flows._of(op.outcome), "new")))


def settled_or_not(settle: Settle, patience: float) -> Generator[Any, Any, Any]:
    """Effect done, record lost, told accepted: also where somebody else may run it again."""
    return (yield from _settled_later(settle, patience)) or Done()


# Input, replays, expiry ---------------------------------------------------------------------


def settled_case(kind: str, case: Case, *, keeping: bool = False) -> Callable[..., Case]:
    """What a claim meets at a settled row of this kind, whatever its age."""

    def decide(row: Any, claim: Any, same: bool, age: float) -> Case:
        fits = row.outcome is not None and row.outcome.kind == kind
        if fits and same and (claim.page_keeping or not keeping):
            return case
        return _case_of_settled(row, claim, same, age)

    return decide


REPLAYED_FOR_EVER = settled_case(REJECTED, Case.FINAL)
NEVER_REPLAYED = settled_case(REJECTED, Case.REOPENED)
REOPENED_AT_ONCE = settled_case(ACCEPTED, Case.REOPENED, keeping=True)


def nothing_of_input(*_: Any) -> bytes:
    """The same fingerprint for everything."""
    return bytes(16)


def lenient_verify(ring: Any, text: str, *, max_age: float, **rest: Any) -> Any:
    """A token of last week is as good as any."""
    return verify(ring, text, max_age=9 * max_age, **rest)


def errors_accepted(handled: Any) -> record.Verdict:
    """A 500 that a framework made of an exception is an answer like any other."""
    if handled.response.status == 500:
        return record.Verdict.ACCEPT
    return _judge(handled)


def expire_early(work: Any) -> None:
    """Delete what is some minutes old, though its token is valid for a day."""
    for key, row in list(work.store.rows.items()):
        if row.settled_at and row.settled_at < work.now - 150:
            del work.store.rows[key]


def worker_clock(backend: Any, process: Any) -> float:
    """The store believes the watch of whoever asks."""
    return float(backend.world.now + process.skew)


# Messages -----------------------------------------------------------------------------------


def acknowledge_at_take(work: Work, op: Any) -> Any:
    """Taken counts as shown."""
    taken = _take(work, op)
    for one in taken:
        kept = work.kept(one.receipt)
        assert kept is not None
        work.deliver(kept.id, kept.delivery.acknowledged(op.lease_id))
    return taken


def take_for_anybody(work: Work, op: Any) -> Any:
    """Nobody asks whose message it is."""
    out: list[Any] = []
    for receipt in op.receipts:
        kept = work.kept(receipt)
        if kept is not None:
            out += _take(work, replace(op, visitor=kept.visitor, receipts=(receipt,)))
    return tuple(out)


def everybodys_orphans(work: Any, visitor: bytes, age: float) -> list[bytes]:
    """All messages that wait, whoever they are for."""
    del visitor
    found = work.store.receipts.values()
    return [kept.id for kept in found if kept.delivery.orphaned(work.now, age)]


def copy_at_rearm(work: Any, op: Any) -> Any:
    """The replay leaves a second receipt with the same message."""
    kept = work.kept(op.receipt)
    if kept is not None and kept.delivery.taken:
        delivery = Delivery(Stage.ARMED, kept.delivery.settled_at, work.now)
        copy = replace(kept, id=b"c" + kept.id[1:], delivery=delivery)
        work.store.receipts[copy.id] = copy
    return _rearm(work, op)


def no_message(work: Work, receipt: Any) -> None:
    """The outcome is written, and its message is not."""
    del work, receipt


def echo_for_anybody(work: Work, op: Any) -> Any:
    """The other half of a double click may be somebody else's."""
    kept: Kept | None = work.kept(op.echo.receipt) if op.echo is not None else None
    if kept is not None:
        op = replace(op, echo=replace(op.echo, visitor=kept.visitor))
    return _echoed(work, op)


def echo_without_visitor(ring: Any, visitor: bytes, canonical: bytes) -> bytes:
    """A digest that is the same for everybody."""
    from seeother.core.fingerprint import echo_digest

    del visitor
    return echo_digest(ring, b"", canonical)


def echo_at_any_time(receipt: bytes, digest: bytes, visitor: bytes, within: float) -> Echo:
    """A double click may take a day."""
    return Echo(receipt, digest, visitor, within * 86_400)


# Sessions -----------------------------------------------------------------------------------


def whole_session(session: Session) -> Changes:
    """Everything that this visit has seen, changed or not."""
    seen = _session_changes(session)
    if seen.cleared:
        return seen
    return Changes(tuple((name, session._dump(session[name])) for name in session))


def replace_session(work: Any, sid: bytes, changes: Changes) -> None:
    """What is not in this write is gone."""
    before = work.store.sessions.get(sid)
    _change(work, sid, changes)
    if before is not None:
        after = work.store.sessions[sid]
        work.store.sessions[sid] = replace(after, values=dict(changes.sets))


_change = _MemoryWork.change


def merge_into_the_dead(work: Work, write: Any) -> None:
    """A save makes the session that it wants to save."""
    if write.ends is not None:
        work.end(write.ends)
    work.change(work._now_at(write.sid) or write.sid, work._computed(write.sid, write.changes))


def change_by_what_was_read(session: Session) -> Changes:
    """`change` writes what it computed from this visit's own copy."""
    seen = _session_changes(session)
    computed = {name: session._dump(session[name]) for name, _ in seen.updates}
    return replace(seen, sets=(*seen.sets, *computed.items()), updates=())


def alive_after_move(work: Work, head: Any) -> bool:
    """An id that was given up is as good as the new one."""
    return bool(work.now - head.seen < work.store.idle)


def not_forwarded(work: Work, sid: bytes) -> bytes | None:
    """A write under an id that was given up meanwhile finds nothing."""
    head = work.head(sid)
    return sid if head is not None and work._alive(head) else None


def end_this_id_only(work: Work, write: Any) -> None:
    """Signing out forgets that the session has moved."""
    if write.ends is not None:
        work.end(write.ends)
        return
    _merge(work, write)


_merge = Work._merge
