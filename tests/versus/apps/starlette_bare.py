"""A shop in Starlette: its SessionMiddleware, messages in the session, SQLAlchemy."""

from pathlib import Path
from typing import Any

from jinja2 import DictLoader, Environment
from sqlalchemy import Connection, create_engine, text
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.templating import Jinja2Templates

from tests.versus.apps import trouble

SECRET = "a key for a shop that sells nothing"
FORM = """<!doctype html><title>Tea</title>
<form method="post" action="/order">
<input name="tea"><textarea name="note"></textarea><button>Order</button></form>"""
DONE = """<!doctype html><title>Thank you</title>
{% for said in flashes() %}<p role="status">{{ said.text }}</p>{% endfor %}
<p>Your last order: {{ request.session.get("last") }}</p>"""
engine = create_engine(f"sqlite:///{Path('shop.db').absolute()}")


def flash(request: Request, said: str) -> None:
    """Leave a message in the session."""
    request.session["flashes"] = [*request.session.get("flashes", ()), {"text": said}]


def context(request: Request) -> dict[str, Any]:
    """Messages for the templates: read and gone."""
    return {"flashes": lambda: request.session.pop("flashes", ())}


pages = Environment(loader=DictLoader({"form.html": FORM, "done.html": DONE}), autoescape=True)
templates = Jinja2Templates(env=pages, context_processors=[context])


async def form(request: Request) -> Response:
    """The page with the form."""
    return templates.TemplateResponse(request, "form.html")


def save(connection: Connection, request: Request, tea: str) -> None:
    """The work, and the row."""
    trouble.at("before", request.headers)
    trouble.work(request.headers)
    connection.execute(text("INSERT INTO orders(tea) VALUES(:tea)"), {"tea": tea})


def insert(request: Request, tea: str) -> None:
    """The order as a transaction of its own."""
    with engine.begin() as connection:
        save(connection, request, tea)
    trouble.at("after", request.headers)


async def order(request: Request) -> Response:
    """Store an order, leave a message, lead on."""
    sent = await request.form()
    await run_in_threadpool(insert, request, str(sent["tea"]))
    request.session["last"] = sent["tea"]
    flash(request, f"Thank you for ordering {sent['tea']}. {sent['note']}")
    return RedirectResponse("/done", status_code=303)


async def done(request: Request) -> Response:
    """The page behind the redirect."""
    return templates.TemplateResponse(request, "done.html")


def look(request: Request) -> Response:
    """A page that writes into the session."""
    request.session[f"seen {request.path_params['tea']}"] = True
    trouble.at("looking", request.headers)
    trouble.work(request.headers)
    return PlainTextResponse(request.path_params["tea"])


async def seen(request: Request) -> Response:
    """What the session holds."""
    return JSONResponse(dict(request.session))


routes = [
    Route("/", form),
    Route("/order", order, methods=["POST"]),
    Route("/done", done),
    Route("/look/{tea}", look),
    Route("/seen", seen),
]
app = Starlette(routes=routes, middleware=[Middleware(SessionMiddleware, secret_key=SECRET)])
application = trouble.asgi(app)

if __name__ == "__main__":
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE orders(id INTEGER PRIMARY KEY, tea TEXT NOT NULL)"))
