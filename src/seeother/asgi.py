"""seeother around any ASGI 3 app (https://asgi.readthedocs.io), as pure ASGI.

Per request: judge address and origin before a body byte is read; read a form body, bounded, and
give it to the app again; put the visit into `scope["seeother"]`; run the app; hold its answer back
until what it leaves is written (`seeother.hold`); then send it. Websockets and lifespan pass
untouched.

A submission whose client went away runs on to its end, in a task that no cancellation of the server
reaches: the second click is waiting for its outcome. So does a page that took messages, to give
them back. All other requests can be cancelled like those of any app.
"""

from __future__ import annotations

import asyncio
import os
import time
from typing import Any
from urllib.parse import quote

from .channel import App, Message, Receive, Scope, Send
from .core.policy import Policy
from .core.values import Headers, Request
from .exchange import Exchange
from .setup import Middleware
from .visit import Visit

KEY = "seeother"


class SeeOther(Middleware):
    """ASGI middleware; all settings are keyword arguments (`seeother.core.policy`).

    `mode` "joined" or "fenced": `once` claims inside the app, the middleware checks, reads, plants.
    `mode` "separate" (the default): every form submission is claimed here, in the store's own
    database, and the app needs no change.

    >>> async def app(scope, receive, send): ...
    >>> app = SeeOther(app, secret="0123456789abcdef0123456789abcdef", store="memory://")
    """

    def __init__(self, app: App, **policy: Any) -> None:
        super().__init__(policy)
        self.app = app
        self._running: set[asyncio.Task[None]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One ASGI connection."""
        if scope["type"] == "lifespan":
            await self._lifespan(scope, receive, send)
        elif scope["type"] != "http" or KEY in scope:
            await self.app(scope, receive, send)
        else:
            exchange = Exchange(self, request_of(scope), scope, receive, send)
            await (self._shielded(exchange) if exchange.must_end else exchange.run())

    def policy_of(self, _request: Request) -> Policy:
        """The settings for one request; a framework's adapter may have others for some."""
        return self.policy

    def inner(self, scope: Scope, _visit: Visit) -> Scope:
        """The scope as the app sees it; a framework's adapter may add to it."""
        return scope

    async def _shielded(self, exchange: Exchange) -> None:
        task = asyncio.ensure_future(exchange.run())
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        await asyncio.shield(task)

    async def _lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass through; views that still run are awaited before the app hears of the shutdown."""

        async def hear() -> Message:
            message = await receive()
            if message["type"] == "lifespan.shutdown":
                await asyncio.gather(*self._running, return_exceptions=True)
            return message

        await self.app(scope, hear, send)
        self.driver.shut()
        self.store.shut()


def request_of(scope: Scope) -> Request:
    """An ASGI http scope as a core request."""
    headers: Headers = tuple([(bytes(k).lower(), bytes(v)) for k, v in scope["headers"]])
    host = next((v for k, v in headers if k == b"host"), b"").decode("latin-1")
    root = quote(scope.get("root_path", ""), safe="/:@!$&'()*+,;=~")
    raw = scope.get("raw_path")
    path = bytes(raw).decode("latin-1") if raw else quote(scope["path"], safe="/:@!$&'()*+,;=~")
    return Request(
        method=scope["method"],
        scheme=scope.get("scheme", "http"),
        host=host,
        root=root,
        path=path.removeprefix(root) or "/",
        query=scope.get("query_string", b""),
        headers=headers,
        now=time.time(),
        entropy=os.urandom,
    )
