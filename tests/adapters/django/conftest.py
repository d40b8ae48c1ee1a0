"""Django is configured before any test module here imports a model."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connections

from tests.adapters.django.project import configure, migrate, use_database

configure()


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with all tables, to be copied."""
    path = tmp_path_factory.mktemp("django") / "migrated.db"
    use_database(path)
    migrate()
    connections.close_all()
    return path


@pytest.fixture
def database(migrated: Path, tmp_path: Path) -> Iterator[Path]:
    """A database of this test alone."""
    path = tmp_path / "project.db"
    shutil.copy(migrated, path)
    use_database(path)
    yield path
    connections.close_all()
