"""The lints themselves: each rule fires, for each side, and what is right passes."""

import asyncio
import socket
import threading
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from seeother.testing.lint import ASGILint, LintError, WSGILint
from tests.browser.polling import until

Message = dict[str, Any]

SCOPE: Message = {
    "type": "http",
    "asgi": {"version": "3.0", "spec_version": "2.5"},
    "http_version": "1.1",
    "method": "GET",
    "scheme": "http",
    "path": "/",
    "raw_path": b"/",
    "query_string": b"",
    "root_path": "",
    "headers": [(b"host", b"localhost")],
    "client": ("127.0.0.1", 1),
    "server": ("127.0.0.1", 80),
    "extensions": {},
    "state": {},
}
REQUEST: Message = {"type": "http.request", "body": b"", "more_body": False}
GONE: Message = {"type": "http.disconnect"}
START: Message = {"type": "http.response.start", "status": 200, "headers": [(b"x-a", b"b")]}
BODY: Message = {"type": "http.response.body", "body": b"hello", "more_body": False}
MORE: Message = {**BODY, "more_body": True}
ALL: Message = {
    f"http.response.{n}": {} for n in ("push", "pathsend", "trailers", "debug", "early_hint")
}
ALL["http.response.zerocopysend"] = {}


def converse(
    scope: Any,
    heard: list[Any],
    said: list[Any],
    *,
    hears: int | None = None,
    swallows: bool = False,
    **options: Any,
) -> None:
    """A server that says `heard` and an app that says `said`, through the lint."""

    async def app(_scope: Any, receive: Any, send: Any) -> None:
        try:
            for _ in range(len(heard) if hears is None else hears):
                await receive()
            for message in said:
                await send(message)
        except LintError:
            if not swallows:
                raise

    left = list(heard)

    async def receive() -> Any:
        return left.pop(0)

    async def send(_message: Any) -> None:
        return None

    asyncio.run(ASGILint(app, **options)(scope, receive, send))


def without(key: str) -> Message:
    """The scope without one key."""
    return {k: v for k, v in SCOPE.items() if k != key}


# The server's side --------------------------------------------------------------------------------

BAD_SCOPES: dict[str, tuple[Any, str]] = {
    "no dict": ([], "the scope is a dict"),
    "a key that is no str": ({**SCOPE, 1: 2}, "keys of the scope are str"),
    "no type": (without("type"), "type is None"),
    "unknown type": ({**SCOPE, "type": "mqtt"}, "'mqtt'"),
    "no asgi": (without("asgi"), "no `asgi`"),
    "asgi without a version": ({**SCOPE, "asgi": {}}, "version"),
    "asgi version is no str": ({**SCOPE, "asgi": {"version": 3}}, "version"),
    "spec_version is no str": ({**SCOPE, "asgi": {"version": "3.0", "spec_version": 2}}, "spec"),
    "http_version": ({**SCOPE, "http_version": "1"}, "one of 1.0, 1.1, 2"),
    "no http_version": (without("http_version"), "http_version"),
    "lower-case method": ({**SCOPE, "method": "get"}, "upper case"),
    "bytes as method": ({**SCOPE, "method": b"GET"}, "upper case"),
    "empty scheme": ({**SCOPE, "scheme": ""}, "`scheme`"),
    "no path": (without("path"), "`path`"),
    "bytes as path": ({**SCOPE, "path": b"/"}, "`path`"),
    "str as raw_path": ({**SCOPE, "raw_path": "/"}, "`raw_path`"),
    "query in raw_path": ({**SCOPE, "raw_path": b"/?a"}, "`raw_path`"),
    "str as query": ({**SCOPE, "query_string": ""}, "`query_string`"),
    "no query": (without("query_string"), "`query_string`"),
    "bytes as root": ({**SCOPE, "root_path": b""}, "`root_path`"),
    "no headers": (without("headers"), "`headers`"),
    "headers is None": ({**SCOPE, "headers": None}, "`headers`"),
    "headers as dict": ({**SCOPE, "headers": {b"a": b"b"}}, "list of pairs"),
    "a header of three": ({**SCOPE, "headers": [(b"a", b"b", b"c")]}, "3 parts"),
    "str header": ({**SCOPE, "headers": [("a", "b")]}, "are bytes"),
    "upper-case header": ({**SCOPE, "headers": [(b"Host", b"b")]}, "lower-case"),
    "pseudo header": ({**SCOPE, "headers": [(b":authority", b"b")]}, "pseudo"),
    "newline in header": ({**SCOPE, "headers": [(b"a", b"b\r\nc: d")]}, "CR, LF"),
    "two lengths": ({**SCOPE, "headers": [(b"content-length", b"1")] * 2}, "2 content-length"),
    "client without port": ({**SCOPE, "client": ("h",)}, "`client`"),
    "client port None": ({**SCOPE, "client": ("h", None)}, "`client`"),
    "server port str": ({**SCOPE, "server": ("h", "80")}, "`server`"),
    "extensions as list": ({**SCOPE, "extensions": ["x"]}, "`extensions`"),
    "state as list": ({**SCOPE, "state": []}, "`state`"),
}


