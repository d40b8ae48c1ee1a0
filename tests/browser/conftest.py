"""What the tests of the board share: a board in this process, a proxy, and people in browsers."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Connection

from seeother import asgi
from seeother.apps.board import app as board_app
from seeother.core.values import Request, Response
from seeother.visit import Visit
from tests.board.hosted import Hosted
from tests.browser.proxy import Proxy

if TYPE_CHECKING:
    from playwright.sync_api import Browser

    from tests.browser.person import InChromium


@pytest.fixture
def board(tmp_path: Path) -> Iterator[Hosted]:
    """An empty board whose clock can be moved, behind a real server."""
    with Hosted(tmp_path) as hosted:
        yield hosted


@pytest.fixture
def proxy(board: Hosted) -> Iterator[Proxy]:
    """A proxy before it, without rules."""
    with Proxy(board.port) as running:
        yield running


@pytest.fixture
def ann(chromium: "Browser", proxy: Proxy) -> "Iterator[InChromium]":
    """A new visitor in Chromium."""
    from tests.browser.chromium import visiting
    from tests.browser.person import InChromium

    with visiting(chromium) as page:
        yield InChromium(proxy, page)


@pytest.fixture
def two_days_pass(board: Hosted, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Makes every form that is open by now too old; the browser's own clock stays."""

    def request_of(scope: Any) -> Request:
        return replace(_request_of(scope), now=board.clock())

    monkeypatch.setattr(asgi, "request_of", request_of)
    return lambda: board.clock.advance(2 * 86_400)


_request_of = asgi.request_of


class Slow:
    """The board's view, held open in its transaction until the test lets it go."""

    def __init__(self) -> None:
        self.entered = 0
        self.gate = threading.Event()

    def __call__(self, connection: Connection, visit: Visit) -> Response:
        """Count, wait, save."""
        self.entered += 1
        self.gate.wait(60)
        return _save(connection, visit)


_save = board_app.save


@pytest.fixture
def slow(board: Hosted, monkeypatch: pytest.MonkeyPatch) -> Iterator[Slow]:
    """Makes the board slow: every view waits for `slow.gate`."""
    view = Slow()
    monkeypatch.setattr(board_app, "save", view)
    yield view
    view.gate.set()
