"""What views call: `see_other` and `repeat`, with everything that `redirect()` takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import resolve_url

from ..core.values import Flash
from ..errors import PolicyError
from . import visits
from .answers import django_response


def visit_of(request: HttpRequest | None = None) -> visits.DjangoVisit:
    """The visit of a request, or of the one being answered. Raises PolicyError if there is none."""
    visit = visits.visit_of(request)
    if visit is None:
        raise PolicyError("no visit: put SeeOtherMiddleware first in MIDDLEWARE")
    return visit


def see_other(
    target: Any,
    *args: Any,
    flash: str | tuple[str, str] | Flash | None = None,
    draft: Mapping[str, str] | None = None,
    **kwargs: Any,
) -> HttpResponse:
    """303 to a URL, the name of a URL or a model, with a message or a draft.

    `args` and `kwargs` are those of `redirect()`. `flash` is a text, (text, tag) or a Flash;
    `draft` maps names of fields to what is wrong with them. Raises UnsafeTarget for a target that
    is not proved to be on this site.
    """
    visit = visit_of()
    return django_response(
        visit.see_other(resolve_url(target, *args, **kwargs), flash=flash, draft=draft)
    )


def repeat(target: Any, *args: Any, permanent: bool = False, **kwargs: Any) -> HttpResponse:
    """307 (or 308): the browser sends the same form to another URL (RFC 9110 15.4.8, 15.4.9).

    Raises UnsafeTarget.
    """
    found = visit_of().repeat(resolve_url(target, *args, **kwargs), permanent=permanent)
    return django_response(found)
