"""Every app of Starlette's TestClient under asyncio stands behind seeother; it knows no trio."""

from __future__ import annotations

from typing import Any

from starlette.testclient import TestClient

from .between import around_asgi

INIT = TestClient.__init__


def init(self: Any, *args: Any, **kwargs: Any) -> None:
    """Make the client, and put seeother around what it calls."""
    INIT(self, *args, **kwargs)
    if self.async_backend["backend"] == "asyncio":
        self.app = self._transport.app = around_asgi(self.app)


TestClient.__init__ = init  # type: ignore[method-assign]
