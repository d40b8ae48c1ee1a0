"""Where the messages stand: one SQLite file, or a PostgreSQL database that several hosts share.

Either way the ledger is in the same database, because a message and its row are one transaction
(mode joined). What differs is how a connection is made and kept:

* **SQLite**: a file of mode 0600, synced at every commit.
* **PostgreSQL**: a connection that waited in the pool may have died with its server. It is looked
  at when it is taken, without a round trip, so that a restart of the server costs nobody a page.
  Of all first workers one makes the table: they take one lock for it, the ledger's own. The
  database has to speak UTF-8, which is asked at the start and not found out with the first emoji.

Numbers come from a sequence there: in order, never twice, and with gaps where a transaction was
rolled back. Two messages at the same instant may become visible in the other order.
"""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.exc import DBAPIError, DisconnectionError

from ...errors import StoreDown
from ...stores.sqlite import create_private, tune
from . import messages

SCHEMES: Final = ("postgres", "postgresql")
FOLDER: Final = Path("var")
KEY: Final = "board key"  # under which the ledger's notes on itself name the last node's key


def is_postgresql(db: str | Path) -> bool:
    """Is this the address of a PostgreSQL database, and not the name of a file?

    >>> is_postgresql("postgresql://board@db/board"), is_postgresql("var/board.db")
    (True, False)
    """
    scheme, found, _ = str(db).partition("://")
    return bool(found) and scheme.partition("+")[0] in SCHEMES


def store_url(db: str | Path) -> str:
    """The address of the ledger beside the messages."""
    return str(db) if is_postgresql(db) else f"sqlite:///{db}"


def folder_of(db: str | Path) -> Path:
    """Where on this machine the board may keep files of its own: beside its file, else in `var`."""
    return FOLDER if is_postgresql(db) else Path(db).parent


def default_key(db: str | Path) -> Path:
    """The key file where none is named.

    >>> str(default_key("data/b.db")), str(default_key("postgresql://board@db/board"))
    ('data/b.key', 'var/board.key')
    """
    return FOLDER / "board.key" if is_postgresql(db) else Path(db).with_suffix(".key")


def open_engine(db: str | Path) -> Engine:
    """An engine on the board's database, with the table in it; a file is created (0600).

    Raises StoreDown where it cannot be used, with a sentence that names it (without a password).
    """
    return _on_postgresql(str(db)) if is_postgresql(db) else _on_file(Path(db))


def _on_file(path: Path) -> Engine:
    create_private(path)
    engine = create_engine(f"sqlite:///{path}")
    event.listen(engine, "connect", _tuned)
    try:
        messages.create(engine)
    except DBAPIError as error:
        raise StoreDown(f"{path} cannot be used as a database: {error.orig}") from error
    return engine


def _tuned(connection: sqlite3.Connection, _record: object) -> None:
    tune(connection, "FULL")


def _on_postgresql(url: str) -> Engine:
    from ...stores import pg_connect  # noqa: PLC0415 - psycopg is an extra

    try:
        address, connections = pg_connect.read_url(url)
    except ValueError as error:
        raise StoreDown(f"the URL of --db cannot be read: {error}") from error

    def connected() -> Any:
        raw = pg_connect.connect(address)
        raw.autocommit = False
        return raw

    # The address is libpq's own and goes there as it is: several hosts, sockets, services.
    engine = create_engine(
        "postgresql+psycopg://", creator=connected, pool_size=connections, max_overflow=0
    )
    event.listen(engine, "checkin", _put_aside)
    event.listen(engine, "checkout", _looked_at)
    try:
        _create(engine)
    except DBAPIError as error:
        engine.dispose()
        said = " ".join(str(error.orig).split())
        raise StoreDown(f"the database of --db cannot be used: {said}") from error
    except StoreDown:
        engine.dispose()
        raise
    return engine


def _put_aside(raw: Any, record: Any) -> None:
    if raw is not None:
        record.info["since"] = time.monotonic()


def _looked_at(raw: Any, record: Any, _proxy: object) -> None:
    """One whose server is gone is replaced by the pool before anybody works with it."""
    from ...stores.pg_connect import is_alive  # noqa: PLC0415 - psycopg is an extra

    if not is_alive(raw, record.info.get("since", time.monotonic())):
        raise DisconnectionError
    raw.rollback()  # where it had to ask, the driver has said BEGIN; else this says nothing


def reader(engine: Engine) -> Engine:
    """The same connections, for pages: each is one question, and over a network BEGIN and ROLLBACK
    around it would be two round trips more.
    """
    if engine.dialect.name == "sqlite":
        return engine
    return engine.execution_options(isolation_level="AUTOCOMMIT")


def is_own_key(db: str, tag: str) -> bool:
    """Was it this key that the node before this one started with? It is this one from now on.

    `tag` is the public name of the key, which every cookie shows. Nodes with different keys refuse
    each other's forms, and no single one of them can see that.
    """
    from ...stores import pg_connect, pg_schema  # noqa: PLC0415 - psycopg is an extra
    from ...stores.pg_wire import Wire  # noqa: PLC0415

    with pg_connect.translated(), pg_connect.connect(pg_connect.read_url(db)[0]) as raw:
        before = pg_connect.meta(raw, KEY)
        if before != tag:
            wire = Wire(raw)
            wire.say(pg_schema.WRITE_META, KEY, tag)
            wire.flush()
    return before in (None, tag)


def _create(engine: Engine) -> None:
    from ...stores.pg_connect import SCHEMA_LOCK  # noqa: PLC0415 - psycopg is an extra
    from ...stores.pg_schema import LOCK  # noqa: PLC0415

    with engine.begin() as connection:
        encoding = connection.scalar(text("SHOW server_encoding"))
        if encoding != "UTF8":
            raise StoreDown(
                f"the database of --db is encoded in {encoding}, which cannot hold every"
                " character; make one with ENCODING 'UTF8'"
            )
        connection.execute(text(LOCK % SCHEMA_LOCK))
        messages.create(connection)
