"""The shop in Starlette with seeother, in mode joined."""

from pathlib import Path

from jinja2 import DictLoader, Environment
from sqlalchemy import Connection, create_engine, text
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.templating import Jinja2Templates

from seeother.core.values import Response as Answer
from seeother.starlette import SeeOtherMiddleware, context, once
from seeother.visit import Visit
from tests.versus.apps import trouble

SECRET = "a key for a shop that sells nothing"
FORM = """<!doctype html><title>Tea</title>
<form method="post" action="/order">
<input name="tea"><textarea name="note"></textarea><button>Order</button></form>"""
DONE = """<!doctype html><title>Thank you</title>
{% for said in flashes() %}<p role="status">{{ said.text }}</p>{% endfor %}
<p>Your last order: {{ request.session.get("last") }}</p>"""
STORE = f"sqlite:///{Path('shop.db').absolute()}"
engine = create_engine(STORE)
pages = Environment(loader=DictLoader({"form.html": FORM, "done.html": DONE}), autoescape=True)
templates = Jinja2Templates(env=pages, context_processors=[context])


async def form(request: Request) -> Response:
    """The page with the form."""
    return templates.TemplateResponse(request, "form.html")


def save(connection: Connection, visit: Visit, request: Request) -> Answer:
    """The work, the row, the message and the answer, in one transaction."""
    tea, note = visit.form["tea"], visit.form["note"]
    trouble.at("before", request.headers)
    trouble.work(request.headers)
    connection.execute(text("INSERT INTO orders(tea) VALUES(:tea)"), {"tea": tea})
    trouble.at("after", request.headers)
    visit.session["last"] = tea
    return visit.see_other("/done", flash=f"Thank you for ordering {tea}. {note}")


async def order(request: Request) -> Response:
    """Run it once."""
    return await once(request, engine, save, request)


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
around = Middleware(SeeOtherMiddleware, secret=SECRET, store=STORE, mode="joined")
app = Starlette(routes=routes, middleware=[around])
application = trouble.asgi(app)

if __name__ == "__main__":
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE orders(id INTEGER PRIMARY KEY, tea TEXT NOT NULL)"))
