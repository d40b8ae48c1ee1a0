"""Flask apps as they are served: a threaded WSGI server, and a visitor who clicks twice."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server

from tests.board.visitor import Page, Visitor

KEY = "a key that is long enough for everybody here"
WAIT = 30.0


class Silent(WSGIRequestHandler):
    """A server that writes no log."""

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - its name there
        """Say nothing."""


def new_app(folder: Path, **config: Any) -> Flask:
    """An app with a good key, whose instance folder is the test's own."""
    app = Flask("shop", instance_path=str(folder), static_folder=None)
    engine = {"connect_args": {"timeout": 60}}
    app.config.update(SECRET_KEY=KEY, SQLALCHEMY_ENGINE_OPTIONS=engine, **config)
    return app


@contextmanager
def served(app: Flask) -> Iterator[str]:
    """The app's address on a real server with a thread for each request."""
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Silent)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(WAIT)


@contextmanager
def visiting(app: Flask) -> Iterator[Visitor]:
    """A visitor of the app."""
    with served(app) as url, Visitor(url) as visitor:
        yield visitor


def twice(visitor: Visitor, page: Page, **values: str) -> list[httpx.Response]:
    """A double click: the form of a page, sent by two threads at the same time."""
    return together(2, lambda _: visitor.submit(page, **values))


def together(count: int, job: Callable[[int], Any]) -> list[Any]:
    """Run a job on as many threads, all from the same moment on."""
    start = threading.Barrier(count)

    def run(number: int) -> Any:
        start.wait(WAIT)
        return job(number)

    with ThreadPoolExecutor(count) as pool:
        return [done.result(WAIT) for done in [pool.submit(run, n) for n in range(count)]]
