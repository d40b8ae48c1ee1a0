"""Random steps: PostgreSQL against the model."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

import pytest
from hypothesis import settings

from seeother.stores.base import Clock
from seeother.stores.postgres import PostgresStore
from seeother.testing.machine import StoreMachine

if TYPE_CHECKING:
    from tests.servers.postgres import Postgres


class PostgresMachine(StoreMachine):
    server: "ClassVar[Postgres]"

    def make(self, clock: Clock) -> PostgresStore:
        return PostgresStore(self.server.fresh(), clock=clock)


class TestPostgres(PostgresMachine.TestCase):
    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _server(cls, postgres: "Postgres") -> Iterator[None]:
        PostgresMachine.server = postgres
        yield


TestPostgres.settings = settings(
    max_examples=min(settings().max_examples // 2, 100), stateful_step_count=40
)
