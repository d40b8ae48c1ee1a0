"""`once` around a Flask view: its session's transaction becomes the ledger's (mode joined).

The view works with `db.session` as ever. For the time of the view the session is bound to one
connection on which the claim has begun the transaction, and rides on it by savepoints (SQLAlchemy's
own way for a session inside a transaction that is not its own): `commit()` releases one,
`rollback()` goes back to it. When the view has answered, what it left uncommitted is committed too
if the answer is a success and dropped if it is a refusal; then the ledger's row joins, and there is
one COMMIT. Listeners of `after_commit` hear of it then, once.

What was open on the session before, such as the user that a hook has loaded, is ended first: a
transaction that has read would be in the way of the one that is to write.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection
from sqlalchemy.orm import Session

from ..core.values import Response
from ..effect import Effect
from ..errors import PolicyError, SeeOtherError
from .guard import Run
from .settings import engine_of, shares
from .visits import FlaskVisit

if TYPE_CHECKING:
    from flask.wrappers import Response as FlaskResponse

    from .extension import State

EVENTS = logging.getLogger("seeother")


def joined(state: State, visit: FlaskVisit, db: Any, view: Callable[[], Any]) -> FlaskResponse:
    """Run a view inside one transaction of `db` with its ledger row."""
    engine, session = engine_of(db), session_of(db)
    if not shares(state.settings.store, engine):
        raise PolicyError(
            f"once(db) needs the ledger in the database of db ({engine.url!r}):"
            " leave out SEEOTHER_STORE, or name that database"
        )
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
            effect.flow(), effect.perform, effect.view, single_writer=True
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


def end_reads(session: Session) -> None:
    """End what is open on the session; what a hook has changed is the hook's, and committed."""
    if not session.in_transaction():
        return
    if has_written(session) or session.new or session.dirty or session.deleted:
        session.commit()
    else:
        session.rollback()


def has_written(session: Session) -> bool:
    """Has the open transaction of a session written anything?"""
    raw = session.connection().connection.dbapi_connection
    return bool(getattr(raw, "in_transaction", False))


class Riding:
    """A session on a connection that somebody else commits."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._later: list[Any] = []

    @contextmanager
    def on(self, connection: Connection) -> Generator[None]:
        """Bind the session to this connection; what is not kept at the end goes back."""
        session = self._session
        bind, mode = session.get_bind, session.join_transaction_mode
        told = Quiet(session.dispatch, self._later)

        def ours(*args: Any, **kwargs: Any) -> Any:
            found = bind(*args, **kwargs)
            return connection if found.engine is connection.engine else found

        own = {"get_bind": ours, "join_transaction_mode": "create_savepoint", "dispatch": told}
        vars(session).update(own)
        try:
            yield
        except BaseException:
            session.rollback()
            raise
        finally:
            del vars(session)["get_bind"]
            vars(session).update(dispatch=told.heard, join_transaction_mode=mode)

    def end(self, *, keep: bool) -> None:
        """The view has answered: what it left open is committed with it, or dropped."""
        if keep:
            self._session.commit()
        else:
            self._session.rollback()

    def tell(self) -> None:
        """It is committed: now `after_commit` is true. A listener that raises changes nothing."""
        if not self._later:
            return
        try:
            self._later[0](self._session)
        except Exception:  # noqa: BLE001 - the effect stands, and so does its answer
            EVENTS.exception("a listener of after_commit raised; the outcome stands")


class Quiet:
    """A session's listeners, of which those of `after_commit` are kept for later."""

    def __init__(self, heard: Any, later: list[Any]) -> None:
        self.heard, self._later = heard, later

    def __getattr__(self, name: str) -> Any:
        return getattr(self.heard, name)

    def after_commit(self, _session: Session) -> None:
        """The session released a savepoint; nothing is committed yet."""
        self._later.append(self.heard.after_commit)