@pytest.mark.parametrize("what", BAD_SCOPES)
def test_a_bad_scope(what: str) -> None:
    """Each rule about the scope fires, against the server, before the app is called."""
    scope, sentence = BAD_SCOPES[what]
    with pytest.raises(LintError, match=sentence) as caught:
        converse(scope, [], [START, BODY])
    assert caught.value.side == "server"


BAD_REQUESTS: dict[str, tuple[list[Any], str]] = {
    "no dict": ([b"x"], "a message is a dict"),
    "no type": ([{"body": b""}], "str `type`"),
    "a type that is no str": ([{"type": b"http.request"}], "str `type`"),
    "a key that is no str": ([{**REQUEST, 1: 2}], "keys of a message"),
    "unknown": ([{"type": "http.pause"}], "no message for an http app"),
    "of a websocket": ([{"type": "websocket.connect"}], "no message for an http app"),
    "str body": ([{**REQUEST, "body": ""}], "`body`"),
    "bytearray": ([{**REQUEST, "body": bytearray()}], "`body`"),
    "more_body as int": ([{**REQUEST, "more_body": 1}], "`more_body`"),
    "after the last": ([REQUEST, REQUEST], "after the last one"),
    "after the disconnect": ([GONE, REQUEST], "does not come back"),
}


@pytest.mark.parametrize("what", BAD_REQUESTS)
def test_a_bad_request_message(what: str) -> None:
    """Each rule about what the server says fires, also if the app swallows the error."""
    heard, sentence = BAD_REQUESTS[what]
    for swallows in (False, True):
        with pytest.raises(LintError, match=sentence) as caught:
            converse(SCOPE, heard, [START, BODY], swallows=swallows)
        assert caught.value.side == "server"


@pytest.mark.parametrize("parts", [[b"abc"], [b"a"], [b"", b""], [b"ab", b"c"]])
def test_a_request_that_is_not_as_long_as_it_says(parts: list[bytes]) -> None:
    """Content-Length and body do not agree: the server's fault; chunked bodies have no length."""
    heard = [{**REQUEST, "body": p, "more_body": True} for p in parts]
    heard[-1] = {**heard[-1], "more_body": False}
    head = [(b"content-length", b"2")]
    with pytest.raises(LintError, match="content-length says 2"):
        converse({**SCOPE, "headers": head}, heard, [START, BODY])
    chunked = [*head, (b"transfer-encoding", b"chunked")]
    converse({**SCOPE, "headers": chunked}, heard, [START, BODY])


# The app's side -----------------------------------------------------------------------------------


def ext(name: str, **keys: Any) -> Message:
    """A message of an extension."""
    return {"type": f"http.response.{name}", **keys}


