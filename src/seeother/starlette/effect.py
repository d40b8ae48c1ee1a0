"""`once` in Starlette and FastAPI: a view's effect and its record in one transaction.

async def post(request):
    return await once(request, engine, save)

def save(connection, visit):
    connection.execute(insert(message).values(text=visit.form["message"]))
    return visit.see_other("/", flash="Your message was posted.")

With an AsyncEngine or an AsyncSession the same function runs as `run_sync` would (`async_effect`).
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import copy_context
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
    from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

    from ..core.flows import Answer
    from ..drive import Driver
    from ..effect import Effect

View: TypeAlias = Callable[..., Response | StarletteResponse]


async def once(
    request: HTTPConnection, bind: Engine | AsyncEngine | AsyncSession, fn: View, *args: Any
) -> StarletteResponse:
    """Run `fn(connection, visit, *args)` exactly once for this submission (joined or fenced).

    Its effect, its answer, its messages and its session changes are ONE transaction of `bind`. `fn`
    is a plain function that returns a response. With an Engine it runs on a thread of seeother's;
    with an AsyncEngine as by `run_sync`; with an AsyncSession `fn` gets its Session in place of the
    connection. A duplicate gets the recorded answer and `fn` is not called. Whatever `fn` raises
    rolls everything back and is raised here; a locked or full database becomes the resend page with
    status 503.
    """
    from sqlalchemy import Engine  # noqa: PLC0415 - an extra

    from ..effect import Effect  # noqa: PLC0415

    visit, outer = visit_of(request), request.scope["seeother.outer"]
    effect: Effect
    if isinstance(bind, Engine):
        effect = Effect(visit, outer, bind, fn, args, core_response)
        running = _on_threads(effect, outer.driver)
    else:
        from .async_effect import AsyncEffect  # noqa: PLC0415 - needs greenlet

        effect = AsyncEffect(visit, outer, bind, fn, args)
        running = effect.run()
    try:
        answer = await running
    except SeeOtherError as error:
        return to_starlette(effect.refused(error))
    return to_starlette(effect.settled(answer))


async def _on_threads(effect: Effect, driver: Driver) -> Answer:
    context = copy_context()

    def view(op: Handle) -> Handled:  # on another thread, and it knows what the endpoint knows
        return context.run(effect.view, op)

    return await driver.arun(
        effect.flow(), effect.perform, within=view, aside=effect.mode == "fenced"
    )
