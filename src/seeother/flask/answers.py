"""Answers of Flask as values of the core, and back.

What a flow decides about an answer (its status, its Location, its headers) is put into the very
response object that the view made, so that subclasses, streams and `call_on_close` live on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from werkzeug.datastructures import Headers

from ..core.values import Response

if TYPE_CHECKING:
    from flask import Flask
    from flask.wrappers import Response as FlaskResponse
    from werkzeug.wrappers import Response as WerkzeugResponse


def core_response(response: WerkzeugResponse) -> Response:
    """Status and headers of a response; its body stays where it is."""
    headers = tuple((k.lower().encode("latin-1"), _bytes(v)) for k, v in response.headers)
    return Response(response.status_code, headers)


def apply(decided: Response, response: WerkzeugResponse) -> None:
    """Make a response what was decided; a redirect of ours has no body."""
    before = core_response(response)
    if decided.status == before.status and decided.headers == before.headers:
        return
    if decided.status != response.status_code:
        response.status_code = decided.status
    response.headers = Headers(
        [(k.decode("latin-1").title(), v.decode("latin-1")) for k, v in decided.headers]
    )
    if decided.header(b"content-length") == "0":
        response.set_data(b"")


def flask_response(response: Response, app: Flask) -> FlaskResponse:
    """A response of the core as the app makes its own."""
    headers = [(k.decode("latin-1").title(), v.decode("latin-1")) for k, v in response.headers]
    return app.response_class(response.body, status=response.status, headers=headers)


def _bytes(value: str) -> bytes:
    try:
        return value.encode("latin-1")
    except UnicodeEncodeError:
        return value.encode("utf-8")
