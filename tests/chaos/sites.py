"""The same small site behind every adapter: a form, an effect, a page that confirms it.

`python -m tests.chaos.sites ORDER PORT` serves it in two processes, gunicorn for WSGI and uvicorn
for ASGI, until it is ended; the order is JSON (`Order`). Each run of a view has a name of its own,
which is its row in the database and the path of its answer.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterable
from itertools import count
from typing import Any, Final
from urllib.parse import parse_qs

from sqlalchemy import Connection, Engine, create_engine, event, text

from seeother.core.values import Response
from seeother.visit import Visit
from tests.crash.site import ADD, FORM, TABLE, spelt

SECRET: Final = "a secret for chaos, 32 bytes or more"
ORDER: Final = "SEEOTHER_CHAOS"
HOST: Final = "127.0.0.1"
WORKERS: Final = 2
PATIENCE: Final = 2.0
NUMBERS: Final = count()
WSGI: Final = ("wsgi", "flask", "django")
ASGI: Final = ("asgi", "starlette")
Make = Callable[["Order"], Any]


class Order(dict[str, str]):
    """What to serve: adapter, mode, the store's URL, the data's URL."""

    @property
    def once(self) -> bool:
        """Does `once` run the view?"""
        return self["mode"] in ("joined", "fenced")

    def engine(self) -> Engine:
        """The app's own database."""
        engine = create_engine(spelt(self["data"]), pool_size=20, max_overflow=20)
        if engine.dialect.name == "sqlite":
            event.listen(engine, "connect", lambda own, _: own.execute("PRAGMA busy_timeout=9000"))
        return engine

    def policy(self) -> dict[str, Any]:
        """The settings of every adapter that takes them."""
        own = {"store": self["store"], "secret": SECRET, "patience": PATIENCE}
        return {**own, "mode": self["mode"], "lease": self.lease, "hosts": (HOST,)}

    @property
    def lease(self) -> float:
        """How long a claim is believed, in seconds."""
        return float(self.get("lease", "30"))


def prepare(engine: Engine) -> None:
    """The table of effects."""
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA journal_mode=WAL")
        connection.execute(text(TABLE))


def add(connection: Connection, label: str) -> str:
    """The effect; the name of this run."""
    run = f"{os.getpid()}-{time.monotonic_ns()}-{next(NUMBERS)}"
    connection.execute(text(ADD), {"label": label, "run": run})
    return run


def save(connection: Connection, visit: Visit) -> Response:
    """The view of `once`."""
    return visit.see_other(f"/done/{add(connection, visit.form['label'])}", flash="Saved.")


def label_in(body: bytes) -> str:
    """What was sent, read by an app that knows nothing of seeother."""
    return parse_qs(body.decode())["label"][0]


def page(said: Iterable[object]) -> str:
    """The page of every address."""
    return f"{FORM}<p>{list(said)}</p>"


def wsgi_site(order: Order) -> Any:
    """WSGI; `mode` "bare" is the app without seeother."""
    from seeother import wsgi

    engine = order.engine()

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] != "POST":
            visit = environ.get(wsgi.KEY)
            said = [one.text for one in visit.flashes()] if visit else []
            start_response("200 OK", [("Content-Type", "text/html; charset=utf-8")])
            return [page(said).encode()]
        if order.once:
            return wsgi.once(environ, engine, save)(environ, start_response)
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        with engine.begin() as connection:
            run = add(connection, label_in(body))
        start_response("303 See Other", [("Location", f"/done/{run}")])
        return [b""]

    return app if order["mode"] == "bare" else wsgi.SeeOther(app, **order.policy())


def starlette_app(order: Order) -> Any:
    """A Starlette app, as bare as it can be, for both of its middlewares."""
    from starlette.applications import Starlette
    from starlette.concurrency import run_in_threadpool
    from starlette.requests import Request
    from starlette.responses import HTMLResponse, RedirectResponse
    from starlette.routing import Route

    from seeother.starlette import once, visit_of

    engine = order.engine()

    def insert(label: str) -> str:
        with engine.begin() as connection:
            return add(connection, label)

    async def home(request: Request) -> Any:
        if request.method != "POST":
            return HTMLResponse(page(one.text for one in visit_of(request).flashes()))
        if order.once:
            return await once(request, engine, save)
        run = await run_in_threadpool(insert, label_in(await request.body()))
        return RedirectResponse(f"/done/{run}", 303)

    return Starlette(routes=[Route("/", home, methods=["GET", "POST"]), Route("/done/{run}", home)])


def asgi_site(order: Order) -> Any:
    """The ASGI middleware around an app."""
    from seeother.asgi import SeeOther

    return SeeOther(starlette_app(order), **order.policy())


