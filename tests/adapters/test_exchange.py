"""What only ASGI has: clients that leave, extensions of servers, odd apps, lifespan, websockets.

Each test runs one event loop and plays the server itself, because what is tested is what a server
may do at any moment. Both sides are linted.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any
from urllib.parse import urlencode

import pytest
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import (
    FileResponse,
    HTMLResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Mount, Route

from seeother.asgi import SeeOther
from seeother.core.ops import Close, Op, Settle
from seeother.errors import PolicyError, StoreDown
from seeother.testing.adapter.browser import FORM, TOKEN
from seeother.testing.adapter.stage import HOST, SECRET
from seeother.testing.lint import ASGILint
from tests.adapters.stages import lifespan, read

TEXT = [(b"content-type", b"text/plain")]
HTML = [(b"content-type", b"text/html; charset=utf-8")]
PAGE = b'<form method=post action="/save"><button>Go</button></form>'
BIG = 100_000
Message = dict[str, Any]
App = Callable[[Any, Any, Any], Awaitable[None]]


def start(status: int, headers: Any = TEXT, **more: Any) -> Message:
    """The start of an answer."""
    return {"type": "http.response.start", "status": status, "headers": headers, **more}


def piece(body: bytes = b"", *, more: bool = False) -> Message:
    """A piece of its body."""
    return {"type": "http.response.body", "body": body, "more_body": more}


def telling(*messages: Message) -> App:
    """An app that reads its request and sends these messages."""

    async def app(_scope: Any, receive: Any, send: Any) -> None:
        await read(receive)
        for message in messages:
            await send(message)

    return app


class Server:
    """One connection to an app behind seeother: what it was told, and what it may be told."""

    def __init__(self, app: App, *, lint: bool = True, **policy: Any) -> None:
        settings = {"secret": SECRET, "namespace": "contract", "store": "memory://", **policy}
        self.middleware = SeeOther(ASGILint(app) if lint else app, **settings)
        self.app: App = ASGILint(self.middleware) if lint else self.middleware
        self.cookies: dict[str, str] = {}
        self.told: list[Message] = []
        self.gone = asyncio.Event()
        self.drops = False

    async def ask(
        self,
        method: str = "GET",
        target: str = "/",
        parts: tuple[bytes, ...] = (b"",),
        headers: tuple[tuple[bytes, bytes], ...] = (),
        **more: Any,
    ) -> list[Message]:
        """One request to its end; returns what was told."""
        told, left = list[Message](), list(parts)
        self.told, self.gone = told, asyncio.Event()

        async def receive() -> Message:
            if left and not self.gone.is_set():
                part = left.pop(0)
                return {"type": "http.request", "body": part, "more_body": bool(left)}
            await self.gone.wait()
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            if self.drops:
                raise OSError("the client has gone")
            told.append(message)
            await asyncio.sleep(0)

        try:
            await self.app(self.scope(method, target, headers, **more), receive, send)
        finally:
            self.gone.set()
            self._keep(told)
        return told

    def scope(self, method: str, target: str, headers: Any, **more: Any) -> Message:
        """A request as a scope."""
        path, _, query = target.partition("?")
        lines = [(b"host", HOST.encode()), *headers]
        if self.cookies:
            lines.append(
                (b"cookie", "; ".join(f"{k}={v}" for k, v in self.cookies.items()).encode())
            )
        scope: Message = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1"}
        scope |= {"method": method, "path": path, "query_string": query.encode()}
        return {**scope, "headers": lines, **more}

    async def post(self, fields: dict[str, str], **more: Any) -> list[Message]:
        """A form of this site."""
        body = urlencode(fields).encode()
        head = ((b"content-type", FORM.encode()), (b"content-length", str(len(body)).encode()))
        origin = (b"origin", f"http://{HOST}".encode())
        return await self.ask("POST", "/", (body,), (*head, origin), **more)

    async def token(self) -> str:
        """The token of the page at `/`."""
        found = TOKEN.findall(body_of(await self.ask()).decode())
        assert len(found) == 1
        return str(found[0])

    def _keep(self, told: list[Message]) -> None:
        for name, value in told[0].get("headers", ()) if told else ():
            if name == b"set-cookie":
                key, _, rest = value.decode().partition("=")
                self.cookies[key] = rest.partition(";")[0]


def body_of(told: list[Message]) -> bytes:
    """The body of an answer."""
    return b"".join(m["body"] for m in told if m["type"] == "http.response.body")


def head_of(told: list[Message]) -> tuple[int, dict[str, str]]:
    """Status and headers of an answer."""
    return told[0]["status"], {k.decode(): v.decode() for k, v in told[0]["headers"]}


def run(work: Coroutine[Any, Any, None]) -> None:
    """Run a test on a loop of its own; what the loop complains about fails it."""
    complaints: list[Any] = []

    async def watched() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _l, c: complaints.append(c))
        await asyncio.wait_for(work, 30)

    asyncio.run(watched())
    assert not complaints, complaints


# A client that leaves -----------------------------------------------------------------------------


class Slow:
    """A view that stops in the middle until it is let go."""

    def __init__(self) -> None:
        self.inside, self.finish = asyncio.Event(), asyncio.Event()
        self.effects = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["method"] == "GET":
            return await telling(start(200, HTML), piece(PAGE))(scope, receive, send)
        self.inside.set()
        await self.finish.wait()
        self.effects += 1
        return await telling(start(303, [(b"location", b"/x")]), piece())(scope, receive, send)


@pytest.mark.parametrize("how", ["leaves", "is cancelled", "refuses every message"])
def test_a_view_runs_on_without_its_client(how: str) -> None:
    """The client goes in the middle of the view: it runs to its end, a retry gets its outcome."""

    async def test() -> None:
        view = Slow()
        server = Server(view)
        sent = {"a": "1", "so_token": await server.token()}
        first = asyncio.ensure_future(server.post(sent))
        await view.inside.wait()
        server.gone.set()
        server.drops = how.startswith("refuses")
        if how == "is cancelled":
            first.cancel()
        view.finish.set()
        with suppress(asyncio.CancelledError):
            await first
        server.drops = False
        status, headers = head_of(await server.post(sent))
        assert (status, headers["location"], view.effects) == (303, "/x", 1)

    run(test())


def test_a_retry_waits_for_the_view_that_its_client_left() -> None:
    """The retry comes while the first one still runs: it waits, and gets the first one's answer."""

    async def test() -> None:
        view = Slow()
        server = Server(view)
        sent = {"a": "1", "so_token": await server.token()}
        first = asyncio.ensure_future(server.post(sent))
        await view.inside.wait()
        server.gone.set()
        again = asyncio.ensure_future(server.post(sent))
        await asyncio.sleep(0)
        view.finish.set()
        answers = [head_of(told) for told in await asyncio.gather(first, again)]
        assert answers[0][1]["location"] == answers[1][1]["location"]
        assert view.effects == 1

    run(test())


