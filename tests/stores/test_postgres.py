"""The PostgreSQL store, on a real server: the whole contract, its URLs, its tables."""

from typing import TYPE_CHECKING, Any

import pytest

from seeother.stores.base import Clock
from seeother.stores.postgres import PostgresStore
from seeother.testing import StoreContract

if TYPE_CHECKING:
    from tests.servers.postgres import Postgres


class TestPostgres(StoreContract):
    @pytest.fixture(autouse=True)
    def _server(self, postgres: "Postgres") -> None:
        self.url = postgres.fresh()

    def make(self, clock: Clock) -> PostgresStore:
        return PostgresStore(self.url, clock=clock)

    def reopen(self, store: Any) -> PostgresStore:
        store.shut()
        return PostgresStore(self.url, clock=self.clock)
