"""Running the board: one process or several workers on one socket, by uvicorn.

The socket is bound here and not by the server, so that a port in use is one clear sentence. Several
workers get their settings through the environment, because each of them starts anew.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import uvicorn
from uvicorn.supervisors import Multiprocess

from ...asgi import SeeOther
from ...errors import SeeOtherError
from ...setup import key_file
from .app import create_board

ENVIRONMENT: Final = "SEEOTHER_BOARD"
ANY: Final = ("0.0.0.0", "::", "")  # noqa: S104 - compared with, not bound to
LOOPBACK: Final = ("localhost", "127.0.0.1", "[::1]")


@dataclass(frozen=True, slots=True)
class Config:
    """How a board is served; `db` is the SQLite file."""

    db: str = "var/board.db"
    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 1
    secret_file: str | None = None
    hosts: tuple[str, ...] = ()
    proxy_hops: int = 0
    quiet: bool = False
    colour: bool = False

    @property
    def known_hosts(self) -> tuple[str, ...]:
        """The names under which the board may be reached (DNS rebinding, security rule 7)."""
        own = () if self.host in ANY else (self.host,)
        return (*LOOPBACK, *own, *self.hosts)


class CannotStart(SeeOtherError):
    """The board cannot be started; the text is for the terminal."""


def build(config: Config) -> SeeOther:
    """The app for one process."""
    path = Path(config.db)
    secret = key_file(Path(config.secret_file) if config.secret_file else path.with_suffix(".key"))
    app = create_board(
        path, secret=secret, hosts=config.known_hosts, proxy_hops=config.proxy_hops, debug=False
    )
    app.store.prepare()  # type: ignore[attr-defined]  # a board's store is SQLite
    return app


def from_environment() -> SeeOther:
    """The app of one of several workers."""
    raw = json.loads(os.environ[ENVIRONMENT])
    settings: dict[str, Any] = {**raw, "hosts": tuple(raw["hosts"])}
    config = Config(**settings)
    log_requests(config)
    return build(config)


def bind(config: Config) -> socket.socket:
    """The listening socket. Raises CannotStart if the port is in use or not allowed."""
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((config.host, config.port))
    except OSError as error:
        listener.close()
        raise CannotStart(
            f"Port {config.port} on {config.host} cannot be used ({error.strerror});"
            f" choose another one with --port {config.port + 1}"
        ) from error
    listener.set_inheritable(True)
    return listener


def serve(config: Config, listener: socket.socket) -> None:
    """Serve until SIGINT or SIGTERM, either of which is a clean end.

    uvicorn raises the signal once more when it has shut down, for whoever called it; here nobody
    is left who would have to know.
    """
    signal.signal(signal.SIGTERM, _ended)
    with suppress(KeyboardInterrupt):
        _serve(config, listener)


def _ended(_signal: int, _frame: object) -> None:
    """The server is down already."""


def _serve(config: Config, listener: socket.socket) -> None:
    options = {
        "log_config": None,
        "access_log": False,
        "proxy_headers": False,
        "server_header": False,
    }
    if config.workers == 1:
        log_requests(config)
        settings = uvicorn.Config(build(config), **options)  # type: ignore[arg-type]
        uvicorn.Server(settings).run(sockets=[listener])
        return
    os.environ[ENVIRONMENT] = json.dumps(asdict(config))
    settings = uvicorn.Config(
        f"{__name__}:from_environment",
        factory=True,
        workers=config.workers,
        **options,  # type: ignore[arg-type]
    )
    Multiprocess(settings, [listener]).run()


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


def log_requests(config: Config) -> None:
    """Request lines to stderr, warnings too; with `quiet` only what needs somebody's attention."""
    handler = logging.StreamHandler()
    handler.setFormatter(Line(colour=config.colour))
    logger = logging.getLogger("seeother")
    logger.handlers[:] = [handler]
    logger.setLevel(logging.WARNING if config.quiet else logging.INFO)
    logging.getLogger("uvicorn.error").handlers[:] = [handler]
