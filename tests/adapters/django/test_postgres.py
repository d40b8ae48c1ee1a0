"""Django's own tests once more, with PostgreSQL as the project's database.

By default those of views that know nothing, and of mode fenced; with SCALE=10 both contracts as
well. They run in a process of their own: Django is configured once in each.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tests.servers.postgres import Postgres

ROOT: Final = Path(__file__).parents[3]
HERE: Final = "tests/adapters/django"
ALL: Final = float(os.environ.get("SCALE", "1")) >= 10
FILES: Final = [
    "test_once.py",
    "test_fenced.py",
    *(["test_contract.py", "test_upgrade.py"] if ALL else []),
]
# Threads of a test leave Django's connections to the collector, which on SQLite is silent.
QUIET: Final = [
    "-Wignore::ResourceWarning",
    "-Wignore::pytest.PytestUnraisableExceptionWarning",
]


def test_the_same_on_postgresql(postgres: "Postgres") -> None:
    """Every test passes; none is left out."""
    files = [f"{HERE}/{name}" for name in FILES]
    command = [sys.executable, "-m", "pytest", "-q", "-pno:cacheprovider", *QUIET, *files]
    environ = {**os.environ, "SEEOTHER_TEST_DJANGO_ON": postgres.url}
    run = subprocess.run(
        command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout[-8_000:]
    assert "skipped" not in run.stdout
