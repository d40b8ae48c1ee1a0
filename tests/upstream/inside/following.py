"""A client that fetches the page which a submission was converted to, as every browser does."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from http.cookies import SimpleCookie
from io import BytesIO
from typing import Any, Final
from urllib.parse import urlsplit

from .between import WSGIApp

REDIRECT: Final = "3"
OF_A_FORM: Final = ("CONTENT_TYPE", "CONTENT_LENGTH")
Headers = list[tuple[str, str]]


def following(around: Callable[[WSGIApp], WSGIApp], app: WSGIApp) -> WSGIApp:
    """`around(app)`; where the app answers with a page and a redirect comes out, follow it."""

    def client(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        own: list[str] = []
        outer: list[tuple[str, Headers]] = []

        def noted(inner: dict[str, Any], start: Any) -> Iterable[bytes]:
            def begin(status: str, *more: Any) -> Any:
                own.append(status)
                return start(status, *more)

            return app(inner, begin)

        def hold(status: str, headers: Headers, exc_info: Any = None) -> Any:
            outer.append((status, headers))
            if own and was_converted(own[-1], status):
                return lambda _: None
            return start_response(status, headers, *([exc_info] if exc_info else []))

        answer = around(noted)(environ, hold)
        status, headers = outer[-1] if outer else ("", [])
        if not (own and was_converted(own[-1], status)):
            return answer
        close = getattr(answer, "close", None)
        if close is not None:
            close()
        cookies = [(name, value) for name, value in headers if name.lower() == "set-cookie"]

        def begin(status: str, headers: Headers, exc_info: Any = None) -> Any:
            return start_response(status, [*headers, *cookies])

        return around(app)(fetching(environ, headers), begin)

    return client


def was_converted(own: str, outer: str) -> bool:
    """Did the app answer with a page, and a redirect came out?"""
    return outer.startswith(REDIRECT) and not own.startswith(REDIRECT)


def fetching(environ: dict[str, Any], headers: Headers) -> dict[str, Any]:
    """The GET that follows this redirect, with its cookies."""
    jar = SimpleCookie(environ.get("HTTP_COOKIE", ""))
    for name, value in headers:
        if name.lower() == "set-cookie":
            jar.load(value)
    alive = [one for one in jar.values() if one["max-age"] != "0"]
    where = urlsplit(dict(headers)["Location"])
    kept = {name: value for name, value in environ.items() if name not in OF_A_FORM}
    return {
        **kept,
        "REQUEST_METHOD": "GET",
        "PATH_INFO": where.path.removeprefix(environ.get("SCRIPT_NAME", "")),
        "QUERY_STRING": where.query,
        "HTTP_COOKIE": "; ".join(f"{one.key}={one.coded_value}" for one in alive),
        "wsgi.input": BytesIO(),
    }
