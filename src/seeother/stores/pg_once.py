"""Joined in one statement: claim, effect and outcome in a single round trip (PostgreSQL only).

    WITH claimed AS (INSERT INTO so_ledger ... RETURNING 1),
         effect1 AS (INSERT INTO note(text) SELECT $13 FROM claimed)
    INSERT INTO so_receipt ... SELECT $14, ... FROM claimed

A statement is atomic, so all of it happens or nothing (data-modifying WITH,
https://www.postgresql.org/docs/current/queries-with.html#QUERIES-WITH-MODIFYING). Of two at once
the second waits in the ledger's own key until the first has committed, and is refused as a whole.

The price is that the view cannot look at what its effect returns: it says what is to happen, as
statements that take their rows `FROM claimed`, and answers before that happens. It may run twice at
once, without any effect; only one statement counts. What one statement cannot hold (changes of the
session, a draft, a submission that was rejected before) takes the ordinary transaction.

**What it costs.** To parse and plan such a statement takes the server longer than to run it, so its
text is the same each time (values are parameters) and the driver prepares it after a few times, as
it does with the app's own; on a connection that a pooler shares it does not (`pg_connect`). Of
everything that is written one row comes last, as the main statement, because asking `claimed`
whether there was a row is a plan node of its own. A plain INSERT that a duplicate makes fail is
cheaper than ON CONFLICT, which writes to the log that its row was meant; duplicates come rarely
this far, since the look-up before has answered most of them.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import psycopg

from ..core import ops
from ..core.ledger import State, step
from ..errors import PolicyError, SentTooOften, StoreBusy, StoreDown
from . import pg_schema as schema
from .pg_connect import translated
from .pg_joined import LEDGER
from .pg_rows import PgWork
from .rows import receipt_columns, row_columns
from .work import Found

if TYPE_CHECKING:
    from .postgres import PostgresStore

NAME: Final = "claimed"
CLAIMED: Final = f"WITH {NAME} AS ({schema.INSERT_ROW} RETURNING 1)"
# psycopg's placeholders, https://www.psycopg.org/psycopg3/docs/basic/params.html
HOLE: Final = re.compile(r"%(?:%|(?:\((?P<name>[^)]+)\))?(?P<kind>[sbt]))")
# What is wrong with the app's own SQL or values; everything else is the server's affair.
THEIRS: Final = (psycopg.ProgrammingError, psycopg.DataError)
Params = Sequence[Any] | Mapping[str, Any] | None


class Statement:
    """What a submission is to do, said by its view and done with its row.

    It stands where a transaction stands otherwise, and the view gets it instead of a connection.
    """

    def __init__(self) -> None:
        self.effects: list[tuple[str, list[Any]]] = []

    @property
    def connection(self) -> Statement:
        """What the view gets."""
        return self

    def effect(self, sql: str, params: Params = None) -> None:
        """One INSERT, UPDATE or DELETE that takes its rows `FROM claimed` (and so does it once).

        `params` as psycopg's `execute` has them. Raises PolicyError where it does not name
        `claimed`, or where placeholders and values do not fit.

        >>> Statement().effect("INSERT INTO note(text) SELECT %s FROM claimed", ["hello"])
        """
        self.effects.append(_in_order(sql, params))

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
        self._variants = 0  # how many rows the token had when it was looked up

    def perform(self, op: ops.Op[Any]) -> Any:
        """From Lookup to Settle here; everything else by the store itself."""
        if op.verb in ("lookup", "claim", "settle", "abandon"):
            return getattr(self, op.verb)(op)
        return self._store.perform(op)

    def lookup(self, op: ops.Lookup) -> Found:
        """The outcome, if there is one; and count the rows for the claim, in the same question."""
        with self._store.reading() as work:
            self._variants = work.looking(op.key)
            return work.lookup(op)

    def claim(self, op: ops.Claim) -> ops.ClaimReply:
        """The look-up before found nothing; whoever comes first is decided by the statement.

        Raises SentTooOften.
        """
        most = self._store.max_rows_per_token
        if op.keep and self._variants >= most:
            raise SentTooOften(f"the token has {most} rows, max_rows_per_token")
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
        with _theirs():
            if not (plain and self._in_one(op)):
                return self._in_steps(op)
        self._store.expires()
        self._store.tidy()
        return ops.Done()

    def _in_one(self, op: ops.Settle) -> bool:
        """False where there was a row already; then nothing has happened."""
        try:
            with translated(), self._store.pool.connection() as raw:
                raw.execute(*self._said(op))
        except psycopg.errors.UniqueViolation as error:
            if error.diag.table_name != LEDGER:
                raise
            return False
        return True

    def _said(self, op: ops.Settle) -> tuple[bytes, list[Any]]:
        """The statement and its values."""
        assert self._claim is not None
        now = self._store.clock()
        row = step(None, self._claim, now)[0]
        row = step(row, op, now)[0]
        assert row is not None and row.state is State.SETTLED
        values = [*row_columns(row), None, op.key.id, op.key.variant]
        for _, theirs in self._statement.effects:
            values += theirs
        if op.receipt is not None:
            values += receipt_columns(op.receipt, now)
        texts = tuple([text for text, _ in self._statement.effects])
        return _whole(texts, tells=op.receipt is not None), values

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
        for text, values in self._statement.effects:
            whole = f"WITH {NAME} AS (SELECT 1), effect AS ({text}\n) SELECT FROM {NAME}"  # noqa: S608 - the app's
            work.wire.raw.execute(whole.encode(), values)


@lru_cache(maxsize=256)
def _whole(effects: tuple[str, ...], *, tells: bool) -> bytes:
    """The text of a statement with these effects, and with a receipt or without."""
    parts = [f"effect{number} AS ({text}\n)" for number, text in enumerate(effects)]
    last = schema.WRITE_RECEIPT_IF if tells else f"SELECT FROM {NAME}"
    return f"{', '.join([CLAIMED, *parts])} {last}".encode()


def _in_order(sql: str, params: Params) -> tuple[str, list[Any]]:
    """An effect with its values in the order of their placeholders, as parts of one list need it.

    >>> _in_order("... %(a)s, %(b)s, %(a)s FROM claimed", {"a": 1, "b": 2})
    ('... %s, %s, %s FROM claimed', [1, 2, 1])
    """
    text, names = _read(sql)
    if params is None:  # psycopg leaves such a text alone
        return sql.replace("%", "%%"), []
    if isinstance(params, Mapping):
        fits = all(name in params for name in names)
        values = [params[name] for name in names] if fits else []
    else:
        fits = len(names) == len(params) and not any(names)
        values = list(params)
    if not fits:
        raise PolicyError(f"placeholders and values of an effect do not fit: {sql}")
    return text, values


@lru_cache(maxsize=256)
def _read(sql: str) -> tuple[str, list[str]]:
    """An effect with nameless placeholders, and the names they had ("": none)."""
    if NAME not in sql.lower().replace("(", " ").split():
        raise PolicyError(f"an effect in one statement takes its rows FROM {NAME}: {sql}")
    names = [hole["name"] or "" for hole in HOLE.finditer(sql) if hole["kind"]]
    return HOLE.sub(lambda hole: f"%{hole['kind'] or '%'}", sql), names


@contextmanager
def _theirs() -> Generator[None]:
    """What is wrong with an effect is an error of the app, as anywhere in its view; no outage."""
    try:
        yield
    except StoreDown as error:
        if isinstance(error.__cause__, THEIRS):
            raise error.__cause__ from None
        raise


def _overtaken(answer: object) -> ops.Fenced:
    """What somebody else's row says to one who would have run as well."""
    if isinstance(answer, ops.Settled):
        return ops.Fenced(answer.outcome)
    return ops.Fenced(edited=isinstance(answer, ops.Edited))


def _by(op: ops.Settle, grant: ops.Granted) -> ops.Settle:
    return replace(op, grant=grant)
