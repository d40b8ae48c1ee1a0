"""What views and templates call: the visit's verbs as Flask says them.

    return see_other("thankyou", flash="Thank you for submitting!")
    return see_other(url_for("form"), draft={"name": "Please type your name."})
    return repeat("third")

In templates: `seeother_field()`, `old("name")`, `error("name")`, `errors()`.
Forms get their field by themselves; `seeother_field()` is for apps with `SEEOTHER_INJECT = False`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from flask import current_app, request, url_for
from flask import flash as flask_flash
from flask.wrappers import Response

from ..core.values import Flash
from ..errors import PolicyError
from ..visit import Html, Visit
from ..wsgi import KEY
from .answers import flask_response

URLS: Final = ("/", "?", "#")


def visit_of() -> Visit:
    """The visit of this request. Raises PolicyError where no seeother stands around the app."""
    visit = request.environ.get(KEY)
    if not isinstance(visit, Visit):
        raise PolicyError("no visit: call SeeOther(app)")
    return visit


def see_other(
    target: str,
    *,
    flash: str | tuple[str, str] | Flash | None = None,
    draft: Mapping[str, str] | None = None,
    **values: Any,
) -> Response:
    """303 to a URL of this site or to an endpoint, with a message or with the rejected input.

    `values` are those of `url_for`. `flash` is a text, (text, category) or a Flash; `draft` maps
    the names of fields to what is wrong with them. Raises UnsafeTarget (RFC 9110 15.4.4).
    """
    visit = visit_of()
    if isinstance(flash, Flash):
        visit.flash(flash.text, flash.category, flash.link)
    elif flash is not None:
        flask_flash(*((flash,) if isinstance(flash, str) else flash))
    found = visit.see_other(_url(target, values), draft=draft)
    return flask_response(found, current_app)


def repeat(target: str, *, permanent: bool = False, **values: Any) -> Response:
    """307 (or 308): the browser sends the same form to another URL or endpoint.

    RFC 9110 sections 15.4.8 and 15.4.9. `values` are those of `url_for`. Raises UnsafeTarget.
    """
    found = visit_of().repeat(_url(target, values), permanent=permanent)
    return flask_response(found, current_app)


def _url(target: str, values: Mapping[str, Any]) -> str:
    """A URL as it is; everything else is an endpoint (a URL without a slash would be refused)."""
    is_url = target.startswith(URLS) or "://" in target
    return target if is_url and not values else url_for(target, **values)


def seeother_field() -> Html:
    """The hidden field that names this submission."""
    return visit_of().field()


def old(name: str, default: str = "") -> str:
    """What was typed into a field of a form that was rejected."""
    draft = visit_of().draft
    found = None if draft is None else draft.old(name)
    return default if found is None else found


def error(name: str) -> str:
    """What is wrong with a field; empty where nothing is."""
    return errors().get(name, "")


def errors() -> dict[str, str]:
    """What is wrong, by the name of the field."""
    draft = visit_of().draft
    return {} if draft is None else dict(draft.errors)


GLOBALS: Final[dict[str, Callable[..., Any]]] = {
    "seeother_field": seeother_field,
    "old": old,
    "error": error,
    "errors": errors,
}
