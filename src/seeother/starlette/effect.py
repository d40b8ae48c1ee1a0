"""`once` in Starlette and FastAPI: a view's effect and its record in one transaction.

async def post(request):
    return await once(request, engine, save)

def save(connection, visit):
    connection.execute(insert(message).values(text=visit.form["message"]))
    return visit.see_other("/", flash="Your message was posted.")
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

from starlette.requests import HTTPConnection
from starlette.responses import Response as StarletteResponse

from ..core.ops import Handle
from ..core.values import Handled, Response
from ..errors import SeeOtherError
from .answers import core_response, to_starlette
from .verbs import visit_of

if TYPE_CHECKING:
    from sqlalchemy import Engine

View: TypeAlias = Callable[..., Response | StarletteResponse]


async def once(request: HTTPConnection, engine: Engine, fn: View, *args: Any) -> StarletteResponse:
    """Run `fn(connection, visit, *args)` exactly once for this submission (joined or fenced).

    Its effect, its answer, its messages and its session changes are ONE transaction of `engine`;
    `fn` is a plain function that runs on a thread of seeother's and returns a response. A duplicate
    gets the recorded answer and `fn` is not called. Whatever `fn` raises rolls everything back and
    is raised here; a locked or full database becomes the resend page with status 503.
    """
    from ..effect import Effect  # noqa: PLC0415 - SQLAlchemy is an extra

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
