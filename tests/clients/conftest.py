"""The tests here load scripts that are fetched: they run where somebody asks for this folder."""

from pathlib import Path

import pytest

pytest.register_assert_rewrite("tests.clients.promises")
HERE = Path(__file__).parent


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Ignore the test files unless an argument names them or this folder (`make clients`)."""
    named = (Path(argument.partition("::")[0]).resolve() for argument in config.args)
    asked = any(one == HERE or HERE in one.parents for one in named)
    return True if collection_path.name.startswith("test_") and not asked else None
