"""A test runner for Django's suite that writes down what became of every test, as JSON."""

from __future__ import annotations

import json
import os
import sys
import unittest
from importlib import import_module
from pathlib import Path
from typing import Any

from django.test.runner import DiscoverRunner

OUTCOMES: dict[str, str] = {}
WRAP = os.environ.get("UPSTREAM_WRAP")

if WRAP:
    import_module(f"{__package__}.{WRAP}")


class Result(unittest.TextTestResult):
    """Notes each outcome under the id of its test; a failed part fails its test."""

    def stopTest(self, test: Any) -> None:  # noqa: N802 - unittest's name
        """The test is over: unless it was noted as something else, it has passed."""
        OUTCOMES.setdefault(test.id(), "passed")
        super().stopTest(test)

    def addError(self, test: Any, err: Any) -> None:  # noqa: N802
        """It raised."""
        OUTCOMES[test.id()] = "failed"
        super().addError(test, err)

    def addFailure(self, test: Any, err: Any) -> None:  # noqa: N802
        """An assertion of it failed."""
        OUTCOMES[test.id()] = "failed"
        super().addFailure(test, err)

    def addSubTest(self, test: Any, subtest: Any, err: Any) -> None:  # noqa: N802
        """A part of it ended."""
        if err is not None:
            OUTCOMES[test.id()] = "failed"
        super().addSubTest(test, subtest, err)

    def addSkip(self, test: Any, reason: str) -> None:  # noqa: N802
        """It was left out; a skipped part alone leaves its test what it is."""
        if isinstance(test, unittest.TestCase):
            OUTCOMES.setdefault(test.id(), "skipped")
        super().addSkip(test, reason)

    def addExpectedFailure(self, test: Any, err: Any) -> None:  # noqa: N802
        """It failed, as it has to."""
        OUTCOMES[test.id()] = "xfailed"
        super().addExpectedFailure(test, err)

    def addUnexpectedSuccess(self, test: Any) -> None:  # noqa: N802
        """It passed and should not."""
        OUTCOMES[test.id()] = "failed"
        super().addUnexpectedSuccess(test)


class Recording(DiscoverRunner):
    """Django's runner with that result."""

    def get_resultclass(self) -> Any:
        """Our result instead of unittest's."""
        return Result

    def run_suite(self, suite: Any, **kwargs: Any) -> Any:
        """Run everything, then write what was noted."""
        result = super().run_suite(suite, **kwargs)
        between = sys.modules.get(f"{__package__}.between")  # a bare run has none
        found = {"outcomes": OUTCOMES, **(between.seen() if between else {})}
        Path(os.environ["UPSTREAM_RESULT"]).write_text(json.dumps(found), "utf-8")
        return result
