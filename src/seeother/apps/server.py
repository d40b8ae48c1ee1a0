"""Serving an app from the command line: its socket, its request lines, its clean end.

The socket is bound here and not by the server, so that a port in use is one clear sentence, and
before anything of the app is started. Several workers share it; each of them makes the app anew,
from a factory that is given by its name.
"""

from __future__ import annotations

import logging
import signal
import socket
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import Any, Final

import uvicorn
from uvicorn.supervisors import Multiprocess

from ..errors import SeeOtherError

ANY: Final = ("0.0.0.0", "::", "")  # noqa: S104 - compared with, not bound to
LOOPBACK: Final = ("localhost", "127.0.0.1", "[::1]")
QUIETLY: Final[dict[str, Any]] = {
    "log_config": None,
    "access_log": False,
    "proxy_headers": False,
    "server_header": False,
}


class CannotStart(SeeOtherError):
    """The server cannot be started; the text is for the terminal."""


def known_hosts(host: str, more: tuple[str, ...] = ()) -> tuple[str, ...]:
    """The names of a site that listens on `host` (DNS rebinding, security rule 7).

    >>> known_hosts("0.0.0.0", ("board.example",))
    ('localhost', '127.0.0.1', '[::1]', 'board.example')
    """
    return (*LOOPBACK, *(() if host in ANY else (host,)), *more)


def bind(host: str, port: int) -> socket.socket:
    """The listening socket. Raises CannotStart if the port is in use or not allowed."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise CannotStart(
            f"Port {port} on {host} cannot be used ({error.strerror});"
            f" choose another one with --port {port + 1}"
        ) from error
    listener.set_inheritable(True)
    return listener


def address(listener: socket.socket) -> str:
    """Where a browser on this machine finds what listens here."""
    host, port = listener.getsockname()[:2]
    name = "localhost" if host in ("127.0.0.1", "::1") else host
    return f"http://{name}:{port}"


def run(app: Any, listener: socket.socket) -> None:
    """Serve an ASGI app in this process until SIGINT or SIGTERM."""
    with _clean_end():
        uvicorn.Server(uvicorn.Config(app, **QUIETLY)).run(sockets=[listener])


def run_workers(factory: str, workers: int, listener: socket.socket) -> None:
    """Serve the app that `factory` ("module:function") makes, in several processes."""
    with _clean_end():
        settings = uvicorn.Config(factory, factory=True, workers=workers, **QUIETLY)
        Multiprocess(settings, [listener]).run()


@contextmanager
def _clean_end() -> Generator[None]:
    """Either signal is a clean end.

    uvicorn raises the signal once more when it has shut down, for whoever called it; here nobody
    is left who would have to know.
    """
    signal.signal(signal.SIGTERM, _ended)
    with suppress(KeyboardInterrupt):
        yield


def _ended(_signal: int, _frame: object) -> None:
    """The server is down already."""


class Line(logging.Formatter):
    """One request as one line, its word in colour on a terminal."""

    COLOURS: Final = {"new": "32", "replayed": "36", "waited": "36", "page": "2"}

    def __init__(self, *, colour: bool) -> None:
        super().__init__("%(message)s")
        self._colour = colour

    def format(self, record: logging.LogRecord) -> str:
        """The line; whatever is no success stands out."""
        text, word = super().format(record), getattr(record, "word", None)
        if not self._colour or word is None:
            return text
        return f"\x1b[{self.COLOURS.get(word, '33')}m{text}\x1b[0m"


def log_requests(*, quiet: bool, colour: bool) -> None:
    """Request lines to stderr, warnings too; with `quiet` only what needs somebody's attention."""
    handler = logging.StreamHandler()
    handler.setFormatter(Line(colour=colour))
    logger = logging.getLogger("seeother")
    logger.handlers[:] = [handler]
    logger.setLevel(logging.WARNING if quiet else logging.INFO)
    logging.getLogger("uvicorn.error").handlers[:] = [handler]
