"""The two ends of one ASGI connection: what comes in, and what goes out.

`Incoming` reads ahead (the form, to judge it; a disconnect, to know whether a page is still wanted)
and loses nothing of it for the app. `Outgoing` sends one answer, whoever made it, and knows how it
began.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from contextlib import suppress
from typing import Any

from .core.asked import NOTHING, apply, asked
from .core.body import Body
from .core.cookie import SetCookie
from .core.mark import strip
from .core.values import Request, Response
from .errors import BadForm
from .visit import Visit

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class ClientGone(Exception):
    """The client left before its body was complete; nothing happened."""


class Silent(Exception):
    """The app ended without an answer; what to say then is the server's business."""


class Incoming:
    """The `receive` side: each message of the server once, in order, to whoever asks next.

    `over`: the app has said its last word, so there is nobody that it could hear of.
    """

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._pending: asyncio.Task[Message] | None = None
        self._ahead: list[Message] = []
        self.over = False

    async def form(self, request: Request, most: int, version: str) -> bytes:
        """Read the whole body; the app gets it again as one message. So it does what was too much.

        `version` of HTTP: from 2 on the end of a body is known without a length. Raises ClientGone,
        and what `Body` raises.
        """
        chunked = request.header(b"transfer-encoding") is not None
        if ends_twice(request):
            raise BadForm("a length and chunks say two ends (RFC 9112 section 6.1)")
        body = Body(request, most, framed=chunked or not version.startswith("1"))
        more = True
        try:
            while more:
                message = await self._receive()
                if message["type"] == "http.disconnect":
                    raise ClientGone
                more = message.get("more_body", False)
                body.add(message.get("body", b""))
            return body.whole()
        finally:
            again = {"type": "http.request", "body": body.so_far, "more_body": more}
            self._ahead.append(again)

    async def next(self) -> Message:
        """The next message. A cancelled caller takes none with it; a disconnect stays."""
        if self.over:
            return {"type": "http.disconnect"}
        if self._ahead:
            return self._ahead.pop(0)
        message = await asyncio.shield(self._next())
        if message["type"] != "http.disconnect":
            self._pending = None
        return message

    def _next(self) -> asyncio.Task[Message]:
        if self._pending is None:
            self._pending = asyncio.ensure_future(self._receive())
        return self._pending

    def watch(self) -> None:
        """Begin to listen while the app works; `gone` will be asked later."""
        if not self._ahead:
            self._next()

    async def gone(self) -> bool:
        """Has the client left, as far as the server knows by now?"""
        for _ in range(2):  # there may be one request message before the disconnect
            pending = self._next()
            for _ in range(2):
                if not pending.done():
                    await asyncio.sleep(0)
            if not pending.done():
                return False
            if pending.result()["type"] == "http.disconnect":
                return True
            self._ahead.append(pending.result())
            self._pending = None
        return False

    def close(self) -> None:
        """Nobody asks any more."""
        if self._pending is not None:
            self._pending.cancel()


def inside(scope: Scope, visit: Visit, outer: object) -> Scope:
    """The scope as the app sees it: the visit in it, the mark out of it.

    Files that the server copies by itself could not be planted in between, so that extension is
    not passed on.
    """
    offered = dict(scope.get("extensions") or {})
    offered.pop("http.response.zerocopysend", None)
    return {
        **scope,
        "extensions": offered,
        "headers": seen(scope["headers"], visit),
        "query_string": visit.greeting.request.query,
        "seeother": visit,
        "seeother.outer": outer,
    }


def seen(sent: Iterable[tuple[bytes, bytes]], visit: Visit) -> list[tuple[bytes, bytes]]:
    """The headers of a request as the app sees them (`core.asked`), with no mark in the Referer."""
    request, policy = visit.greeting.request, visit.policy
    headers = apply(NOTHING if visit.off else asked(request), sent)
    if request.header(b"referer") is None:
        return headers
    for number, (name, value) in enumerate(headers):
        if name == b"referer" and b"?" in value:
            url = strip(value.decode("latin-1"), policy.mark, policy.ring)
            headers[number] = name, url.encode("latin-1")
    return headers


def ends_twice(request: Request) -> bool:
    """Has it a length and chunks? Whoever stands before the server may have read another end.

    Such a request may be refused, and its connection has to be closed (RFC 9112 section 6.1): what
    the server takes for the next request may have been a part of this one.
    """
    chunked = request.header(b"transfer-encoding") is not None
    return chunked and request.header(b"content-length") is not None


class Outgoing:
    """The `send` side; `status` and `landing` are those of the answer that was begun.

    The connection ends with the answer to a request that ends twice (`ends_twice`).

    What an app says out of order goes out like that: the server judges it, as it would without us.
    """

    def __init__(self, send: Send, request: Request) -> None:
        self.send = send
        self._closes = [(b"connection", b"close")] if ends_twice(request) else []
        self.status = 0
        self.landing: str | None = None
        self._bodiless = request.method == "HEAD"

    @staticmethod
    def head_of(message: Message) -> Response:
        """Status and headers of an `http.response.start`."""
        headers = tuple([(bytes(k).lower(), bytes(v)) for k, v in message.get("headers", ())])
        return Response(message["status"], headers)

    async def start(
        self, head: Response, cookies: Iterable[SetCookie], *, trailers: bool = False
    ) -> None:
        """Begin an answer."""
        self.status, self.landing = head.status, head.header(b"location")
        added = [(b"set-cookie", cookie.header()) for cookie in cookies]
        start: Message = {"type": "http.response.start", "status": head.status}
        start["headers"] = [*head.headers, *added, *self._closes]
        if trailers:
            start["trailers"] = True
        await self.send(start)

    async def piece(self, body: bytes, *, last: bool) -> None:
        """Go on with it."""
        await self.send({"type": "http.response.body", "body": body, "more_body": not last})

    async def whole(self, response: Response, cookies: Iterable[SetCookie] = ()) -> None:
        """An answer of our own; for a client that has gone it is lost, and nothing else."""
        with suppress(OSError):
            await self.start(response, cookies)
            await self.piece(b"" if self._bodiless else response.body, last=True)
