"""seeother in Starlette: `once`, and the visit's verbs as Starlette says them.

async def post(request):
    return await once(request, engine, save)

def save(connection, visit):
    connection.execute(insert(message).values(text=visit.form["message"]))
    return visit.see_other("/", flash="Your message was posted.")
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

from sqlalchemy import Engine
from starlette.requests import HTTPConnection
from starlette.responses import Response as StarletteResponse

from .core.ops import Handle
from .core.values import Handled, Response
from .effect import Effect
from .errors import PolicyError, SeeOtherError
from .visit import Visit

View: TypeAlias = Callable[..., Response | StarletteResponse]


def visit_of(request: HTTPConnection) -> Visit:
    """The visit of a request. Raises PolicyError where no seeother stands around the app."""
    visit = request.scope.get("seeother")
    if not isinstance(visit, Visit):
        raise PolicyError("no visit: put seeother.asgi.SeeOther around the app")
    return visit


async def once(request: HTTPConnection, engine: Engine, fn: View, *args: Any) -> StarletteResponse:
    """Run `fn(connection, visit, *args)` exactly once for this submission (joined or fenced).

    Its effect, its answer, its messages and its session changes are ONE transaction of `engine`;
    `fn` is a plain function that runs on a thread of seeother's and returns a response. A duplicate
    gets the recorded answer and `fn` is not called. Whatever `fn` raises rolls everything back and
    is raised here; a locked or full database becomes the resend page with status 503.
    """
    visit, outer = visit_of(request), request.scope["seeother.outer"]
    effect = Effect(visit, outer, engine, fn, args, core_response)

    async def aside(op: Handle) -> Handled:
        handled: Handled = await outer.driver.aview(partial(effect.view, op))
        return handled

    joined = effect.mode == "joined"
    try:
        answer = await outer.driver.arun(
            effect.flow(),
            effect.perform,
            handle=None if joined else aside,
            within=effect.view if joined else None,
        )
    except SeeOtherError as error:
        return to_starlette(effect.refused(error))
    return to_starlette(effect.settled(answer))


def core_response(response: Response | StarletteResponse) -> Response:
    """Any response of a view as a value of the core."""
    if isinstance(response, Response):
        return response
    headers = tuple((k.lower(), v) for k, v in response.raw_headers)
    return Response(response.status_code, headers, bytes(response.body))


def to_starlette(response: Response) -> StarletteResponse:
    """A value of the core as a Starlette response."""
    made = StarletteResponse(response.body, response.status)
    made.raw_headers = [
        *((k, v) for k, v in response.headers if k != b"content-length"),
        (b"content-length", str(len(response.body)).encode()),
    ]
    return made
