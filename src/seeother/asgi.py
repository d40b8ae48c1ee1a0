"""seeother around any ASGI 3 app (https://asgi.readthedocs.io), as pure ASGI.

Per request: judge address and origin before a body byte is read; read a form body, bounded, and
give it to the app again; put the visit into `scope["seeother"]`; run the app; hold its answer back
until what it leaves is written; then send it.

Held back is only what must be: the head, and of an HTML page at most 64 KiB (its messages are
acknowledged before the last byte). Everything else streams. Websockets and lifespan pass untouched.

A view whose client went away runs on to its end, in a task that no cancellation of the server
reaches: the second click is waiting for its outcome. `receive` tells the app of a disconnect only
after its answer.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, MutableMapping
from functools import cached_property
from typing import Any, Final
from urllib.parse import quote

from .core.entry import admit, greet
from .core.flows import Answer, page
from .core.form import Form, Limits, Parsed, read_form
from .core.ops import Handle
from .core.policy import Policy
from .core.values import Handled, Headers, Request, Response
from .drive import Driver
from .errors import BadForm, LengthRequired, PolicyError, SeeOtherError, TooLarge
from .log import request_line
from .pages import error_page
from .setup import prepared
from .stores import Store
from .visit import Visit

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

HELD_BACK: Final = 64 << 10
FORMS: Final = (b"application/x-www-form-urlencoded", b"multipart/form-data")
KEY: Final = "seeother"


class SeeOther:
    """ASGI middleware; all settings are keyword arguments (`seeother.core.policy`).

    >>> async def app(scope, receive, send): ...
    >>> app = SeeOther(app, secret="0123456789abcdef0123456789abcdef", store="memory://", mode="joined")
    """

    def __init__(self, app: App, **policy: Any) -> None:
        self.app = app
        self.driver = Driver()
        self._given = Policy.of(policy)
        if self._given.mode != "joined":
            raise PolicyError(
                'seeother.asgi: only mode="joined" (with `once`) exists in this version'
            )
        self._running: set[asyncio.Task[None]] = set()

    @cached_property
    def _prepared(self) -> tuple[Policy, Store]:
        return prepared(self._given)

    @property
    def policy(self) -> Policy:
        """The settings, with the secret in place."""
        return self._prepared[0]

    @property
    def store(self) -> Store:
        """The store; it opens itself at its first use in each process."""
        return self._prepared[1]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One ASGI connection."""
        if scope["type"] == "lifespan":
            await self._lifespan(scope, receive, send)
        elif scope["type"] != "http" or KEY in scope:
            await self.app(scope, receive, send)
        else:
            exchange = Exchange(self, scope, receive, send)
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