def lengths(value: bytes, **more: Any) -> Message:
    """A start with a Content-Length."""
    return {**START, "headers": [(b"content-length", value)], **more}


BAD_ANSWERS: dict[str, tuple[list[Any], str]] = {
    "nothing": ([], "without an answer"),
    "no end": ([START, MORE], "in the middle"),
    "a head only": ([START], "in the middle"),
    "no dict": (["x"], "a message is a dict"),
    "no type": ([{}], "str `type`"),
    "unknown": ([{"type": "http.response.end"}], "no message to send"),
    "of a request": ([REQUEST], "no message to send"),
    "of a websocket": ([{"type": "websocket.accept"}], "no message to send"),
    "body first": ([BODY], "comes first"),
    "two starts": ([START, START], "starts once"),
    "start after body": ([START, MORE, START], "starts once"),
    "start after the end": ([START, BODY, START], "nothing more"),
    "body after the end": ([START, BODY, BODY], "nothing more"),
    "no status": ([{"type": "http.response.start"}], "no `status`"),
    "status as str": ([{**START, "status": "200"}], "`status`"),
    "status as bool": ([{**START, "status": True}], "`status`"),
    "status 99": ([{**START, "status": 99}], "status 99"),
    "status 600": ([{**START, "status": 600}], "status 600"),
    "status 103": ([{**START, "status": 103}], "interim"),
    "str headers": ([{**START, "headers": [("a", "b")]}], "are bytes"),
    "headers as dict": ([{**START, "headers": {b"a": b"b"}}], "list of pairs"),
    "headers as bytes": ([{**START, "headers": b"a: b"}], "list of pairs"),
    "headers is None": ([{**START, "headers": None}], "are an iterable"),
    "a header of one": ([{**START, "headers": [(b"a",)]}], "1 parts"),
    "a header as bytes": ([{**START, "headers": [b"ab"]}], "is a pair"),
    "upper case": ([{**START, "headers": [(b"X-A", b"b")]}], "lower-case"),
    "blank in name": ([{**START, "headers": [(b"x a", b"b")]}], "lower-case"),
    "empty name": ([{**START, "headers": [(b"", b"b")]}], "lower-case"),
    "colon in name": ([{**START, "headers": [(b"x:", b"b")]}], "lower-case"),
    "pseudo": ([{**START, "headers": [(b":status", b"200")]}], "pseudo"),
    "LF": ([{**START, "headers": [(b"a", b"b\nc")]}], "CR, LF or NUL"),
    "CR": ([{**START, "headers": [(b"a", b"b\rc")]}], "CR, LF or NUL"),
    "NUL": ([{**START, "headers": [(b"a", b"b\0")]}], "CR, LF or NUL"),
    "blank before": ([{**START, "headers": [(b"a", b" b")]}], "blank"),
    "bytearray value": ([{**START, "headers": [(b"a", bytearray(b"b"))]}], "are bytes"),
    "length is no number": ([lengths(b"+5")], "not a number"),
    "two lengths": ([{**START, "headers": [(b"content-length", b"5")] * 2}], "2 content-length"),
    "too long": ([lengths(b"4"), BODY], "says 4"),
    "too long at once": ([lengths(b"4"), MORE], "says 4"),
    "too short": ([lengths(b"6"), BODY], "says 6"),
    "204 with body": ([{**START, "status": 204}, BODY], "a 204 has no body"),
    "304 with body": ([{**START, "status": 304}, BODY], "a 304 has no body"),
    "204 with length": ([lengths(b"0", status=204)], "204 has no content-length"),
    "str body": ([START, {**BODY, "body": "hello"}], "`body`"),
    "memoryview": ([START, {**BODY, "body": memoryview(b"x")}], "could not be sent"),
    "more_body as int": ([START, {**BODY, "more_body": 0}], "`more_body`"),
    "object inside": ([START, {**BODY, "note": object()}], "could not be sent"),
    "nan inside": ([START, {**BODY, "note": float("nan")}], "could not be sent"),
    "set inside": ([START, {**BODY, "note": {1}}], "could not be sent"),
    "a huge int inside": ([START, {**BODY, "note": [1 << 63]}], "could not be sent"),
    "trailers as int": ([{**START, "trailers": 1}], "`trailers`"),
    "trailers not announced": ([START, BODY, ext("trailers", headers=[])], "nothing more"),
    "trailers too early": ([START, ext("trailers", headers=[])], "follows the last body"),
    "trailers missing": ([{**START, "trailers": True}, BODY], "trailers it promised"),
    "body for trailers": ([{**START, "trailers": True}, BODY, BODY], "nothing more"),
    "trailers without headers": ([{**START, "trailers": True}, BODY, ext("trailers")], "headers"),
    "pathsend relative": ([START, ext("pathsend", path="a.txt")], "absolute"),
    "pathsend without path": ([START, ext("pathsend")], "no `path`"),
    "pathsend after a body": ([START, MORE, ext("pathsend", path="/a")], "mixed"),
    "body after pathsend": ([START, ext("pathsend", path="/a"), BODY], "nothing more"),
    "zero copy of no file": ([START, ext("zerocopysend", file=b"x")], "`file`"),
    "push without headers": ([START, ext("push", path="/")], "headers"),
    "push before the start": ([ext("push", path="/", headers=[])], "comes first"),
    "hint as str": ([START, ext("early_hint", links="</a>")], "`links`"),
    "hint of str": ([START, ext("early_hint", links=["</a>"])], "`links`"),
    "hint at the end": ([START, BODY, ext("early_hint", links=[])], "nothing more"),
    "debug after the start": ([START, ext("debug", info={})], "before the start"),
    "debug twice": ([ext("debug", info={}), ext("debug", info={})], "once"),
    "debug as str": ([ext("debug", info="x")], "`info`"),
}


