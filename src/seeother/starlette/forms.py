"""Rejected input in Starlette and FastAPI: kept as a draft, shown again beside what is wrong.

    templates = Jinja2Templates("templates", context_processors=[context])
    app.add_exception_handler(RequestValidationError, invalid_form)

In templates: `flashes()`, `old("name")`, `error("name")`, `errors()`, `seeother_field()`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ..core.body import is_form
from ..core.target import safe_target
from ..errors import UnsafeTarget
from ..visit import Visit
from .answers import to_starlette
from .verbs import visit_of

UNPROCESSABLE = 422


def context(request: Request) -> dict[str, Callable[..., Any]]:
    """A context processor for `Jinja2Templates`; nothing is consumed before a template asks."""
    visit = visit_of(request)

    def errors() -> dict[str, str]:
        return {} if visit.draft is None else dict(visit.draft.errors)

    def old(name: str, default: str = "") -> str:
        found = None if visit.draft is None else visit.draft.old(name)
        return default if found is None else found

    def error(name: str) -> str:
        return errors().get(name, "")

    return {
        "flashes": visit.flashes,
        "old": old,
        "error": error,
        "errors": errors,
        "seeother_field": visit.field,
    }


async def invalid_form(request: Request, error: Exception) -> Response:
    """An exception handler for FastAPI's RequestValidationError and Pydantic's ValidationError.

    A form of a page goes back to its page by 303, with everything that was typed and what is wrong
    with it beside the fields; every other request gets FastAPI's own answer: 422 and JSON.
    """
    found: list[Mapping[str, Any]] = getattr(error, "errors", list)()
    visit = visit_of(request)
    if not (is_form(visit.greeting.request) and visit.greeting.same_origin):
        detail = [{name: one.get(name) for name in ("type", "loc", "msg")} for one in found]
        return JSONResponse({"detail": detail}, UNPROCESSABLE)
    draft = {str(one["loc"][-1]): str(one["msg"]) for one in reversed(found) if one.get("loc")}
    return to_starlette(visit.see_other(_page_of(visit), draft=draft))


def _page_of(visit: Visit) -> str:
    """Where the form stands: the page that it was sent from, if that is one of ours."""
    request = visit.greeting.request
    here = request.root + request.path
    sent_from = request.header(b"referer")
    if sent_from is None:
        return here
    try:
        found = safe_target(sent_from.decode("latin-1"), base=request.url)
    except UnsafeTarget:
        return here
    parts = urlsplit(found)
    return (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
