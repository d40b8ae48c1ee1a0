"""Forms that a page's own script sends, by fetch() and XMLHttpRequest.

The promises and the small app are those of tests/clients, where every client has to keep all of
them (`make clients`); here is what needs no script from elsewhere, one of each kind.
"""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

pytest.register_assert_rewrite("tests.clients.promises")

from tests.clients import promises  # noqa: E402
from tests.clients.visitor import Site  # noqa: E402

PLAYED = [
    (promises.a_double_click_is_one, "fetch"),
    (promises.a_slow_view_runs_once, "fetch-fields"),
    (promises.what_is_meant_twice_is_two, "fetch-header"),
    (promises.rejected_input_is_kept_in_place, "fetch"),
    (promises.a_script_that_breaks, "xhr"),
    (promises.a_script_that_gives_up, "fetch"),
    (promises.a_page_that_stays, "fetch-stay"),
    (promises.a_message_that_nobody_shows, "fetch-stay"),
]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The app as a process."""
    with Site(tmp_path_factory.mktemp("scripts"), "flask") as running:
        yield running


@pytest.mark.parametrize(
    ("promise", "client"), PLAYED, ids=[f"{one.__name__}-{client}" for one, client in PLAYED]
)
def test_promise(promise: promises.Promise, chromium: Browser, site: Site, client: str) -> None:
    """Each of them, in Chromium, with the effects counted in the database."""
    promise(chromium, site, client)
