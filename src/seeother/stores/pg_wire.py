"""Speaking to PostgreSQL in as few round trips as there can be.

Over a network the statements cost little and the waiting for each answer costs much. So what needs
no answer is only noted (`say`), and goes out together with the next question (`ask`) or with the
COMMIT, as one message of the simple query protocol
(https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-SIMPLE-QUERY): a claim is
BEGIN, the lock, the row and the clock in one round trip. Such a message has no parameters, so
values are spelled as literals: numbers, bytes as hexadecimal digits, and a few words of our own.

Nothing of this is state of a session, so a pooler that gives each transaction another connection
(PgBouncer's mode transaction) makes no difference. A lone question on a connection of our own, as a
look-up is, costs more to parse and plan than to answer: it is prepared where no pooler can be hurt.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, cast

from psycopg import ClientCursor, Connection, IsolationLevel
from psycopg.pq import TransactionStatus
from psycopg.rows import tuple_row

IDLE: Final = TransactionStatus.IDLE
LEVELS: Final = {level: level.name.replace("_", " ") for level in IsolationLevel}


class Wire:
    """One connection and what is to be said on it.

    `opening` goes before the first message: the BEGIN of a step, or nothing. `prepares`: it is a
    connection of our own and nothing is ever written, so that a question goes out as the driver
    likes it; it prepares what comes often, where no pooler is in between (`pg_connect`).
    """

    def __init__(
        self, raw: Connection[Any], opening: tuple[str, ...] = (), *, prepares: bool = False
    ) -> None:
        self.raw = raw
        self.begun = False
        self._opening, self._prepares = opening, prepares
        self._later: list[str] = []

    def say(self, sql: str, *args: Any) -> None:
        """Note a statement whose answer nobody needs."""
        self._later.append(spelled(sql, args))

    def ask(self, *questions: str) -> list[list[Any]]:
        """Send what was noted and these questions; the rows of each of them."""
        out: list[list[Any]] = []
        cursor = self._send(questions)
        for number in range(self._sent):
            if number >= self._sent - len(questions):
                out.append(cursor.fetchall() if _has_rows(cursor) else [])
            cursor.nextset()
        return out

    def rows(self, sql: str, args: tuple[Any, ...]) -> list[Any]:
        """One question; its rows."""
        if self._prepares:
            return self.raw.execute(sql.encode(), args or None).fetchall()
        return self.ask(spelled(sql, args))[0]

    def change(self, sql: str, *args: Any) -> int:
        """Send what was noted and this; how many rows it has changed."""
        cursor = self._send((spelled(sql, args),))
        while cursor.nextset():
            pass
        return cursor.rowcount

    def flush(self, *last: str) -> None:
        """Send what was noted and what comes last, if it is anything."""
        if self._later or (last and self.begun):
            self._send(last)

    def _send(self, texts: tuple[str, ...]) -> ClientCursor[Any]:
        opening = () if self.begun else self._opening
        said, self._later, self.begun = [*opening, *self._later, *texts], [], True
        self._sent = len(said)
        own = getattr(self.raw, "send", None)
        if own is not None:  # the connection of an asyncio driver
            return cast("ClientCursor[Any]", own(said))
        cursor = ClientCursor(self.raw, row_factory=tuple_row)
        # The driver would prepare what comes often, and PostgreSQL prepares single statements only.
        cursor.execute(";".join(said).encode(), prepare=False)
        return cursor


def _has_rows(cursor: ClientCursor[Any]) -> bool:
    """Asked of the driver's result, because `description` makes an object for each column."""
    return cursor.pgresult is not None and cursor.pgresult.nfields > 0


def spelled(sql: str, args: tuple[Any, ...]) -> str:
    """A statement with its values as literals.

    >>> spelled("SELECT %s, %s, %s", (b"ab", 1.5, None))
    "SELECT decode('6162','hex'), 1.5::float8, NULL"
    """
    return sql % tuple(map(literal, args)) if args else sql


def literal(value: bytes | str | float | bool | datetime | None) -> str:
    """A value as SQL spells it. Text is ours (states, owners) and has no backslash."""
    match value:
        case None:
            return "NULL"
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return f"{value!r}::float8" if abs(value) < 1e300 else f"'{value!r}'::float8"
        case bytes():
            return f"decode('{value.hex()}','hex')"
        case datetime():
            return f"'{value.isoformat()}'::timestamptz"
        case str():  # pragma: no branch - exhaustive
            assert "\\" not in value and "\0" not in value
            return "'" + value.replace("'", "''") + "'"


def begin_of(raw: Connection[Any]) -> tuple[str, ...]:
    """The BEGIN that an app's connection needs now, as its driver would say it; or none.

    The driver says its own where it is not in autocommit, and there is none inside a transaction.
    """
    if not raw.autocommit or raw.info.transaction_status != IDLE:
        return ()
    words = ["BEGIN"]
    if raw.isolation_level is not None:
        words.append(f"ISOLATION LEVEL {LEVELS[raw.isolation_level]}")
    if raw.read_only is not None:
        words.append("READ ONLY" if raw.read_only else "READ WRITE")
    if raw.deferrable is not None:
        words.append("DEFERRABLE" if raw.deferrable else "NOT DEFERRABLE")
    return (" ".join(words),)