def test_a_submission_hears_of_the_disconnect_after_its_answer() -> None:
    """A view that listens for the disconnect is not stopped in the middle of a submission."""

    async def test() -> None:
        heard: list[str] = []

        async def view(_scope: Any, receive: Any, send: Any) -> None:
            await read(receive)
            server.gone.set()
            listening = asyncio.ensure_future(receive())
            await asyncio.wait({listening}, timeout=0)
            heard.append("too early" if listening.done() else "not yet")
            await send(start(200))
            await send(piece(b"done"))
            heard.append((await listening)["type"])

        server = Server(view)
        await server.post({"a": "1"})
        assert heard == ["not yet", "http.disconnect"]

    run(test())


def test_a_page_hears_of_the_disconnect_at_once() -> None:
    """A GET that waits for its client to go, as streams do, is told."""

    async def test() -> None:
        async def view(_scope: Any, receive: Any, send: Any) -> None:
            await send(start(200))
            await send(piece(b"tick", more=True))
            kinds = [(await receive())["type"]]
            server.gone.set()
            kinds += [(await receive())["type"] for _ in range(2)]
            assert kinds == ["http.request", "http.disconnect", "http.disconnect"]

        server = Server(view)
        assert body_of(await server.ask()) == b"tick"

    run(test())


def test_a_form_that_never_ends_runs_nothing() -> None:
    """The client leaves before its form is complete: the app is not called, nothing is answered."""

    async def test() -> None:
        async def never(*_all: Any) -> None:
            raise AssertionError("called")

        server = Server(never)
        head = ((b"content-type", FORM.encode()), (b"content-length", b"9"))
        asked = asyncio.ensure_future(server.ask("POST", "/", (b"a=1", b"", b""), head))
        server.gone.set()
        await asyncio.sleep(0)
        server.gone.set()
        assert await asked == []

    run(test())


