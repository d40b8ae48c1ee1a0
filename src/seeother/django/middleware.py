"""The middleware: the first in MIDDLEWARE, around sessions, messages and CSRF.

    MIDDLEWARE = [
        "seeother.django.middleware.SeeOtherMiddleware",
        "django.middleware.security.SecurityMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        ...
    ]

Only what changes the bytes of a page (GZipMiddleware) stands before it. It is natively sync and
async: Django never needs a thread to adapt it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, cast

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest, HttpResponseBase

from ..log import EVENTS
from .answers import django_response
from .exchange import DRIVER, Exchange
from .outage import refused_in_view
from .settings import current
from .visits import KEY, visit_of

Answered = HttpResponseBase | Awaitable[HttpResponseBase]


class SeeOtherMiddleware:
    """Every form happens once, and every page may be refreshed.

    Raises PolicyError when the server starts, for settings that cannot be.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        DRIVER.suit(current().store)
        self.get_response = get_response
        # On Python 3.11 only asgiref knows what it has marked itself.
        self._is_async = iscoroutinefunction(get_response)  # pyright: ignore[reportDeprecated]
        if self._is_async:
            markcoroutinefunction(cast("Any", self))

    def __call__(self, request: HttpRequest) -> Answered:
        """One request; a second layer of it does nothing, nor one inside of another seeother."""
        if visit_of(request) is not None or _is_inside(request):
            inner: Answered = self.get_response(request)
            return inner
        if self._is_async:
            return self._acall(request)
        return Exchange(request, current()).run(self.get_response)

    async def _acall(self, request: HttpRequest) -> HttpResponseBase:
        return await Exchange(request, current()).arun(self.get_response)

    def process_exception(
        self, request: HttpRequest, exception: Exception
    ) -> HttpResponseBase | None:
        """A view raised; Django is about to make a page of it, and the page will not say so.

        What seeother itself refused in the view (an unsafe target) has a page of its own, and so
        has a database that failed there (`outage`).
        """
        visit = visit_of(request)
        if visit is None:
            return None
        visit.raised = exception
        refused = refused_in_view(visit, exception)
        if refused is None:
            return None
        if refused is not exception:
            EVENTS.error("the database failed in a view: %s", refused, exc_info=exception)
        return django_response(visit.refusal(refused))


def _is_inside(request: HttpRequest) -> bool:
    """Does another seeother stand around the project (`seeother.wsgi` or `.asgi`)?"""
    return KEY in getattr(request, "scope", request.META)
