"""A SQLite store on a file of its own, and an app around one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from seeother.stores.sqlite import SQLiteStore
from seeother.testing import FakeClock
from tests.stores.app import App


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file in a folder, neither of which is there yet."""
    return tmp_path / "folder" / "ledger.db"


@pytest.fixture
def store(path: Path) -> Iterator[SQLiteStore]:
    """A store on that file; its clock stands still."""
    made = SQLiteStore(path, clock=FakeClock())
    yield made
    made.shut()


@pytest.fixture
def app(tmp_path: Path) -> Iterator[App]:
    """An app; at the end every connection is back in its pool, whatever the test did."""
    made = App(tmp_path / "app.db")
    made.create()
    yield made
    assert made.engine.pool.checkedout() == 0  # type: ignore[attr-defined]
    made.engine.dispose()
    made.store.shut()
