"""Beside CsrfViewMiddleware: what was typed is not lost when its check fails.

    CSRF_FAILURE_VIEW = "seeother.django.csrf.failure"

A form that our own page sent, as the browser says, and whose CSRF cookie is gone or of before a
login, comes back with everything that was typed; sent once more it passes. Posts of other sites
get the bare refusal.
"""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.views.csrf import csrf_failure

from ..errors import Refused
from .answers import django_response
from .visits import visit_of


class CsrfStale(Refused):
    """Django's CSRF cookie does not fit the form any more; it came from our own page."""

    status = 403
    reason = "csrf-stale"
    title = "Please send this once more"
    hint = "You signed in or out meanwhile. Nothing you typed is lost and nothing was saved yet."


def failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """What CsrfViewMiddleware answers: the form once more where that is safe (CSRF_FAILURE_VIEW).

    Else Django's own page.
    """
    visit = visit_of(request)
    if visit is None or not visit.greeting.same_origin or not len(visit.form):
        return csrf_failure(request, reason=reason)
    return django_response(visit.resend(CsrfStale(reason)))
