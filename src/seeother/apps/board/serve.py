"""Running the board: one process, or several workers on one socket.

Several workers get their settings through the environment, because each of them starts anew.
"""

from __future__ import annotations

import json
import os
import socket
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from ...asgi import SeeOther
from ...log import EVENTS
from ...setup import key_file
from .. import server
from .app import create_board
from .database import default_key, folder_of, is_own_key, is_postgresql

ENVIRONMENT: Final = "SEEOTHER_BOARD"


@dataclass(frozen=True, slots=True)
class Config:
    """How a board is served: `db` is a file or a URL, `tour` the address of a tour beside it."""

    db: str = "var/board.db"
    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 1
    secret_file: str | None = None
    hosts: tuple[str, ...] = ()
    proxy_hops: int = 0
    quiet: bool = False
    colour: bool = False
    tour: str | None = None

    @property
    def key(self) -> Path:
        """The key file."""
        return Path(self.secret_file) if self.secret_file else default_key(self.db)

    @property
    def shared(self) -> bool:
        """Can other machines reach the database, too?"""
        return is_postgresql(self.db)

    @property
    def folder(self) -> Path:
        """Where what stands beside the board keeps its files."""
        return folder_of(self.db)

    @property
    def known_hosts(self) -> tuple[str, ...]:
        """The names under which the board may be reached (DNS rebinding, security rule 7)."""
        return server.known_hosts(self.host, self.hosts)


def build(config: Config) -> SeeOther:
    """The app for one process."""
    app = create_board(
        config.db,
        tour=config.tour,
        secret=key_file(config.key),
        hosts=config.known_hosts,
        proxy_hops=config.proxy_hops,
        debug=False,
    )
    app.store.prepare()  # type: ignore[attr-defined]  # either store has it
    if config.shared and not is_own_key(config.db, app.policy.ring.tags[0]):
        EVENTS.warning(
            "key: %s is not the key of the node that started before this one", config.key
        )
    return app


def from_environment() -> SeeOther:
    """The app of one of several workers."""
    raw = json.loads(os.environ[ENVIRONMENT])
    settings: dict[str, Any] = {**raw, "hosts": tuple(raw["hosts"])}
    config = Config(**settings)
    server.log_requests(quiet=config.quiet, colour=config.colour)
    return build(config)


def bind(config: Config) -> socket.socket:
    """The listening socket. Raises CannotStart if the port is in use or not allowed."""
    return server.bind(config.host, config.port)


def serve(config: Config, app: SeeOther, listener: socket.socket) -> None:
    """Serve until SIGINT or SIGTERM, either of which is a clean end.

    `app` is what `build` made of this config; several workers make their own.
    """
    if config.workers == 1:
        server.run(app, listener)
        return
    os.environ[ENVIRONMENT] = json.dumps(asdict(config))
    server.run_workers(f"{__name__}:from_environment", config.workers, listener)
