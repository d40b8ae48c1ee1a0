"""What a store is: a memory that answers ops, each in one atomic step.

Stores are synchronous, thread-safe and never wait: where a lock is taken they answer `Busy` and the
flow decides (renew, settle, abandon, doubt and resolve have no such answer and raise StoreBusy,
with nothing written). A store that cannot work at all raises StoreDown.
`seeother.testing.StoreContract` is the specification; a store that passes it is a store. `perform`
finds the method by the op's `verb`, so a store is nothing but a class with these methods, and
`seeother.stores.workstore.WorkStore` has all of them already.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, Final, Protocol, runtime_checkable
from urllib.parse import urlsplit

from ..core import ops
from ..errors import PolicyError


@runtime_checkable
class Store(Protocol):
    """The questions a store answers; see `seeother.core.ops` for each."""

    def perform(self, op: ops.Op[Any]) -> Any:
        """Answer any op by the method that its verb names."""
        ...

    def lookup(self, op: ops.Lookup) -> ops.Settled | ops.InFlight | ops.InDoubt | ops.Unknown:
        """Look for an outcome to replay, or for somebody at it; writes nothing, waits for nobody.

        A lapsed claim reads as in doubt.
        """
        ...

    def claim(self, op: ops.Claim) -> ops.ClaimReply:
        """Ask to be the one who runs it. Raises SentTooOften past `max_rows_per_token`."""
        ...

    def renew(self, op: ops.Renew) -> ops.Done | ops.Fenced:
        """Prolong a lease."""
        ...

    def settle(self, op: ops.Settle) -> ops.Done | ops.Fenced:
        """Write outcome, receipt and session changes in one step."""
        ...

    def abandon(self, op: ops.Abandon) -> ops.Done | ops.Fenced:
        """Give a claim back."""
        ...

    def doubt(self, op: ops.Doubt) -> ops.Done | ops.Fenced:
        """Say that nobody knows how it ended."""
        ...

    def resolve(self, op: ops.Resolve) -> ops.Done | ops.Fenced:
        """End a doubt."""
        ...

    def open(self, op: ops.Open) -> ops.Opened:
        """Read session, draft and waiting receipts."""
        ...

    def take(self, op: ops.Take) -> tuple[ops.Taken, ...] | ops.Busy:
        """Lease messages to one page."""
        ...

    def close(self, op: ops.Close) -> ops.Done | ops.Busy:
        """End a visit: session changes, a new receipt, what was shown and what was not."""
        ...

    def rearm(self, op: ops.Rearm) -> ops.Done | ops.Busy:
        """Show the message of a replay once more."""
        ...

    def report(self, op: ops.Report) -> None:
        """Tell the operators."""

    def shut(self) -> None:
        """Close everything that is open in this process."""


class Transaction(Protocol):
    """Somebody else's transaction that a ledger row may join."""

    def begin(self) -> bool:
        """Open it for writing; False if the database is busy."""
        ...

    @property
    def raw(self) -> Any:
        """The DB-API connection inside."""
        ...

    def commit(self) -> None:
        """COMMIT, and give the connection back."""

    def rollback(self) -> None:
        """ROLLBACK if anything is open, and give the connection back; may be called again."""


class Performs(Protocol):
    """Whatever answers ops."""

    def perform(self, op: ops.Op[Any]) -> Any:
        """Answer any op."""
        ...


@runtime_checkable
class Joinable(Store, Protocol):
    """A store whose rows may live inside the app's own transaction."""

    def within(self, transaction: Transaction) -> Performs:
        """The same store, with Claim as its BEGIN and Settle as its COMMIT."""
        ...

    def fenced(self, transaction: Transaction) -> Performs:
        """The same store, with a claim of its own and Settle as the transaction's COMMIT."""
        ...


Clock = Callable[[], float]

KINDS: Final = {
    "memory": ("memory", "MemoryStore"),
    "sqlite": ("sqlite", "SQLiteStore"),
    "postgresql": ("postgres", "PostgresStore"),
    "postgres": ("postgres", "PostgresStore"),
    "redis": ("redis", "RedisStore"),
    "rediss": ("redis", "RedisStore"),
}
APART: Final = frozenset({"redis", "rediss"})  # servers without the app's own tables


def joins(url: str) -> bool:
    """Can the store that a URL names be part of an app's own transaction?

    >>> joins("sqlite:///app.db"), joins("redis://host")
    (True, False)
    """
    return urlsplit(url).scheme.partition("+")[0] not in APART


def open_store(url: str) -> Store:
    """The store that a URL names; nothing is opened or created before its first use.

    `sqlite:///relative.db`, `sqlite:////absolute.db`, `postgresql://user@host/database`,
    `redis://host`, `memory://`. Raises PolicyError for a kind that does not exist, or that needs
    what is not installed.

    >>> type(open_store("memory://")).__name__
    'MemoryStore'
    """
    kind = urlsplit(url).scheme.partition("+")[0]
    if kind not in KINDS:
        raise PolicyError(f"no store for {url!r}; known: {', '.join(sorted(KINDS))}")
    module, name = KINDS[kind]
    try:
        made = getattr(import_module(f".{module}", __package__), name)
    except ModuleNotFoundError as error:
        advice = f'pip install "seeother[{module}]"'
        raise PolicyError(f"{kind} needs {error.name}, which is not installed: {advice}") from error
    store: Store = made.from_url(url)
    return store
