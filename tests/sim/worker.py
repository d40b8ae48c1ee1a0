"""One request in one process: a flow of the library, stepped op by op.

Between any two ops the process may die or stand still. What is asked of the store may be done, done
without an answer, done when nobody waits any more, or not at all; the flow only learns StoreError.
While the view runs the lease is renewed four times per lease, as the library's heartbeat does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from seeother.core.ops import (
    Busy,
    Claim,
    Granted,
    Handle,
    InFlight,
    Op,
    Pause,
    Paused,
    Reconcile,
    Renew,
    Report,
    Taken,
)
from seeother.core.values import Key
from seeother.drive import Talk
from seeother.errors import SeeOtherError, StoreBusy, StoreError

from . import aftermath
from .backends import Locked
from .effects import ViewError
from .judging import watch

if TYPE_CHECKING:
    from collections.abc import Generator

    from .backends import Port
    from .world import Process, World

ENDINGS: Final = frozenset({"settle", "abandon", "doubt"})
WAITS: Final = frozenset({"claim", "take", "close", "rearm"})
LOCKED: Final = frozenset({"settle", "abandon", "renew", "doubt", "resolve"})
LOCK_POLL: Final = 0.1
LOCK_PATIENCE: Final = 10.0
CROWDED: Final = 0.02
SLOWEST_POLL: Final = 1.5


class View(Protocol):
    """What stands behind `Handle`: it takes its time in steps, then answers or raises."""

    def steps(self, worker: Worker, op: Handle) -> Generator[float, None, Any]:
        """Yield seconds; return what was handled; raise ViewError."""
        ...


@dataclass(frozen=True, slots=True)
class Ended:
    """How a request ended: with a value, with an error, or with its process."""

    value: Any = None
    error: Exception | None = None


class Worker:
    """A request that is being served."""

    def __init__(
        self,
        world: World,
        process: Process,
        flow: Any,
        port: Port,
        *,
        unit: str,
        view: View | None,
        then: Callable[[Worker, Ended], None],
    ) -> None:
        self.world, self.process, self.port, self.unit = world, process, port, unit
        self.run = world.number()
        self.began = world.now
        self.grant: Granted | None = None
        self.taken: tuple[Taken, ...] = ()
        self.ran = self.crowded = self.ended = False
        self._flow, self._view, self._then = flow, view, then
        self._key: Key | None = None
        self._locked_out = 0.0
        self.beating = False

    def __repr__(self) -> str:
        return f"request {self.run} in {self.process.index}"

    def start(self) -> None:
        """Begin: up to the first op of the flow."""
        self.process.workers[self.run] = self
        try:
            self.talk: Talk[Any] = Talk(self._flow)
        except (SeeOtherError, ViewError) as error:
            self._end(Ended(error=error))
        else:
            self._next()

    def die(self) -> None:
        """The process is killed: no code of ours runs any more."""
        if self.ended:
            return
        self.ended = True
        self.world.fault(self.unit, "crash")
        self.port.lose()
        self._then(self, Ended())

    # Stepping --------------------------------------------------------------------------------

    def answer(self, reply: object) -> None:
        """Send a reply into the flow."""
        self._step(lambda: self.talk.answer(reply))

    def fail(self, error: Exception) -> None:
        """Raise an error in the flow."""
        self._step(lambda: self.talk.fail(error))

    def _step(self, move: Callable[[], None]) -> None:
        try:
            move()
        except (SeeOtherError, ViewError) as error:
            self._end(Ended(error=error))
        else:
            self._next()

    def _next(self) -> None:
        if self.talk.done:
            self._end(Ended(self.talk.value))
        else:
            self.world.at(self.world.rng.random() * 0.05, self._execute, self.process)

    def _end(self, ended: Ended) -> None:
        self.ended = True
        self.port.close()
        self._leave()
        self.process.workers.pop(self.run, None)
        self._then(self, ended)

    def _execute(self) -> None:
        """The op whose turn it is."""
        world, op = self.world, self.talk.op
        if not world.boundary(self.process, self.unit):
            return
        if self.process.paused_until > world.now:
            world.at(0.0, self._execute, self.process)
            return
        match op:
            case Pause():
                self._pause(op)
            case Handle():
                self._handle(op)
            case Report():
                self.report(op)
                self.answer(None)
            case Reconcile():
                self.answer(world.memo["reconcile"](op.key))
            case _:
                self._ask(op)

    # The driver's part -----------------------------------------------------------------------

    def report(self, op: Report) -> None:
        """Tell the operators."""
        self.world.log(f"{self}: reports {op.what}")
        self.world.stats[op.what] += 1
        if op.what in ("unheard", "unrecorded"):
            self.world.memo.setdefault("unheard", set()).add(self.unit)

    def _pause(self, op: Pause) -> None:
        """A nap, or a wait for whoever runs it in this process; too many waiters are crowded."""
        self._leave()
        rng = self.world.rng
        seconds = op.nap if op.key is None else rng.uniform(op.nap, SLOWEST_POLL)
        seconds = min(seconds, op.limit)
        crowded = op.key in self.process.running and rng.random() < CROWDED
        self.crowded |= crowded
        paused = Paused(seconds, crowded=crowded)
        self.world.at(seconds, lambda: self.answer(paused), self.process)

    def _leave(self) -> None:
        self.beating = False
        if self._key is not None and self.process.running.get(self._key) is self:
            del self.process.running[self._key]
        self._key = None

    def _enter(self, key: Key) -> bool:
        """Become the one who runs this key in this process."""
        if self.process.running.setdefault(key, self) is not self:
            return False
        self._key = key
        return True

    def _handle(self, op: Handle) -> None:
        assert self._view is not None
        self.grant = op.grant
        self.ran = True
        self.world.memo.setdefault("ran", set()).add(self.unit)
        self._walk(self._view.steps(self, op))

    def _walk(self, steps: Generator[float, None, Any]) -> None:
        """One step of the view."""
        if not self.world.boundary(self.process, self.unit):
            return
        try:
            seconds = next(steps)
        except StopIteration as end:
            self.answer(end.value)
        except (ViewError, StoreError) as error:
            self.world.fault(self.unit, "the view raised")
            self.fail(error)
        else:
            self.world.at(seconds, lambda: self._walk(steps), self.process)

    # Asking the store ------------------------------------------------------------------------

    def fate(self, op: Op[Any]) -> str:
        """What becomes of a question; everything but "done" is a fault of this submission."""
        world = self.world
        locked = op.verb in WAITS or op.verb in LOCKED
        fate = world.faults.fate(world.rng, world.now, answers_busy=locked)
        if fate != "done":
            world.fault(self.unit, fate)
            world.stats[fate] += 1
            world.log(f"{self}: {op.verb} is {fate}")
        return fate

    def _ask(self, op: Op[Any]) -> None:
        if op.verb in ENDINGS:
            self.beating = False
        if isinstance(op, Claim) and not self._enter(op.key):
            self.answer(InFlight())
            return
        mutant = self.world.mutant
        if mutant is not None and mutant.before is not None:
            mutant.before(self, op)
        fate = self.fate(op)
        if fate == "done":
            self._ask_now(op)
        elif fate == "busy" and op.verb in WAITS:
            self.answer(Busy())
        elif fate == "busy":
            self.fail(StoreBusy("locked (a planted fault)"))
        else:
            aftermath.unanswered(self, op, fate)

    def _wait_for_lock(self, op: Op[Any], error: Locked) -> None:
        """The app's connection waits for its turn to write, then gives up."""
        self._locked_out += LOCK_POLL
        if self._locked_out > LOCK_PATIENCE:
            self.world.fault(self.unit, "locked out")
            self.fail(error)
        else:
            self.world.at(LOCK_POLL, lambda: self._ask_now(op), self.process)

    def _ask_now(self, op: Op[Any]) -> None:
        try:
            reply = watch(self, op)
        except Locked as error:
            self._wait_for_lock(op, error)
            return
        except StoreError as error:
            self.fail(error)
            return
        self._locked_out = 0.0
        if not self.world.boundary(self.process, self.unit):
            return
        if isinstance(op, Claim) and isinstance(reply, Granted):
            self.grant = reply
            if op.renew and not self.world.memo.get("no heartbeat"):
                self.beating = True
                aftermath.renew_later(self, Renew(op.key, reply, op.lease))
        self.answer(reply)
