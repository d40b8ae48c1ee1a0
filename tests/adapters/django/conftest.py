"""Django is configured before any test module here imports a model."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connections

from tests.adapters.django.project import (
    POSTGRES,
    administer,
    configure,
    fresh_database,
    migrate,
    name_database,
    use_database,
)

configure()


@pytest.fixture(scope="session", autouse=bool(POSTGRES))
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with all tables, to be copied."""
    path = tmp_path_factory.mktemp("django") / "migrated.db"
    use_database(path)
    if POSTGRES:
        administer("CREATE DATABASE migrated")
        name_database("migrated")
    migrate()
    connections.close_all()
    path.touch()
    return path


@pytest.fixture
def database(migrated: Path, tmp_path: Path) -> Iterator[Path]:
    """A database of this test alone."""
    path = tmp_path / "project.db"
    shutil.copy(migrated, path)
    use_database(path)
    if POSTGRES:
        fresh_database()
    yield path
    connections.close_all()
