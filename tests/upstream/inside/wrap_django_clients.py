"""Every request of Django's test clients goes through `seeother.wsgi` or `.asgi`, zero-code.

Django's clients do not speak WSGI to the end: a handler is given an environ and returns the
response object itself, with its context and its templates. So the object is laid aside while its
status, headers and bytes pass through seeother, and then it gets what came out. Where seeother
answered by itself, that answer is a response of its own. A page that answers a form is fetched
behind its redirect (`convert`), as every browser does; the object is the view's all the same.

Some hundred tests ask for status 302, so that is what redirects say here (`redirect_status`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from functools import partial
from io import BytesIO
from typing import Any

from django.core.handlers.asgi import ASGIRequest
from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpResponse
from django.test.client import AsyncClientHandler, ClientHandler, FakePayload

from .between import around_asgi, around_wsgi
from .following import following

CALL: Any = ClientHandler.__call__
ACALL: Any = AsyncClientHandler.__call__
AROUND = partial(around_wsgi, redirect_status=302)
COOKIE = "set-cookie"
Lines = list[tuple[str, str]]


def call(self: ClientHandler, environ: dict[str, Any]) -> Any:
    """`ClientHandler.__call__`, with seeother in between."""
    made: list[Any] = []
    said: list[Any] = []

    def app(inner: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        response = CALL(self, inner)
        made.append(response)
        start_response(f"{response.status_code} {response.reason_phrase}", lines(response))
        return (piece for piece in response)  # it was closed, or will close itself

    def start_response(status: str, headers: Lines, exc_info: Any = None) -> Any:
        said[:] = [int(status[:3]), headers]

    if "CONTENT_LENGTH" in environ:  # some tests give a number
        environ["CONTENT_LENGTH"] = str(environ["CONTENT_LENGTH"])
    body = following(AROUND, app)(environ, start_response)
    if made and made[0].streaming:
        return sent(made[0], said, body)
    whole = b"".join(body)
    if hasattr(body, "close"):
        body.close()
    if made:
        return sent(made[0], said, whole)
    answer = sent(HttpResponse(), said, whole)
    answer.wsgi_request = WSGIRequest(environ)
    return answer


async def acall(self: AsyncClientHandler, scope: dict[str, Any]) -> Any:
    """`AsyncClientHandler.__call__`, with seeother in between."""
    made: list[Any] = []
    said: list[Any] = []
    pieces: list[bytes] = []
    given = scope.pop("_body_file", None)
    incoming = b"" if given is None else given.read()

    async def app(inner: dict[str, Any], receive: Any, send: Any) -> None:
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        query = inner["query_string"]  # Django's client puts text there
        text = query.decode("latin-1") if isinstance(query, bytes) else query
        made.append(await ACALL(self, {**inner, "query_string": text, "_body_file": payload(body)}))
        await answer(made[0], send)

    async def receive() -> dict[str, Any]:
        if said:
            await asyncio.Event().wait()
        return {"type": "http.request", "body": incoming, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            headers = [(k.decode("latin-1"), v.decode("latin-1")) for k, v in message["headers"]]
            said[:] = [message["status"], headers]
        else:
            pieces.append(message.get("body", b""))

    query = scope.get("query_string", b"")
    raw = query.encode("latin-1", "replace") if isinstance(query, str) else query
    outer = around_asgi(app, redirect_status=302)
    await outer({**scope, "query_string": raw}, receive, send)
    if made and made[0].streaming:
        return sent(made[0], said, astreamed(pieces) if made[0].is_async else pieces)
    if made:
        return sent(made[0], said, b"".join(pieces))
    found = sent(HttpResponse(), said, b"".join(pieces))
    found.asgi_request = ASGIRequest(scope, BytesIO())
    return found


def payload(body: bytes) -> FakePayload:
    """The body as Django's client hands it over."""
    return FakePayload(body)


async def answer(response: Any, send: Any) -> None:
    """Send a response of Django's as an ASGI server's app does."""
    headers = [(k.lower().encode("latin-1"), v.encode("latin-1")) for k, v in lines(response)]
    await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
    if response.streaming and response.is_async:
        async for piece in response:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
    else:
        for piece in response:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def astreamed(pieces: Iterable[bytes]) -> Any:
    """Pieces for an async response."""
    for piece in pieces:
        yield piece


def lines(response: Any) -> Lines:
    """Everything that Django's own handlers would send as headers."""
    cookies = [("Set-Cookie", one.output(header="").strip()) for one in response.cookies.values()]
    return [*response.items(), *cookies]


def sent(response: Any, said: list[Any], body: bytes | Iterable[bytes]) -> Any:
    """The response as it came out; of its cookies and headers only what is another is changed."""
    status, headers = said
    before = lines(response)
    if status != response.status_code:
        response.status_code = status
    plain = {name.lower(): (name, value) for name, value in headers if name.lower() != COOKIE}
    for name in [name for name, _ in response.items() if name.lower() not in plain]:
        del response[name]
    for name, value in plain.values():
        if response.get(name) != value:
            response[name] = value
    for name, value in headers:
        if name.lower() == COOKIE and ("Set-Cookie", value) not in before:
            response.cookies.load(value)
    if response.streaming:
        response.streaming_content = kept(body) if isinstance(body, bytes) else body
    elif response.content != body:
        response.content = body
    return response


def kept(body: bytes) -> Iterator[bytes]:
    """One piece."""
    yield body


ClientHandler.__call__ = call  # type: ignore[method-assign]
AsyncClientHandler.__call__ = acall  # type: ignore[method-assign]
