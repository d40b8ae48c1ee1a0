"""Behaviours as apps: what the author of an adapter writes once, for WSGI and for ASGI."""

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import suppress
from http import HTTPStatus
from typing import Any, cast

from starlette.requests import Request

from seeother import wsgi
from seeother.core.values import Response
from seeother.starlette import once
from seeother.testing.adapter import Call, Stage, Streamed
from seeother.visit import Visit


class WSGIStage:
    """A stage's behaviour as a WSGI app."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.once = stage.settings["mode"] != "separate"

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        size = int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read(size) if size else b""
        if self.once and environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            sent = wsgi.once(environ, self.stage.effects.engine, self.within, environ, body)
            return sent(environ, start_response)
        visit, effects = environ["seeother"], self.stage.effects
        answer = self.stage.behaviour(call(visit, environ, body, effects.do))
        phrase = HTTPStatus(answer.status).phrase
        headers = [(k.decode("latin-1"), v.decode("latin-1")) for k, v in answer.headers]
        start_response(f"{answer.status} {phrase}", headers)
        if environ["REQUEST_METHOD"] == "HEAD":
            return []
        return answer.pieces if isinstance(answer, Streamed) else [answer.body]

    def within(self, connection: Any, visit: Visit, environ: Any, body: bytes) -> Response:
        """The behaviour as the function of a `once`."""
        effect = self.stage.effects.within(connection)
        return cast("Response", self.stage.behaviour(call(visit, environ, body, effect)))


def call(visit: Visit, environ: dict[str, Any], body: bytes, effect: Any) -> Call:
    """What the behaviour gets to see."""
    return Call(visit, environ["REQUEST_METHOD"], environ["PATH_INFO"], body, effect)


class ASGIStage:
    """A stage's behaviour as an ASGI app; what blocks runs on threads."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.once = stage.settings["mode"] != "separate"

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await lifespan(receive, send)
            return
        body = await read(receive)
        if self.once and scope["method"] not in ("GET", "HEAD"):
            engine = self.stage.effects.engine
            response = await once(Request(scope), engine, self.within, scope, body)
            await response(scope, receive, send)
            return
        made = Call(scope["seeother"], scope["method"], scope["path"], body, self.stage.effects.do)
        answer = await asyncio.to_thread(self.stage.behaviour, made)
        head = {"type": "http.response.start", "status": answer.status, "headers": answer.headers}
        await send(head)
        if isinstance(answer, Streamed) and scope["method"] != "HEAD":
            await stream(answer.pieces, receive, send)
            return
        whole = b"" if isinstance(answer, Streamed) or scope["method"] == "HEAD" else answer.body
        await send({"type": "http.response.body", "body": whole})

    def within(self, connection: Any, visit: Visit, scope: Any, body: bytes) -> Response:
        """The behaviour as the function of a `once`."""
        effect = self.stage.effects.within(connection)
        made = Call(visit, scope["method"], scope["path"], body, effect)
        return cast("Response", self.stage.behaviour(made))


async def lifespan(receive: Any, send: Any) -> None:
    """Startup and shutdown with nothing to do."""
    for word in ("startup", "shutdown"):
        assert (await receive())["type"] == f"lifespan.{word}"
        await send({"type": f"lifespan.{word}.complete"})


async def read(receive: Any) -> bytes:
    """The whole body."""
    parts, more = [], True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


async def stream(pieces: Iterator[bytes], receive: Any, send: Any) -> None:
    """Send piece by piece until there is none, or nobody listens."""
    left = asyncio.ensure_future(receive())
    try:
        while not left.done():
            piece = await asyncio.to_thread(next, pieces, None)
            if piece is None:
                await send({"type": "http.response.body", "body": b""})
                return
            await send({"type": "http.response.body", "body": piece, "more_body": True})
    finally:
        left.cancel()
        with suppress(asyncio.CancelledError):
            await left
        cast("Any", pieces).close()
