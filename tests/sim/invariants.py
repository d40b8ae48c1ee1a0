"""What must hold, with the numbers of the protocol. Each is one small function.

Three occasions: after every op on the ledger (`AT_OP`), with every answer (`AT_ANSWER`), and at the
end, when all faults have stopped and every submission was asked about once more (`AT_END`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from seeother.core.ledger import PAGE_KEEPING_SECONDS, Row, State
from seeother.core.ops import Claim, Done, Fenced, Granted, Op, Settle
from seeother.core.values import ACCEPTED, REJECTED

from . import promises
from .world import Violation

if TYPE_CHECKING:
    from .clients import Told
    from .worker import Worker
    from .world import World

RECONCILED: Final = "/form"  # where the library leads when only the app knew that it happened
LEDGER: Final = frozenset({"claim", "renew", "settle", "abandon", "doubt", "resolve"})


class Seen(NamedTuple):
    """One op on the ledger: the row before and after, and the answer."""

    worker: Worker
    op: Any
    before: Row | None
    after: Row | None
    reply: Any

    @property
    def mode(self) -> str:
        return str(self.worker.world.memo.get("mode"))

    @property
    def grants_anew(self) -> bool:
        """Was a claim granted that was not the asker's before?"""
        if not isinstance(self.reply, Granted):
            return False
        return self.before is None or self.before.claim_id != self.op.claim_id

    @property
    def settles(self) -> bool:
        return isinstance(self.op, Settle) and isinstance(self.reply, Done)


AtOp = Callable[[Seen], bool]
AtAnswer = Callable[["World", "Told"], bool]
AtEnd = Callable[["World", str], bool]
AT_OP: list[tuple[str, AtOp, str]] = []
AT_ANSWER: list[tuple[str, AtAnswer, str]] = []
AT_END: list[tuple[str, AtEnd, str]] = []


def _on(occasion: list[Any], number: str) -> Callable[[Any], Any]:
    """Register a function that is True where its invariant is broken."""

    def register(function: Any) -> Any:
        occasion.append((number, function, (function.__doc__ or "").strip()))
        return function

    return register


def watch(worker: Worker, op: Op[Any], perform: Callable[[], Any] | None = None) -> Any:
    """Ask the store, and look at the ledger before and after."""
    world = worker.world
    if op.verb not in LEDGER:
        return promises.watch(worker, op, perform)
    key = op.key  # type: ignore[attr-defined]
    before = world.backend.row(key)
    reply = perform() if perform is not None else asked(worker, op)
    after = world.backend.row(key)
    if world.tracing:
        world.log(f"{worker}: {op.verb} -> {type(reply).__name__} ({_short(before)}->{_short(after)})")
    seen = Seen(worker, op, before, after, reply)
    for number, broken, text in AT_OP:
        if broken(seen):
            raise Violation(number, f"{text} ({worker.unit}, {worker})")
    promises.settled(seen.worker, op, reply)
    return reply


def asked(worker: Worker, op: Op[Any]) -> Any:
    """The store's answer, or that of a planted bug."""
    mutant = worker.world.mutant
    if mutant is not None and mutant.bend is not None:
        reply = mutant.bend(worker, op)
        if reply is not NotImplemented:
            return reply
    return worker.port.perform(op)


def judge_answer(world: World, told: Told) -> None:
    """Judge what a process says, at the moment it says it."""
    for number, broken, text in AT_ANSWER:
        if broken(world, told):
            raise Violation(number, f"{text} ({told.unit}, {told.kind}, {told.location})")


def judge_end(world: World, units: list[str]) -> None:
    """Judge what is there at last."""
    for unit in units:
        for number, broken, text in AT_END:
            if broken(world, unit):
                raise Violation(number, f"{text} ({unit})")


def _short(row: Row | None) -> str:
    return "-" if row is None else f"{row.state.value} {row.fence}"


# After every op -----------------------------------------------------------------------------


@_on(AT_OP, "I1")
def accepted_is_final(seen: Seen) -> bool:
    """An accepted submission was claimed again before its time."""
    before, after = seen.before, seen.after
    if before is None or before.outcome is None or before.outcome.kind != ACCEPTED:
        return False
    if before.state is not State.SETTLED:
        return False
    if after is not None and after.outcome == before.outcome and not seen.grants_anew:
        return False
    if seen.mode == "joined" and isinstance(seen.op, Settle) and before.page_keeping:
        return False  # judged at its claim, and locked since
    over = seen.worker.world.now - before.settled_at > PAGE_KEEPING_SECONDS
    return not (before.page_keeping and isinstance(seen.op, Claim) and over)


@_on(AT_OP, "I8")
def rejection_is_patient(seen: Seen) -> bool:
    """Rejected input ran again while its duplicates should still have got the rejection."""
    before = seen.before
    if not isinstance(seen.op, Claim) or before is None or not seen.grants_anew:
        return False
    if before.outcome is None or before.outcome.kind != REJECTED:
        return False
    if before.state is not State.SETTLED or before.fingerprint != seen.op.fingerprint:
        return False
    return seen.worker.world.now - before.settled_at <= seen.op.patience


@_on(AT_OP, "I9")
def bad_tokens_touch_nothing(seen: Seen) -> bool:
    """A request with a bad or stale token reached the store."""
    return seen.worker.unit.startswith("bad")


@_on(AT_OP, "I10")
def only_the_holder_settles(seen: Seen) -> bool:
    """A stale fence wrote an outcome."""
    if not seen.settles or seen.mode == "joined":
        return False
    before, grant = seen.before, seen.op.grant
    return before is None or (before.fence, before.claim_id) != (grant.fence, grant.claim_id)