# Extensions of servers ----------------------------------------------------------------------------

EXTRAS: dict[str, list[Message]] = {
    "early hints": [
        start(200, HTML),
        {"type": "http.response.early_hint", "links": [b"</style.css>; rel=preload"]},
        piece(PAGE, more=True),
        piece(b"<p>end"),
    ],
    "push": [
        start(200),
        {"type": "http.response.push", "path": "/style.css", "headers": []},
        piece(b"text"),
    ],
    "trailers": [
        start(200, trailers=True),
        piece(b"text", more=True),
        piece(b"more"),
        {"type": "http.response.trailers", "headers": [(b"x-sum", b"1")]},
    ],
    "a file by path": [
        start(200, [(b"content-type", b"video/mp4"), (b"content-length", b"5")]),
        {"type": "http.response.pathsend", "path": "/srv/film.mp4"},
    ],
    "debug": [
        {"type": "http.response.debug", "info": {"template": object()}},
        start(200),
        piece(b"text"),
    ],
}
OFFERED: Message = {
    f"http.response.{name}": {}
    for name in ("pathsend", "zerocopysend", "push", "early_hint", "trailers", "debug")
}


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("what", EXTRAS)
def test_extensions_pass(what: str, method: str) -> None:
    """What a server offers beyond the core of ASGI passes, in order, and nothing waits for ever."""

    async def test() -> None:
        server = Server(telling(*EXTRAS[what]))
        ask = server.ask if method == "GET" else lambda **more: server.post({"a": "1"}, **more)
        told = await ask(extensions=OFFERED)
        kinds = [message["type"] for message in told]
        sent = [message["type"] for message in EXTRAS[what]]
        assert list(dict.fromkeys(kinds)) == list(dict.fromkeys(sent))
        begin = next(message for message in told if message["type"] == "http.response.start")
        assert begin.get("trailers", False) == (what == "trailers")

    run(test())


def test_a_file_is_not_sent_behind_a_redirect() -> None:
    """A 302 that an app sends with a body from a file: 303, and the file stays where it is."""

    async def test() -> None:
        head = [(b"location", b"/x"), *TEXT]
        file = {"type": "http.response.pathsend", "path": "/srv/page.html"}
        told = await Server(telling(start(302, head), file)).post({"a": "1"}, extensions=OFFERED)
        assert [m["type"] for m in told] == ["http.response.start", "http.response.body"]
        assert (told[0]["status"], told[1]["body"]) == (303, b"")

    run(test())


def test_zero_copy_is_not_offered() -> None:
    """Files that the server copies into a body could not be planted in between."""

    async def test() -> None:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            kept = OFFERED.keys() - {"http.response.zerocopysend"}
            assert scope["extensions"].keys() == kept
            await telling(start(200), piece())(scope, receive, send)

        await Server(app).ask(extensions=OFFERED)

    run(test())


# Odd apps -----------------------------------------------------------------------------------------

ODD: dict[str, list[Message]] = {
    "no answer": [],
    "a head only": [start(200)],
    "half a page": [start(200, HTML), piece(PAGE, more=True)],
    "half a large page": [start(200, HTML), piece(b"x" * BIG, more=True)],
    "half a stream": [start(200), piece(b"x", more=True)],
}


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("raises", [True, False], ids=["raises", "returns"])
@pytest.mark.parametrize("what", ODD)
def test_an_app_that_ends_too_early(what: str, raises: bool, method: str) -> None:
    """An app that raises or returns in the middle: its server hears of it, and nothing hangs."""

    async def test() -> None:
        async def app(scope: Any, receive: Any, send: Any) -> None:
            await telling(*ODD[what])(scope, receive, send)
            if raises:
                raise LookupError("in the middle")

        server = Server(app, lint=False)
        ask = server.ask() if method == "GET" else server.post({"a": "1"})
        streaming = any(word in what for word in ("stream", "large", "head"))
        if raises:
            with pytest.raises(LookupError, match="in the middle"):
                await ask
        else:
            await ask
            begun = streaming and method == "GET"
            assert bool(server.told) == begun  # else nothing was said: the server answers that
        finished = [m for m in server.told if not m.get("more_body", True)]
        assert not finished

    run(test())


