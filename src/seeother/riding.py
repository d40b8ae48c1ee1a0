"""A session of SQLAlchemy's ORM inside a transaction that `once` ends.

For the time of a view the session is bound to the connection on which the claim has begun, and
rides on it by savepoints (SQLAlchemy's own way for a session inside a transaction that is not its
own): `commit()` releases one, `rollback()` goes back to it. Listeners of `after_commit` hear of it
after the one COMMIT, once.

What was open on the session before, such as the user that a hook has loaded, is ended first: a
transaction that has read would be in the way of the one that is to write.
"""

from __future__ import annotations

import logging
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.orm import Session

EVENTS = logging.getLogger("seeother")


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
    connection = session.connection()
    driver: Any = connection.connection.driver_connection
    if connection.dialect.name != "postgresql":
        return bool(getattr(driver, "in_transaction", False))
    from .stores.pg_driver import has_written as has  # noqa: PLC0415 - psycopg is an extra

    if connection.dialect.is_async:
        from .sqlalchemy_asyncio import raw_of  # noqa: PLC0415 - needs greenlet

        driver = raw_of(connection)
    return isinstance(getattr(driver, "autocommit", None), bool) and has(driver)


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
