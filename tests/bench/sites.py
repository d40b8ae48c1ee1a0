"""The same small board in a framework's own way, alone and with seeother; one kind per process.

`python -m tests.bench.sites KIND FOLDER` reads how many cycles to run from its input, line by line,
and answers with the CPU time and the p50 of a cycle (GET, POST, 303, GET with the message) in
microseconds. Views, templates and SQL are the same in every kind of one framework; what differs is
what stands around them.
"""

import re
import sys
import time
from collections.abc import Callable
from html import unescape
from http.cookies import SimpleCookie
from io import BytesIO
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlencode

from tests.bench.submissions import TEXT

HOST = "127.0.0.1"
SECRET = "a secret for measurements only: not secret"
ROWS = 20
HIDDEN = re.compile(r'<input[^>]*type="hidden"[^>]*>')
NAMED = re.compile(r'name="([^"]*)"[^>]*value="([^"]*)"')
ACTION = re.compile(r'<form[^>]*action="([^"]*)"')
DONE = "Your message was posted."
PAGE = """<!doctype html><html lang="en">
<head><meta charset="utf-8"><title>Board</title></head><body>
{flashes}<form method="post" action="/">{csrf}<textarea name="message"></textarea>
<input name="name" value="{name}"><button>Post</button></form><ol>
{rows}</ol></body></html>"""

App = Callable[[dict[str, Any], Callable[..., Any]], Any]


def flask_site(kind: str, folder: Path) -> App:
    """Flask with Flask-SQLAlchemy: bare, with Flask-WTF's CSRF protection, or with seeother."""
    from flask import Flask, flash, redirect, render_template, request, session
    from flask_sqlalchemy import SQLAlchemy
    from jinja2 import DictLoader
    from sqlalchemy import text
    from werkzeug.wrappers import Response

    app = Flask("board")
    app.config.update(SECRET_KEY=SECRET, SQLALCHEMY_DATABASE_URI=f"sqlite:///{folder}/{kind}.db")
    db = SQLAlchemy(app)
    template = PAGE.format(
        flashes="{% for m in get_flashed_messages() %}<p role=status>{{ m }}</p>{% endfor %}",
        csrf="{{ csrf() }}",
        name="{{ session.get('name', '') }}",
        rows="{% for row in rows %}<li>{{ row.text }}</li>\n{% endfor %}",
    )
    app.jinja_loader = DictLoader({"board.html": template})
    around: Callable[[Any], Any] = lambda view: view  # noqa: E731
    app.jinja_env.globals["csrf"] = str
    if kind == "flask-wtf":
        from flask_wtf import CSRFProtect
        from flask_wtf.csrf import generate_csrf

        CSRFProtect(app)
        field = '<input type="hidden" name="csrf_token" value="{}">'
        from markupsafe import Markup

        app.jinja_env.globals["csrf"] = lambda: Markup(field).format(generate_csrf())
    elif kind == "flask-once":
        from seeother.flask import SeeOther

        around = SeeOther(app).once(db)
    elif kind == "flask-hooked":
        from seeother.flask import SeeOther

        SeeOther(app)

    @app.get("/")
    def index() -> str:
        rows = db.session.execute(
            text("SELECT text FROM message ORDER BY id DESC LIMIT :n"), {"n": ROWS}
        )
        return render_template("board.html", rows=rows.all())

    @around
    def save() -> Response:
        message = request.form["message"]
        db.session.execute(text("INSERT INTO message(text) VALUES(:text)"), {"text": message})
        db.session.commit()
        if session.get("name") != request.form["name"]:
            session["name"] = request.form["name"]
        flash(DONE)
        return redirect("/")

    app.add_url_rule("/", "save", save, methods=["POST"])
    with app.app_context():
        db.session.execute(text("PRAGMA journal_mode=WAL"))
        db.session.execute(text("CREATE TABLE message(id INTEGER PRIMARY KEY, text TEXT)"))
        db.session.commit()
    return app


