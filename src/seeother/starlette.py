"""seeother in Starlette: `once`, and the visit's verbs as Starlette says them.

async def post(request):
    return await once(request, engine, save)

def save(connection, visit):
    connection.execute(insert(message).values(text=visit.form["message"]))
    return visit.see_other("/", flash="Your message was posted.")
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from sqlalchemy import Engine
from starlette.requests import HTTPConnection
from starlette.responses import Response as StarletteResponse

from .core.flows import submission
from .core.ops import Handle
from .core.values import Handled, Response
from .errors import PolicyError, SeeOtherError
from .setup import performing
from .sqlalchemy import Transaction, outage_of
from .visit import Visit

Effect: TypeAlias = Callable[..., Response | StarletteResponse]


def visit_of(request: HTTPConnection) -> Visit:
    """The visit of a request. Raises PolicyError where no seeother stands around the app."""
    visit = request.scope.get("seeother")
    if not isinstance(visit, Visit):
        raise PolicyError("no visit: put seeother.asgi.SeeOther around the app")
    return visit


async def once(
    request: HTTPConnection, engine: Engine, fn: Effect, *args: Any
) -> StarletteResponse:
    """Run `fn(connection, visit, *args)` exactly once for this submission (mode joined).

    Its effect, its answer, its messages and its session changes are ONE transaction of `engine`;
    `fn` is a plain function, runs on seeother's writer thread and returns a response. A duplicate
    gets the recorded answer and `fn` is not called. Whatever `fn` raises rolls everything back and
    is raised here; a locked or full database becomes the resend page with status 503.
    """
    visit = visit_of(request)
    if visit.entry is None:
        raise PolicyError("once() is for unsafe methods: a GET submits nothing")
    outer = request.scope["seeother.outer"]
    transaction = Transaction(engine)

    def within(_op: Handle) -> Handled:
        try:
            answer = fn(transaction.connection, visit, *args)
        except Exception as error:
            raise outage_of(error) or error from error
        return visit.handled(core_response(answer))

    try:
        perform = performing(outer.store.within(transaction).perform, visit.policy)
        answer = await outer.driver.arun(
            submission(visit.entry, visit.policy), perform, within=within
        )
    except SeeOtherError as error:
        visit.forget()
        visit.word = error.reason
        return to_starlette(visit.refusal(error))
    visit.settled, visit.word = answer.cookies, answer.word
    return to_starlette(answer.response if answer.handled else visit.complete(answer.response))


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
