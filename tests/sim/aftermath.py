"""What goes on beside a request: its heartbeat, and questions whose answer never came."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from seeother.core.ops import Fenced, Op, Renew
from seeother.errors import StoreDown, StoreError
from seeother.waits import BEATS_PER_LEASE

from .judging import watch

if TYPE_CHECKING:
    from .worker import Worker

READS: Final = frozenset({"lookup", "open"})


def renew_later(worker: Worker, renew: Renew) -> None:
    """The heartbeat: renew the lease, and come again unless it is another's by now."""

    def beat() -> None:
        if worker.ended or not worker.beating:
            return
        reply: Any = None
        if worker.fate(renew) == "done":
            try:
                reply = watch(worker, renew)
            except StoreError:
                worker.world.log(f"{worker}: renew was refused")
        if not isinstance(reply, Fenced):
            renew_later(worker, renew)

    worker.world.at(renew.lease / BEATS_PER_LEASE, beat, worker.process)


def unanswered(worker: Worker, op: Op[Any], fate: str) -> None:
    """The answer never comes; what was asked may be done all the same, now or much later."""
    world = worker.world
    if fate == "silent":
        with suppress(StoreError):
            watch(worker, op)
    elif fate == "late":
        world.memo.setdefault("unheard", set()).add(worker.unit)
        later = worker.port.later(op)

        def arrive() -> None:
            with suppress(StoreError):
                watch(worker, op, later)

        world.at(world.rng.random() * 12, arrive)
    if op.verb not in READS:
        worker.port.lose()
    worker.fail(StoreDown(f"no answer (a planted fault: {fate})"))
