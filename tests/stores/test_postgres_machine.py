"""Random steps: PostgreSQL against the model."""

import os
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


class TestPostgres(PostgresMachine.TestCase):  # type: ignore[misc, valid-type]
    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _server(cls, postgres: "Postgres") -> None:
        PostgresMachine.server = postgres


TestPostgres.settings = settings(
    max_examples=max(5, int(5 * float(os.environ.get("SCALE", "1")))), stateful_step_count=30
)