@pytest.mark.parametrize("what", BAD_ANSWERS)
def test_a_bad_answer(what: str) -> None:
    """Each rule about what the app says fires, also if the app swallows the error."""
    said, sentence = BAD_ANSWERS[what]
    for swallows in (False, True):
        with pytest.raises(LintError, match=sentence) as caught:
            converse({**SCOPE, "extensions": ALL}, [REQUEST], said, swallows=swallows)
        assert caught.value.side == "app"
        assert "(" in str(caught.value) and caught.value.section in str(caught.value)


EXTENDED: dict[str, list[Message]] = {
    "push": [START, ext("push", path="/a", headers=[]), BODY],
    "pathsend": [START, ext("pathsend", path="/a")],
    "early_hint": [START, ext("early_hint", links=[b"</a>"]), ext("early_hint", links=[]), BODY],
    "debug": [ext("debug", info={"x": object()}), START, BODY],
    "trailers": [
        {**START, "trailers": True},
        BODY,
        ext("trailers", headers=[(b"a", b"b")], more_trailers=True),
        ext("trailers", headers=[]),
    ],
    "zerocopysend": [START, ext("zerocopysend", file=socket.socket, count=3, more_body=True), BODY],
}


@pytest.mark.parametrize("name", EXTENDED)
def test_an_extension_needs_an_offer(name: str) -> None:
    """What the server did not offer must not be used; offered, the same messages pass."""
    offer: Message = {f"http.response.{name}": {}}
    converse({**SCOPE, "extensions": offer}, [REQUEST], EXTENDED[name])
    nothing: Message | None
    for nothing in ({}, None):
        with pytest.raises(LintError, match="not offered"):
            converse({**SCOPE, "extensions": nothing}, [REQUEST], EXTENDED[name])


