"""`once`, without the framework: a view's effect and its ledger row in one COMMIT.

An adapter's `once` is a thin function around this: it says how a visit is found and how an answer
looks in its framework. What the mode means is here, for all of them:

* **joined** the transaction begins with the claim; under asyncio the view runs on the one writer
  thread, so that nothing spans an await;
* **fenced** the claim is a transaction of its own; the view runs on a thread that may take its
  time, and its transaction begins with its first write;
* **separate** around the whole app: the adapter has claimed already, and what `once` runs is fenced
  under that claim.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol, cast

from .core.flows import Answer, resumed, submission
from .core.ops import Flow, Handle
from .core.policy import Mode
from .core.values import Handled, Response
from .drive import Driver, Perform
from .errors import PolicyError, SeeOtherError
from .setup import performing
from .stores import Joinable, Store
from .visit import Visit

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from .psycopg import OneStatement, Pool


@cache
def _joins(kind: type[object]) -> bool:
    return issubclass(kind, Joinable)  # of each kind once: a protocol is slow to ask


class Outer(Protocol):
    """The middleware that stands around the app."""

    driver: Driver

    @property
    def store(self) -> Store:
        """Its store."""
        ...


class Effect:
    """One call of `once`: `fn(connection, visit, *args)` in a transaction of `engine`.

    `answered` turns what the view returned into a response of the core. `queues`: the database has
    one writer at a time, so those of one process stand in line.
    """

    def __init__(  # noqa: PLR0917 - the parts of one call
        self,
        visit: Visit,
        outer: Outer,
        engine: Engine | Pool | OneStatement,
        fn: Callable[..., Any],
        args: tuple[Any, ...],
        answered: Callable[[Any], Response],
    ) -> None:
        if visit.entry is None and visit.unread is not None:
            raise visit.unread
        if visit.entry is None:
            raise PolicyError("once() is for unsafe methods: a GET submits nothing")
        if not _joins(type(outer.store)):
            raise PolicyError(
                f"once() needs a store in the app's own database, and {type(outer.store).__name__}"
                " is elsewhere: name that database in `store`, or leave once() out (mode separate:"
                " at most once, in doubt after a crash)"
            )
        self.visit, self.entry = visit, visit.entry
        visit.running = visit.entry.key
        self.mode: Mode = "joined" if visit.policy.mode == "joined" else "fenced"
        self._fn, self._args, self._answered = fn, args, answered
        self._transaction = self._opened(engine, visit.policy.patience)
        store = cast("Joinable", outer.store)
        self.queues = self.mode == "joined" and getattr(store, "single_writer", True)
        inside = store.fenced if self.mode == "fenced" else store.within
        self.perform: Perform = performing(inside(self._transaction).perform, visit.policy)

    def _opened(self, engine: Any, patience: float) -> Any:
        """The app's transaction: of an engine of SQLAlchemy, or of a pool of psycopg's."""
        kind: Any
        if hasattr(engine, "statement") and self.mode == "joined":
            return engine.statement()
        if hasattr(engine, "getconn"):
            from . import psycopg as kind  # noqa: PLC0415 - an extra
        else:
            from . import sqlalchemy as kind  # noqa: PLC0415 - an extra
        late = self.mode == "fenced"
        return kind.LateTransaction(engine, patience) if late else kind.Transaction(engine)

    def flow(self) -> Flow[Answer]:
        """The conversation of this submission, or the rest of it."""
        if self.visit.grant is not None:
            return resumed(self.entry, self.visit.grant, self.visit.policy)
        return submission(self.entry, self.visit.policy, self.mode)

    def view(self, _op: Handle) -> Handled:
        """Run the view; what the database could not do is a StoreError and no fault of the view.

        A view that raises leaves nothing: its messages go with its effect.
        """
        if self.mode == "fenced":
            self._transaction.open()
        try:
            answer = self._fn(self._transaction.connection, self.visit, *self._args)
        except Exception as error:
            self.visit.forget()
            raise self._transaction.outage(error) or error from error
        except BaseException:  # the process is going down: no flow will say Abandon
            self._transaction.rollback()
            raise
        return self.visit.handled(self._answered(answer))

    def settled(self, answer: Answer) -> Response:
        """The answer for the client; the visit is over."""
        visit = self.visit
        visit.settled, visit.word = answer.cookies, answer.word
        return answer.response if answer.handled else visit.complete(answer.response)

    def refused(self, error: SeeOtherError) -> Response:
        """Nothing took effect; what the view left in its visit goes with it."""
        self.visit.forget()
        self.visit.word = error.reason
        return self.visit.refusal(error)
