"""Which view a request will meet, and what that view wants to be left out of.

| on the view | origin and token | claim | transaction |
|---|---|---|---|
| nothing | checked | yes | yes: joined |
| `@csrf_exempt` | of anywhere | yes | yes |
| `@seeother_fenced` | checked | yes, by itself | from its first write on: fenced |
| `@transaction.non_atomic_requests` | checked | yes | the view's own: separate |
| `@seeother_exempt` | of anywhere | no | no |

A view with `atomic(durable=True)` needs `non_atomic_requests`, as under ATOMIC_REQUESTS: inside a
transaction Django refuses it.

The middleware stands outside of everything, so it asks the URLconf before Django does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple, TypeVar

from django.conf import settings
from django.http import HttpRequest
from django.urls import Resolver404, resolve
from django.utils import translation

from ..core.policy import Mode

F = TypeVar("F", bound=Callable[..., Any])

MARK: Final = "seeother_exempt"
MODE: Final = "seeother_mode"


class Wishes(NamedTuple):
    """What the view of a request wants to be left out of."""

    anywhere: bool = False
    unclaimed: bool = False
    non_atomic: bool = False
    mode: Mode | None = None


def seeother_exempt(view: F) -> F:
    """Leave a view alone: it runs for every request that arrives, and from wherever it comes.

    For webhooks that know duplicates by themselves, and for uploads that are read as a stream. A
    form that is sent to it twice is handled twice.
    """
    view.seeother_exempt = True  # type: ignore[attr-defined]
    return view


def seeother_fenced(view: F) -> F:
    """Run a view in mode fenced, whatever the project's mode is: exactly once, however slow.

    The form is claimed first, in a short transaction of its own; the view's transaction begins with
    its first write, so nothing is locked while it reads, computes or asks somebody else. Another
    click meanwhile gets the waiting page after `patience`.
    """
    view.seeother_mode = "fenced"  # type: ignore[attr-defined]
    return view


def wishes_of(request: HttpRequest, alias: str) -> Wishes:
    """What the view that this request will meet says about itself."""
    view = _view_of(request)
    unclaimed = bool(getattr(view, MARK, False))
    return Wishes(
        unclaimed or bool(getattr(view, "csrf_exempt", False)),
        unclaimed,
        alias in getattr(view, "_non_atomic_requests", ()),
        getattr(view, MODE, None),
    )


def _view_of(request: HttpRequest) -> object:
    """The view, or None where there is none; also behind a language prefix."""
    urlconf = getattr(request, "urlconf", None)
    try:
        return resolve(request.path_info, urlconf).func
    except Resolver404:
        language = translation.get_language_from_path(request.path_info)
        if language is None or not settings.USE_I18N:
            return None
    with translation.override(language):
        try:
            return resolve(request.path_info, urlconf).func
        except Resolver404:
            return None
