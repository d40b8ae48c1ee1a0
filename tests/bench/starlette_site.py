"""The small board in Starlette: with its own session and the usual flash, or with seeother.

    python -m tests.bench.starlette_site KIND FOLDER        cycles on demand, in this process
    python -m tests.bench.starlette_site KIND FOLDER PORT   served by uvicorn

Template, queries and insert are the same. Starlette has no messages, so the first kind keeps them
as everybody does: a list in the session, which the next page takes out.
"""

import asyncio
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

import uvicorn
from jinja2 import DictLoader, Environment
from sqlalchemy import Connection, Engine, create_engine, text
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.templating import Jinja2Templates

from seeother.starlette import SeeOtherMiddleware, context, once
from seeother.visit import Visit
from tests.bench.board import Browser, filled
from tests.bench.sites import DONE, PAGE, ROWS, SECRET
from tests.bench.submissions import TEXT

NEWEST = text("SELECT text FROM message ORDER BY id DESC LIMIT :n")
STORE = text("INSERT INTO message(text) VALUES(:text)")
TEMPLATE = PAGE.format(
    flashes="{% for m in flashes() %}<p role=status>{{ m.text or m }}</p>{% endfor %}",
    csrf="",
    name="{{ request.session.get('name', '') }}",
    rows="{% for row in rows %}<li>{{ row.text }}</li>\n{% endfor %}",
)


def opened(path: Path) -> Engine:
    """The database with its one table."""
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        connection.execute(text("PRAGMA journal_mode=WAL"))
        connection.execute(text("CREATE TABLE message(id INTEGER PRIMARY KEY, text TEXT)"))
    return engine


def own_flashes(request: Request) -> dict[str, Any]:
    """The messages in Starlette's session, taken out where the page asks."""
    return {"flashes": lambda: request.session.pop("flashes", [])}


def templates(processor: Any) -> Jinja2Templates:
    """The one template, and what it may ask for."""
    environment = Environment(loader=DictLoader({"board.html": TEMPLATE}), autoescape=True)
    return Jinja2Templates(env=environment, context_processors=[processor])


def bare_app(path: Path) -> Starlette:
    """Starlette alone."""
    engine, pages = opened(path), templates(own_flashes)

    def index(request: Request) -> Response:
        with engine.connect() as connection:
            rows = connection.execute(NEWEST, {"n": ROWS}).all()
            return pages.TemplateResponse(request, "board.html", {"rows": rows})

    def store(message: str) -> None:
        with engine.begin() as connection:
            connection.execute(STORE, {"text": message})

    async def save(request: Request) -> Response:
        form = await request.form()
        await run_in_threadpool(store, str(form["message"]))
        if request.session.get("name") != form["name"]:
            request.session["name"] = form["name"]
        request.session["flashes"] = [*request.session.get("flashes", ()), DONE]
        return RedirectResponse("/", 303)

    routes = [Route("/", index), Route("/", save, methods=["POST"])]
    return Starlette(routes=routes, middleware=[Middleware(SessionMiddleware, secret_key=SECRET)])


def our_app(path: Path) -> Starlette:
    """Starlette with seeother (joined)."""
    engine, pages = opened(path), templates(context)

    def index(request: Request) -> Response:
        with engine.connect() as connection:
            rows = connection.execute(NEWEST, {"n": ROWS}).all()
            return pages.TemplateResponse(request, "board.html", {"rows": rows})

    def store(connection: Connection, visit: Visit) -> Any:
        connection.execute(STORE, {"text": visit.form["message"]})
        if visit.session.get("name") != visit.form["name"]:
            visit.session["name"] = visit.form["name"]
        return visit.see_other("/", flash=DONE)

    async def save(request: Request) -> Response:
        return await once(request, engine, store)

    routes = [Route("/", index), Route("/", save, methods=["POST"])]
    policy = {"secret": SECRET, "store": f"sqlite:///{path}", "mode": "joined"}
    return Starlette(routes=routes, middleware=[Middleware(SeeOtherMiddleware, **policy)])


def app_of(kind: str, folder: Path) -> Starlette:
    """The app of a kind."""
    make = our_app if kind == "starlette-seeother" else bare_app
    return make(folder / f"{kind}.db")


async def cycle(browser: Browser) -> None:
    """See the board, post a message, land on the board that says so."""
    action, body = filled((await browser.ask("GET", "/")).body, TEXT)
    posted = await browser.ask("POST", action, body)
    assert posted.status == 303, posted
    landed = await browser.ask("GET", posted.location)
    assert (landed.status, DONE.encode() in landed.body) == (200, True)


async def play(app: Starlette) -> None:
    """Run as many cycles as each line of the input says."""
    browser, loop = Browser(app), asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        walls: list[int] = []
        cpu = time.process_time_ns()
        for _ in range(int(line)):
            start = time.perf_counter_ns()
            await cycle(browser)
            walls.append(time.perf_counter_ns() - start)
        spent = (time.process_time_ns() - cpu) / int(line) / 1e3
        print(spent, median(walls) / 1e3, flush=True)


def main() -> None:
    """Serve it, or run cycles."""
    kind, folder, *port = sys.argv[1:]
    app = app_of(kind, Path(folder))
    if not port:
        asyncio.run(play(app))
        return
    uvicorn.run(app, port=int(port[0]), log_config=None, access_log=False, server_header=False)


if __name__ == "__main__":
    main()
