"""The network between people and processes, and what comes back over it."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any, Final

from seeother.core.flows import Answer, submission
from seeother.core.waiting import Fate, Waited, cut_wait, waited
from seeother.errors import EditRefused, OutcomeUnknown, Refused, StoreError

from .backends import Locked
from .clients import NOTHING, Desk, Hear, Heard, Script, Send, Told
from .effects import ACCEPT, BROKEN, Effect, Plan, ViewError, answered, effect_of, raising
from .judging import judge_answer
from .worker import LOCK_PATIENCE, LOCK_POLL, Ended, Worker

if TYPE_CHECKING:
    from .world import World

LOCK_TRIES: Final = int(LOCK_PATIENCE / LOCK_POLL)


class Submitting:
    """The view of one request: time, effect, time, answer; or an exception."""

    def __init__(self, desk: Desk, send: Send) -> None:
        self.desk, self.send = desk, send

    def steps(self, worker: Worker, op: Any) -> Generator[float, None, Any]:
        world, (form, payload, verdict, *_) = self.desk.world, self.send
        plan, fails = Plan.drawn(world, verdict), raising(world)
        self._note(world, worker, plan)
        yield plan.before
        if fails == "before":
            raise ViewError
        if verdict == ACCEPT:
            yield from _written(worker, effect_of(form, payload, op.grant, worker.run))
            world.log(f"{worker}: the view writes its effect for {worker.unit}")
        yield plan.after
        if fails:
            raise ViewError
        if verdict == BROKEN:
            world.fault(worker.unit, "the view broke")
        return answered(world, form, payload, verdict, worker.run)

    def _note(self, world: World, worker: Worker, plan: Plan) -> None:
        world.log(f"{worker}: runs the view of {worker.unit} ({self.send.verdict})")
        if plan.seconds > self.desk.policy.patience / 4:
            world.slow.add(worker.unit)


def _written(worker: Worker, effect: Effect) -> Generator[float, None, None]:
    """The effect is written; where another writer has the database, after it."""
    for _ in range(LOCK_TRIES):
        try:
            worker.port.effect(effect)
        except Locked:
            yield LOCK_POLL
        else:
            return
    raise ViewError


class Net:
    """The network: from a person to some process, and perhaps back."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self.world = desk, desk.world

    def send(self, send: Send, hear: Hear) -> None:
        """Deliver once, twice or never; `hear` the first answer, or None after a while."""
        world, unit = self.world, send.form.unit(send.payload)
        heard: list[Heard] = []

        def first(answer: Heard) -> None:
            if not heard:
                heard.append(answer)
                hear(answer)

        for copy in range(2 if world.faults.hits(world.rng, "twice") else 1):
            if world.faults.hits(world.rng, "unsent"):
                world.log(f"a request for {unit} is lost on its way")
                continue
            delay = world.rng.random() * (3.0 if copy else 0.2)
            world.at(delay, lambda: self._arrive(send, first))
        world.at(send.patience, lambda: first(NOTHING))

    def _arrive(self, send: Send, hear: Hear) -> None:
        world, desk = self.world, self.desk
        process = world.processes[world.rng.randrange(len(world.processes))]
        unit = send.form.unit(send.payload)

        def then(worker: Worker, ended: Ended) -> None:
            heard = self._told(worker, send, ended)
            if not world.faults.hits(world.rng, "unsent"):
                world.at(0.02, lambda: hear(heard))

        try:
            entry = desk.entry(send.form, send.payload)
        except Refused:
            world.stats["refused"] += 1
            hear(Heard("refused"))
            return
        if send.poll:
            _, named = cut_wait(desk.policy.ring, send.poll.encode(), desk.policy.mark)
            assert named is not None
            flow: Any = waited(named, desk.policy)
            port = world.backend.port(process, "separate")
        else:
            flow = submission(entry, desk.policy, desk.mode)
            port = world.backend.port(process, desk.mode)
        view = Submitting(desk, send)
        worker = Worker(world, process, flow, port, unit=unit, view=view, then=then)
        world.memo.setdefault("keys", {})[unit] = entry.key
        world.at(0.0, worker.start, process)

    def _told(self, worker: Worker, send: Send, ended: Ended) -> Heard:
        """Write down what this process says, and judge it at once."""
        kind, location, fresh = outcome_of(ended)
        if kind is None:
            return NOTHING
        world = self.world
        told = Told(
            world.now,
            worker.began,
            worker.run,
            send.form,
            send.payload,
            kind,
            location,
            fresh,
            worker.crowded,
        )
        world.log(f"{worker}: answers {kind} {location or ''} for {told.unit}")
        world.stats[f"told {kind}"] += 1
        judge_answer(world, told)
        world.told.append(told)
        return Heard(kind, location or "")


def outcome_of(ended: Ended) -> tuple[str | None, str | None, bool]:
    """What an answer says to a person: its kind, where it leads, and whether the view just ran."""
    if ended.error is not None:
        return _error_kind(ended.error), None, False
    match ended.value:
        case Answer() as answer:
            location = answer.response.header(b"location")
            return _kind(answer.response.status, location), location, answer.handled is not None
        case Waited(Fate.SETTLED, outcome) if outcome is not None:
            return _kind(outcome.status, outcome.location), outcome.location, False
        case Waited() as seen:
            kinds = {Fate.RUNNING: "waiting", Fate.GONE: "gone", Fate.IN_DOUBT: "doubt"}
            return kinds[seen.fate], None, False
        case _:
            return None, None, False


def _kind(status: int, location: str | None) -> str:
    if location is None:
        return {422: "rejected", 429: "released"}.get(status, "error")
    if "so=w." in location:
        return "waiting"
    return "rejected" if location.startswith("/form?err") else "accepted"


def _error_kind(error: Exception) -> str:
    kinds: dict[type[Exception], str] = {
        OutcomeUnknown: "doubt",
        EditRefused: "edited",
        StoreError: "busy",
    }
    return next((kind for cls, kind in kinds.items() if isinstance(error, cls)), "error")


def follow(net: Net, script: Script) -> None:
    """Let a person do what the script says, one thing after the other."""

    def go(heard: Heard | None) -> None:
        try:
            want = next(script) if heard is None else script.send(heard)
        except StopIteration:
            return
        if isinstance(want, float):
            net.world.at(want, lambda: go(NOTHING))
        else:
            want.do(net, go)

    go(None)
