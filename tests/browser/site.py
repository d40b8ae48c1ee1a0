"""A tiny site without seeother: one form, one list, POST answered by 303, as the lesson has it.

It counts what arrives. The harness is proved on it, and it is the picture of what browsers do to a
form that nobody protects.
"""

import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import parse_qs

FORM = """<!doctype html><html lang="en"><title>Form</title><main><h1>Form</h1>
<form method="post" action="/post"><label>Text <input name="text" autofocus></label>
<button type="submit">Send</button></form></main></html>"""
LIST = """<!doctype html><html lang="en"><title>List</title><main><h1>List</h1>
<p id="count">{count}</p></main></html>"""


class Site:
    """The running site; a context manager.

    `open` is the gate that a POST waits at after it was counted: clear it and the handler is slow,
    for exactly as long as the test wants.
    """

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.open = threading.Event()
        self.open.set()
        self._server = _Listener(("127.0.0.1", 0), self)
        self.port: int = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/"
        self._thread = threading.Thread(target=self._server.serve_forever, args=[0.02])

    @property
    def posts(self) -> int:
        """How often the handler ran."""
        return len(self.texts)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.open.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Listener(ThreadingHTTPServer):
    daemon_threads = True  # an idle connection of a browser must not hold up the end

    def __init__(self, address: tuple[str, int], site: Site) -> None:
        self.site = site
        super().__init__(address, _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # keeps connections alive, as real servers do
    server: _Listener

    def do_GET(self) -> None:
        """The form, or the list with its count."""
        site = self.server.site
        page = FORM if self.path == "/" else LIST.format(count=site.posts)
        self._answer(200, page.encode(), "Content-Type", "text/html; charset=utf-8")

    def do_POST(self) -> None:
        """Count first, then be as slow as the gate, then see other."""
        site = self.server.site
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        site.texts.append(parse_qs(body).get("text", [""])[0])
        site.open.wait(30)
        self._answer(303, b"", "Location", "/list")

    def _answer(self, status: int, body: bytes, name: str, value: str) -> None:
        with suppress(ConnectionError):  # a browser drops all answers but that of its last click
            self.send_response(status)
            self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (the base class's name)
        """Say nothing."""
