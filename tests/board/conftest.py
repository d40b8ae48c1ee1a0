"""Where a test's board keeps its messages: in a SQLite file, and once more on PostgreSQL."""

from typing import cast

import pytest

STORES = ("sqlite", "postgresql")


@pytest.fixture(scope="module", params=STORES)
def database(request: pytest.FixtureRequest) -> str | None:
    """The URL of an empty PostgreSQL database; None is a file in the test's own folder."""
    if request.param == "sqlite":
        return None
    return cast("str", request.getfixturevalue("postgres").fresh())
