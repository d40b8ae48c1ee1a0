"""One ASGI request and its answer: the seam between an app that sends and a flow that decides.

The app runs in a task of its own. What it sends goes into a `Hold`; when the hold says so, the flow
goes on, writes what is to be written, and decides the head; then everything held back is sent and
the rest of the body passes straight through.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from .core.body import Body, is_form
from .core.cookie import SetCookie
from .core.entry import greet
from .core.flows import Answer
from .core.mark import strip
from .core.ops import Handle
from .core.values import Handled, Request, Response
from .errors import Refused, SeeOtherError
from .hold import Hold
from .log import EVENTS, request_line
from .pages import error_page
from .setup import performing
from .visit import Visit

if TYPE_CHECKING:
    from .asgi import SeeOther

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

HINTS: Final = frozenset({"http.response.push", "http.response.early_hint"})


class ClientGone(Exception):
    """The client left before its body was complete; nothing happened."""


class Exchange:
    """One request on its way through."""

    def __init__(self, outer: SeeOther, scope: Scope, receive: Receive, send: Send) -> None:
        self._outer, self._scope = outer, scope
        self._receive, self._send = receive, send
        self._ready, self._released = asyncio.Event(), asyncio.Event()
        self._body: bytes | None = None
        self._heard: asyncio.Task[Message] | None = None
        self._unheard: list[Message] = []
        self._hints: list[Message] = []
        self._app: asyncio.Task[None] | None = None
        self._hold: Hold
        self._visit: Visit
        self._status = 0
        self._own = self._ended = self._trailers = False
        self._landing: str | None = None

    async def run(self, request: Request) -> None:
        """Admit, run, answer, and write one line to the log."""
        started, word = time.perf_counter(), ""
        try:
            word = await self._run(request)
        except ClientGone:
            return
        finally:
            self._released.set()
            if self._heard is not None:
                self._heard.cancel()
        seconds = time.perf_counter() - started
        request_line(request, self._status, self._landing, word, seconds)

    async def _run(self, request: Request) -> str:
        policy = self._outer.policy
        try:
            greeting = greet(request, policy)
        except Refused as error:
            await self._reply(Handled(error_page(error, debug=bool(policy.debug))))
            return error.reason
        visit = self._visit = Visit(greeting, policy, trusts_307=False)
        try:
            await self._admit(visit)
            await self._converse(visit)
        except SeeOtherError as error:
            if self._status:
                raise
            visit.forget()
            await self._reply(visit.handled(visit.refusal(error)))
            await self._given_up(error)
            return error.reason
        return visit.word

    async def _given_up(self, error: SeeOtherError) -> None:
        """The app's answer was replaced by ours: let it end, and do not hide how."""
        self._released.set()
        if self._app is None:
            return
        await asyncio.wait((self._app,))
        failure = None if self._app.cancelled() else self._app.exception()
        if failure is not None and failure is not error:
            EVENTS.error("a view failed after its answer was given up", exc_info=failure)

    async def _admit(self, visit: Visit) -> None:
        """Read the form, if it is one, and name the submission."""
        request, policy = visit.greeting.request, visit.policy
        if not visit.greeting.unsafe:
            return
        if is_form(request):
            chunked = request.header(b"transfer-encoding") is not None
            framed = chunked or not str(self._scope.get("http_version", "1.1")).startswith("1")
            self._body = await self._read(Body(request, policy.max_body, framed=framed))
        visit.submit(self._body)

    async def _read(self, body: Body) -> bytes:
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            body.add(message.get("body", b""))
            if not message.get("more_body", False):
                return body.whole()

    # The conversation ------------------------------------------------------------------------

    async def _converse(self, visit: Visit) -> None:
        """The flow around the app; then whatever the app still has to send."""
        self._hold = Hold(visit.planter, everything=visit.claims)
        perform = performing(self._outer.store.perform, visit.policy)
        answer = await self._outer.driver.arun(visit.flow(), perform, self._handle)
        visit.word = visit.word if answer.word == "page" else answer.word
        await self._release(answer)
        if self._app is not None:
            await self._app

    async def _handle(self, op: Handle) -> Handled:
        """Run the app until its answer is known as far as the flow needs it."""
        visit = self._visit
        visit.begin(op.opened, op.taken)
        self._app = asyncio.ensure_future(
            self._outer.app(self._inner(visit), self._hear, self._say)
        )
        ready = asyncio.ensure_future(self._ready.wait())
        await asyncio.wait((self._app, ready), return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        if not self._ready.is_set():
            await self._app
            raise RuntimeError("the app ended without an answer")
        assert self._hold.head is not None
        handled = visit.handled(self._hold.head)
        if op.taken and await self._client_left():
            return replace(handled, shown=False)
        return handled

    def _inner(self, visit: Visit) -> Scope:
        """The scope as the app sees it: the visit in it, the mark out of it.

        Files that the server copies by itself could not be planted in between, so that extension
        is not passed on.
        """
        offered = dict(self._scope.get("extensions") or {})
        offered.pop("http.response.zerocopysend", None)
        return {
            **self._scope,
            "extensions": offered,
            "headers": [self._unmarked(visit, *line) for line in self._scope["headers"]],
            "query_string": visit.greeting.request.query,
            "seeother": visit,
            "seeother.outer": self._outer,
        }

    def _unmarked(self, visit: Visit, name: bytes, value: bytes) -> tuple[bytes, bytes]:
        if name != b"referer" or b"?" not in value:
            return name, value
        policy, url = visit.policy, value.decode("latin-1")
        return name, strip(url, policy.mark, policy.ring).encode("latin-1")

    async def _client_left(self) -> bool:
        """Has the client gone? Then its page is shown to nobody and its messages must wait."""
        for _ in range(2):
            if self._heard is None:
                self._heard = asyncio.ensure_future(self._receive())
            for _ in range(2):
                await asyncio.sleep(0)
            if not self._heard.done():
                return False
            if self._heard.result()["type"] == "http.disconnect":
                return True
            self._unheard.append(self._heard.result())
            self._heard = None
        return False

    async def _hear(self) -> Message:
        """`receive` for the app: the body once more; no disconnect before a submission's answer."""
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        if self._unheard:
            return self._unheard.pop(0)
        if self._heard is None:
            self._heard = asyncio.ensure_future(self._receive())
        message = await asyncio.shield(self._heard)
        if message["type"] != "http.disconnect":
            self._heard = None
        elif self._visit.greeting.unsafe:
            await self._released.wait()
        return message

    async def _say(self, message: Message) -> None:
        """`send` for the app."""
        if message["type"] == "http.response.start":
            headers = tuple((bytes(k).lower(), bytes(v)) for k, v in message.get("headers", ()))
            self._trailers = message.get("trailers", False)
            self._hold.start(Response(message["status"], headers))
        elif message["type"] != "http.response.body":
            await self._say_more(message)
        elif self._released.is_set():
            last = not message.get("more_body", False)
            await self._piece(self._hold.through(message.get("body", b""), last=last), last=last)
        else:
            last = not message.get("more_body", False)
            if self._hold.add(message.get("body", b""), last=last):
                self._ready.set()
            if self._ready.is_set() and not last:
                await self._released.wait()

    async def _say_more(self, message: Message) -> None:
        """What extensions allow: before the head, right after it, or in place of the body."""
        if message["type"] == "http.response.debug":
            await self._send(message)
        elif message["type"] in HINTS and not self._released.is_set():
            self._hints.append(message)
        else:
            self._ready.set()
            await self._released.wait()
            if self._own:
                await self._send(message)

    # The answer ------------------------------------------------------------------------------

    async def _release(self, answer: Answer) -> None:
        """Send the head as the flow decided it, and everything that was held back."""
        head = answer.response
        if answer.handled is None:  # not the app's own answer: a replay
            replay = self._visit.complete(head)
            await self._reply(Handled(replay, cookies=answer.cookies))
        elif head.header(b"content-length") == "0":
            await self._reply(Handled(replace(head, body=b""), cookies=answer.cookies))
        else:
            self._own = True
            head, held = self._hold.fitted(head), self._hold.release()
            with suppress(OSError):  # the client has gone; what was done stays done
                await self._start(head, answer.cookies)
                for hint in self._hints:
                    await self._send(hint)
                await self._piece(held, last=self._hold.complete)
        self._released.set()

    async def _piece(self, body: bytes, *, last: bool) -> None:
        if (body or last) and not self._ended:
            self._ended = last
            message = {"type": "http.response.body", "body": body, "more_body": not last}
            await self._send(message)

    async def _reply(self, handled: Handled) -> None:
        """An answer of our own, with its body."""
        body = b"" if self._scope["method"] == "HEAD" else handled.response.body
        with suppress(OSError):
            await self._start(handled.response, handled.cookies)
            await self._piece(body, last=True)

    async def _start(self, response: Response, cookies: Iterable[SetCookie]) -> None:
        self._status, self._landing = response.status, response.header(b"location")
        added = [(b"set-cookie", cookie.header()) for cookie in cookies]
        start: Message = {"type": "http.response.start", "status": response.status}
        start["headers"] = [*response.headers, *added]
        if self._own and self._trailers:
            start["trailers"] = True
        await self._send(start)
