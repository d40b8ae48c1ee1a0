"""Looking: the store is asked, and what the ledger was before and is after goes to the judges.

Three occasions: after every op on the ledger (`AT_OP`), with every answer (`AT_ANSWER`), and at the
end, when all faults have stopped and every submission was asked about once more (`AT_END`). What is
judged then stands in `invariants`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from seeother.core.ledger import Row
from seeother.core.ops import Done, Granted, Op, Settle

from . import promises
from .world import Violation

if TYPE_CHECKING:
    from .clients import Told
    from .worker import Worker
    from .world import World

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


def on(occasion: list[Any], number: str) -> Callable[[Any], Any]:
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
        world.log(
            f"{worker}: {op.verb} -> {type(reply).__name__} ({_short(before)}->{_short(after)})"
        )
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
