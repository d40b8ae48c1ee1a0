"""Random steps: SQLite against the model."""

import shutil
import tempfile
from pathlib import Path

from hypothesis import settings

from seeother.stores.base import Clock
from seeother.stores.sqlite import SQLiteStore
from seeother.testing.machine import StoreMachine


class SQLiteMachine(StoreMachine):
    def make(self, clock: Clock) -> SQLiteStore:
        self.folder = Path(tempfile.mkdtemp())
        return SQLiteStore(self.folder / "ledger.db", clock=clock)

    def end(self) -> None:
        shutil.rmtree(self.folder)


TestSQLite = SQLiteMachine.TestCase
TestSQLite.settings = settings(
    max_examples=min(settings().max_examples // 2, 100), stateful_step_count=40
)