def test_a_large_answer_of_a_submission_is_whole() -> None:
    """Separate holds an answer back until it is settled, up to 1 MiB; the rest still arrives."""

    async def test() -> None:
        pieces = [piece(b"%d" % n * 1000, more=True) for n in range(10)] * 200
        told = await Server(telling(start(200), *pieces, piece(b"end"))).post({"a": "1"})
        assert body_of(told) == b"".join(m["body"] for m in pieces) + b"end"

    run(test())


@pytest.mark.parametrize("kind", [TEXT, HTML], ids=["text", "page"])
def test_who_has_said_everything_need_not_wait(kind: list[tuple[bytes, bytes]]) -> None:
    """The view ends with its last piece; what it leaves is written, and only then it is sent."""

    async def test() -> None:
        ended = threading.Event()

        async def view(scope: Any, _receive: Any, send: Any) -> None:
            scope["seeother"].session["seen"] = True
            await send(start(200, kind))
            await send(piece(b"done"))
            assert not server.told
            ended.set()

        server = Server(view)
        store: Any = server.middleware.store
        perform = store.perform

        def patient(op: Op[Any]) -> Any:
            assert not isinstance(op, Close) or ended.wait(20)
            return perform(op)

        store.perform = patient
        told = await server.ask()
        assert (head_of(told)[0], body_of(told)) == (200, b"done")
        assert "set-cookie" in head_of(told)[1]

    run(test())


class Failing:
    """A store whose Settle fails; everything else is a real store's affair."""

    def __init__(self, server: Server) -> None:
        store: Any = server.middleware.store
        perform = store.perform

        def failing(op: Op[Any]) -> Any:
            if isinstance(op, Settle):
                raise StoreDown("the disk is full")
            return perform(op)

        store.perform = failing


@pytest.mark.parametrize("fails", [False, True], ids=["goes on", "raises"])
def test_an_answer_that_is_given_up(fails: bool, caplog: pytest.LogCaptureFixture) -> None:
    """The outcome cannot be recorded while the view still streams: it ends, and is not hidden."""

    async def test() -> None:
        ended: list[str] = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            if scope["method"] == "GET":
                return await telling(start(200, HTML), piece(PAGE))(scope, receive, send)
            await read(receive)
            await send(start(200))
            for _ in range(30):
                await send(piece(b"x" * BIG, more=True))
            await send(piece())
            ended.append("to its end")
            if fails:
                raise LookupError("after that")
            return None

        server = Server(app, retry_safe=True, lint=not fails)
        sent = {"a": "1", "so_token": await server.token()}
        Failing(server)
        status, _ = head_of(await server.post(sent))
        assert (status, ended) == (500, ["to its end"])

    run(test())
    assert ("after its answer was given up" in caplog.text) == fails


