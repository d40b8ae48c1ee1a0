"""Every request of Django's own test suite goes through the middleware, whatever MIDDLEWARE says.

What each request needs beside that: the word of a browser that a form comes from a page of this
site, and (as a form is a row in the ledger) the database, also in a `SimpleTestCase`.
"""

from __future__ import annotations

from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.conf import settings
from django.core.handlers.base import BaseHandler
from django.test import SimpleTestCase

from .between import HEADER, SITE

OURS = "seeother.django.middleware.SeeOtherMiddleware"
BROWSER = f"{__name__}.Browser"
LOAD = BaseHandler.load_middleware


class Browser:
    """Middleware: whoever says nothing about where a form comes from is a page of ours."""

    sync_capable = async_capable = True

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: Any) -> Any:
        """Say it, as WSGI and as ASGI say it."""
        request.META.setdefault(SITE, "same-origin")
        scope = getattr(request, "scope", None)
        if scope is not None and all(name != HEADER[0] for name, _ in scope["headers"]):
            scope["headers"] = [*scope["headers"], HEADER]
        return self.get_response(request)


def load_middleware(self: Any, is_async: bool = False) -> None:
    """Load what the test wants, inside of ours."""
    wanted = settings.MIDDLEWARE
    settings.MIDDLEWARE = [BROWSER, OURS, *[name for name in wanted if name != OURS]]
    try:
        LOAD(self, is_async)
    finally:
        settings.MIDDLEWARE = wanted


BaseHandler.load_middleware = load_middleware  # type: ignore[method-assign]
SimpleTestCase.databases = {"default"}