def starlette_site(order: Order) -> Any:
    """Starlette's own middleware."""
    from seeother.starlette import SeeOtherMiddleware

    app = starlette_app(order)
    app.add_middleware(SeeOtherMiddleware, **order.policy())
    return app


def flask_site(order: Order) -> Any:
    """Flask with Flask-SQLAlchemy."""
    from flask import Flask, flash, get_flashed_messages, redirect, request
    from flask_sqlalchemy import SQLAlchemy

    from seeother.flask import SeeOther

    app = Flask("chaos")
    wait = {"connect_args": {"timeout": 9}} if order["data"].startswith("sqlite") else {}
    app.config.update(SECRET_KEY=SECRET, SQLALCHEMY_DATABASE_URI=spelt(order["data"]))
    app.config.update(SQLALCHEMY_ENGINE_OPTIONS=wait)
    db = SQLAlchemy(app)
    policy = {name: order.policy()[name] for name in ("store", "patience", "mode", "lease")}
    around = SeeOther(app, **policy)

    def view() -> Any:
        run = f"{os.getpid()}-{time.monotonic_ns()}-{next(NUMBERS)}"
        db.session.execute(text(ADD), {"label": request.form["label"], "run": run})
        db.session.commit()
        flash("Saved.")
        return redirect(f"/done/{run}")

    posted = around.once(db)(view) if order.once else view
    app.add_url_rule("/", "save", posted, methods=["POST"])
    app.add_url_rule("/", "home", lambda: page(get_flashed_messages()))
    app.add_url_rule("/done/<run>", "done", lambda run: page([run, *get_flashed_messages()]))
    return app


def django_site(order: Order) -> Any:
    """Django, the ledger in its own database."""
    from django.conf import settings

    if not settings.configured:
        settings.configure(**_django_settings(order))
    import django
    from django.core.wsgi import get_wsgi_application

    django.setup()
    return get_wsgi_application()


def _django_settings(order: Order) -> dict[str, Any]:
    ours = "seeother.django.middleware.SeeOtherMiddleware"
    return {
        "SECRET_KEY": SECRET,
        "ALLOWED_HOSTS": [HOST],
        "ROOT_URLCONF": "tests.chaos.django_urls",
        "INSTALLED_APPS": ["seeother.django"],
        "MIDDLEWARE": [ours],
        "DATABASES": {"default": _django_database(order["data"])},
        "DEFAULT_AUTO_FIELD": "django.db.models.AutoField",
        "SEEOTHER": {"mode": order["mode"], "patience": PATIENCE, "lease": order.lease},
    }


def _django_database(url: str) -> dict[str, Any]:
    from sqlalchemy import make_url

    found = make_url(spelt(url))
    if found.get_backend_name() == "sqlite":
        wal = {"init_command": "PRAGMA journal_mode=WAL", "transaction_mode": "IMMEDIATE"}
        options = {"timeout": 9, **wal}
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": found.database, "OPTIONS": options}
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": found.database,
        "USER": found.username,
        "HOST": found.host,
        "PORT": found.port,
        "OPTIONS": dict(found.query),
    }


SITES: Final[dict[str, Make]] = {
    "wsgi": wsgi_site,
    "asgi": asgi_site,
    "starlette": starlette_site,
    "flask": flask_site,
    "django": django_site,
}


def made() -> Any:
    """The app of a worker; which one, the environment says."""
    order = Order(json.loads(os.environ[ORDER]))
    return SITES[order["adapter"]](order)


def first(order: Order) -> None:
    """What is done before there are workers: the tables."""
    engine = order.engine()
    prepare(engine)
    engine.dispose()
    if order["adapter"] == "django":
        from django.core.management import call_command

        django_site(order)
        call_command("migrate", verbosity=0)


def main(said: str, port: str) -> None:
    """Become the server."""
    order = Order(json.loads(said))
    environment = {**os.environ, ORDER: said}
    if os.fork() == 0:  # what opens a database must not be the parent of workers
        first(order)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.wait()[1]) == 0
    factory = "tests.chaos.sites:made"
    if order["adapter"] in WSGI:
        words = ["gunicorn", "-k", "gthread", "--threads", "8", "-b", f"{HOST}:{port}"]
        words += ["--log-level", "error", "-w", str(WORKERS), f"{factory}()"]
    else:
        words = ["uvicorn", "--factory", "--port", port, "--workers", str(WORKERS)]
        words += ["--log-level", "error", factory]
    os.execve(sys.executable, [sys.executable, "-m", *words], environment)


if __name__ == "__main__":
    main(*sys.argv[1:])