GOOD: dict[str, list[Message]] = {
    "plain": [START, BODY],
    "in pieces": [START, MORE, MORE, {"type": "http.response.body"}],
    "no headers": [{"type": "http.response.start", "status": 200}, BODY],
    "headers from a generator": [{**START, "headers": (p for p in [(b"a", b"b")])}, BODY],
    "headers as lists": [{**START, "headers": [[b"a", b"b"]]}, BODY],
    "with its length": [lengths(b"5"), BODY],
    "with its length in pieces": [lengths(b"10"), MORE, BODY],
    "204": [{**START, "status": 204}, {**BODY, "body": b""}],
    "304 with the length of the page": [lengths(b"99", status=304), {**BODY, "body": b""}],
}


@pytest.mark.parametrize("what", GOOD)
def test_a_good_answer(what: str) -> None:
    """What the specification allows passes."""
    converse(SCOPE, [REQUEST, GONE, GONE], GOOD[what])


def test_a_one_shot_iterable_is_passed_on_whole() -> None:
    """Headers given by a generator are read by the lint and still arrive."""
    seen: list[Any] = []

    async def app(scope: Any, _receive: Any, send: Any) -> None:
        seen.append(list(scope["headers"]))
        await send({**START, "headers": iter([(b"a", b"b")])})
        await send(BODY)

    async def send(message: Any) -> None:
        seen.append(list(message.get("headers", ())))

    async def never() -> Any:
        raise AssertionError

    scope = {**SCOPE, "headers": iter(SCOPE["headers"])}
    asyncio.run(ASGILint(app)(scope, never, send))
    assert seen[:2] == [SCOPE["headers"], [(b"a", b"b")]]


def test_head() -> None:
    """HEAD: no body, any length; frameworks that send one need `head_body`."""
    scope = {**SCOPE, "method": "HEAD"}
    converse(scope, [REQUEST], [lengths(b"99"), {**BODY, "body": b""}])
    with pytest.raises(LintError, match="HEAD has no body"):
        converse(scope, [REQUEST], [START, BODY])
    converse(scope, [REQUEST], [START, BODY], head_body=True)


def test_http_2_has_no_connection_headers() -> None:
    """`Connection` and its like exist in HTTP/1 only."""
    said = [{**START, "headers": [(b"connection", b"close")]}, BODY]
    converse(SCOPE, [REQUEST], said)
    with pytest.raises(LintError, match="connection"):
        converse({**SCOPE, "http_version": "2"}, [REQUEST], said)


@pytest.mark.parametrize("said", [[], [START], [START, MORE]])
def test_nobody_need_finish_for_a_client_that_left(said: list[Message]) -> None:
    """After the disconnect, or an OSError from send(), an answer may stay unfinished."""
    converse(SCOPE, [REQUEST, GONE], said)

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        try:
            await send(START)
        except OSError:
            return

    async def broken(_message: Any) -> None:
        raise OSError("gone")

    asyncio.run(ASGILint(app)(SCOPE, None, broken))  # type: ignore[arg-type]


def test_an_exception_of_the_app_is_its_own() -> None:
    """What an app raises is raised; only a broken rule comes first."""

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        try:
            await send(BODY)
        except LintError as fault:
            raise KeyError("hidden") from fault

    async def other(_scope: Any, _receive: Any, _send: Any) -> None:
        raise KeyError("its own")

    with pytest.raises(LintError):
        asyncio.run(ASGILint(app)(SCOPE, None, None))  # type: ignore[arg-type]
    with pytest.raises(KeyError, match="its own"):
        asyncio.run(ASGILint(other)(SCOPE, None, None))  # type: ignore[arg-type]


def test_an_app_that_is_no_coroutine() -> None:
    """A WSGI-like app, or one that forgot `async`, is named."""
    no_app: Any = lambda *_all: None  # noqa: E731
    lint = ASGILint(no_app)
    with pytest.raises(LintError, match="no coroutine"):
        asyncio.run(lint(SCOPE, None, None))  # type: ignore[arg-type]


