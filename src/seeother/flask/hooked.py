"""Mode hooked: the ledger's row inside the view's own first commit, and no view changed.

The claim writes nothing. When the view commits for the first time, the row is written in that very
transaction: claimed, with a lease, and with the generic redirect as its outcome. So effect and row
exist together or not at all. When the view has answered, the row is settled with the real outcome
in a transaction of its own.

| a crash, or an exception        | the row says                  | a duplicate gets           |
|---------------------------------|-------------------------------|----------------------------|
| before the first commit         | nothing, and there is no effect | runs                     |
| after it, before the answer     | claimed, with an outcome      | waits, then the redirect   |
| after a second commit           | claimed, without one          | waits, then "in doubt"     |
| after the answer                | settled                       | the answer                 |

Two processes may run the same view at the same time. The second one to commit finds the row of the
first: its transaction is rolled back (`Superseded` passes through the view) and it answers with the
outcome of the first. What a view does besides its database it may then have done twice; mode joined
does not know that.

Only commits of the view count: those of `before_request` hooks come before the claim, and other
threads have another context. Whatever goes through the engine is seen, sessions and connections
alike, except connections in AUTOCOMMIT, which have no commit.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, cast

from sqlalchemy import Connection, Engine, event
from werkzeug.exceptions import HTTPException

from ..core import ops
from ..core.flows import submission
from ..core.ledger import Row, State, step
from ..core.values import ACCEPTED, Handled, Outcome
from ..errors import PolicyError, SeeOtherError, StoreBusy, StoreError
from ..riding import has_written
from ..setup import performing
from ..sqlalchemy import Transaction
from .effect import session_of
from .guard import Run
from .visits import FlaskVisit

if TYPE_CHECKING:
    from flask.wrappers import Response as FlaskResponse

    from ..stores.sqlite import SQLiteStore
    from ..stores.work import Work
    from .extension import State as AppState

EVENTS = logging.getLogger("seeother")
NAP: Final = 0.01
ADVICE: Final = "put @so.once(db) on it and it happens exactly once"


class Superseded(BaseException):
    """Another process committed this submission first; no `except Exception` may hold it up."""


class Hooked:
    """The store, with the view's commits as the place where its row is written."""

    def __init__(
        self, store: SQLiteStore, engine: Engine, generic: Outcome, patience: float
    ) -> None:
        self._store, self._engine = store, engine
        self._generic, self._patience = generic, patience
        self._claim: ops.Claim | None = None
        self._before: Row | None = None
        self._after: Row | None = None
        self.commits = 0
        self.lost = False

    def perform(self, op: ops.Op[Any]) -> Any:
        """Claim, Settle and Abandon here; everything else by the store itself."""
        if op.verb in ("claim", "settle", "abandon"):
            return getattr(self, op.verb)(op)
        return self._store.perform(op)

    def claim(self, op: ops.Claim) -> ops.ClaimReply:
        """Look, and write nothing."""
        self._store.prepare()
        with self._store.reading() as work:
            reply: ops.ClaimReply = work.with_taken(self._told(work, op))
        return reply

    def _told(self, work: Work, op: ops.Claim) -> ops.ClaimReply:
        row, self._claim = work.met(op), op
        if row is not None and row.state is State.CLAIMED:
            if work.now < row.lease_until:
                return ops.InFlight()
            return ops.InDoubt() if row.outcome is None else ops.Settled(row.outcome, 0.0)
        self._before = row
        self._after, reply = step(row, op, work.now)
        assert not isinstance(reply, ops.Done | ops.Fenced)
        return reply

    def flip(self, connection: Connection) -> None:
        """The view commits: write the row into its transaction, or take the transaction back."""
        raw: Any = connection.connection.dbapi_connection
        claim, after = self._claim, self._after
        if claim is None or after is None or not claim.keep or not self._store.has_written(raw):
            return
        try:
            with self._store.on(raw) as work:
                self.lost = self.lost or not self._flipped(work, claim, after)
        except StoreBusy:
            self.lost = True
        if self.lost:
            raw.rollback()
            raise Superseded
        self.commits += 1

    def _flipped(self, work: Work, claim: ops.Claim, after: Row) -> bool:
        row = work.row(claim.key)
        if self.commits and row is not None and row.claim_id == claim.claim_id:
            work.keep(claim.key, replace(row, outcome=None))
        elif row == self._before:
            until = work.now + claim.lease
            work.keep(claim.key, replace(after, lease_until=until, outcome=self._generic))
        else:
            return False
        return True

    def settle(self, op: ops.Settle) -> ops.Done | ops.Fenced:
        """The outcome, beside a row that stands already or as a new one."""
        if self.commits:  # nothing takes that back any more, whatever the view says of it
            failed = op.outcome.status >= 500
            outcome = self._generic if failed else replace(op.outcome, kind=ACCEPTED)
            op = replace(op, outcome=outcome, keep=op.keep or self._claim_kept())
        transaction = Transaction(self._engine)
        with self._store.translated():
            self._begin(transaction)
            try:
                with self._store.on(transaction.raw) as work:
                    reply = self._settled(work, op)
                transaction.commit()
            finally:
                transaction.rollback()
        return reply

    def _settled(self, work: Work, op: ops.Settle) -> ops.Done | ops.Fenced:
        row = work.row(op.key)
        if row is None or row == self._before:
            row = self._after if not self.commits else row
        after, reply = step(row, op, work.now)
        assert isinstance(reply, ops.Done | ops.Fenced)
        if isinstance(reply, ops.Done):
            work.settled(op, after)
        return reply

    def abandon(self, op: ops.Abandon) -> ops.Done:
        """Before the first commit there is nothing; after it the row says what is known."""
        if self.commits:
            EVENTS.error(
                "submission %s failed after %d commits; %s", op.key.id.hex(), self.commits, ADVICE
            )
            with suppress(StoreError), self._store.translated():
                self._lapse(op)
        return ops.Done()

    def _lapse(self, op: ops.Abandon) -> None:
        """Nobody is at it any more: duplicates need not wait for the lease."""
        transaction = Transaction(self._engine)
        self._begin(transaction)
        try:
            with self._store.on(transaction.raw) as work:
                row = work.row(op.key)
                if row is not None and row.claim_id == op.grant.claim_id:
                    work.keep(op.key, replace(row, lease_until=0.0))
            transaction.commit()
        finally:
            transaction.rollback()

    def _begin(self, transaction: Transaction) -> None:
        """BEGIN; somebody else's write is short, and the outcome is worth waiting for."""
        until = time.monotonic() + max(self._patience, 1.0)
        while not transaction.begin():
            if time.monotonic() > until:
                raise StoreBusy("the outcome could not be recorded: the database stayed locked")
            time.sleep(NAP)

    def _claim_kept(self) -> bool:
        return self._claim is not None and self._claim.keep


