"""What a test does when something it needs is not on this machine.

Nothing is mocked that can be run, so some tests need a browser or a database server. On a
developer's machine a missing one skips its tests, with one line at the end of the run that says
how to install it. Under `CI=true` it is a failure: a run that tested less must not look green.
"""

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

CI = os.environ.get("CI", "").lower() not in {"", "0", "false"}


def missing(what: str, install: str) -> NoReturn:
    """End this test: skipped with the advice, or failed under CI.

    >>> missing("Chromium", "apt-get install chromium")  # doctest: +SKIP
    """
    message = f"{what} IS MISSING, its tests did not run. Install it: {install}"
    if CI:
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


def program(variable: str, *names: str) -> Path | None:
    """The first of these programs that is installed; the environment variable names another."""
    for name in filter(None, (os.environ.get(variable), *names)):
        if found := shutil.which(name):
            return Path(found)
    return None
