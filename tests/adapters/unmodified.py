"""Two apps that know nothing of seeother, as their frameworks' manuals write them.

Both answer some forms with a page and sign people in. `python -m tests.adapters.unmodified flask
FOLDER PORT` (or `django`, or `gzip`: the first one, compressing its pages) serves one of them,
wrapped in one line, with its database in the folder.
"""

import gzip
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from seeother.wsgi import SeeOther

if TYPE_CHECKING:
    from flask import Flask

SECRET = "the app's own key: at least 32 characters"
PASSWORD = "correct horse battery staple"
USERS = ("ann", "bob")
NOTES = """<!doctype html><title>{title}</title><p id="who">{who}<p id="said">{said}
<form method="post"><input name="text"><button type="submit">Save</button></form>"""
LOGIN = """<!doctype html><title>Sign in</title>
<form method="post"><input name="username"><input name="password" type="password">
<button type="submit">Sign in</button></form>"""
OUT = '<!doctype html><title>Home</title><p id="who">{who}<form method="post" action="/logout">\
<button type="submit">Sign out</button></form>'


def flask_app(folder: Path) -> Any:
    """Notes that are answered by a page, at the form's own address; a session in a cookie."""
    from flask import Flask

    app, database = Flask("notes"), folder / "app.db"
    app.secret_key = SECRET
    with closing(sqlite3.connect(database)) as db, db:
        db.execute("CREATE TABLE IF NOT EXISTS note (text TEXT, who TEXT)")
        db.execute("CREATE TABLE IF NOT EXISTS login (who TEXT)")

    def store(statement: str, *values: str) -> None:
        with closing(sqlite3.connect(database, timeout=30)) as db, db:
            db.execute(statement, values)

    _notes(app, store)
    _people(app, store)
    return app


def gzip_app(folder: Path) -> Any:
    """The same app behind a middleware that compresses for who takes it, as many sites have one."""
    plain = flask_app(folder)

    def app(environ: dict[str, Any], start_response: Any) -> Any:
        said: list[Any] = []
        answer = plain(environ, lambda status, headers, _=None: said.extend((status, headers)))
        body = b"".join(answer)
        answer.close()
        status, headers = said
        if "gzip" in environ.get("HTTP_ACCEPT_ENCODING", ""):
            body = gzip.compress(body)
            kept = [pair for pair in headers if pair[0].lower() != "content-length"]
            coding = [("Content-Encoding", "gzip"), ("Vary", "Accept-Encoding")]
            headers = [*kept, *coding, ("Content-Length", str(len(body)))]
        start_response(status, headers)
        return [body]

    return app


def _notes(app: "Flask", store: Any) -> None:
    from flask import request, session
    from markupsafe import escape

    def shown(said: str = "", title: str = "Notes") -> str:
        return NOTES.format(title=title, who=session.get("user", "nobody"), said=escape(said))

    @app.route("/note", methods=["GET", "POST"])
    def note() -> Any:
        if request.method == "GET":
            return shown()
        text, who = request.form["text"], session.get("user", "nobody")
        if not text:
            return shown("Type something.", title="Rejected"), 422
        store("INSERT INTO note VALUES (?, ?)", text, who)
        return shown(f"Saved {text} of {who}.", title="Saved")


def _people(app: "Flask", store: Any) -> None:
    from flask import redirect, request, session

    @app.route("/login", methods=["GET", "POST"])
    def login() -> Any:
        if request.method == "GET":
            return LOGIN
        if request.form["password"] != PASSWORD:
            return LOGIN, 403
        session["user"] = request.form["username"]
        store("INSERT INTO login VALUES (?)", session["user"])
        return redirect("/")

    @app.get("/")
    def home() -> str:
        return OUT.format(who=session.get("user", "nobody"))

    @app.post("/logout")
    def logout() -> Any:
        session.clear()
        return redirect("/")


def django_app(folder: Path) -> Any:
    """Django's own views for signing in and out, with its CSRF protection."""
    import django
    from django.conf import settings
    from django.core.management import call_command

    token = "{% csrf_token %}"
    pages = {
        "registration/login.html": LOGIN.replace('method="post">', f'method="post">{token}'),
        "home.html": OUT.replace("{who}", "{{ user.get_username|default:'nobody' }}").replace(
            'action="/logout">', f'action="/logout">{token}'
        ),
    }
    settings.configure(
        SECRET_KEY=SECRET,
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF=__name__,
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": folder / "app.db"}},
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
        ],
        MIDDLEWARE=[
            "django.middleware.security.SecurityMiddleware",
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
        ],
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "OPTIONS": {
                    "loaders": [("django.template.loaders.locmem.Loader", pages)],
                    "context_processors": [
                        "django.contrib.auth.context_processors.auth",
                        "django.template.context_processors.request",
                    ],
                },
            }
        ],
        LOGIN_REDIRECT_URL="/",
        LOGOUT_REDIRECT_URL="/",
    )
    django.setup()
    call_command("migrate", verbosity=0)

    from django.contrib.auth import get_user_model
    from django.core.wsgi import get_wsgi_application

    people: Any = get_user_model().objects
    for name in USERS:
        if not people.filter(username=name).exists():
            people.create_user(name, password=PASSWORD)
    return get_wsgi_application()


def __getattr__(name: str) -> Any:
    """Django reads its URLs from here, when it is set up."""
    if name != "urlpatterns":
        raise AttributeError(name)
    from django.contrib.auth.views import LoginView, LogoutView
    from django.urls import path
    from django.views.generic import TemplateView

    return [
        path("", TemplateView.as_view(template_name="home.html")),
        path("login", LoginView.as_view()),
        path("logout", LogoutView.as_view()),
    ]


class Threaded(ThreadingMixIn, WSGIServer):
    """Several requests at the same time."""

    daemon_threads = True


class Quiet(WSGIRequestHandler):
    """No line per request."""

    def log_message(self, *args: Any) -> None:
        """Nothing."""


def main(kind: str, folder: str, port: str) -> None:
    """Serve one of them, wrapped."""
    app = {"flask": flask_app, "django": django_app, "gzip": gzip_app}[kind](Path(folder))
    wrapped = SeeOther(app, store=f"sqlite:///{folder}/seeother.db")
    with make_server("127.0.0.1", int(port), wrapped, Threaded, Quiet) as server:
        server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
