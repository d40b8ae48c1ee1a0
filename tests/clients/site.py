"""One small app with one view, under Flask, Starlette or Django, for every client.

`python tests/clients/serve.py flask FOLDER PORT` serves it. Notes are rows of FOLDER/app.db,
written in one transaction with the ledger's row (mode joined). What the view does not know is who
asks: the first part of the path only chooses the markup of the page. Input is rejected by a
redirect and a draft, or where the address says `?at=once` in place.
"""

from functools import partial
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from seeother.visit import Visit
from tests.clients.notes import BAD, INSERT, SECRET, WRONG, Notes, script
from tests.clients.page import CLIENTS, CSP, TEXT


def flask_app(notes: Notes) -> Any:
    """The app under Flask, with a plain SQLAlchemy session."""
    from flask import Flask, Response, get_flashed_messages, request, session
    from sqlalchemy import create_engine, text
    from sqlalchemy.orm import scoped_session, sessionmaker

    from seeother.flask import SeeOther, see_other, visit_of

    app = Flask("clients")
    app.secret_key = SECRET
    database = scoped_session(sessionmaker(create_engine(f"sqlite:///{notes.database}")))
    so = SeeOther(app, store=f"sqlite:///{notes.database}", mode="joined")

    def shown(client: str) -> Response:
        html = notes.page(client, visit_of(), [str(one) for one in get_flashed_messages()])
        return Response(html, headers={"Content-Security-Policy": CSP})

    @app.get("/<name>.js")
    def file(name: str) -> Response:
        found = script(f"{name}.js")
        return Response(found or "", 200 if found else 404, mimetype="text/javascript")

    @app.get("/<client>/<path:rest>")
    def index(client: str, rest: str) -> Any:
        return shown(client) if client in CLIENTS else ("", 404)

    @app.post("/<client>/notes")
    @so.once(database)
    def save(client: str) -> Any:
        typed = request.form[TEXT]
        if typed == BAD and "at" in request.args:
            visit_of().reject(WRONG)
            return shown(client)
        if typed == BAD:
            return see_other(f"/{client}/page", draft=WRONG)
        notes.wait(typed)
        session["last"] = typed
        database().execute(text(INSERT), {"text": typed})
        return see_other(f"/{client}/page", flash=f"Saved {typed}.")

    app.extensions["seeother"].settings.store.clock = notes.clock
    return app


def starlette_app(notes: Notes) -> Any:
    """The app under Starlette, with SQLAlchemy Core."""
    from sqlalchemy import create_engine, text
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import HTMLResponse, Response
    from starlette.routing import Route

    from seeother.starlette import SeeOtherMiddleware, flashes, once, visit_of

    engine = create_engine(f"sqlite:///{notes.database}")

    def shown(request: Request, client: str) -> Response:
        said = [one.text for one in flashes(request)]
        html = notes.page(client, visit_of(request), said)
        return HTMLResponse(html, headers={"Content-Security-Policy": CSP})

    async def file(request: Request) -> Response:
        found = script(f"{request.path_params['name']}.js")
        return Response(found or "", 200 if found else 404, media_type="text/javascript")

    async def index(request: Request) -> Response:
        client = request.path_params["client"]
        return shown(request, client) if client in CLIENTS else Response("", 404)

    def keep(connection: Any, visit: Visit, request: Request, client: str) -> Any:
        typed = visit.form[TEXT]
        if typed == BAD and "at" in request.query_params:
            visit.reject(WRONG)
            return shown(request, client)
        if typed == BAD:
            return visit.see_other(f"/{client}/page", draft=WRONG)
        notes.wait(typed)
        visit.session["last"] = typed
        connection.execute(text(INSERT), {"text": typed})
        return visit.see_other(f"/{client}/page", flash=f"Saved {typed}.")

    async def save(request: Request) -> Response:
        return await once(request, engine, keep, request, request.path_params["client"])

    routes = [
        Route("/{name}.js", file),
        Route("/{client}/notes", save, methods=["POST"]),
        Route("/{client}/{rest:path}", index),
    ]
    store = f"sqlite:///{notes.database}"
    app = SeeOtherMiddleware(Starlette(routes=routes), secret=SECRET, store=store, mode="joined")
    at: Any = app.store
    at.clock = notes.clock
    return app


class Threaded(ThreadingMixIn, WSGIServer):
    """A second request is answered while a first one waits."""

    daemon_threads = True
    request_queue_size = 64


class Quiet(WSGIRequestHandler):
    """Keeps connections alive no longer than it must, and says nothing."""

    def log_message(self, *_args: object) -> None:
        """No line per request."""


def django_app(notes: Notes) -> Any:
    """The app under Django, which is set up in this process for these notes."""
    from tests.clients import django_site

    return django_site.app_of(notes)


WSGI = {"flask": flask_app, "django": django_app}


def serve(kind: str, folder: Path, port: int) -> None:
    """Serve it on 127.0.0.1 until this process ends."""
    notes = Notes(folder)
    if kind == "starlette":
        import uvicorn

        uvicorn.run(starlette_app(notes), host="127.0.0.1", port=port, log_level="warning")
    else:
        make = partial(make_server, server_class=Threaded, handler_class=Quiet)
        with make("127.0.0.1", port, WSGI[kind](notes)) as server:
            server.serve_forever()