# Bodies -------------------------------------------------------------------------------------------


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answer with the body as the app receives it."""
    body = await read(receive)
    form = scope["seeother"].form.get("a", "").encode()
    await telling(start(200), piece(body + b"|" + form))(scope, _nothing, send)


async def _nothing() -> Message:
    return {"type": "http.request"}


@pytest.mark.parametrize(
    ("version", "headers", "status"),
    [
        ("1.1", [(b"content-length", b"3")], 200),
        ("1.1", [(b"transfer-encoding", b"chunked")], 200),
        ("2", [], 200),
        ("3", [], 200),
        ("1.1", [], 411),
        ("1.0", [], 411),
        ("1.1", [(b"content-length", b"2")], 400),
        ("1.1", [(b"content-length", b"4")], 400),
        ("2", [(b"content-length", b"4")], 400),
        ("1.1", [(b"content-length", b"3"), (b"content-length", b"3")], 400),
        ("1.1", [(b"content-length", b"3, 3")], 400),
        ("1.1", [(b"content-length", b"")], 400),
        ("1.1", [(b"transfer-encoding", b"chunked"), (b"content-length", b"4")], 400),
        ("1.1", [(b"content-length", b"3"), (b"content_length", b"9")], 200),
    ],
)
def test_the_length_of_a_form(version: str, headers: Any, status: int) -> None:
    """A form is read where its end is known, and is as long as it said; else 411 or 400."""

    async def test() -> None:
        server = Server(echo, lint=False)
        head = ((b"content-type", FORM.encode()), *headers)
        told = await server.ask("POST", "/", (b"a", b"", b"=1"), head, http_version=version)
        assert head_of(told)[0] == status
        assert (body_of(told) == b"a=1|1") == (status == 200)

    run(test())


def test_no_body_for_longer_than_allowed() -> None:
    """Without a length: refused at the byte that is too much, and not read any further."""

    async def test() -> None:
        server = Server(echo, max_body=1000)
        head = ((b"content-type", FORM.encode()),)
        endless = tuple(b"a" * 600 for _ in range(10))
        told = await server.ask("POST", "/", endless, head, http_version="2")
        assert head_of(told)[0] == 413

    run(test())


def test_the_app_sees_no_mark() -> None:
    """Query string and Referer come without our mark, else untouched; the server's scope too."""

    async def test() -> None:
        seen: list[Any] = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            seen.append(scope)
            if scope["method"] == "GET":
                return await telling(start(200, HTML), piece(PAGE))(scope, receive, send)
            answer = scope["seeother"].see_other("/?a=1", flash="Saved.")
            return await telling(start(303, answer.headers), piece())(scope, receive, send)

        server = Server(app)
        await server.token()
        target = head_of(await server.post({"a": "1"}))[1]["location"]
        referer = ((b"referer", b"http://localhost:8000" + target.encode()),)
        scope = server.scope("GET", target, referer)
        before = {**scope, "headers": list(scope["headers"])}
        await server.ask("GET", target, headers=referer)
        assert "so=" in target
        assert seen[-1]["query_string"] == b"a=1"
        assert (b"referer", b"http://localhost:8000/?a=1") in seen[-1]["headers"]
        await server.ask("GET", "/?so=mine&so", headers=((b"referer", b"http://x/?so=mine"),))
        assert seen[-1]["query_string"] == b"so=mine&so"
        assert (b"referer", b"http://x/?so=mine") in seen[-1]["headers"]
        assert before == scope

    run(test())


# Lifespan, websockets, settings -------------------------------------------------------------------


def test_lifespan_passes() -> None:
    """Startup and shutdown reach the app, and its answers the server."""

    async def test() -> None:
        server = Server(lambda _scope, receive, send: lifespan(receive, send))
        asked = [{"type": f"lifespan.{word}"} for word in ("shutdown", "startup")]
        told: list[Message] = []

        async def receive() -> Message:
            return asked.pop()

        async def send(message: Message) -> None:
            told.append(message)

        await server.app({"type": "lifespan", "asgi": {"version": "3.0"}}, receive, send)
        words = [message["type"].removeprefix("lifespan.") for message in told]
        assert words == ["startup.complete", "shutdown.complete"]

    run(test())


