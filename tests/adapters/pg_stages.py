"""The contract of adapters with its effects and its ledger in PostgreSQL."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from sqlalchemy import Engine, create_engine, make_url, text

from seeother.testing.adapter import Client, quiet
from seeother.testing.adapter.harness import Harness
from seeother.testing.adapter.stage import Behaviour, Effects

if TYPE_CHECKING:
    from tests.servers.postgres import Postgres


class PgEffects(Effects):
    """What happened, as rows in a schema."""

    def __init__(self, url: str) -> None:
        super().__init__(Path())
        self._url = url

    @property
    def engine(self) -> Engine:
        """The app's own database."""
        with self._lock:
            if self._engine is None:
                url = make_url(self._url).set(drivername="postgresql+psycopg")
                self._engine = create_engine(url)
                with self._engine.begin() as connection:
                    connection.execute(text("CREATE TABLE effect (rowid serial, what text)"))
            return self._engine


TABLES = ("effect", "so_ledger", "so_receipt", "so_draft", "so_session", "so_session_head")


def written(url: str) -> list[object]:
    """Every row that there is, with the transactions that wrote it and that touched it."""
    rows: list[object] = []
    with psycopg.connect(url) as connection:
        for table in TABLES:
            rows += connection.execute(f"SELECT xmin, xmax, t.* FROM {table} t").fetchall()
    return rows


class OnPostgres(Harness):
    """Mixed into a contract: another database, and everything else as it is."""

    @pytest.fixture(autouse=True)
    def _database(
        self, _on_stage: None, postgres: "Postgres", monkeypatch: pytest.MonkeyPatch
    ) -> Iterator[None]:
        self._url = postgres.fresh()
        self.effects = PgEffects(self._url)
        monkeypatch.setattr(quiet, "bytes_of", lambda _: written(self._url))
        yield
        self.effects.shut()

    def serve(self, behaviour: Behaviour, *, layers: int = 1, **policy: Any) -> Client:
        """A client of an app with this view."""
        return super().serve(behaviour, layers=layers, **{"store": self._url, **policy})
