"""Answers of Django as values of the core, and back.

What a flow decides about an answer (its status, its Location, its headers) is put into the very
response object that the view made, so that its cookies, closers and attributes live on.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import replace
from typing import Any, Final

from django.forms import BaseForm, BaseFormSet
from django.forms.utils import ErrorList
from django.http import HttpResponse, HttpResponseBase

from ..core.cookie import SetCookie
from ..core.headers import SWITCH, switch
from ..core.values import Response
from ..hold import Planting, is_html
from ..visit import Visit

LENGTH: Final = "Content-Length"
SET_COOKIE: Final = b"set-cookie"


def core_response(response: HttpResponseBase) -> Response:
    """Status and headers of a response; its body stays where it is."""
    headers = tuple((k.lower().encode("latin-1"), _bytes(v)) for k, v in response.items())
    return Response(response.status_code, headers)


def with_cookies(response: HttpResponseBase) -> Response:
    """The same with its cookies, which Django keeps apart: a replay may have to set them again."""
    lines = (cookie.OutputString().encode("latin-1") for cookie in response.cookies.values())
    head = core_response(response)
    return replace(head, headers=(*head.headers, *((SET_COOKIE, line) for line in lines)))


def django_response(response: Response, cookies: Iterable[SetCookie] = ()) -> HttpResponse:
    """A response of the core as one of Django's."""
    headers = {k.decode("latin-1").title(): v.decode("latin-1") for k, v in _own(response)}
    made = HttpResponse(response.body, status=response.status, headers=headers)
    for line in response.all(SET_COOKIE):
        made.cookies.load(line.decode("latin-1"))
    set_cookies(made, cookies)
    return made


def set_cookies(response: HttpResponseBase, cookies: Iterable[SetCookie]) -> None:
    """Add cookies of ours."""
    for cookie in cookies:
        response.set_cookie(
            cookie.name,
            cookie.value,
            max_age=cookie.max_age,
            path=cookie.path,
            secure=cookie.secure,
            httponly=cookie.http_only,
            samesite=cookie.same_site,
        )


def apply(decided: Response, response: HttpResponseBase) -> None:
    """Make a response what was decided; a redirect of ours has no body."""
    before, headers = core_response(response), _own(decided)
    if decided.status == before.status and headers == before.headers:
        return
    response.status_code = decided.status
    for name, _ in before.headers:
        del response[name.decode("latin-1")]
    for name, value in headers:
        response[name.decode("latin-1").title()] = value.decode("latin-1")
    if decided.header(b"content-length") == "0":
        _empty(response)


def plant(response: HttpResponseBase, visit: Visit) -> None:
    """Plant tokens into the forms of a page, unless it says `SeeOther: off`."""
    head = core_response(response)
    headers, off = switch(head.headers)
    if headers is not head.headers:
        del response[SWITCH.decode()]
    planting = visit.planter(head) if is_html(head) and not off else None
    if planting is None:
        return
    if isinstance(response, HttpResponse):
        response.content = planting.feed(response.content) + planting.close()
        if response.has_header(LENGTH):
            response[LENGTH] = str(len(response.content))
        return
    visit.token()  # the head goes first: the visitor's cookie cannot wait for the first form
    page: Any = response
    planted = _aplanted if page.is_async else _planted
    page.streaming_content = planted(page.streaming_content, planting)
    del response[LENGTH]


def shows_a_page(response: HttpResponseBase) -> bool:
    """Is it a page, answered in place?"""
    return response.status_code == 200 and is_html(core_response(response))


def rejects(response: HttpResponseBase) -> bool:
    """Is it a page that shows a form or a formset of Django's with what is wrong with it?"""
    context: dict[str, object] = getattr(response, "context_data", None) or {}
    return any(_is_wrong(value) for value in context.values())


def _is_wrong(shown: object) -> bool:
    """The admin wraps its form, and lists what is wrong with its formsets."""
    if isinstance(shown, BaseFormSet):  # its own `form` is a class
        return shown.is_bound and shown.total_error_count() > 0
    form = getattr(shown, "form", shown)
    if isinstance(form, BaseForm):
        return form.is_bound and bool(form.errors)
    return isinstance(shown, ErrorList) and bool(shown)


def _own(response: Response) -> tuple[tuple[bytes, bytes], ...]:
    """The headers that Django keeps as headers: cookies are none."""
    return tuple(header for header in response.headers if header[0] != SET_COOKIE)


def _planted(pieces: Iterable[bytes], planting: Planting) -> Iterator[bytes]:
    for piece in pieces:
        yield planting.feed(piece)
    yield planting.close()


async def _aplanted(pieces: AsyncIterator[bytes], planting: Planting) -> AsyncIterator[bytes]:
    async for piece in pieces:
        yield planting.feed(piece)
    yield planting.close()


def _empty(response: HttpResponseBase) -> None:
    if isinstance(response, HttpResponse):
        response.content = b""
    else:
        page: Any = response
        page.streaming_content = ()


def _bytes(value: str) -> bytes:
    try:
        return value.encode("latin-1")
    except UnicodeEncodeError:
        return value.encode("utf-8")