def test_nothing_is_said_after_the_end() -> None:
    """A task that outlives its app and still sends is told so."""

    async def test() -> None:
        kept: list[Callable[..., Any]] = []

        async def app(_scope: Any, receive: Any, send: Any) -> None:
            kept.extend((receive, send))
            await send(START)
            await send(BODY)

        async def sink(_message: Any) -> None:
            return None

        await ASGILint(app)(SCOPE, None, sink)  # type: ignore[arg-type]
        with pytest.raises(LintError, match="after the app had returned"):
            await kept[1](BODY)
        with pytest.raises(LintError, match="after the app had returned"):
            await kept[0]()

    asyncio.run(test())


# Websockets and lifespan --------------------------------------------------------------------------

WS: Message = {
    **{k: v for k, v in SCOPE.items() if k not in ("method", "http_version")},
    "type": "websocket",
    "scheme": "ws",
    "subprotocols": ["chat"],
}
CONNECT: Message = {"type": "websocket.connect"}
RECEIVE: Message = {"type": "websocket.receive", "text": "a", "bytes": None}
LEFT: Message = {"type": "websocket.disconnect", "code": 1001}
ACCEPT: Message = {"type": "websocket.accept"}
SEND: Message = {"type": "websocket.send", "text": "a"}
CLOSE: Message = {"type": "websocket.close", "code": 1000}

BAD_SOCKETS: dict[str, tuple[list[Any], str, str]] = {
    "no connect": ([("heard", RECEIVE)], "server", "'new'"),
    "connect twice": ([("heard", CONNECT), ("heard", CONNECT)], "server", "'asked'"),
    "receive before accept": ([("heard", CONNECT), ("heard", RECEIVE)], "server", "'asked'"),
    "both": (
        [("heard", CONNECT), ("said", ACCEPT), ("heard", {**RECEIVE, "bytes": b"a"})],
        "server",
        "exactly one",
    ),
    "after disconnect": (
        [("heard", CONNECT), ("said", ACCEPT), ("heard", LEFT), ("heard", RECEIVE)],
        "server",
        "'closed'",
    ),
    "accept unasked": ([("said", ACCEPT)], "app", "'new'"),
    "accept twice": ([("heard", CONNECT), ("said", ACCEPT), ("said", ACCEPT)], "app", "'open'"),
    "send before accept": ([("heard", CONNECT), ("said", SEND)], "app", "'asked'"),
    "send neither": (
        [("heard", CONNECT), ("said", ACCEPT), ("said", {"type": "websocket.send"})],
        "app",
        "exactly one",
    ),
    "send str as bytes": (
        [("heard", CONNECT), ("said", ACCEPT), ("said", {**SEND, "text": None, "bytes": "a"})],
        "app",
        "`bytes`",
    ),
    "send after close": (
        [("heard", CONNECT), ("said", ACCEPT), ("said", CLOSE), ("said", SEND)],
        "app",
        "'left'",
    ),
    "strange subprotocol": (
        [("heard", CONNECT), ("said", {**ACCEPT, "subprotocol": "mail"})],
        "app",
        "not offered",
    ),
    "subprotocol as a header": (
        [("heard", CONNECT), ("said", {**ACCEPT, "headers": [(b"sec-websocket-protocol", b"x")]})],
        "app",
        "not by a header",
    ),
    "close code as str": ([("heard", CONNECT), ("said", {**CLOSE, "code": "1"})], "app", "`code`"),
    "never answered": ([("heard", CONNECT)], "app", "without accepting"),
    "denial not offered": (
        [("heard", CONNECT), ("said", {**START, "type": "websocket.http.response.start"})],
        "app",
        "not offered",
    ),
}


def play(scope: Message, script: list[tuple[str, Message]]) -> None:
    """Both sides by a script."""

    async def app(_scope: Any, receive: Any, send: Any) -> None:
        for side, message in script:
            await (receive() if side == "heard" else send(message))

    left = [message for side, message in script if side == "heard"]

    async def receive() -> Any:
        return left.pop(0)

    async def send(_message: Any) -> None:
        return None

    asyncio.run(ASGILint(app)(scope, receive, send))


