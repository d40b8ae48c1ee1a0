"""Joined in one statement: claim, effect and outcome in a single round trip (PostgreSQL only).

    WITH claimed AS (INSERT INTO so_ledger ... ON CONFLICT DO NOTHING RETURNING ...),
         left_ AS (INSERT INTO so_receipt ... SELECT ... FROM claimed),
         effect1 AS (INSERT INTO note(text) SELECT 'hello' FROM claimed)
    SELECT count(*) FROM claimed

A statement is atomic, so all of it happens or nothing (data-modifying WITH,
https://www.postgresql.org/docs/current/queries-with.html#QUERIES-WITH-MODIFYING). Of two at once
the second waits in the ledger's own key until the first has committed, inserts nothing, and so its
effect selects from nothing.

The price is that the view cannot look at what its effect returns: it says what is to happen, as
statements that take their rows `FROM claimed`, and answers before that happens. It may run twice at
once, without any effect; only one statement counts. What one statement cannot hold (changes of the
session, a draft, a submission that was rejected before) takes the ordinary transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import psycopg

from ..core import ops
from ..core.ledger import State, step
from ..errors import PolicyError, StoreBusy
from . import pg_schema as schema
from .pg_connect import translated
from .pg_rows import PgWork
from .pg_wire import Wire, spelled
from .rows import receipt_columns, row_columns

if TYPE_CHECKING:
    from .postgres import PostgresStore

NAME: Final = "claimed"
Params = Sequence[Any] | Mapping[str, Any] | None


class Statement:
    """What a submission is to do, said by its view and done with its row.

    It stands where a transaction stands otherwise, and the view gets it instead of a connection.
    """

    def __init__(self) -> None:
        self.effects: list[tuple[str, Params]] = []

    @property
    def connection(self) -> Statement:
        """What the view gets."""
        return self

    def effect(self, sql: str, params: Params = None) -> None:
        """One INSERT, UPDATE or DELETE that takes its rows `FROM claimed` (and so does it once).

        `params` as psycopg has them. Raises PolicyError where it does not name `claimed`.

        >>> Statement().effect("INSERT INTO note(text) SELECT %s FROM claimed", ["hello"])
        """
        if NAME not in sql.lower().replace("(", " ").split():
            raise PolicyError(f"an effect in one statement takes its rows FROM {NAME}: {sql}")
        self.effects.append((sql, params))

    def begin(self) -> bool:
        """Nothing is open before the end."""
        self.effects.clear()
        return True

    def rollback(self) -> None:
        """Nothing was done."""
        self.effects.clear()

    def outage(self, error: BaseException) -> None:
        """The view asks nothing of the database, so what it raises is its own."""
        del error


class Once:
    """The store with everything from Claim to Settle in one statement of its own connection."""

    def __init__(self, store: PostgresStore, statement: Statement) -> None:
        self._store, self._statement = store, statement
        self._claim: ops.Claim | None = None

    def perform(self, op: ops.Op[Any]) -> Any:
        """Claim, Settle and Abandon here; everything else by the store itself."""
        if op.verb in ("claim", "settle", "abandon"):
            return getattr(self, op.verb)(op)
        return self._store.perform(op)

    def claim(self, op: ops.Claim) -> ops.ClaimReply:
        """The look-up before found nothing; whoever comes first is decided by the statement."""
        self._statement.begin()
        self._claim = op
        return ops.Granted(1, op.claim_id)

    def abandon(self, op: ops.Abandon) -> ops.Done:
        """There never was anything."""
        del op
        self._statement.rollback()
        return ops.Done()

    def settle(self, op: ops.Settle) -> ops.Done | ops.Fenced:
        """Everything at once, or the outcome of the one who came first."""
        plain = op.session is None and op.keep and not (op.receipt and op.receipt.draft)
        if plain and self._in_one(op):
            self._store.expires()
            self._store.tidy()
            return ops.Done()
        return self._in_steps(op)

    def _in_one(self, op: ops.Settle) -> bool:
        """False where there was a row already; then nothing has happened."""
        assert self._claim is not None
        store = self._store
        with translated(), store.pool.connection() as raw:
            now = store.clock()
            row = step(None, self._claim, now)[0]
            row = step(row, op, now)[0]
            assert row is not None and row.state is State.SETTLED
            values = (*row_columns(row), None, op.key.id, op.key.variant)
            claimed = spelled(f"{schema.INSERT_ROW} ON CONFLICT DO NOTHING RETURNING 1", values)
            parts = [f"{NAME} AS ({claimed})"]
            if op.receipt is not None:
                left = spelled(schema.WRITE_RECEIPT_IF, receipt_columns(op.receipt, now))
                parts.append(f"left_ AS ({left})")
            cursor = psycopg.ClientCursor(raw)
            for number, (sql, params) in enumerate(self._statement.effects, 1):
                parts.append(f"effect{number} AS ({cursor.mogrify(sql.encode(), params)})")
            whole = f"WITH {', '.join(parts)} SELECT count(*) FROM {NAME}"  # noqa: S608 - spelled
            ((count,),) = Wire(raw).ask(whole)[0]
        return bool(count)

    def _in_steps(self, op: ops.Settle) -> ops.Done | ops.Fenced:
        """A transaction: the claim with its lock, the effects, the rest."""
        assert self._claim is not None
        with self._store.writing() as work:
            if not work.claiming(self._claim):
                raise StoreBusy("somebody else is at it just now")
            row, answer = step(work.met(self._claim), self._claim, work.now)
            if not isinstance(answer, ops.Granted):
                return _overtaken(answer)
            after = step(row, _by(op, answer), work.now)[0]
            self._run(work)
            if after is None and work.row(op.key) is None:
                work.close(ops.Close(op.session, op.receipt))
            else:
                work.settled(op, after)
        return ops.Done()

    def _run(self, work: PgWork) -> None:
        cursor = psycopg.ClientCursor(work.wire.raw)
        for sql, params in self._statement.effects:
            text = cursor.mogrify(sql.encode(), params)
            work.wire.ask(f"WITH {NAME} AS (SELECT 1), effect AS ({text}) SELECT 1")


def _overtaken(answer: object) -> ops.Fenced:
    """What somebody else's row says to one who would have run as well."""
    if isinstance(answer, ops.Settled):
        return ops.Fenced(answer.outcome)
    return ops.Fenced(edited=isinstance(answer, ops.Edited))


def _by(op: ops.Settle, grant: ops.Granted) -> ops.Settle:
    return replace(op, grant=grant)
