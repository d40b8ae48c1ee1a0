"""The board with seeother taken out: same templates, routes, queries and insert, nothing else.

It has no token, no ledger, no session and no flash message: a double click stores two messages.
That is the yardstick. `python tests/bench/bare.py DB PORT` serves it as the board is served.
"""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qsl

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from seeother.apps.board import messages
from seeother.apps.board.app import PAGE, Board, _number, _shown
from seeother.apps.board.database import open_engine
from seeother.apps.board.serve import Config, bind


class Bare(Board):
    """The routes of the board without a visit."""

    def index(self, request: Request) -> Response:
        """The composer and the newest messages."""
        before = _number(request.query_params.get("before"))
        with self.engine.connect() as connection:
            page = messages.newest(connection, before=before, limit=PAGE)
        return self.page(
            "board.html",
            messages=[_shown(m) for m in page.items],
            older=f"/?before={page.older}" if page.older else None,
            newer="/" if before is not None else None,
            flashes=(),
            highlight=None,
            name="",
            old=lambda _field: "",
            error=lambda _field: None,
            errors={},
            field="",
            action="/",
        )

    async def home(self, request: Request) -> Response:
        """The board to read, or a message to store, as often as it is sent."""
        if request.method != "POST":
            return await run_in_threadpool(self.index, request)
        fields = dict(parse_qsl((await request.body()).decode(), keep_blank_values=True))
        await run_in_threadpool(self._store, fields.get("name", ""), fields.get("message", ""))
        return RedirectResponse("/", 303)

    def _store(self, name: str, message: str) -> None:
        assert not messages.validate(name, message)
        with self.engine.begin() as connection:
            messages.add(connection, name=name, text=message, now=datetime.now(UTC))


def create_bare(path: Path) -> Starlette:
    """The bare board as an ASGI app on an SQLite file; durable as the board is."""
    engine = open_engine(path)
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA journal_mode=WAL")

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        engine.dispose()

    return Starlette(routes=Bare(engine).routes(), lifespan=lifespan)


def main() -> None:
    """Serve it with the options that the board has."""
    config = Config(db=sys.argv[1], port=int(sys.argv[2]))
    settings = uvicorn.Config(
        create_bare(Path(config.db)),
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
    )
    uvicorn.Server(settings).run(sockets=[bind(config)])


if __name__ == "__main__":
    main()