@pytest.mark.parametrize("what", BAD_SOCKETS)
def test_a_bad_websocket(what: str) -> None:
    """Each rule about websockets fires, against the side that broke it."""
    script, side, sentence = BAD_SOCKETS[what]
    with pytest.raises(LintError, match=sentence) as caught:
        play(WS, script)
    assert caught.value.side == side


def test_good_websockets() -> None:
    """A chat that the app ends, one that the client ends, a refusal, a denial with a page."""
    chosen = {**ACCEPT, "subprotocol": "chat", "headers": [(b"x-a", b"b")]}
    talk = [("heard", CONNECT), ("said", chosen), ("heard", RECEIVE), ("said", SEND)]
    play(WS, [*talk, ("said", CLOSE), ("heard", LEFT)])
    play(WS, [*talk, ("heard", LEFT), ("said", SEND)])
    play(WS, [("heard", CONNECT), ("said", CLOSE)])
    denial = [("said", {**m, "type": f"websocket.{m['type']}"}) for m in (START, BODY)]
    offered = {**WS, "extensions": {"websocket.http.response": {}}}
    play(offered, [("heard", CONNECT), *denial])
    with pytest.raises(LintError, match="in the middle"):
        play(offered, [("heard", CONNECT), denial[0]])


UP: Message = {"type": "lifespan.startup"}
DOWN: Message = {"type": "lifespan.shutdown"}
LIFE: Message = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}


def word(text: str) -> Message:
    """A message of the lifespan protocol."""
    return {"type": f"lifespan.{text}"}


BAD_LIVES: dict[str, tuple[list[tuple[str, Message]], str]] = {
    "shutdown first": ([("heard", DOWN)], "server"),
    "startup twice": ([("heard", UP), ("heard", UP)], "server"),
    "unknown": ([("heard", word("pause"))], "server"),
    "complete unasked": ([("said", word("startup.complete"))], "app"),
    "complete twice": ([("heard", UP), *[("said", word("startup.complete"))] * 2], "app"),
    "shutdown unasked": ([("heard", UP), ("said", word("shutdown.complete"))], "app"),
    "nothing of it": ([("heard", UP), ("said", word("startup.done"))], "app"),
    "never answered": ([("heard", UP)], "app"),
    "message as bytes": (
        [("heard", UP), ("said", {**word("startup.failed"), "message": b""})],
        "app",
    ),
}


@pytest.mark.parametrize("what", BAD_LIVES)
def test_a_bad_lifespan(what: str) -> None:
    """Each rule about lifespan fires, against the side that broke it."""
    script, side = BAD_LIVES[what]
    with pytest.raises(LintError) as caught:
        play(LIFE, script)
    assert caught.value.side == side


def test_good_lifespans() -> None:
    """Up and down, a failed start, and an app that does not listen."""
    up = [("heard", UP), ("said", word("startup.complete"))]
    play(LIFE, [*up, ("heard", DOWN), ("said", word("shutdown.complete"))])
    play(LIFE, [("heard", UP), ("said", {**word("startup.failed"), "message": "no disk"})])
    play(LIFE, [])


# Real servers and frameworks ----------------------------------------------------------------------


class Faults:
    """Collects what the lint finds; uvicorn only logs what an app raises."""

    def __init__(self, app: Any) -> None:
        self.app, self.found = app, list[BaseException]()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            await self.app(scope, receive, send)
        except BaseException as error:
            self.found.append(error)
            raise


