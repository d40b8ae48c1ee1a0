"""What views call: the visit's verbs as Starlette says them.

    flash(request, "Your message was posted.")
    return see_other("/", flash=("Your message was posted.", "success"))
    return see_other(request.url_for("form"), draft={"name": "Please type your name."})
    return repeat("/third")

`see_other` and `repeat` need no request: the visit of the running request is in a context variable,
in endpoints that are plain functions as well. In FastAPI a view may ask for its visit:
`visit: Annotated[Visit, Depends(visit_of)]`.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Final

from starlette.datastructures import URL
from starlette.requests import HTTPConnection
from starlette.responses import Response

from ..core.values import Flash
from ..errors import PolicyError
from ..visit import Visit
from .answers import to_starlette

CURRENT: Final[ContextVar[Visit]] = ContextVar("seeother.visit")
MISSING: Final = "no visit: put SeeOtherMiddleware around the app"


def visit_of(request: HTTPConnection) -> Visit:
    """The visit of a request. Raises PolicyError where no seeother stands around the app."""
    visit = request.scope.get("seeother")
    if not isinstance(visit, Visit):
        raise PolicyError(MISSING)
    return visit


def flash(
    request: HTTPConnection, text: str, category: str = "message", link: str | None = None
) -> None:
    """Leave a one-time message for the page behind the redirect of this answer."""
    visit_of(request).flash(text, category, link)


def flashes(request: HTTPConnection) -> tuple[Flash, ...]:
    """The messages for this page. They count as shown once this was called."""
    return visit_of(request).flashes()


def see_other(
    target: str | URL,
    *,
    flash: str | tuple[str, str] | Flash | None = None,
    draft: Mapping[str, str] | None = None,
) -> Response:
    """303 to a URL of this site, with a message or with the rejected input (RFC 9110 15.4.4).

    `flash` is a text, (text, category) or a Flash; `draft` maps the names of fields to what is
    wrong with them. Raises UnsafeTarget, and PolicyError outside of a request.
    """
    return to_starlette(_current().see_other(str(target), flash=flash, draft=draft))


def repeat(target: str | URL, *, permanent: bool = False) -> Response:
    """307 (or 308): the browser sends the same form to another URL (RFC 9110 15.4.8 and 15.4.9).

    Raises UnsafeTarget, and PolicyError outside of a request.
    """
    return to_starlette(_current().repeat(str(target), permanent=permanent))


def _current() -> Visit:
    visit = CURRENT.get(None)
    if visit is None:
        raise PolicyError(MISSING)
    return visit