def test_shutdown_waits_for_views_that_still_run() -> None:
    """A view whose client left ends before the app is told to shut down."""

    async def test() -> None:
        view, order = Slow(), list[str]()

        async def app(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "lifespan":
                await lifespan(receive, send)
                order.append("shut down")
            else:
                await view(scope, receive, send)
                order.append("view ended")

        server = Server(app, lint=False)
        words: asyncio.Queue[Message] = asyncio.Queue()

        async def send(_message: Message) -> None:
            await asyncio.sleep(0)

        scope = {"type": "lifespan", "asgi": {"version": "3.0"}}
        living = asyncio.ensure_future(server.app(scope, words.get, send))
        await words.put({"type": "lifespan.startup"})
        posted = asyncio.ensure_future(server.post({"a": "1"}))
        await view.inside.wait()
        posted.cancel()
        await words.put({"type": "lifespan.shutdown"})
        await asyncio.wait({living}, timeout=0)
        view.finish.set()
        await living
        assert order == ["view ended", "shut down"]

    run(test())


def test_an_app_without_lifespan() -> None:
    """An app that knows no lifespan raises, and the server is told so, as without seeother."""

    async def test() -> None:
        async def app(scope: Any, _receive: Any, _send: Any) -> None:
            raise ValueError(scope["type"])

        with pytest.raises(ValueError, match="lifespan"):
            await Server(app).app({"type": "lifespan", "asgi": {"version": "3.0"}}, None, None)

    run(test())


def test_websockets_pass_untouched() -> None:
    """A websocket is handed on as it is: the same scope, the same two functions."""

    async def test() -> None:
        seen: list[Any] = []

        async def app(*all_: Any) -> None:
            seen.extend(all_)

        server = Server(app, lint=False)
        given = ({"type": "websocket"}, object(), object())
        await server.app(*given)
        assert all(a is b for a, b in zip(seen, given, strict=True))

    run(test())


def test_hooked_needs_an_adapter() -> None:
    """A mode that this adapter cannot keep is refused when the app is built."""
    with pytest.raises(PolicyError, match="hooked"):
        SeeOther(echo, mode="hooked", secret=SECRET, store="memory://")


# Starlette ----------------------------------------------------------------------------------------


def starlette(folder: Any, ran: list[str]) -> Starlette:
    """An app with every kind of response that Starlette has."""
    file = folder / "page.html"
    file.write_bytes(PAGE)

    async def ticks() -> Any:
        for n in range(3):
            yield f"tick {n} "

    async def page(request: Request) -> Response:
        if request.method == "POST":
            ran.append((await request.body()).decode().partition("&")[0])
            return RedirectResponse("/page")  # 307, Starlette's default
        return HTMLResponse(PAGE)

    def after(_request: Request) -> Response:
        return PlainTextResponse("done", background=BackgroundTask(ran.append, "background"))

    return Starlette(
        routes=[
            Route("/", page, methods=["GET", "POST"]),
            Route("/page", page),
            Route("/stream", lambda _r: StreamingResponse(ticks(), media_type="text/plain")),
            Route("/file", lambda _r: FileResponse(file)),
            Route("/after", after),
            Mount("/mount", routes=[Route("/", page, methods=["GET", "POST"])]),
        ]
    )


def test_starlette(tmp_path: Any) -> None:
    """Pages, files, streams, background tasks, forms, mounts, 404: all pass under both lints."""

    async def test() -> None:
        ran: list[str] = []
        server = Server(starlette(tmp_path, ran))
        sent = {"a": "1", "so_token": await server.token()}
        status, headers = head_of(await server.post(sent))
        assert (status, headers["location"], ran) == (303, "/page", ["a=1"])
        assert head_of(await server.post(sent))[1]["location"] == "/page"
        assert body_of(await server.ask("GET", "/stream")) == b"tick 0 tick 1 tick 2 "
        assert len(TOKEN.findall(body_of(await server.ask("GET", "/file")).decode())) == 1
        assert body_of(await server.ask("GET", "/after")) == b"done"
        assert len(TOKEN.findall(body_of(await server.ask("GET", "/mount/")).decode())) == 1
        assert head_of(await server.ask("GET", "/nowhere"))[0] == 404
        partial = await server.ask("GET", "/file", headers=((b"range", b"bytes=0-3"),))
        assert (head_of(partial)[0], body_of(partial)) == (206, PAGE[:4])
        assert ran == ["a=1", "background"]

    run(test())


@pytest.mark.parametrize("first", [b"", b"data: 1\n\n"], ids=["nothing yet", "one piece"])
def test_a_stream_begins_before_its_first_byte(first: bytes) -> None:
    """The head of a stream is sent when the app sends it, however long its next byte takes."""

    async def test() -> None:
        goes_on = asyncio.Event()

        async def app(_scope: Any, receive: Any, send: Any) -> None:
            await read(receive)
            await send(start(200, [(b"content-type", b"text/event-stream")]))
            await send(piece(first, more=True))
            await goes_on.wait()
            await send(piece(b"data: 2\n\n"))

        server = Server(app)
        asking = asyncio.ensure_future(server.ask())
        while not server.told:  # noqa: ASYNC110 - no head, and `run` ends this
            await asyncio.sleep(0)
        assert head_of(server.told)[0] == 200
        assert not asking.done()
        goes_on.set()
        assert body_of(await asking) == first + b"data: 2\n\n"

    run(test())
