"""Django's own CSRF token in the pages that are ours.

The resend page is made outside of CsrfViewMiddleware as often as inside, and what it sends must
pass there. So it gets the field, and the cookie if there was none.
"""

from __future__ import annotations

from dataclasses import replace
from html import escape
from typing import Final

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.middleware.csrf import CsrfViewMiddleware, get_token

from ..core.token import FIELD
from ..core.values import Response

INPUT: Final = "csrfmiddlewaretoken"
MIDDLEWARE: Final = "CsrfViewMiddleware"


def with_csrf(page: Response, request: HttpRequest) -> Response:
    """A resend page with Django's own token in it, where the project asks for one."""
    token = _token(request)
    if token is None:
        return page
    before = f'<input type="hidden" name="{FIELD}"'.encode()
    own = f'<input type="hidden" name="{INPUT}" value="{escape(token)}">'.encode()
    body = page.body.replace(before, own + before, 1)
    size = (b"content-length", str(len(body)).encode())
    headers = tuple(size if name == size[0] else (name, value) for name, value in page.headers)
    return replace(page, headers=headers, body=body)


def finish(request: HttpRequest, response: HttpResponseBase) -> None:
    """Set the CSRF cookie where our page was answered outside of CsrfViewMiddleware."""
    if request.META.get("CSRF_COOKIE_NEEDS_UPDATE") and not settings.CSRF_USE_SESSIONS:
        _middleware().process_response(request, response)


def _token(request: HttpRequest) -> str | None:
    if not any(name.endswith(MIDDLEWARE) for name in settings.MIDDLEWARE):
        return None
    if "CSRF_COOKIE" not in request.META:
        try:
            _middleware().process_request(request)
        except ImproperlyConfigured:  # CSRF_USE_SESSIONS, and no session was opened yet
            return None
    return get_token(request)


def _middleware() -> CsrfViewMiddleware:
    return CsrfViewMiddleware(lambda _request: HttpResponse())
