"""The one view of the adapter contract: whatever the stage of the running test says."""

import asyncio
import threading
from collections.abc import AsyncIterator
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.handlers.asgi import ASGIRequest
from django.db import connection
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.urls import re_path

from seeother.core.values import Response
from seeother.django import visit_of
from seeother.testing.adapter import Call, Stage, Streamed

STAGE: list[Stage] = []


def effect(what: str) -> None:
    """A row, on Django's connection."""
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO effect (what) VALUES (%s)", [what])


def view(request: HttpRequest) -> HttpResponseBase:
    """Run the behaviour."""
    stage = STAGE[-1]
    do = stage.effects.do if settings.SEEOTHER["mode"] == "separate" else effect
    call = Call(visit_of(request), str(request.method), request.path, request.body, do)
    return answer(stage.behaviour(call), is_async=isinstance(request, ASGIRequest))


async def apieces(pieces: Any) -> AsyncIterator[bytes]:
    """A body piece by piece, without blocking the event loop.

    Who is cancelled while a thread makes the next piece waits for that: a generator that runs
    cannot be closed.
    """
    turn = threading.Lock()

    def following() -> Any:
        with turn:
            return next(pieces, None)

    try:
        while (piece := await asyncio.to_thread(following)) is not None:
            yield piece
    finally:
        with turn:
            pieces.close()


def answer(made: Response | Streamed, *, is_async: bool) -> HttpResponseBase:
    """What a behaviour answers, as Django's response."""
    headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in made.headers}
    kind: dict[str, Any] = {"status": made.status, "headers": headers}
    if isinstance(made, Streamed):
        pieces: Any = apieces(made.pieces) if is_async else made.pieces
        return StreamingHttpResponse(pieces, **kind)
    response = HttpResponse(made.body, **kind)
    if b"content-type" not in dict(made.headers):
        del response["Content-Type"]
    return response


async def async_view(request: HttpRequest) -> HttpResponseBase:
    """The same as a view of its own event loop, which waits for what blocks."""
    return await sync_to_async(view)(request)


urlpatterns = [re_path("", view)]
ASYNC_VIEWS = (re_path("", async_view),)