def starlette(tmp: Any) -> Starlette:
    """Every kind of answer that Starlette gives, and a websocket."""
    (tmp / "file.txt").write_bytes(b"file" * 50_000)

    async def ticks() -> Any:
        for n in range(3):
            yield f"tick {n} "

    async def echo(request: Request) -> Response:
        return Response(await request.body())

    async def socket_(websocket: WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text(await websocket.receive_text())
        await websocket.close()

    return Starlette(
        routes=[
            Route("/", lambda _r: HTMLResponse("<p>hello")),
            Route("/echo", echo, methods=["POST"]),
            Route("/stream", lambda _r: StreamingResponse(ticks())),
            Route("/file", lambda _r: FileResponse(tmp / "file.txt")),
            Route("/empty", lambda _r: Response(status_code=204)),
            WebSocketRoute("/ws", socket_),
        ]
    )


@pytest.fixture(params=["h11", "httptools"])
def server(request: pytest.FixtureRequest, tmp_path: Any) -> Iterator[tuple[str, Faults]]:
    """Uvicorn with both of its protocols, on a thread, with Starlette behind the lint."""
    faults = Faults(ASGILint(starlette(tmp_path), head_body=True))
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        faults, log_config=None, http=request.param, ws="websockets-sansio", lifespan="on"
    )
    running = uvicorn.Server(config)
    thread = threading.Thread(target=running.run, args=([listener],))
    thread.start()
    until(lambda: running.started or not thread.is_alive(), "uvicorn listens")
    yield f"http://127.0.0.1:{listener.getsockname()[1]}", faults
    running.should_exit = True
    thread.join(30)
    listener.close()
    assert not thread.is_alive()


def test_uvicorn_and_starlette_keep_the_rules(server: tuple[str, Faults]) -> None:
    """A real server and a real framework: pages, bodies, streams, files, ranges, HEAD, 404."""
    url, faults = server
    asked: list[tuple[str, str, bytes | None, dict[str, str]]] = [
        ("GET", "/", None, {}),
        ("HEAD", "/", None, {}),
        ("POST", "/echo", b"x" * 300_000, {}),
        ("GET", "/stream", None, {}),
        ("GET", "/file", None, {}),
        ("GET", "/file", None, {"Range": "bytes=0-3"}),
        ("GET", "/empty", None, {}),
        ("GET", "/nowhere?a=%20", None, {}),
        ("DELETE", "/", None, {}),
    ]
    statuses = []
    for method, path, body, headers in asked:
        request = urllib.request.Request(url + path, body, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                statuses.append(answer.status)
                assert method != "POST" or answer.read() == body
        except urllib.error.HTTPError as error:
            statuses.append(error.code)
            error.close()
    assert statuses == [200, 200, 200, 200, 200, 206, 204, 404, 405]
    assert faults.found == []


def test_a_websocket_of_uvicorn_and_starlette(server: tuple[str, Faults]) -> None:
    """Connect, one word each way, close: both keep the rules."""
    import websocket

    url, faults = server
    peer = websocket.create_connection(url.replace("http", "ws") + "/ws", timeout=30)
    peer.send("hello")
    assert peer.recv() == "hello"
    peer.close()
    assert faults.found == []


# WSGI ---------------------------------------------------------------------------------------------


def test_wsgi_lint_carries_the_visit() -> None:
    """The one key that is no text passes; any other one is a fault, for either validator."""
    environ = {
        "REQUEST_METHOD": "GET",
        "SERVER_NAME": "x",
        "SERVER_PORT": "80",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/",
        "QUERY_STRING": "",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": __import__("io").BytesIO(),
        "wsgi.errors": __import__("sys").stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    seen: list[object] = []

    def app(environ: Any, start_response: Any) -> list[bytes]:
        seen.append(environ.get("seeother"))
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"x"]

    def start(*_head: Any) -> Any:
        return bytes

    visit = object()
    answer: Any = WSGILint(app)({**environ, "seeother": visit}, start)
    assert (list(answer), answer.close(), seen) == ([b"x"], None, [visit])
    with pytest.raises(AssertionError, match="other"):
        WSGILint(app)({**environ, "other": visit}, start)
