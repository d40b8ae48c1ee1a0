"""A transaction on psycopg's own connections, as `Store.within()` takes it: without SQLAlchemy.

    from psycopg_pool import ConnectionPool

    pool = ConnectionPool("postgresql://user@host/app")

    def save(connection, visit):
        connection.execute("INSERT INTO note(text) VALUES(%s)", [visit.form["text"]])
        return visit.see_other("/", flash="Saved.")

    return once(environ, pool, save)(environ, start_response)

And where what is to happen can be said in advance, `ONE_STATEMENT` in place of the pool makes it
one round trip (`stores.pg_once`); `save` gets a `Statement` then:

    def save(statement, visit):
        statement.effect("INSERT INTO note(text) SELECT %s FROM claimed", [visit.form["text"]])
        return visit.see_other("/", flash="Saved.")

    return once(environ, ONE_STATEMENT, save)(environ, start_response)

`once` takes the pool where it takes an engine otherwise; `save` gets one of its connections. The
transaction belongs to `once`, so `commit()`, `rollback()` and `close()` raise inside the view;
`with connection.transaction():` is a savepoint there and works.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NoReturn, Protocol

from .errors import StoreBusy, StoreDown, StoreError
from .stores.pg_connect import outage
from .stores.pg_driver import PgDriver
from .stores.pg_once import Statement

if TYPE_CHECKING:
    from psycopg import Connection

__all__ = ["ONE_STATEMENT", "LateTransaction", "Pool", "Statement", "Transaction"]

DRIVER = PgDriver()


class OneStatement:
    """In place of a pool: the store's own connection, once, at the end. Mode joined only."""

    statement: Final = Statement


ONE_STATEMENT: Final = OneStatement()
OWN = ("commit", "rollback", "close")


class Pool(Protocol):
    """What is asked of a pool (`psycopg_pool.ConnectionPool`)."""

    def getconn(self, timeout: float | None = None) -> Connection[Any]:
        """A connection."""
        ...

    def putconn(self, conn: Connection[Any]) -> None:
        """It is not needed any more."""


class Transaction:
    """One transaction on one connection of a pool.

    Nothing is taken before `begin`; after `commit` or `rollback` the connection has gone back.
    """

    def __init__(self, pool: Pool, patience: float = 0.0) -> None:
        self._pool, self._patience = pool, patience
        self._connection: Connection[Any] | None = None
        self._before = False

    @property
    def connection(self) -> Connection[Any]:
        """The connection that the view works with. Raises StoreDown where there is none."""
        if self._connection is None or self._connection.closed:
            raise StoreDown("the transaction is not open (any more)")
        return self._connection

    @property
    def raw(self) -> Connection[Any]:
        """The same."""
        return self.connection

    def begin(self) -> bool:
        """Take a connection; False where the pool has none. The claim's message says BEGIN."""
        if self._connection is None:
            try:
                self._take()
            except StoreBusy:
                return False
        return True

    def _take(self) -> None:
        taken = _asked(self._living)
        self._connection, self._before = taken, DRIVER.opened(taken)
        for name in OWN:
            setattr(taken, name, _refuse)

    def _living(self) -> Connection[Any]:
        """A connection that the server has not ended while nobody used it."""
        taken = self._pool.getconn(timeout=self._patience or None)
        while not DRIVER.is_alive(taken):
            taken.close()
            self._pool.putconn(taken)  # which replaces it
            taken = self._pool.getconn(timeout=self._patience or None)
        return taken

    def commit(self) -> None:
        """COMMIT, then give the connection back."""
        taken = self.connection
        self._free()
        DRIVER.commit(taken)
        self._give_back()

    def rollback(self) -> None:
        """ROLLBACK whatever there is, then give the connection back."""
        if self._connection is not None:
            self._free()
            DRIVER.rollback(self._connection)
            self._give_back()

    def outage(self, error: BaseException) -> StoreError | None:
        """The store error behind an exception of a view; None where it is the view's own."""
        return DRIVER.outage(error)

    def _free(self) -> None:
        """The connection's own methods, as every connection has them."""
        for name in OWN:
            vars(self._connection).pop(name, None)

    def _give_back(self) -> None:
        taken, self._connection = self._connection, None
        assert taken is not None
        DRIVER.closed(taken, self._before)
        self._pool.putconn(taken)


class LateTransaction(Transaction):
    """A transaction that begins with the view's first statement (fenced)."""

    def open(self) -> None:
        """Take a connection, on which the driver itself says BEGIN. Raises StoreBusy."""
        if self._connection is None:
            self._take()
            self.connection.autocommit = False

    def begin(self) -> bool:
        """Take a connection, if the view has not. Raises StoreBusy."""
        self.open()
        return True


def _asked(take: Callable[[], Connection[Any]]) -> Connection[Any]:
    from psycopg import OperationalError  # noqa: PLC0415 - an extra
    from psycopg_pool import PoolTimeout  # noqa: PLC0415 - an extra

    try:
        return take()
    except PoolTimeout as error:
        raise StoreBusy("the pool has no free connection") from error
    except OperationalError as error:
        raise outage(error) from error


def _refuse(*_args: Any) -> NoReturn:
    raise RuntimeError(
        "once() ends the transaction; do not call commit(), rollback() or close() inside it"
        " (return an answer, raise, or use transaction())"
    )
