"""Run one suite in its project's environment, bare or with seeother in between."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from .projects import ROOT
from .results import Results
from .suites import Suite

LIMIT: Final = 2400.0  # seconds; alone the slowest takes a minute and a half
PATH: Final = os.pathsep.join((str(ROOT / "src"), str(ROOT / "tests" / "upstream")))


def outcome(suite: Suite, *, protected: bool, log: Path, lint: str = "") -> Results:
    """Run it; everything that it says goes into `log`. `lint`: as in `inside.between`."""
    command = [str(suite.project.python), *suite.command(protected=protected)]
    with TemporaryDirectory() as folder:
        result = Path(folder) / "result.json"
        environ = {
            **_clean(),
            "PYTHONPATH": PATH,
            "PYTHONDONTWRITEBYTECODE": "1",
            "UPSTREAM_RESULT": str(result),
            "UPSTREAM_WRAP": suite.wrap if protected else "",
            "UPSTREAM_LINT": lint,
        }
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("w", encoding="utf-8") as said:
            try:
                subprocess.run(
                    command,
                    cwd=suite.project.tests,
                    env=environ,
                    stdin=subprocess.DEVNULL,
                    stdout=said,
                    stderr=subprocess.STDOUT,
                    timeout=LIMIT,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                said.write(f"\nstopped after {LIMIT:.0f} s\n")
        return Results.read(result)


def _clean() -> dict[str, str]:
    """Our environment without what would speak to their frameworks, pytest or seeother."""
    foreign = ("FLASK_", "DJANGO_", "WERKZEUG_", "WEBTEST_", "PYTEST_", "PYTHON", "SEEOTHER_")
    return {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
