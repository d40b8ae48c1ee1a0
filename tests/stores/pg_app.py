"""An app whose effects and ledger are in one PostgreSQL schema, and a few views for it."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, create_engine, make_url, text

from seeother.core.ops import Abandon, Claim, Granted, Lookup, Settle, Unknown
from seeother.sqlalchemy import Transaction
from seeother.stores.postgres import PostgresStore
from seeother.testing import FakeClock
from seeother.testing.harness import PATIENCE, claim, outcome

View = Callable[[Connection], Any]
TABLES = (
    "CREATE TABLE note(id serial PRIMARY KEY, text text NOT NULL UNIQUE)",
    "CREATE TABLE child(note int REFERENCES note(id) DEFERRABLE INITIALLY DEFERRED)",
)


class App:
    """An app's engine and the store, on one schema."""

    def __init__(self, url: str, **engine: Any) -> None:
        self.url = url
        self.store = PostgresStore(url, clock=FakeClock())
        self.engine = create_engine(
            make_url(url).set(drivername="postgresql+psycopg"), pool_size=20, **engine
        )

    def create(self) -> None:
        """Create the app's tables."""
        with self.engine.begin() as connection:
            for table in TABLES:
                connection.exec_driver_sql(table)

    def once(self, view: View, where: Claim | None = None, **more: Any) -> Any:
        """What the flow does: claim, view, settle; a view that raises is abandoned."""
        mine, transaction = where or claim(), Transaction(self.engine)
        joined = self.store.within(transaction)
        reply = joined.perform(mine)
        if not isinstance(reply, Granted):
            return reply
        try:
            view(transaction.connection)
        except BaseException:
            joined.perform(Abandon(mine.key, reply))
            raise
        done = more.pop("outcome", outcome())
        return joined.perform(Settle(mine.key, reply, mine.fingerprint, done, **more))

    def look(self, where: Claim | None = None) -> Any:
        """Look for the outcome of a claim."""
        mine = where or claim()
        return self.store.lookup(Lookup(mine.key, mine.fingerprint, PATIENCE))

    def notes(self) -> list[str]:
        """What the view has left."""
        with self.engine.connect() as connection:
            return [row[0] for row in connection.execute(text("SELECT text FROM note ORDER BY id"))]

    def nothing_happened(self) -> None:
        """No effect, no row; and the same claim works."""
        assert self.notes() == []
        assert self.look() == Unknown()
