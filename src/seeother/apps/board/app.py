"""The message board itself: four routes around one `once`.

A POST runs `save` inside the transaction that also holds the ledger row (mode joined): message,
answer, status message and remembered name are committed together or not at all. A GET reads, and
that is all there is to it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, select_autoescape
from markupsafe import Markup
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from ...asgi import SeeOther
from ...core.values import Draft, Flash
from ...core.values import Response as Answer
from ...starlette import once, visit_of
from ...visit import Visit
from . import messages, text
from .database import open_engine, reader, store_url
from .history import STEPS, Step

HERE: Final = Path(__file__).parent
PAGE: Final = 20
MAX_BODY: Final = 64 << 10
CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; form-action 'self';"
    " base-uri 'none'; frame-ancestors 'none'"
)
HEADERS: Final = {
    "content-security-policy": CSP,
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
}
TROUBLE: Final = {
    404: ("There is nothing here", "The address may be mistyped, or the message never existed."),
    405: ("That does not work here", "Open the board and post from there."),
    503: ("The board cannot be read just now", "Nothing is lost. Please reload in a moment."),
    500: (
        "Something went wrong here",
        "It was not you. Nothing half-done was kept; please try again.",
    ),
}


class Board:
    """The routes, on one engine; `tour` is where a tour stands beside the board."""

    def __init__(self, engine: Engine, tour: str | None = None) -> None:
        self.engine, self.reader, self.tour = engine, reader(engine), tour
        self.templates = Environment(
            loader=FileSystemLoader(HERE / "templates"),
            autoescape=select_autoescape(),
            trim_blocks=True,
        )

    def routes(self) -> list[Route | Mount]:
        """What the board answers."""
        return [
            Route("/", self.home, methods=["GET", "POST"]),
            Route("/m/{id}", self.permalink, methods=["GET"]),
            Mount("/static", StaticFiles(directory=HERE / "static"), name="static"),
        ]

    async def home(self, request: Request) -> Response:
        """The board to read, or a message to store: exactly once (joined)."""
        if request.method == "POST":
            return await once(request, self.engine, save)
        return await run_in_threadpool(self.index, request)

    def index(self, request: Request) -> Response:
        """The composer and the newest messages, or older ones."""
        visit, before = visit_of(request), _number(request.query_params.get("before"))
        with self.reader.connect() as connection:
            page = messages.newest(connection, before=before, limit=PAGE)
        return self.render(visit, page, before, request.scope.get(STEPS, ()))

    def permalink(self, request: Request) -> Response:
        """One message."""
        number = _number(request.path_params["id"])
        with self.reader.connect() as connection:
            found = messages.one(connection, number) if number is not None else None
        if found is None:
            raise HTTPException(404)
        shown = _shown(found)
        return self.page("message.html", message=shown, excerpt=text.excerpt(found.text, 60))

    def render(
        self, visit: Visit, page: messages.Page, before: int | None, steps: tuple[Step, ...]
    ) -> Response:
        """The board's page from what was read and what waits for this visitor."""
        draft, flashes = visit.draft or Draft(), visit.flashes()

        def old(field: str) -> str:
            return draft.old(field) or ""

        return self.page(
            "board.html",
            messages=[_shown(m) for m in page.items],
            older=f"/?before={page.older}" if page.older else None,
            newer="/" if before is not None else None,
            flashes=flashes,
            highlight=_linked(flashes),
            steps=steps,
            name=visit.session.get("name", ""),
            old=old,
            error=draft.error,
            errors=dict(draft.errors),
            field="",
            action="/",
        )

    def page(self, template: str, *, code: int = 200, **context: Any) -> Response:
        """A template as a page with the board's headers."""
        body = self.templates.get_template(template).render(tour=self.tour, **context)
        return HTMLResponse(body, code, HEADERS)

    async def trouble(self, _request: Request, error: Exception) -> Response:
        """A friendly page for what went wrong."""
        status = error.status_code if isinstance(error, HTTPException) else 500
        if isinstance(error, OperationalError | PoolTimeout):
            status = 503
        title, hint = TROUBLE.get(status, TROUBLE[500])
        answer = self.page("error.html", code=status, status=status, title=title, hint=hint)
        if isinstance(error, HTTPException):
            answer.headers.update(error.headers or {})
        return answer


def save(connection: Connection, visit: Visit) -> Answer:
    """Store one message; runs inside the open transaction."""
    name, message = visit.form.get("name", ""), visit.form.get("message", "")
    problems = messages.validate(name, message)
    if problems:
        return visit.see_other("/", draft=problems)
    number = messages.add(connection, name=name, text=message, now=datetime.now(UTC))
    if visit.session.get("name", "") != messages.normal_name(name):
        visit.session["name"] = messages.normal_name(name)
    flash = Flash("Your message was posted.", "success", f"/m/{number}")
    return visit.see_other("/", flash=flash)


def create_board(db: str | Path, *, tour: str | None = None, **policy: Any) -> SeeOther:
    """The board as an ASGI app; policy as in `seeother.asgi.SeeOther`.

    `db` is the name of an SQLite file, or the URL of a PostgreSQL database (`database`).

    With `tour`, the address of a tour, it links there and shows how the visitor got here (where
    `seeother.apps.board.history` stands around it).
    """
    engine = open_engine(db)
    board = Board(engine, tour)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncGenerator[None]:
        yield
        engine.dispose()

    app = Starlette(
        routes=board.routes(),
        lifespan=lifespan,
        exception_handlers={
            HTTPException: board.trouble,
            DBAPIError: board.trouble,
            PoolTimeout: board.trouble,
            500: board.trouble,
        },
    )
    settings = {"namespace": "board", "max_body": MAX_BODY, **policy}
    return SeeOther(app, store=store_url(db), mode="joined", **settings)


def _shown(message: messages.Message) -> dict[str, Any]:
    now = datetime.now(UTC)
    return {
        "id": message.id,
        "name": message.name,
        "html": Markup(text.render(message.text)),  # noqa: S704 - rendered and cleaned by `text`
        "posted_at": message.posted_at,
        "iso": message.posted_at.isoformat(timespec="seconds"),
        "ago": messages.ago(message.posted_at, now),
    }


def _number(raw: str | None) -> int | None:
    """A number as people write it; longer ones come from address bars and mean nothing."""
    return int(raw) if raw and len(raw) < 20 and raw.isascii() and raw.isdigit() else None


def _linked(flashes: tuple[Flash, ...]) -> int | None:
    """The message that a status message speaks of, to be highlighted."""
    links = [f.link.removeprefix("/m/") for f in flashes if f.link and f.link.startswith("/m/")]
    return _number(links[0]) if links else None
