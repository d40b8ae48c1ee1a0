"""Every promise for every client, under three frameworks: htmx, Turbo and Unpoly as they are.

What a page's own script does with `fetch()` and XMLHttpRequest is here, too, in all its usual ways.
"""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.clients.page import CLIENTS
from tests.clients.promises import (
    PROMISES,
    STAYING,
    Promise,
    a_message_for_the_page_that_it_goes_to,
)
from tests.clients.scripts import fetched
from tests.clients.visitor import Site
from tests.presence import missing

SHOWING = [name for name in CLIENTS if name not in ("plain", "fetch-stay", "fetch-go")]


@pytest.fixture(scope="module", params=["flask", "starlette", "django"])
def site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """The app as a process."""
    if not fetched():
        missing("A CLIENT SCRIPT", "make clients (it fetches them)")
    with Site(tmp_path_factory.mktemp("clients"), request.param) as running:
        yield running


@pytest.mark.parametrize("client", SHOWING)
@pytest.mark.parametrize("promise", PROMISES, ids=lambda one: one.__name__)
def test_promise(promise: Promise, chromium: Browser, site: Site, client: str) -> None:
    """Each promise of `promises`, for each client."""
    promise(chromium, site, client)


@pytest.mark.parametrize("promise", STAYING, ids=lambda one: one.__name__)
def test_a_script_that_stays(promise: Promise, chromium: Browser, site: Site) -> None:
    """It shows nothing of what came."""
    promise(chromium, site, "fetch-stay")


def test_a_script_that_goes(chromium: Browser, site: Site) -> None:
    """It follows the redirect and then goes there."""
    a_message_for_the_page_that_it_goes_to(chromium, site, "fetch-go")
