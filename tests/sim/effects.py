"""The app: one table of effects, and one view that writes into it.

An effect names the submission it belongs to, what was sent, and the run that made it, so that two
effects of one submission can be told apart and counted.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from seeother.core.ops import Granted
from seeother.core.values import Draft, Flash, Handled, Response

if TYPE_CHECKING:
    from .clients import Form
    from .world import World

ACCEPT: Final = "accept"
DRAFT: Final = "draft"
REFUSE: Final = "422"
RELEASE: Final = "429"
BROKEN: Final = "500"


class ViewError(Exception):
    """The view raised."""


@dataclass(frozen=True, slots=True)
class Effect:
    """A row of the app's table."""

    unit: str
    payload: str
    fence: int
    run: int


class Table(Protocol):
    """Where effects are once they are committed."""

    def land(self, effect: Effect) -> None:
        """Commit one effect by itself."""

    def of(self, unit: str) -> list[Effect]:
        """Everything that one submission has done."""
        ...


class MemoryTable:
    """Effects in a list."""

    def __init__(self) -> None:
        self.rows: list[Effect] = []

    def land(self, effect: Effect) -> None:
        self.rows.append(effect)

    def of(self, unit: str) -> list[Effect]:
        return [effect for effect in self.rows if effect.unit == unit]


class SQLTable:
    """Effects in an SQLite file, seen from outside of all processes."""

    CREATE = "CREATE TABLE IF NOT EXISTS effects(unit TEXT, payload TEXT, fence INT, run INT)"
    INSERT = "INSERT INTO effects VALUES(?,?,?,?)"

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def land(self, effect: Effect) -> None:
        self.write(self._connection, [effect])

    @classmethod
    def write(cls, connection: sqlite3.Connection, effects: Iterable[Effect]) -> None:
        """Write inside whatever transaction is open there."""
        for e in effects:
            connection.execute(cls.INSERT, (e.unit, e.payload, e.fence, e.run))

    def of(self, unit: str) -> list[Effect]:
        rows = self._connection.execute("SELECT * FROM effects WHERE unit=?", (unit,))
        return [Effect(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class Plan:
    """What one run of the view will do: its verdict, seconds before and after its effect."""

    verdict: str
    before: float
    after: float

    @classmethod
    def drawn(cls, world: World, verdict: str) -> Plan:
        """A plan; some views are slower than a lease."""
        rng = world.rng
        longest = rng.choice((0.1, 0.1, 1.0, 20.0))
        return cls(verdict, rng.random() * longest, rng.random() * longest)

    @property
    def seconds(self) -> float:
        """How long it takes."""
        return self.before + self.after


def raising(world: World) -> str:
    """Will this run raise: "", "before" its effect or "after" it?

    A view that is declared `retry_safe` says by that that its failures leave nothing behind.
    """
    if not world.faults.hits(world.rng, "raises"):
        return ""
    if world.memo["retry safe"]:
        return "before"
    return world.rng.choice(("before", "after"))


def effect_of(form: Form, payload: str, grant: Granted | None, run: int) -> Effect:
    """The row that the view writes."""
    return Effect(form.unit(payload), payload, grant.fence if grant else 0, run)


def answered(world: World, form: Form, payload: str, verdict: str, run: int) -> Handled:
    """The answer of the view; every run answers with another address, so outcomes differ."""
    if verdict == ACCEPT:
        flashes = (Flash(f"saved {form.name}/{payload}/{run}"),) if form.speaks else ()
        return Handled(_to(f"/done/{payload}/{run}"), flashes)
    if verdict == DRAFT:
        return Handled(_to("/form?err"), draft=Draft((("a", payload),), (("a", "no"),)))
    return Handled(Response(int(verdict)))


def _to(location: str) -> Response:
    return Response(303, ((b"location", location.encode()),))
