"""What must hold for messages (F1-F5) and sessions (S1-S4), and the notes that the judges keep."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from seeother.core.fetching import PAGE_LEASE
from seeother.core.ops import Busy, Close, Done, Op, Open, Rearm, Settle, Taken
from seeother.core.values import ACCEPTED, SessionWrite
from seeother.stores.delivery import Stage
from seeother.stores.work import FORWARD_SECONDS

from .world import Violation

if TYPE_CHECKING:
    from .clients import Told
    from .worker import Worker
    from .world import World

ECHO_SECONDS: Final = 1.0


class Notes:
    """Who wrote which message, how often it may be shown, and how often it was."""

    def __init__(self) -> None:
        self.texts: dict[bytes, tuple[str, ...]] = {}
        self.visitors: dict[str, bytes] = {}
        self.chances: Counter[str] = Counter()
        self.shows: Counter[str] = Counter()
        self.acknowledged_by: dict[str, str] = {}
        self.settled_at: dict[str, float] = {}


def notes(world: World) -> Notes:
    """The notes of this schedule."""
    found: Notes | None = world.memo.get("notes")
    if found is None:
        found = world.memo["notes"] = Notes()
    return found


def settled(worker: Worker, op: Op[Any], reply: Any) -> None:
    """Note what a settle has recorded, and the message that it armed."""
    if not isinstance(op, Settle) or not isinstance(reply, Done):
        return
    world = worker.world
    if op.keep and op.outcome.kind == ACCEPTED:
        world.memo.setdefault("recorded", {})[op.key] = op.outcome
    kept = notes(world)
    kept.settled_at.setdefault(worker.unit, world.now)
    if op.receipt is not None and op.receipt.messages and op.receipt.id not in kept.texts:
        _armed(kept, op.receipt.id, tuple(m.text for m in op.receipt.messages), op.receipt.visitor)


def _armed(kept: Notes, receipt: bytes, texts: tuple[str, ...], visitor: bytes) -> None:
    kept.texts[receipt] = texts
    for text in texts:
        kept.chances[text] += text not in kept.visitors
        kept.visitors.setdefault(text, visitor)


def echoed_from(world: World, told: Told) -> list[str]:
    """The submission whose outcome this one may be given as the other half of a double click."""
    form = told.form.echoes
    if form is None or form.visitor != told.form.visitor:
        return []
    unit = form.unit(told.payload)
    at = notes(world).settled_at.get(unit)
    return [unit] if at is not None and at >= told.began - ECHO_SECONDS else []


def watch(worker: Worker, op: Op[Any], perform: Callable[[], Any] | None = None) -> Any:
    """Ask the store about messages and sessions, and look at what became of them."""
    from .judging import asked

    world = worker.world
    ids = op.unshown if isinstance(op, Close) else ()
    before = [kept for kept in map(world.backend.kept, ids) if kept is not None]
    if isinstance(op, Rearm):
        _may_show_again(world, op)
    reply = perform() if perform is not None else asked(worker, op)
    if world.tracing:
        world.log(f"{worker}: {op.verb} -> {_brief(reply)}")
    watch_session(worker, op, reply)
    if isinstance(op, Close) and not isinstance(reply, Busy):
        _closed(worker, op)
        for kept in before:
            mine = kept.delivery.stage is Stage.LEASED and kept.delivery.lease_id == op.lease_id
            after = world.backend.kept(kept.id)
            if mine and (after is None or after.delivery.stage is not Stage.ARMED):
                raise Violation("F4", f"a failed page did not give its message back ({worker})")
    return reply


def _brief(reply: Any) -> str:
    return repr(reply) if isinstance(reply, tuple) else type(reply).__name__


def _may_show_again(world: World, op: Rearm) -> None:
    kept = world.backend.kept(op.receipt)
    if kept is not None and kept.delivery.taken:
        for text in notes(world).texts.get(op.receipt, ()):
            notes(world).chances[text] += 1


def _closed(worker: Worker, op: Close) -> None:
    """Note who acknowledged, and that a redirect handed messages on."""
    kept, taken = notes(worker.world), worker.taken
    for receipt in op.shown:
        for text in kept.texts.get(receipt, ()):
            kept.acknowledged_by[text] = worker.unit
    if op.receipt is not None and op.receipt.messages:
        texts = tuple(text for one in taken for text in kept.texts.get(one.receipt, ()))
        _armed(kept, op.receipt.id, texts, op.receipt.visitor)


# Messages -----------------------------------------------------------------------------------


def may_take(worker: Worker, taken: tuple[Taken, ...], *, eligible: bool, visitor: bytes) -> None:
    """F2: only a page that shows takes. F5: only the visitor whose message it is."""
    kept = notes(worker.world)
    if taken and not eligible:
        raise Violation("F2", f"a request that shows nothing took a message ({worker})")
    for one in taken:
        for text in kept.texts.get(one.receipt, ()):
            if kept.visitors[text] != visitor:
                raise Violation("F5", f"another visitor got {text!r} ({worker})")


def shown(worker: Worker, taken: tuple[Taken, ...]) -> None:
    """F1: at most once per answer of a POST; pages that `_may_repeat` are no part of that."""
    kept = notes(worker.world)
    for one in taken:
        for text in kept.texts.get(one.receipt, (*(m.text for m in one.messages),)):
            kept.chances[text] += _may_repeat(worker, kept.acknowledged_by.get(text))
            kept.shows[text] += 1
            if kept.shows[text] > max(kept.chances[text], 1):
                raise Violation("F1", f"{text!r} was shown {kept.shows[text]} times ({worker})")


def _may_repeat(worker: Worker, by: str | None) -> bool:
    """A page slower than its lease, or one whose acknowledgement the store could not take."""
    world = worker.world
    if world.now - worker.began > PAGE_LEASE:
        return True
    locked = world.memo["mode"] == "joined" or world.backend.one_writer
    return by != worker.unit and (locked or worker.unit in world.faulted)


def all_delivered(world: World) -> None:
    """F3 and F4: nothing waits any more, and what nobody saw was lost by a fault."""
    kept = notes(world)
    for one in world.backend.receipts():
        if one.messages and one.delivery.stage is not Stage.SHOWN:
            raise Violation("F3", f"{one.messages[0].text!r} was never delivered")
    recorded = {t for one in world.backend.receipts() for t in kept.texts.get(one.id, ())}
    for text in kept.visitors:
        if text not in recorded:
            raise Violation("F3", f"the message {text!r} was settled and is not there")
        by = kept.acknowledged_by.get(text, "")
        if not kept.shows[text] and by not in world.faulted:
            raise Violation("F4", f"{text!r} was acknowledged by {by} and shown to nobody")


# Sessions -----------------------------------------------------------------------------------


class Sessions:
    """Which ids were given up, for which new ones, and which sessions were ended."""

    def __init__(self) -> None:
        self.moved: dict[bytes, bytes] = {}
        self.moved_at = 0.0
        self.ended: set[bytes] = set()


def sessions(world: World) -> Sessions:
    """What happened to the sessions of this schedule."""
    found: Sessions | None = world.memo.get("sessions")
    if found is None:
        found = world.memo["sessions"] = Sessions()
    return found


def last_id(world: World, sid: bytes) -> bytes:
    """Where a session is by now."""
    moved = sessions(world).moved
    while sid in moved:
        sid = moved[sid]
    return sid


def watch_session(worker: Worker, op: Op[Any], reply: Any) -> None:
    """S3 and S4: after every read and write of a session."""
    world = worker.world
    known = sessions(world)
    if isinstance(op, Open) and op.sid is not None and reply.session is not None:
        if op.sid in known.ended:
            raise Violation("S3", f"a session that was ended was opened again ({worker})")
        if op.sid in known.moved:
            raise Violation("S4", f"an id that was given up still opens the session ({worker})")
    if isinstance(op, Close) and op.session is not None and not isinstance(reply, Busy):
        _written(world, op.session)


def _written(world: World, write: SessionWrite) -> None:
    known, work = sessions(world), world.backend.work()
    if write.moves is not None:
        at = last_id(world, write.moves)
        head = work.head(at)
        if head is not None and head.moved_to == write.sid:
            known.moved[at], known.moved_at = write.sid, world.now
    if write.ends is not None:
        forwarded = world.now - known.moved_at <= FORWARD_SECONDS
        known.ended |= {write.ends, *([last_id(world, write.ends)] if forwarded else [])}
    for sid in known.ended:
        head = work.head(sid)
        if head is not None and head.moved_to is None:
            raise Violation("S3", "a session is there although it was ended")


def writes_survive(final: dict[str, str], written: dict[str, set[str]], maybe: set[str]) -> None:
    """S1: a write that was answered is there, unless the same key was written again.

    `maybe`: values of writes to the common key that got no answer.
    """
    for name, values in written.items():
        if final.get(name, "").strip('"') not in values | maybe:
            raise Violation("S1", f"{name} is {final.get(name)}, written were {sorted(values)}")


def counts_exactly(final: dict[str, str], done: int, tried: int) -> None:
    """S2: every `change` that was answered counts once; one without an answer at most once."""
    count = int(final.get("count", "0"))
    if not done <= count <= tried:
        raise Violation("S2", f"the count is {count}, answered were {done} of {tried}")


def stays_dead(world: World, sid: bytes) -> None:
    """S3: a session that has ended does not come back by a write of before."""
    head, work = world.backend.work().head(sid), world.backend.work()
    if head is not None and work._alive(head):
        raise Violation("S3", f"an idle session is alive again at {world.now:.1f}")