def django_site(kind: str, folder: Path) -> App:
    """Django with database sessions, CSRF protection and messages, alone or with seeother."""
    import django
    from django.conf import settings
    from django.core.management import call_command

    ours = kind == "django-seeother"
    settings.configure(
        SECRET_KEY=SECRET,
        ALLOWED_HOSTS=[HOST],
        ROOT_URLCONF="tests.bench.django_urls",
        INSTALLED_APPS=[
            *(["seeother.django"] if ours else []),
            "django.contrib.sessions",
            "django.contrib.messages",
        ],
        MIDDLEWARE=[
            *(["seeother.django.middleware.SeeOtherMiddleware"] if ours else []),
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
            "django.contrib.messages.middleware.MessageMiddleware",
        ],
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": folder / f"{kind}.db",
                "OPTIONS": {"init_command": "PRAGMA journal_mode=WAL"},
            }
        },
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates"}],
        **(
            {
                "SESSION_ENGINE": "seeother.django.sessions",
                "MESSAGE_STORAGE": "seeother.django.messages.FlashStorage",
            }
            if ours
            else {"MESSAGE_STORAGE": "django.contrib.messages.storage.session.SessionStorage"}
        ),
    )
    django.setup()
    call_command("migrate", verbosity=0)
    from django.core.handlers.wsgi import WSGIHandler
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE message(id INTEGER PRIMARY KEY, text TEXT)")
    return WSGIHandler()


class Browser:
    """A browser without a network, in front of a WSGI app."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.cookies: dict[str, str] = {}

    def ask(self, method: str, target: str, body: bytes = b"") -> tuple[int, str, str]:
        """One request; status, Location and text of the answer."""
        path, _, query = target.partition("?")
        environ = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "SERVER_NAME": HOST,
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "HTTP_HOST": HOST,
            "HTTP_ACCEPT": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            "HTTP_SEC_FETCH_DEST": "document",
            "HTTP_SEC_FETCH_MODE": "navigate",
            "HTTP_SEC_FETCH_SITE": "same-origin",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": BytesIO(body),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": False,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        if self.cookies:
            environ["HTTP_COOKIE"] = "; ".join(f"{k}={v}" for k, v in self.cookies.items())
        if method == "POST":
            environ |= {
                "HTTP_ORIGIN": f"http://{HOST}",
                "CONTENT_TYPE": "application/x-www-form-urlencoded",
                "CONTENT_LENGTH": str(len(body)),
            }
        said: list[Any] = []
        answer = self.app(environ, lambda status, headers, _=None: said.extend((status, headers)))
        text = b"".join(answer).decode()
        getattr(answer, "close", lambda: None)()
        return self._read(said[0], said[1], text)

    def _read(self, status: str, headers: list[tuple[str, str]], text: str) -> tuple[int, str, str]:
        location = ""
        for name, value in headers:
            if name.lower() == "location":
                location = value.removeprefix(f"http://{HOST}")
            if name.lower() == "set-cookie":
                for key, morsel in SimpleCookie(value).items():
                    self.cookies[key] = morsel.value
                    if morsel["max-age"] in ("0", 0):
                        del self.cookies[key]
        return int(status[:3]), location, text

    def cycle(self) -> None:
        """See the board, post a message, land on the board that says so."""
        _, _, page = self.ask("GET", "/")
        hidden = [NAMED.search(tag) for tag in HIDDEN.findall(page)]
        fields = {unescape(found[1]): unescape(found[2]) for found in hidden if found}
        action = ACTION.search(page)
        assert action is not None
        body = urlencode({**fields, "message": TEXT, "name": "Ann"}).encode()
        status, location, _ = self.ask("POST", unescape(action[1]), body)
        assert status in (302, 303), status
        status, _, landed = self.ask("GET", location)
        assert (status, DONE in landed) == (200, True)


def on_demand(app: App) -> None:
    """Run as many cycles as each line of the input says."""
    browser = Browser(app)
    for line in sys.stdin:
        walls, count = [], int(line)
        cpu = time.process_time_ns()
        for _ in range(count):
            start = time.perf_counter_ns()
            browser.cycle()
            walls.append(time.perf_counter_ns() - start)
        spent = (time.process_time_ns() - cpu) / count / 1e3
        print(spent, median(walls) / 1e3, flush=True)


def main() -> None:
    """Run cycles on demand."""
    kind, folder = sys.argv[1], Path(sys.argv[2])
    make = django_site if kind.startswith("django") else flask_site
    on_demand(make(kind, folder))


if __name__ == "__main__":
    main()
