"""Who does what in a schedule: the five scenarios, and how each of them heals and is judged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from seeother.core.policy import Mode
from seeother.core.token import OnEdit

from . import invariants as _registered  # noqa: F401 - its functions judge every op
from .clients import Desk, Form, Script, Send, person, policy_of
from .effects import ACCEPT, BROKEN, DRAFT, REFUSE, RELEASE
from .judging import judge_end
from .network import Net, follow
from .pages import messages
from .sessions import merging

if TYPE_CHECKING:
    from .world import World

Steps = list[tuple[str, str, int]]
A: Final = ("A", ACCEPT, 2)
B: Final = ("B", ACCEPT, 1)
SHAPES: Final[dict[str, list[Steps]]] = {
    "plain": [[A]],
    "double": [[A], [A]],
    "triple": [[A], [A], [A]],
    "edited": [[A, B]],
    "corrected": [[("X", DRAFT, 2), A]],
    "refused": [[("X", REFUSE, 1), ("X", ACCEPT, 1)]],
    "rejected twice": [[("X", DRAFT, 1)], [("X", DRAFT, 1)]],
    "mixed": [[A], [B], [("X", DRAFT, 1)]],
    "limited": [[("A", RELEASE, 2), A]],
    "broken": [[("A", BROKEN, 1)], [A]],
}
PROBES: Final = 10
NIGHT: Final = 12 * 3600.0
TWO_DAYS: Final = 2 * 86_400.0


def ledger(world: World, mode: Mode) -> None:
    """One to three forms, each sent by one to three people at once (one person's windows)."""
    rng = world.rng
    retry_safe = mode == "separate" and (rng.random() < 0.25)
    reconcile = mode == "separate" and not retry_safe and rng.random() < 0.15
    if world.mutant is not None and world.mutant.retry_safe is not None:
        retry_safe, reconcile = world.mutant.retry_safe and mode == "separate", False
    patience = rng.choice((2.0, 10.0, 40.0))
    policy = policy_of(mode, patience, retry_safe=retry_safe, reconcile=reconcile)
    desk = Desk(world, policy, mode)
    world.memo["reconcile"] = lambda key: _happened(world, key)
    net = Net(desk)
    forms = [_people(world, net, f"s{number}") for number in range(rng.choice((1, 1, 2, 3)))]
    if rng.random() < 0.1:
        _bad(world, net)
    world.run()
    _probe(world, net, forms)


def _people(world: World, net: Net, name: str) -> tuple[Form, list[Steps]]:
    """A form and those who send it."""
    rng = world.rng
    visitor = rng.randbytes(16) if rng.random() < 0.85 else None
    on_edit: OnEdit = rng.choice(("new", "new", "confirm", "refuse"))
    more: dict[str, bool] = {"keeps_page": rng.random() < 0.1, "speaks": rng.random() < 0.3}
    form = net.desk.form(name, on_edit, visitor, **more)
    steps = SHAPES[rng.choice(tuple(SHAPES))]
    for one in steps:
        start = rng.random() * rng.choice((0.0, 0.3, 5.0, 40.0))
        world.at(start, lambda one=one: follow(net, person(world, form, one)))  # type: ignore[misc]
    return form, steps


def _bad(world: World, net: Net) -> None:
    """Somebody sends a token that is forged, and one that is two days old."""
    visitor = world.rng.randbytes(16)
    forged = net.desk.form("bad-forged", "new", visitor, forged=True)
    stale = net.desk.form("bad-stale", "new", visitor, age=TWO_DAYS)
    for form in (forged, stale):
        follow(net, person(world, form, [("A", ACCEPT, 0)]))


def _happened(world: World, key: Any) -> bool | None:
    """The app's `reconcile`: what its table says; it does not know while somebody is at it."""
    unit = next(unit for unit, known in world.memo["keys"].items() if known == key)
    for process in world.processes:
        if any(worker.unit == unit and worker.grant for worker in process.workers.values()):
            return None
    return bool(world.backend.table.of(unit))


def _probe(world: World, net: Net, forms: list[tuple[Form, list[Steps]]]) -> None:
    """Ask about every submission once more, with input that is good by now."""
    night = NIGHT if world.rng.random() < 0.05 else 200.0
    world.heal(night)
    units: list[str] = []
    for form, steps in forms:
        for payload in sorted({payload for one in steps for payload, _, _ in one}):
            unit = form.unit(payload)
            if unit in units or unit not in world.memo["keys"]:
                continue
            units.append(unit)
            if form.keeps_page:
                world.memo["keeps page"].add(unit)
            effects = world.backend.table.of(unit)
            sent = effects[0].payload if effects else payload
            follow(net, _ask(world, form, sent))
    world.run()
    judge_end(world, units)
    world.stats["submissions"] += len(units)
    for unit in units:
        world.stats[f"ended {world.memo['final'].get(unit)}"] += 1


def _ask(world: World, form: Form, payload: str) -> Script:
    for _ in range(PROBES):
        kind = (yield Send(form, payload, ACCEPT, 100.0)).kind
        if kind not in (None, "waiting", "busy", "rejected", "edited"):
            world.memo["final"][form.unit(payload)] = kind
            return
        if kind == "edited":
            payload = _settled_input(world, form, payload)
        yield 50.0


def _settled_input(world: World, form: Form, payload: str) -> str:
    """Under a token for one input: the input that it was used with."""
    effects = world.backend.table.of(form.unit(payload))
    return effects[0].payload if effects else payload


def scene(world: World) -> None:
    """Play the scenario of this world."""
    if world.scenario == "flash":
        messages(world)
    elif world.scenario == "session":
        merging(world)
    else:
        ledger(world, cast("Mode", world.scenario))
