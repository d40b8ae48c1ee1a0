"""Servers as people write them in their first week, good ones and broken ones, on real sockets."""

import html
import socket
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar
from urllib.parse import parse_qs

PAGE = """<!DOCTYPE html>
<title>Message Board</title>
<form method="POST">
<textarea name="message"></textarea>
<button type="submit">Post it!</button>
</form>
<pre>{}</pre>
"""


class Lesson(BaseHTTPRequestHandler):
    """The lesson as it is taught: a list, a 303 to the page itself, no body, escaped, UTF-8.

    Class attributes are what the broken ones change.
    """

    memory: ClassVar[list[str]]
    posts: ClassVar[list[str]]
    page_status = 200
    page_type: str | None = "text/html; charset=utf-8"
    status = 303
    location: str | None = "/"
    after = b""
    charset = "utf-8"

    def do_GET(self) -> None:
        """All messages."""
        body = PAGE.format("\n".join(map(self.shown, self.memory))).encode(self.charset)
        self.send_response(self.page_status)
        if self.page_type is not None:
            self.send_header("Content-Type", self.page_type)
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        """One more message."""
        self.keep(self.field())
        self.send_response(self.status)
        if self.location is not None:
            self.send_header("Location", self.location)
        self.end_headers()
        self.wfile.write(self.after)

    def field(self) -> str:
        """What was typed."""
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.posts.append(body)
        return parse_qs(body)["message"][0]

    def keep(self, message: str) -> None:
        """Remember it."""
        self.memory.append(message)

    def shown(self, message: str) -> str:
        """It, as it stands on the page."""
        return html.escape(message)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Quiet."""


def broken(**changes: object) -> type[Lesson]:
    """The lesson with some attributes or methods changed."""
    return type("Broken", (Lesson,), changes)


class Waits(Lesson):
    """Reads on for a body without end: the classic `rfile.read()` without a length."""

    def field(self) -> str:
        """Wait until the client hangs up."""
        self.posts.append("")
        return self.rfile.read().decode()


class Falls(Lesson):
    """A traceback in `do_POST`."""

    def field(self) -> str:
        """Break down; without the noise on stderr."""
        self.posts.append("")
        self.connection.shutdown(socket.SHUT_RDWR)
        raise ConnectionResetError


class Keeps(Lesson):
    """Keeps connections open and does not say that the redirect has no body."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """A page that is complete."""
        self.close_connection = True
        super().do_GET()


class Guarded(Lesson):
    """Wants its hidden field and its cookie back, as every CSRF protection does."""

    def do_GET(self) -> None:
        """The page with both."""
        page = PAGE.replace("<textarea", '<input type=hidden name=token value="t&amp;1"><textarea')
        body = page.format("\n".join(map(self.shown, self.memory))).encode()
        self.send_response(200)
        self.send_header("Set-Cookie", "who=ann; HttpOnly; Path=/")
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        """Refuse what comes without."""
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        fields = parse_qs(body)
        self.posts.append(body)
        known = fields.get("token") == ["t&1"] and self.headers["Cookie"] == "who=ann"
        if known and self.headers["Origin"]:
            self.memory.append(fields["message"][0])
        self.send_response(303 if known else 403)
        self.send_header("Location", "/")
        self.end_headers()


@contextmanager
def serving(handler: type[Lesson]) -> Generator[tuple[str, type[Lesson]]]:
    """Run a handler on a port of its own: its address, and the class that counts its posts."""
    own = type("Own", (handler,), {"memory": [], "posts": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), own)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    thread = threading.Thread(target=server.serve_forever, args=[0.02])
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/", own
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def talking(talk: Callable[[socket.socket], object]) -> Generator[str]:
    """A server that is none of HTTP's: `talk` gets each connection; its address."""
    listener = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        with suppress(OSError):
            while True:
                peer, _ = listener.accept()
                with peer, suppress(OSError):
                    talk(peer)

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()
