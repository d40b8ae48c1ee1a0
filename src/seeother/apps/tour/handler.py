"""A bridge: `http.server`'s BaseHTTPRequestHandler as a WSGI app (PEP 3333).

A handler writes a raw HTTP response into `wfile`; a WSGI app calls `start_response` and returns a
body. The bridge gives the handler what its `do_GET` and `do_POST` use (`command`, `path`,
`headers`, `rfile`, `wfile`, `client_address`), without any socket, and reads back what it wrote.

Both lengths are taken at their word. A request whose Content-Length is no number, or whose body is
shorter, is a 400 before the handler sees it (RFC 9112 sections 6.3 and 8): a beginner's handler
that reads `rfile` would wait for the rest until somebody hangs up. A body of a megabyte is a 413.
An answer that is longer or shorter than its own Content-Length is a bug of the handler, and raises.

What it leaves out: `setup()`, `finish()`, keep-alive and `Expect: 100-continue`, which are about a
connection that the server has and a handler behind it has not.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from email.message import Message
from http.client import parse_headers
from http.server import BaseHTTPRequestHandler
from io import BytesIO
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from ...wsgi import App, Environ, StartResponse

LOG: Final = logging.getLogger("seeother.tour.handler")
CHUNK: Final = 64 << 10
LONGEST: Final = 6  # digits of a Content-Length: a form of less than a megabyte
# The server's own business: about its connection (RFC 9110 section 7.6.1), or said by it anyway.
NOT_OURS: Final = frozenset({"connection", "keep-alive", "transfer-encoding", "date", "server"})
UNPREFIXED: Final = {"CONTENT_TYPE": "Content-Type", "CONTENT_LENGTH": "Content-Length"}
BODILESS: Final = (204, 304)


class BadLength(ValueError):
    """The request's Content-Length is no length, or not that of its body."""

    status = 400


class TooLong(BadLength):
    """The request's body is longer than what a form needs (RFC 9110 section 15.5.14)."""

    status = 413


class Written(NamedTuple):
    """A response as a handler wrote it."""

    status: str
    headers: list[tuple[str, str]]
    body: bytes


def bridge(handler: type[BaseHTTPRequestHandler]) -> App:
    """A handler class as a WSGI app.

    `path` is the whole path with its query, as in a request line: links and a Location made of it
    work wherever the app is mounted. Raises ValueError for an answer that breaks its own
    Content-Length or is no HTTP.

    >>> class Hello(BaseHTTPRequestHandler):
    ...     def do_GET(self):
    ...         self.send_response(200)
    ...         self.end_headers()
    ...         self.wfile.write(b"hello")
    >>> started = []
    >>> environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "wsgi.input": BytesIO()}
    >>> bridge(Hello)(environ, lambda status, headers: started.append(status)), started
    ([b'hello'], ['200 OK'])
    """
    quiet = type(handler.__name__, (handler,), {"log_message": _log_message})

    def app(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        running = _made(quiet, environ)
        try:
            running.rfile = BytesIO(_body(environ))
        except BadLength as error:
            running.send_error(error.status, str(error))
        else:
            _run(running)
        written = _read(running, environ["REQUEST_METHOD"])
        start_response(written.status, written.headers)
        return [written.body]

    return app


def _log_message(_self: BaseHTTPRequestHandler, text: str, *args: object) -> None:
    """A handler's line for each request; a WSGI server writes its own."""
    LOG.debug(text, *args)


def _made(handler: type[BaseHTTPRequestHandler], environ: Environ) -> BaseHTTPRequestHandler:
    """A handler with everything in it but the body; `__init__` would want a socket."""
    made: Any = handler.__new__(handler)
    made.command = environ["REQUEST_METHOD"]
    made.path = _target(environ)
    made.request_version = environ.get("SERVER_PROTOCOL", "HTTP/1.1")
    made.requestline = f"{made.command} {made.path} {made.request_version}"
    made.headers = _headers(environ)
    made.client_address = (environ.get("REMOTE_ADDR", ""), int(environ.get("REMOTE_PORT") or 0))
    made.server, made.close_connection = None, True
    made.rfile, made.wfile = BytesIO(), BytesIO()
    found: BaseHTTPRequestHandler = made
    return found


def _run(handler: BaseHTTPRequestHandler) -> None:
    """Call the method's `do_...`, as `handle_one_request` does."""
    method: Callable[[], None] | None = getattr(handler, f"do_{handler.command}", None)
    if method is None:
        handler.send_error(501, f"Unsupported method ({handler.command!r})")
        return
    method()


def _target(environ: Environ) -> str:
    """The request's target; two slashes at its start would name another host in a Location."""
    whole = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    path = "/" + quote(whole.encode("latin-1"), safe="/:@!$&'()*+,;=~").lstrip("/")
    query = environ.get("QUERY_STRING", "")
    return f"{path}?{query}" if query else path


def _headers(environ: Environ) -> Message[str, str]:
    """The request's headers, as `http.server` parses them: a Message whose names ignore case."""
    headers: Message[str, str] = BaseHTTPRequestHandler.MessageClass()
    for key, value in environ.items():
        name = UNPREFIXED.get(key)
        if name is None and key.startswith("HTTP_"):
            name = key.removeprefix("HTTP_").replace("_", "-").title()
        if name is not None and value != "":
            headers[name] = value
    return headers


def _body(environ: Environ) -> bytes:
    """The whole body. Raises BadLength (RFC 9110 section 8.6: digits and nothing else)."""
    said = environ.get("CONTENT_LENGTH") or "0"
    if not (said.isascii() and said.isdigit()):
        raise BadLength("Content-Length is not a number")
    if len(said) > LONGEST:
        raise TooLong("The body is too long")
    pieces, left = list[bytes](), int(said)
    while left > 0:
        piece = environ["wsgi.input"].read(min(CHUNK, left))
        if not piece:
            raise BadLength("The body is shorter than its Content-Length")
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)


def _read(handler: BaseHTTPRequestHandler, method: str) -> Written:
    """What the handler wrote, as a WSGI server wants it. Raises ValueError."""
    wrote: Any = handler.wfile
    stream = BytesIO(wrote.getvalue())
    version, _, status = stream.readline().decode("latin-1").strip().partition(" ")
    if not version.startswith("HTTP/") or not status[:3].isdigit():
        raise ValueError("the handler sent no status line: call send_response() first")
    headers = parse_headers(stream).items()
    body = stream.read()
    length = dict(headers).get("Content-Length")
    bare = method == "HEAD" or int(status[:3]) in BODILESS
    if length is not None and not bare and length != str(len(body)):
        raise ValueError(f"the handler wrote {len(body)} bytes after Content-Length: {length}")
    kept = [(name, value) for name, value in headers if name.lower() not in NOT_OURS]
    return Written(status, kept, b"" if bare else body)
