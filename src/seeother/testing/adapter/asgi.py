"""A client that is an ASGI server: an event loop on a thread of its own, without a socket."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, Final, TypeVar
from urllib.parse import unquote

from .stage import Ask

App = Callable[[Any, Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]], Any]
T = TypeVar("T")

WAIT: Final = 30.0  # longer than anything here takes: only a deadlock takes longer
GRACE: Final = 5.0  # what a request may still do after its client has closed
PIECES: Final = 4
ASGI: Final = {"version": "3.0", "spec_version": "2.5"}


class ASGIClient:
    """HTTP into an ASGI app, with lifespan; `extensions` is what the server offers.

    Whatever the event loop has to complain about is raised by `close`.
    """

    def __init__(self, app: App, extensions: dict[str, Any] | None = None) -> None:
        self._app, self._extensions = app, extensions or {}
        self._complaints: list[dict[str, Any]] = []
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(lambda _loop, context: self._complaints.append(context))
        self._thread = threading.Thread(target=self._loop.run_forever, name="asgi-client")
        self._thread.start()
        self._lifespan = Lifespan(app)
        self._wait(self._lifespan.start())

    def open(self, ask: Ask) -> ASGIStream:
        """Run the app in a task; returns when it has sent the head of its answer."""
        stream = self.start(ask)
        stream.head()
        return stream

    def start(self, ask: Ask) -> ASGIStream:
        """Run the app in a task, and wait for nothing."""
        stream = ASGIStream(ask, self._loop)
        scope = {**scope_of(ask), "extensions": dict(self._extensions)}
        stream.running = self.run(stream.run(self._app, scope))
        return stream

    def run(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Run something on the loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def close(self) -> None:
        """Shut down: lifespan, loop, thread."""
        try:
            self._wait(self._lifespan.stop())
            self._wait(self._ended())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(WAIT)
            self._loop.close()
        assert not self._complaints, self._complaints

    @staticmethod
    async def _ended() -> None:
        """Let whatever still runs come to its end, as servers do; what does not, is cancelled."""
        left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        if left:
            await asyncio.wait(left, timeout=GRACE)
        late = [task for task in left if not task.done()]
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        return self.run(work).result(WAIT)


class Lifespan:
    """The lifespan of an app that may know none."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._task: asyncio.Task[None] | None = None
        self._asked: asyncio.Queue[Any] = asyncio.Queue()
        self._answers: asyncio.Queue[Any] = asyncio.Queue()

    async def start(self) -> None:
        """Startup; an app that raises has no lifespan."""
        scope = {"type": "lifespan", "asgi": ASGI, "state": {}}
        self._task = asyncio.ensure_future(self._app(scope, self._asked.get, self._answers.put))
        await self._ask("lifespan.startup")

    async def stop(self) -> None:
        """Shutdown."""
        if self._task is not None and not self._task.done():
            await self._ask("lifespan.shutdown")
            await self._task

    async def _ask(self, kind: str) -> None:
        assert self._task is not None
        await self._asked.put({"type": kind})
        answer = asyncio.ensure_future(self._answers.get())
        await asyncio.wait((answer, self._task), return_when=asyncio.FIRST_COMPLETED)
        answer.cancel()
        if self._task.done():
            with suppress(Exception):
                self._task.result()


class ASGIStream:
    """An answer of an ASGI app, as a server would send it."""

    running: Future[None]

    def __init__(self, ask: Ask, loop: asyncio.AbstractEventLoop) -> None:
        self.status = 0
        self.headers: tuple[tuple[str, str], ...] = ()
        self.messages: list[Any] = []
        self._ask, self._loop = ask, loop
        self._parts = [ask.body[:1], ask.body[1:]] if len(ask.body) > 1 else [ask.body]
        self._started, self._complete = threading.Event(), False
        self._gone = asyncio.Event()
        self._pieces: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._room = asyncio.Semaphore(PIECES)

    async def run(self, app: App, scope: Any) -> None:
        """The app's whole call, and what servers do when it raises."""
        try:
            await app(scope, self._receive, self._send)
        except Exception:  # noqa: BLE001 - a server answers whatever an app raises
            if not self._started.is_set():
                self.status, self.headers = 500, (("content-type", "text/plain"),)
        finally:
            self._gone.set()
            self._started.set()
            self._pieces.put_nowait(None)

    async def _receive(self) -> Any:
        if self._parts and not self._gone.is_set():
            part = self._parts.pop(0)
            return {"type": "http.request", "body": part, "more_body": bool(self._parts)}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        self.messages.append(message)
        if self._gone.is_set():
            return
        if message["type"] == "http.response.start":
            lines = message.get("headers", ())
            self.headers = tuple((k.decode("latin-1"), v.decode("latin-1")) for k, v in lines)
            self.status = message["status"]
        elif message["type"] == "http.response.body":
            self._started.set()
            self._pieces.put_nowait(message.get("body", b""))
            if message.get("more_body", False):
                await self._pressed()
            else:
                self._pieces.put_nowait(None)
                self._gone.set()

    async def _pressed(self) -> None:
        """Wait until the reader is not far behind, or has left."""
        room = asyncio.ensure_future(self._room.acquire())
        gone = asyncio.ensure_future(self._gone.wait())
        await asyncio.wait((room, gone), return_when=asyncio.FIRST_COMPLETED)
        room.cancel()
        gone.cancel()

    async def _next(self) -> bytes | None:
        piece = await self._pieces.get()
        self._room.release()
        return piece

    def head(self) -> None:
        """Wait for the head of the answer."""
        assert self._started.wait(WAIT), "no answer came: a deadlock"

    def __iter__(self) -> Iterator[bytes]:
        while True:
            got = asyncio.run_coroutine_threadsafe(self._next(), self._loop)
            piece = got.result(WAIT)
            if piece is None:
                return
            yield piece

    def close(self) -> None:
        """Leave; what the app still does, it does alone."""
        with suppress(RuntimeError):  # the loop has gone already
            self._loop.call_soon_threadsafe(self._gone.set)

    def finished(self) -> None:
        """Wait until the app's call has returned."""
        self.running.result(WAIT)


def scope_of(ask: Ask) -> dict[str, Any]:
    """A request as an ASGI scope."""
    path, _, query = ask.target.partition("?")
    return {
        "type": "http",
        "asgi": ASGI,
        "http_version": "1.1",
        "method": ask.method,
        "scheme": ask.scheme,
        "path": unquote(path),
        "raw_path": path.encode("ascii"),
        "query_string": query.encode("latin-1"),
        "root_path": "",
        "headers": [(k.lower().encode(), v.encode("latin-1")) for k, v in ask.lines()],
        "client": ("127.0.0.1", 40_000),
        "server": ("127.0.0.1", 8000),
        "state": {},
    }
