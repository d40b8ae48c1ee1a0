"""A pytest plugin that writes down what became of every test: id -> outcome, as JSON."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

OUTCOMES: dict[str, str] = {}
WORST = ("passed", "xfailed", "skipped", "failed")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """One phase of one test; the worst of the three is what became of it."""
    outcome = str(report.outcome)
    if hasattr(report, "wasxfail"):
        outcome = "xfailed"
    before = OUTCOMES.get(report.nodeid, "passed")
    OUTCOMES[report.nodeid] = max(before, outcome, key=WORST.index)


def pytest_collectreport(report: Any) -> None:
    """A file that cannot be read is a failure under its own name."""
    if report.failed:
        OUTCOMES[report.nodeid] = "failed"


def pytest_sessionfinish() -> None:
    """The end: write it."""
    between = sys.modules.get(f"{__package__}.between")
    found = {"outcomes": OUTCOMES, **(between.seen() if between else {})}
    Path(os.environ["UPSTREAM_RESULT"]).write_text(json.dumps(found), "utf-8")