@_on(AT_OP, "I10")
def the_holder_may_settle(seen: Seen) -> bool:
    """The holder of the fence was refused."""
    before = seen.before
    if not isinstance(seen.op, Settle) or not isinstance(seen.reply, Fenced) or before is None:
        return False
    if seen.mode == "joined" or before.state is State.SETTLED:
        return False
    grant = seen.op.grant
    return (before.fence, before.claim_id) == (grant.fence, grant.claim_id)


@_on(AT_OP, "I11")
def fences_grow(seen: Seen) -> bool:
    """A fence went backwards, or a new holder got an old one."""
    if seen.before is None or seen.after is None:
        return False
    if seen.grants_anew and seen.mode != "joined":
        return seen.after.fence <= seen.before.fence
    return seen.after.fence < seen.before.fence


@_on(AT_OP, "I12")
def unknown_fates_are_kept(seen: Seen) -> bool:
    """A row was forgotten though nobody knows what its first holder did."""
    gone = seen.before is not None and seen.after is None
    return gone and seen.before is not None and seen.before.tainted


# With every answer --------------------------------------------------------------------------


@_on(AT_ANSWER, "I3")
def accepted_means_done(world: World, told: Told) -> bool:
    """Told accepted, but there is no effect of that request's input."""
    if told.kind != "accepted":
        return False
    units = [told.unit, *promises.echoed_from(world, told)]
    effects = [effect for unit in units for effect in world.backend.table.of(unit)]
    return all(effect.payload != told.payload for effect in effects)


@_on(AT_ANSWER, "I4")
def one_outcome(world: World, told: Told) -> bool:
    """Two different outcomes were told for one submission."""
    if told.kind != "accepted" or told.form.keeps_page or told.form.echoes:
        return False
    if told.location == RECONCILED:
        return False
    first = world.memo.setdefault("outcomes", {}).setdefault(told.unit, told.location)
    return bool(first != told.location)


@_on(AT_ANSWER, "I5")
def accepted_stays_accepted(world: World, told: Told) -> bool:
    """Accepted and recorded, yet who asked later was told something else."""
    known: dict[tuple[str, str], float] = world.memo.setdefault("accepted", {})
    key = world.memo["keys"].get(told.unit)
    if told.kind == "accepted":
        row = world.backend.row(key)
        if row is not None and row.state is State.SETTLED:
            known.setdefault((told.unit, told.payload), told.at)
        return False
    since = known.get((told.unit, told.payload))
    denied = told.kind in ("doubt", "rejected", "edited", "gone")
    return denied and since is not None and told.began > since and not told.form.keeps_page


@_on(AT_ANSWER, "I7")
def no_trouble_without_fault(world: World, told: Told) -> bool:
    """A doubt or an error although nothing went wrong."""
    return told.kind in ("doubt", "error") and told.unit not in world.faulted


@_on(AT_ANSWER, "I7")
def doubt_is_for_separate(world: World, told: Told) -> bool:
    """A doubt in a mode where a lapsed claim simply runs again."""
    return told.kind == "doubt" and world.memo["mode"] != "separate"


@_on(AT_ANSWER, "I7")
def no_busy_without_reason(world: World, told: Told) -> bool:
    """Busy although nothing went wrong and no view was slow."""
    if told.kind != "busy" or told.crowded or told.unit in world.faulted:
        return False
    one_writer = world.memo["mode"] == "joined" or world.backend.one_writer
    return not (told.unit in world.slow or (one_writer and (world.slow or world.stirred)))


@_on(AT_ANSWER, "I8")
def rejected_means_nothing(world: World, told: Told) -> bool:
    """Told rejected by a run that left an effect."""
    if told.kind not in ("rejected", "released") or not told.fresh:
        return False
    return any(effect.run == told.run for effect in world.backend.table.of(told.unit))


# At the end ---------------------------------------------------------------------------------


@_on(AT_END, "I1/I2")
def once(world: World, unit: str) -> bool:
    """More than one effect of one submission."""
    if world.memo["retry safe"] or unit in world.memo["keeps page"]:
        return False
    return len(world.backend.table.of(unit)) > 1


@_on(AT_END, "I1/I2")
def one_input(world: World, unit: str) -> bool:
    """Effects of two different inputs under a token that allows one."""
    return len({effect.payload for effect in world.backend.table.of(unit)}) > 1


@_on(AT_END, "I6")
def healed(world: World, unit: str) -> bool:
    """Asked once more without faults, it did not end as its mode promises."""
    final = world.memo["final"].get(unit)
    if world.memo["mode"] == "separate":
        return final not in ("accepted", "doubt")
    return final != "accepted" or not world.backend.table.of(unit)


@_on(AT_END, "I7")
def no_doubt_about_nothing(world: World, unit: str) -> bool:
    """In doubt for ever although no view ever ran and the store could be told so."""
    if world.memo["final"].get(unit) != "doubt" or unit in world.memo.get("ran", ()):
        return False
    lost = world.faulted.get(unit, set()) & {"crash", "pause"}
    return not lost and unit not in world.memo.get("unheard", ())


@_on(AT_END, "I12")
def rows_stay(world: World, unit: str) -> bool:
    """An accepted row is gone while its token is still valid."""
    accepted = world.memo.get("recorded", {})
    key = world.memo["keys"].get(unit)
    return key in accepted and world.backend.row(key) is None