class Exchange:
    """One request and its answer."""

    def __init__(self, outer: SeeOther, scope: Scope, receive: Receive, send: Send) -> None:
        self.outer, self.scope = outer, scope
        self.receive, self.send = receive, send
        self.started = time.perf_counter()
        self.head: Message | None = None
        self.held: list[Message] = []
        self.size = 0
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.released = asyncio.Event()
        self.finished = asyncio.Event()
        self.body: bytes | None = None
        self.status = 0
        self.location: str | None = None

    async def run(self) -> None:
        """Admit, run, answer, and write one line to the log."""
        policy = self.outer.policy
        request = request_of(self.scope)
        visit: Visit | None = None
        try:
            greeting = greet(request, policy)
            visit = Visit(greeting, policy)
            await self._admit(visit, request)
            await self._converse(visit)
        except ClientGone:
            return
        except SeeOtherError as error:
            if self.status:
                raise
            response = (
                visit.refusal(error) if visit else error_page(error, debug=bool(policy.debug))
            )
            word = error.reason
            await self._reply(visit.handled(response) if visit else Handled(response))
        else:
            word = visit.word
        seconds = time.perf_counter() - self.started
        path = request.root + request.path
        request_line(request.method, path, self.status, self.location, word, seconds)

    async def _admit(self, visit: Visit, request: Request) -> None:
        """Read the form, if it is one, and name the submission."""
        greeting, policy = visit.greeting, self.outer.policy
        if not greeting.unsafe:
            return
        kind = request.header(b"content-type") or b""
        parsed = Parsed((), canonical=True)
        if kind.split(b";")[0].strip().lower() in FORMS:
            self.body = await self._read(request, policy.max_body)
            limits = Limits(policy.max_fields, policy.max_files, policy.max_part_header)
            parsed = read_form(kind.decode("latin-1"), self.body, limits)
            visit.form = Form(parsed.items)
        visit.entry = admit(greeting, parsed, self.body or b"", policy)

    async def _read(self, request: Request, most: int) -> bytes:
        """The whole body; 413 as soon as it is known to be too long (RFC 9110 15.5.14)."""
        length = request.header(b"content-length")
        chunked = request.header(b"transfer-encoding") is not None
        if length is None and not chunked and self.scope.get("http_version", "1.1").startswith("1"):
            raise LengthRequired("a form body needs a Content-Length")
        if length is not None and not length.isdigit():
            raise BadForm(f"Content-Length {length!r} is not a number")
        if length is not None and int(length) > most:
            raise TooLarge(f"Content-Length {int(length)}, at most {most} bytes are accepted")
        body = bytearray()
        while True:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            body += message.get("body", b"")
            if len(body) > most:
                raise TooLarge(f"more than {most} bytes")
            if not message.get("more_body", False):
                break
        if length is not None and len(body) != int(length):
            raise BadForm(f"Content-Length {int(length)}, but {len(body)} bytes arrived")
        return bytes(body)

    async def _converse(self, visit: Visit) -> None:
        """The page flow around the app; then whatever the app still has to send."""
        tasks: list[asyncio.Task[None]] = []

        async def handle(op: Handle) -> Handled:
            visit.begin(op.opened, op.taken)
            scope = self._inner(visit)
            task = asyncio.ensure_future(self.outer.app(scope, self._hear, self._say))
            tasks.append(task)
            await asyncio.wait((task, self.ready), return_when=asyncio.FIRST_COMPLETED)
            if not self.ready.done():
                await task
                raise RuntimeError("the app ended without an answer")
            return visit.handled(self._head_as_response())

        perform = self.outer.store.perform
        try:
            flow = page(visit.greeting, visit.policy)
            answer: Answer = await self.outer.driver.arun(flow, perform, handle)
            await self._release(answer)
            await tasks[0]
        finally:
            self.finished.set()
            self.released.set()

    def _inner(self, visit: Visit) -> Scope:
        """The scope as the app sees it: the visit in it, the mark out of it."""
        query = visit.greeting.request.query
        scope = dict(self.scope)
        if query != scope.get("query_string", b""):
            scope["query_string"] = query
        scope[KEY] = visit
        scope[f"{KEY}.outer"] = self.outer
        return scope

    async def _hear(self) -> Message:
        """`receive` for the app: the body once more, then a disconnect, but not before its answer."""
        if self.body is not None:
            body, self.body = self.body, None
            self._replayed = True
            return {"type": "http.request", "body": body, "more_body": False}
        if getattr(self, "_replayed", False):
            await self.finished.wait()
            return {"type": "http.disconnect"}
        message = await self.receive()
        if message["type"] == "http.disconnect":
            await self.finished.wait()
        return message

    async def _say(self, message: Message) -> None:
        """`send` for the app: hold back until the flow has written what is to be written."""
        if self.released.is_set():
            await self._forward(message)
            return
        if message["type"] == "http.response.start":
            self.head = message
            return
        self.held.append(message)
        self.size += len(message.get("body", b""))
        more = message.get("more_body", False)
        if not more or self.size > HELD_BACK or not self._is_html():
            if not self.ready.done():
                self.ready.set_result(None)
            if more:
                await self.released.wait()

    async def _forward(self, message: Message) -> None:
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            self.finished.set()
        await self.send(message)

    def _is_html(self) -> bool:
        headers = self.head["headers"] if self.head else ()
        kind = next((v for k, v in headers if k.lower() == b"content-type"), b"")
        return bytes(kind).lower().startswith((b"text/html", b"application/xhtml"))

    def _head_as_response(self) -> Response:
        assert self.head is not None
        headers = tuple((bytes(k).lower(), bytes(v)) for k, v in self.head.get("headers", ()))
        return Response(self.head["status"], headers)

    async def _release(self, answer: Answer) -> None:
        """Send the head as the flow decided it, and everything that was held back."""
        response = answer.response
        replaced = response.status != self.head["status"] if self.head else True
        await self._start(response, tuple(cookie.header() for cookie in answer.cookies))
        empty = replaced or response.header(b"content-length") == "0"
        held, self.held = self.held, []
        for message in held:
            await self._forward({**message, "body": b""} if empty else message)
        self.released.set()

    async def _reply(self, handled: Handled) -> None:
        """An answer of our own, with its body."""
        await self._start(handled.response, tuple(c.header() for c in handled.cookies))
        self.finished.set()
        body = b"" if self.scope["method"] == "HEAD" else handled.response.body
        await self.send({"type": "http.response.body", "body": body})

    async def _start(self, response: Response, cookies: tuple[bytes, ...]) -> None:
        self.status, self.location = response.status, response.header(b"location")
        headers = [*response.headers, *((b"set-cookie", cookie) for cookie in cookies)]
        await self.send(
            {"type": "http.response.start", "status": response.status, "headers": headers}
        )


class ClientGone(Exception):
    """The client left before its body was complete; nothing happened."""


def request_of(scope: Scope) -> Request:
    """An ASGI http scope as a core request."""
    headers: Headers = tuple((bytes(k).lower(), bytes(v)) for k, v in scope["headers"])
    host = next((v for k, v in headers if k == b"host"), b"").decode("latin-1")
    root = scope.get("root_path", "")
    raw = scope.get("raw_path")
    path = bytes(raw).decode("latin-1") if raw else quote(scope["path"], safe="/:@!$&'()*+,;=~%")
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
