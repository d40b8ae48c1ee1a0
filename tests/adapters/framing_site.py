"""A page with a form, as a WSGI and as an ASGI app, each wrapped in one line, for real servers.

`SITE` in the environment is its folder; what took effect stands there in a database of the app's
own. It trusts one proxy.
"""

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from seeother import asgi, wsgi
from tests.adapters.stages import lifespan, read

FOLDER = Path(os.environ["SITE"])
DATABASE = FOLDER / "app.db"
SETTINGS: dict[str, Any] = {
    "secret": "the secret of a site for tests, 32 bytes",
    "store": f"sqlite:///{FOLDER}/ledger.db",
    "cookie_name": "visitor",
    "proxy_hops": 1,
}
PAGE = b'<!doctype html><title>Notes</title><form method="post"><input name="text"></form>'
HTML = "text/html; charset=utf-8"


def prepare() -> None:
    """The app's own table."""
    with closing(sqlite3.connect(DATABASE)) as db, db:
        db.execute("CREATE TABLE IF NOT EXISTS note (text TEXT)")


def note(form: bytes) -> None:
    """What the form is for."""
    text = parse_qs(form.decode()).get("text", [""])[0]
    with closing(sqlite3.connect(DATABASE, timeout=30)) as db, db:
        db.execute("INSERT INTO note VALUES (?)", (text,))


def wsgi_app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """As PEP 3333 has it."""
    if environ["REQUEST_METHOD"] == "POST":
        note(environ["wsgi.input"].read())
        start_response("303 See Other", [("Location", "/")])
        return [b""]
    start_response("200 OK", [("Content-Type", HTML)])
    return [PAGE]


async def asgi_app(scope: Any, receive: Any, send: Any) -> None:
    """As the ASGI specification has it."""
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
        return
    status, head, body = 200, (b"content-type", HTML.encode()), PAGE
    if scope["method"] == "POST":
        note(await read(receive))
        status, head, body = 303, (b"location", b"/"), b""
    await send({"type": "http.response.start", "status": status, "headers": [head]})
    await send({"type": "http.response.body", "body": body})


prepare()
on_wsgi = wsgi.SeeOther(wsgi_app, **SETTINGS)
on_asgi = asgi.SeeOther(asgi_app, **SETTINGS)
