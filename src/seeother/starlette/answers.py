"""Starlette's responses as values of the core, and back."""

from __future__ import annotations

from starlette.responses import Response as StarletteResponse

from ..core.values import Response


def core_response(response: Response | StarletteResponse) -> Response:
    """Any response of a view as a value of the core."""
    if isinstance(response, Response):
        return response
    headers = tuple([(k.lower(), v) for k, v in response.raw_headers])
    return Response(response.status_code, headers, bytes(response.body))


def to_starlette(response: Response) -> StarletteResponse:
    """A value of the core as a Starlette response."""
    made = StarletteResponse(response.body, response.status)
    made.raw_headers = [
        *[pair for pair in response.headers if pair[0] != b"content-length"],
        (b"content-length", str(len(response.body)).encode()),
    ]
    return made
