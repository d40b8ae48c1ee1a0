"""`once` around a Flask view: its session's transaction becomes the ledger's (joined, fenced).

The view works with `db.session` as ever: for the time of the view the session rides on the one
connection of this submission (`riding`). When the view has answered, what it left uncommitted is
committed too if the answer is a success and dropped if it is a refusal; then the ledger's row
joins, and there is one COMMIT.

Joined: the claim has begun the transaction. Fenced: the claim was a transaction of its own, and the
view's begins with its first write, so nothing is locked while it reads and thinks. Who was
taken over meanwhile finds another fence in the row, and his effect is rolled back with his outcome.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection
from sqlalchemy.orm import Session

from ..core.policy import Mode
from ..core.values import Response
from ..effect import Effect
from ..errors import PolicyError, SeeOtherError
from ..riding import Riding, end_reads
from .guard import Run
from .memory import refuse_memory
from .settings import engine_of
from .visits import FlaskVisit

if TYPE_CHECKING:
    from flask.wrappers import Response as FlaskResponse

    from .extension import State


def run_once(
    state: State, visit: FlaskVisit, db: Any, view: Callable[[], Any], mode: Mode
) -> FlaskResponse:
    """Run a view inside one transaction of `db` with its ledger row; `mode` is joined or fenced."""
    engine, session = engine_of(db), session_of(db)
    if not state.shares(engine):
        raise PolicyError(
            f"once(db) needs the ledger in the database of db ({engine.url!r}):"
            " leave out SEEOTHER_STORE, or name that database"
        )
    refuse_memory(state.settings.store, mode)
    if visit.policy.mode != mode:
        visit.policy = state.settings.policy_of(mode)
    end_reads(session)
    run = Run(state.app, visit, view, catches=False)
    riding = Riding(session)

    def within(connection: Connection, _visit: object) -> Response:
        with riding.on(connection):
            response = run.core()
            riding.end(keep=response.status < 400 and not visit.rejected)
        return response

    effect = Effect(visit, state.outer, engine, within, (), lambda response: response)
    try:
        answer = state.outer.driver.run(
            effect.flow(), effect.perform, effect.view, single_writer=effect.queues
        )
    except PolicyError:
        raise
    except SeeOtherError as error:
        return run.refused(error)
    response = run.answered(answer)
    if answer.handled is not None and answer.word != "undone":
        riding.tell()
    return response


def session_of(db: Any) -> Session:
    """The session that the view uses: the current one of a scoped session, or this very one."""
    found = getattr(db, "session", db)
    found = found() if hasattr(found, "registry") else found
    if not isinstance(found, Session):
        raise PolicyError(f"once() takes Flask-SQLAlchemy's db or a (scoped) session, not {db!r}")
    return found
