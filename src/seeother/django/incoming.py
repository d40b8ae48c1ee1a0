"""A Django request as the core sees it, and what the app sees of it afterwards.

Host and scheme are those that Django believes in (ALLOWED_HOSTS, SECURE_PROXY_SSL_HEADER,
USE_X_FORWARDED_HOST). The form is read here and handed back unread: whatever limits, encodings and
upload handlers the project has, its own parser finds the stream as it was.
"""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from typing import Any, Final

from django.conf import settings
from django.core.handlers.asgi import ASGIRequest
from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpRequest
from django.middleware.csrf import CsrfViewMiddleware

from .. import asgi, wsgi_exchange
from ..core.body import Body
from ..core.mark import strip
from ..core.policy import Policy
from ..core.values import Request
from ..errors import BadForm, PolicyError
from ..visit import Visit
from .exempt import Wishes

CHUNK: Final = 64 << 10
QUERY: Final = "QUERY_STRING"
REFERER: Final = "HTTP_REFERER"
URIS: Final = ("RAW_URI", "REQUEST_URI")
SAME_ORIGIN: Final = (b"sec-fetch-site", b"same-origin")


def core_request(request: HttpRequest) -> Request:
    """The request as a value. Raises DisallowedHost, as `get_host()` does."""
    if isinstance(request, WSGIRequest):
        found = wsgi_exchange.request_of(request.environ)
    elif isinstance(request, ASGIRequest):
        found = asgi.request_of({**request.scope, "query_string": _query(request)})
    else:
        raise PolicyError(f"{type(request).__name__} is no request of a server")
    found = replace(found, scheme=request.scheme or "http", host=request.get_host())
    return _as_browser(found) if getattr(request, "_dont_enforce_csrf_checks", False) else found


def _query(request: ASGIRequest) -> bytes:
    """The query as sent; Django's AsyncClient puts text into the scope."""
    return str(request.META.get(QUERY, "")).encode("latin-1", "replace")


def _as_browser(request: Request) -> Request:
    """Django's test client posts as a browser on this site, unless a test asks for the checks."""
    said = request.header(b"sec-fetch-site") or request.header(b"origin")
    return request if said else replace(request, headers=(*request.headers, SAME_ORIGIN))


def policy_for(request: Request, wishes: Wishes, policy: Policy) -> Policy:
    """The policy of this very request: the view's wishes, and CSRF_TRUSTED_ORIGINS with a star."""
    if wishes.anywhere:
        return replace(policy, exempt=(*policy.exempt, request.root + request.path))
    origin = (request.header(b"origin") or b"").decode("latin-1")
    if not _is_trusted_subdomain(origin):
        return policy
    return replace(policy, trusted_origins=(*policy.trusted_origins, origin))


def _is_trusted_subdomain(origin: str) -> bool:
    if not origin or not any("*" in one for one in settings.CSRF_TRUSTED_ORIGINS):
        return False
    scheme, _, netloc = origin.partition("://")
    trusted = CsrfViewMiddleware(lambda _request: None).allowed_origin_subdomains  # type: ignore[arg-type]
    return any(netloc.endswith(f".{host.lstrip('.')}") for host in trusted.get(scheme, ()))


def read_form(django: HttpRequest, request: Request, policy: Policy) -> bytes:
    """The whole form; Django gets it again. Raises what `Body` raises."""
    body = Body(request, policy.max_body, framed=_is_framed(django, request))
    stateful: Any = django
    stream = stateful._stream  # noqa: SLF001 - `request.read()` would count as reading it
    try:
        while chunk := stream.read(CHUNK):
            body.add(chunk)
    except OSError as error:
        raise BadForm("the form ended before its end") from error
    whole = body.whole()
    if stream.seekable():
        stream.seek(0)
    else:
        stateful._stream = BytesIO(whole)  # noqa: SLF001
    return whole


def _is_framed(django: HttpRequest, request: Request) -> bool:
    """Does the server say where a body ends that has no length (HTTP/2, chunks)?"""
    if not isinstance(django, ASGIRequest):  # Django reads none without a Content-Length
        return False
    chunked = request.header(b"transfer-encoding") is not None
    return chunked or not str(django.scope.get("http_version", "1.1")).startswith("1")


def unmark(django: HttpRequest, visit: Visit) -> None:
    """Take the mark out of everything that the app reads."""
    meta, query = django.META, visit.greeting.request.query.decode("latin-1")
    if query != meta.get(QUERY, ""):
        meta[QUERY] = query
        vars(django).pop("GET", None)
        for name in URIS:
            if name in meta:
                path = meta[name].partition("?")[0]
                meta[name] = f"{path}?{query}" if query else path
    if REFERER in meta:
        meta[REFERER] = strip(meta[REFERER], visit.policy.mark, visit.policy.ring)