RUNNING: Final[ContextVar[Hooked | None]] = ContextVar("seeother_hooked", default=None)


def listen(engine: Engine) -> None:
    """Hear of the commits of an engine, once."""
    if not event.contains(engine, "commit", _on_commit):
        event.listen(engine, "commit", _on_commit)


def _on_commit(connection: Connection) -> None:
    hooked = RUNNING.get()
    if hooked is not None:
        hooked.flip(connection)


def hooked(state: AppState, visit: FlaskVisit, view: Callable[[], Any]) -> FlaskResponse:
    """Run a view as a submission whose row flips in its first commit."""
    settings, entry = state.settings, visit.entry
    assert entry is not None and settings.engine is not None
    listen(settings.engine)  # for a view that could not be seen at the first request
    request = visit.greeting.request
    generic = Outcome(ACCEPTED, 303, request.root + request.path)
    while True:
        store = Hooked(
            cast("SQLiteStore", settings.store), settings.engine, generic, settings.policy.patience
        )
        run = Run(state.app, visit, view, catches=False)
        handle = _Watched(run, store, state)
        try:
            flow = submission(entry, settings.policy, "hooked")
            perform = performing(store.perform, settings.policy)
            return run.answered(state.outer.driver.run(flow, perform, handle))
        except PolicyError:
            raise
        except SeeOtherError as error:
            return run.refused(error)
        except Superseded:
            visit.forget()  # somebody else's row is there now: ask again and get his outcome
        except Exception as error:
            if not store.commits and not isinstance(error, HTTPException):
                visit.forget()  # it had no effect, so no message tells of one; abort() is an answer
            raise


class _Watched:
    """The view with its commits watched."""

    def __init__(self, run: Run, store: Hooked, state: AppState) -> None:
        self._run, self._store, self._state = run, store, state

    def __call__(self, op: ops.Handle) -> Handled:
        token = RUNNING.set(self._store)
        try:
            handled = self._run(op)
        finally:
            RUNNING.reset(token)
        if self._store.lost:  # the view caught everything
            raise Superseded
        if self._store.commits > 1:
            path = self._run.visit.greeting.request.path
            EVENTS.warning("the view of %r commits %d times; %s", path, self._store.commits, ADVICE)
        self._drop_open()
        return handled

    def _drop_open(self) -> None:
        """What the view did not commit Flask would roll back later; now it would lock us out."""
        session = session_of(self._state.app.extensions.get("sqlalchemy") or self._state.bind)
        if session.in_transaction() and has_written(session):
            EVENTS.warning("a view left a change without commit(); it is rolled back")
            session.rollback()
